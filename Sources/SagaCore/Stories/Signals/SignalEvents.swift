import JSON
import Values

/// A signal came. A waiting step takes it, or the saga keeps it. Events of older versions never name the step.
public struct SignalReceived: SagaEventContent {
  public static let typeName = "signalReceived"
  public let signal: SignalGiven
  public let step: String?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(signal: try SignalGiven(data), step: data.optionalString("step"))
  }

  public func write(to data: inout JSONObject) {
    data["signal"] = .string(signal.name)
    data["signalId"] = signal.id.map(JSON.string)
    data["body"] = signal.body
    data["by"] = .string(signal.by)
    data["from"] = signal.from.map(JSON.string)
    data["roles"] = signal.roles.map { .array($0.map(JSON.string)) }
    data["step"] = step.map(JSON.string)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    var fate = ReceivedSignal.Fate.kept
    if let step { fate = .taken([try saga.wait(of: step)]) }
    saga.signals.append(
      ReceivedSignal(
        name: signal.name, id: signal.id, digest: saga.digest(of: saga.opener.opened(signal.body)), by: signal.by,
        from: signal.from, roles: step == nil ? signal.roles : nil, at: at, version: saga.version + 1,
        body: step == nil ? signal.body : nil,
        bytes: signal.body.bytes(.canonical).count, fate: fate))
  }

  public var timeline: [TimelineNote] {
    [.mark("signal \(signal.name)\(step.map { " taken by \($0)" } ?? "")", by: signal.by)]
  }

  public static func audited(_ data: JSON) -> AuditedAct? {
    AuditedAct(
      .signal, "signal", act: data,
      content: [
        ("key", data["signalId"]), ("signal", data["signal"]), ("body", data["body"]), ("roles", data["roles"]),
      ])
  }
}

/// A signal was refused, and no step takes it later.
public struct SignalRefused: SagaEventContent {
  public static let typeName = "signalRefused"
  public let refusal: SignalRefusal
  public var stepID: String? { refusal.step }

  public init(_ refusal: SignalRefusal) { self.refusal = refusal }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      SignalRefusal(
        name: try data.string("signal"), id: data.optionalString("signalId"), digest: try data.string("digest"),
        bytes: try data.int("bytes"), body: data.optionalValue("body"), by: try data.string("by"),
        from: data.optionalString("from"), code: try data.string("code"), message: try data.string("message"),
        step: data.optionalString("step")))
  }

  public func write(to data: inout JSONObject) {
    data["signal"] = .string(refusal.name)
    data["signalId"] = refusal.id.map(JSON.string)
    data["digest"] = .string(refusal.digest)
    data["bytes"] = .int(refusal.bytes)
    data["body"] = refusal.body
    data["by"] = .string(refusal.by)
    data["from"] = refusal.from.map(JSON.string)
    data["code"] = .string(refusal.code)
    data["message"] = .string(refusal.message)
    data["step"] = refusal.step.map(JSON.string)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    saga.signals.append(
      ReceivedSignal(
        name: refusal.name, id: refusal.id, digest: refusal.digest, by: refusal.by, from: refusal.from, roles: nil,
        at: at,
        version: saga.version + 1, body: nil, bytes: refusal.bytes,
        fate: .refused(code: refusal.code, message: refusal.message)))
  }

  public var timeline: [TimelineNote] { [.mark("signal \(refusal.name) refused", by: refusal.by)] }

  public static func audited(_ data: JSON) -> AuditedAct? {
    var content: [(name: String, value: JSON?)] = [("key", data["signalId"])]
    content += ["signal", "body", "code", "message"].map { ($0, data[$0]) }
    if data["body"] == nil, let digest = data["digest"]?.stringValue {
      content += [("bodyDigest", .string("sha256:\(digest)")), ("bodyBytes", data["bytes"])]
    }
    return AuditedAct(.signal, "signal", act: data, content: content + [("outcome", "refused")])
  }
}

/// A step that has begun to wait takes a kept signal: the signal of event `received`.
public struct KeptSignalTaken: SagaEventContent {
  public static let typeName = "keptSignalTaken"
  public let name: String
  public let step: String
  public let received: Int
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(name: try data.string("signal"), step: try data.string("step"), received: try data.int("received"))
  }

  public func write(to data: inout JSONObject) {
    data["signal"] = .string(name)
    data["step"] = .string(step)
    data["received"] = .int(received)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard let index = saga.signals.firstIndex(where: { $0.version == received && $0.isKept }) else {
      throw HistoryError("A step takes a kept signal, and event \(received) is not one.")
    }
    saga.settleSignal(index, .taken([try saga.wait(of: step)]))
  }

  public var timeline: [TimelineNote] { [.mark("signal \(name) taken by \(step)")] }
}

/// The `accept` of the last step that could have taken a kept signal refuses it. Older versions kept one signal of a
/// name, and did not record which.
public struct KeptSignalRefused: SagaEventContent {
  public static let typeName = "keptSignalRefused"
  public let name: String
  public let step: String
  public let received: Int?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      name: try data.string("signal"), step: try data.string("step"), received: try data.optionalInt("received"))
  }

  public func write(to data: inout JSONObject) {
    data["signal"] = .string(name)
    data["step"] = .string(step)
    data["received"] = received.map(JSON.int)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    for index in saga.signals.indices where saga.signals[index].isKept && saga.signals[index].name == name {
      guard received == nil || saga.signals[index].version == received else { continue }
      saga.settleSignal(
        index,
        .refused(
          code: EngineErrorCode.signalRefused,
          message: "It was kept, and the step \(step) did not accept this body when it began to wait."))
    }
  }

  public var timeline: [TimelineNote] { [.mark("signal \(name) refused")] }
}

extension SagaState {
  /// Drops kept signals for which an undone step waited, because the work for which they were sent no longer counts.
  mutating func dropKeptSignals(waitedForBy ids: [String]) {
    let names = ids.compactMap { step($0)?.awaitedSignal }
    for index in signals.indices where signals[index].isKept && names.contains(signals[index].name) {
      settleSignal(index, .dropped)
    }
  }

  /// Drops kept signals of a name by which the undos of these steps were confirmed. They may have been sent for the same
  /// undos.
  mutating func dropKeptSignals(confirmingUndosOf ids: [String]) {
    let names = signals.compactMap { signal -> String? in
      guard case .taken(let waits) = signal.fate else { return nil }
      return waits.contains { $0.phase == .undo && ids.contains(ItemID.step(of: $0.step)) } ? signal.name : nil
    }
    for index in signals.indices where signals[index].isKept && names.contains(signals[index].name) {
      settleSignal(index, .dropped)
    }
  }

  /// Records the signal of a wait that ended in a history of an older version, which lacks it. It is the first kept
  /// signal of the name. If none was kept, it is the first signal of the name, which then ended several waits.
  mutating func noteWaitEnded(_ id: String) {
    guard let step = step(id), let name = step.wait?.signal else { return }
    let wait = ReceivedSignal.Wait(step: id, round: step.round)
    let isKnown = signals.contains { signal in
      if case .taken(let waits) = signal.fate { signal.name == name && waits.contains(wait) } else { false }
    }
    guard !isKnown else { return }
    if let index = signals.firstIndex(where: { $0.name == name && $0.isKept }) {
      settleSignal(index, .taken([wait]))
    } else if let index = signals.firstIndex(where: { $0.name == name }),
      case .taken(let waits) = signals[index].fate
    {
      settleSignal(index, .taken(waits + [wait]))
    }
  }

  fileprivate func wait(of id: String) throws(HistoryError) -> ReceivedSignal.Wait {
    guard let step = step(id) else {
      throw HistoryError("A signal names the step “\(id)”, which the saga doesn't have.")
    }
    return ReceivedSignal.Wait(step: id, round: step.round, phase: step.undoWait == nil ? .forward : .undo)
  }

  fileprivate mutating func settleSignal(_ index: Int, _ fate: ReceivedSignal.Fate) {
    signals[index].fate = fate
    signals[index].body = nil
  }
}

// MARK: In a snapshot

extension ReceivedSignal {
  /// The form in a snapshot.
  var json: JSON {
    var members: JSONObject = [
      "name": .string(name), "digest": .string(digest), "bytes": .int(bytes), "by": .string(by), "at": .timestamp(at),
      "version": .int(version),
    ]
    members["id"] = id.map(JSON.string)
    members["from"] = from.map(JSON.string)
    members["body"] = body
    // An older engine leaves it out, and compares no roles with its events either. So the shape's version is the same.
    members["roles"] = roles.map { .array($0.map(JSON.string)) }
    switch fate {
    case .kept: members["fate"] = "kept"
    case .dropped: members["fate"] = "dropped"
    case .taken(let waits):
      members["fate"] = "taken"
      members["waits"] = .array(
        waits.map { wait in
          var members: JSONObject = ["step": .string(wait.step), "round": .int(wait.round)]
          members.write(wait.phase)
          return .object(members)
        })
    case .refused(let code, let message):
      members["fate"] = "refused"
      members["code"] = .string(code)
      members["message"] = .string(message)
    }
    return .object(members)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    let fate: Fate
    switch try data.string("fate") {
    case "kept": fate = .kept
    case "dropped": fate = .dropped
    case "refused": fate = .refused(code: try data.string("code"), message: try data.string("message"))
    case "taken":
      var waits: [Wait] = []
      for json in try data.value("waits").arrayValue ?? [] {
        let reader = EventReader(json, of: "snapshot.signal.wait")
        waits.append(
          Wait(step: try reader.string("step"), round: try reader.int("round"), phase: try reader.phase()))
      }
      fate = .taken(waits)
    default: throw data.unreadable("fate")
    }
    self.init(
      name: try data.string("name"), id: data.optionalString("id"), digest: try data.string("digest"),
      by: try data.string("by"), from: data.optionalString("from"), roles: data.optionalStrings("roles"),
      at: try data.timestamp("at"), version: try data.int("version"), body: data.optionalValue("body"),
      bytes: try data.int("bytes"), fate: fate)
  }
}
