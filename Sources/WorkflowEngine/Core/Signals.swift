public import JSON
public import Values
import Workflows

// Signals: one message goes to one step, once. A signal meets the first waiting step of its name whose `accept` takes
// it. One that comes early is kept, and each step that begins to wait looks at the kept ones in their order. A signal's
// identity outlives rewinds, restarts and snapshots: the same one again changes nothing.

/// A signal as it was sent.
public struct SignalGiven: Sendable, Hashable {
  public let name: String
  /// Names this signal among those of its name: an Idempotency-Key, a message's identity, or an id that the engine made
  /// up for a post without a key. Nil only in histories that older versions wrote.
  public let id: String?
  public let body: JSON
  public let by: String
  /// The way it came: `rest 10.0.0.7`, `kafka saga.commands`. Older events don't say.
  public let from: String?

  public init(name: String, id: String? = nil, body: JSON, by: String, from: String? = nil) {
    self.name = name
    self.id = id
    self.body = body
    self.by = by
    self.from = from
  }

  /// The same signal under an id of its own, if it has none. No key has a blank, so no key is such an id.
  func named(by id: UniqueID) -> SignalGiven {
    self.id == nil ? SignalGiven(name: name, id: "post \(id)", body: body, by: by, from: from) : self
  }

  /// Of the body. Two spellings of one value have one digest.
  static func digest(of body: JSON) -> String { String(Digest.hex(body.bytes(.canonical)).prefix(32)) }
}

/// A signal that was refused, as the history keeps it.
public struct SignalRefusal: Sendable, Hashable {
  public let name: String
  public let id: String?
  /// SHA-256 of the canonical body, the first 32 hexadecimal digits.
  public let digest: String
  /// The length of the canonical body.
  public let bytes: Int
  /// Nil when the body is longer than `longestBody`.
  public let body: JSON?
  public let by: String
  public let from: String?
  public let code: String
  public let message: String
  /// The step whose `accept` refused it, if one did.
  public let step: String?

  /// Longer bodies of refused signals are not kept, but their digests are.
  static let longestBody = 4_096

  public init(
    name: String, id: String?, digest: String, bytes: Int, body: JSON?, by: String, from: String?, code: String,
    message: String, step: String?
  ) {
    self.name = name
    self.id = id
    self.digest = digest
    self.bytes = bytes
    self.body = body
    self.by = by
    self.from = from
    self.code = code
    self.message = message
    self.step = step
  }
}

/// A signal that a saga has received, and what became of it.
public struct ReceivedSignal: Sendable, Hashable {
  /// Where a signal was taken: each of a step's rounds takes one.
  public struct Wait: Sendable, Hashable {
    public let step: String
    public let round: Int
  }
  public enum Fate: Sendable, Hashable {
    /// No step has taken it yet.
    case kept
    /// One step took it. (An older version gave one signal to several.)
    case taken([Wait])
    case refused(code: String, message: String)
    /// It was kept, and a rewind let it go.
    case dropped
  }

  public let name: String
  public let id: String?
  public let digest: String
  public let by: String
  public let from: String?
  public let at: Timestamp
  /// The number of its event in the saga's history.
  public let version: Int
  /// Nil once the signal is no longer kept.
  public internal(set) var body: JSON?
  /// The length of the canonical body.
  public let bytes: Int
  public internal(set) var fate: Fate

  var isKept: Bool { fate == .kept }
}

/// What became of a signal.
public struct SignalAnswer: Sendable, Hashable {
  public enum Word: String, Sendable {
    /// A step was waiting for it.
    case taken
    /// It came early and is kept.
    case kept
  }
  public let word: Word
  /// Whether the same signal had come before; nothing changed then.
  public let isRepeat: Bool
  /// The step that took it.
  public let step: String?
  /// The steps that may still take it, while it is kept.
  public let candidates: [String]
  /// Who sent it first, and when.
  public let by: String
  public let at: Timestamp
  /// The number of its event in the saga's history.
  public let version: Int
}

/// The most that a saga keeps of signals.
enum SignalLimits {
  /// Signals that no step has taken yet, and the bytes of their canonical bodies.
  static let kept = 100
  static let keptBytes = 8 << 20
  /// Signals of one saga, whatever became of them.
  static let all = 10_000
}

// MARK: Identity

extension SagaState {
  /// The signal that has this identity and this body; nil for a new one.
  /// - Parameter formerIDs: the names that an older version would have given it.
  func known(_ given: SignalGiven, formerIDs: [String] = []) -> ReceivedSignal? {
    let named = named(given, formerIDs)
    guard !named.isEmpty else { return nil }
    let digest = SignalGiven.digest(of: given.body)
    return named.first { $0.digest == digest }
  }

  fileprivate func named(_ given: SignalGiven, _ formerIDs: [String]) -> [ReceivedSignal] {
    guard let id = given.id else { return [] }
    return signals.filter { signal in
      guard let known = signal.id, signal.name.hasSameScalars(as: given.name) else { return false }
      // What says where it came from was written under today's names.
      return known.hasSameScalars(as: id)
        || (signal.from == nil && formerIDs.contains { known.hasSameScalars(as: $0) })
    }
  }

  /// What became of a signal that the saga has received.
  /// - Throws: `Refusal` when it was refused, or when it was kept and no step can take it any more.
  func answer(
    to given: SignalGiven, formerIDs: [String] = [], isRepeat: Bool, _ definition: WorkflowDefinition
  ) throws(Refusal) -> SignalAnswer {
    guard let signal = known(given, formerIDs: formerIDs) else {
      throw Refusal(EngineErrorCode.signalTooLate, "The saga does not know the signal “\(given.name)”.")
    }
    let first = isRepeat ? "This is a repeat: \(signal.by) sent it at \(signal.at). " : ""
    func answer(_ word: SignalAnswer.Word, step: String? = nil, candidates: [String] = []) -> SignalAnswer {
      SignalAnswer(
        word: word, isRepeat: isRepeat, step: step, candidates: candidates, by: signal.by, at: signal.at,
        version: signal.version)
    }
    switch signal.fate {
    case .taken(let waits): return answer(.taken, step: waits.first?.step)
    case .refused(let code, let message): throw Refusal(code, first + message)
    case .dropped:
      throw Refusal(
        EngineErrorCode.signalDropped,
        first + "It was kept, and a rewind of the saga let it go: send it under a new key, if it still holds.")
    case .kept:
      let steps = Decider(self, definition: definition, now: signal.at).candidates(for: signal)
      guard end == nil, turnBack == nil, !steps.isEmpty else {
        throw Refusal(
          EngineErrorCode.signalDropped, first + "It was kept, and no step took it: none can take it any more.")
      }
      return answer(.kept, candidates: steps)
    }
  }
}

// MARK: What a signal leads to

extension Decider {
  /// A step that takes signals of one name.
  struct SignalWait {
    let state: StepState
    let step: Step
    let signal: SignalAction
  }

  /// The steps of the workflow that take signals of this name, in the file's order.
  private func signalWaits(named name: String) -> [SignalWait] {
    definition.steps.compactMap { step in
      guard case .signal(let signal) = step.action, signal.name.hasSameScalars(as: name),
        let state = state.step(step.id)
      else { return nil }
      return SignalWait(state: state, step: step, signal: signal)
    }
  }

  /// Those of them that wait, or will. A step that is being rewound waits again, and so does one that an operator has
  /// had retried while the saga is paused.
  func stepsToCome(for name: String) -> [SignalWait] {
    signalWaits(named: name).filter { wait in
      switch wait.state.status {
      case .pending, .waiting, .backingOff: true
      case .running, .succeeded, .failed, .skipped, .undoing, .undone, .undoFailed: state.isRewinding(wait.state.id)
      }
    }
  }

  /// The steps that have still to judge a kept signal, in the file's order. A step that waits has not accepted it.
  func candidates(for kept: ReceivedSignal) -> [String] {
    stepsToCome(for: kept.name).filter { $0.state.status != .waiting }.map(\.step.id)
  }

  mutating func takeSignal(_ given: SignalGiven, formerIDs: [String]) throws(Refusal) {
    // 1. The same signal again changes nothing, whatever has become of the saga.
    if state.known(given, formerIDs: formerIDs) != nil { return }
    let former = state.named(given, formerIDs).first
    let reused = former.map { former in
      Refusal(
        EngineErrorCode.commandReused,
        "“\(former.id ?? "")” has named another signal “\(given.name)”, with another body, that \(former.by) sent at "
          + "\(former.at). A new signal needs a new key.")
    }
    if state.end != nil {
      throw reused
        ?? Refusal(EngineErrorCode.sagaEnded, "The saga is \(state.status.rawValue): it has ended and can't change.")
    }
    // 2. What the workflow doesn't know is no signal of the saga.
    let waits = signalWaits(named: given.name)
    guard !waits.isEmpty else {
      let names = definition.steps.compactMap { step in
        if case .signal(let signal) = step.action { signal.name } else { nil }
      }
      let known = names.isEmpty ? "It waits for no signal." : "It knows \(names.joined(separator: ", "))."
      throw Refusal(EngineErrorCode.signalUnknown, "The workflow has no signal “\(given.name)”. \(known)")
    }
    guard state.signals.count < SignalLimits.all else {
      throw Refusal(
        EngineErrorCode.signalLimit,
        "The saga has received \(SignalLimits.all) signals, the most that a saga takes. This one is not recorded.")
    }
    if let reused {
      refuse(given, reused)
      return
    }
    if state.turnBack != nil {
      refuse(
        given,
        Refusal(EngineErrorCode.signalTooLate, "The saga has turned back and waits for no signal any more."))
      return
    }
    // 3. It meets the first step that waits and takes it.
    let coming = stepsToCome(for: given.name)
    let waiting = coming.filter { $0.state.status == .waiting }
    var undecided: Refusal?
    for wait in waiting {
      let verdict = verdict(of: wait.signal, on: given.body)
      guard verdict.accepts else {
        undecided = undecided ?? verdict.undecided
        continue
      }
      emit(.signalReceived(given, step: wait.step.id))
      succeed(wait.step.id, output: StepOutput(given.body))
      return
    }
    // 4. It is kept for a step that will wait, unless it is known by now that none takes it.
    let later = coming.filter { $0.state.status != .waiting }
    if waiting.isEmpty ? !later.isEmpty : later.contains(where: { mayAccept($0.signal, given.body) }) {
      try requireRoom(for: given)
      emit(.signalReceived(given, step: nil))
      return
    }
    // 5. Nothing takes it: that is recorded.
    if let wait = waiting.first {
      refuse(
        given,
        undecided
          ?? Refusal(
            EngineErrorCode.signalRefused, "The step \(wait.step.id) doesn't accept this body; it goes on waiting."),
        step: wait.step.id)
    } else {
      refuse(given, tooLate(given.name, waits))
    }
  }

  private func tooLate(_ name: String, _ waits: [SignalWait]) -> Refusal {
    let ends = waits.map { "\($0.step.id) is \($0.state.status.rawValue)" }.joined(separator: ", ")
    let stuck = waits.first { $0.state.isBlocked }.map {
      " The saga is stuck on \($0.step.id): once an operator has had it retried, send the signal under a new key."
    }
    return Refusal(
      EngineErrorCode.signalTooLate, "No step waits for the signal “\(name)” any more: \(ends).\(stuck ?? "")")
  }

  private func requireRoom(for given: SignalGiven) throws(Refusal) {
    let kept = state.signals.filter(\.isKept)
    let bytes = kept.reduce(given.body.bytes(.canonical).count) { $0 + $1.bytes }
    guard kept.count < SignalLimits.kept, bytes <= SignalLimits.keptBytes else {
      throw Refusal(
        EngineErrorCode.signalLimit,
        "The saga keeps \(kept.count) signals that no step has taken yet. \(SignalLimits.kept) signals, of "
          + "\(SignalLimits.keptBytes) bytes together, are the most. This one is not recorded: send it again later.")
    }
  }

  private mutating func refuse(_ given: SignalGiven, _ refusal: Refusal, step: String? = nil) {
    let bytes = given.body.bytes(.canonical).count
    emit(
      .signalRefused(
        SignalRefusal(
          name: given.name, id: given.id, digest: SignalGiven.digest(of: given.body), bytes: bytes,
          body: bytes <= SignalRefusal.longestBody ? given.body : nil, by: given.by, from: given.from,
          code: refusal.code, message: refusal.message, step: step)))
  }

  /// A step has begun to wait: it looks at the kept signals of its name, in the order in which they came.
  mutating func useKeptSignal(for step: Step, _ signal: SignalAction) {
    for kept in state.signals where kept.isKept && kept.name.hasSameScalars(as: signal.name) {
      let body = kept.body ?? .null
      if verdict(of: signal, on: body).accepts {
        emit(.keptSignalTaken(name: signal.name, step: step.id, received: kept.version))
        succeed(step.id, output: StepOutput(body))
        return
      }
      // A step that waits already has not accepted it.
      let others = stepsToCome(for: signal.name).filter { $0.step.id != step.id && $0.state.status != .waiting }
      if !others.contains(where: { mayAccept($0.signal, body) }) {
        emit(.keptSignalRefused(name: signal.name, step: step.id, received: kept.version))
      }
    }
  }

  /// What a step's `accept` says of a body. A condition that can't be decided, because it takes more work than its budget
  /// allows or reads an answer that can't be read, accepts nothing; `undecided` says why.
  private mutating func verdict(of signal: SignalAction, on body: JSON) -> (accepts: Bool, undecided: Refusal?) {
    guard let condition = signal.accept else { return (true, nil) }
    guard case .object(var members) = state.document(reading: condition.reads) else { return (false, nil) }
    members["signal"] = body
    let document = JSON.object(members)
    func undecided(_ code: String, _ message: String) -> (accepts: Bool, undecided: Refusal?) {
      (false, Refusal(code, "The condition of the signal “\(signal.name)” can't be decided: \(message)"))
    }
    if let error = condition.obstacle(in: document) { return undecided(error.code, error.message) }
    do {
      return (try measured { meter throws(BudgetExceeded) in try condition.holds(in: document, meter: meter) }, nil)
    } catch {
      return undecided(error.code, "\(error.message).")
    }
  }

  /// Whether a step that doesn't wait yet may accept a body. Only a condition on steps can still change its verdict.
  private mutating func mayAccept(_ signal: SignalAction, _ body: JSON) -> Bool {
    guard let condition = signal.accept else { return true }
    let isSettled = condition.referencedQueries.allSatisfy { query in
      switch query.leadingTokens.first {
      case .name("signal"), .name("input"), .name("saga"): true
      case .name, .index, nil: false
      }
    }
    return !isSettled || verdict(of: signal, on: body).accepts
  }
}

// MARK: Folding

extension SagaState {
  mutating func apply(_ given: SignalGiven, step: String?, at moment: Timestamp) throws(HistoryError) {
    var fate = ReceivedSignal.Fate.kept
    if let step { fate = .taken([try wait(of: step)]) }
    signals.append(
      ReceivedSignal(
        name: given.name, id: given.id, digest: SignalGiven.digest(of: given.body), by: given.by, from: given.from,
        at: moment, version: version + 1, body: step == nil ? given.body : nil,
        bytes: given.body.bytes(.canonical).count, fate: fate))
  }

  mutating func apply(_ refused: SignalRefusal, at moment: Timestamp) {
    signals.append(
      ReceivedSignal(
        name: refused.name, id: refused.id, digest: refused.digest, by: refused.by, from: refused.from, at: moment,
        version: version + 1, body: nil, bytes: refused.bytes,
        fate: .refused(code: refused.code, message: refused.message)))
  }

  mutating func takeKeptSignal(_ received: Int, for step: String) throws(HistoryError) {
    guard let index = signals.firstIndex(where: { $0.version == received && $0.isKept }) else {
      throw HistoryError("A step takes a kept signal, and event \(received) is none.")
    }
    settle(index, .taken([try wait(of: step)]))
  }

  /// - Parameter received: nil in histories of older versions, that kept one signal of a name.
  mutating func refuseKeptSignal(named name: String, for step: String, received: Int?) {
    for index in signals.indices where signals[index].isKept && signals[index].name.hasSameScalars(as: name) {
      guard received == nil || signals[index].version == received else { continue }
      settle(
        index,
        .refused(
          code: EngineErrorCode.signalRefused,
          message: "It was kept, and the step \(step) did not accept this body when it began to wait."))
    }
  }

  /// Lets go of kept signals whose name a step waited for that is undone: they were sent for what no longer counts.
  mutating func dropKeptSignals(waitedForBy ids: [String]) {
    let names = steps.compactMap { ids.contains($0.id) ? $0.waitingFor : nil }
    for index in signals.indices
    where signals[index].isKept && names.contains(where: { $0.hasSameScalars(as: signals[index].name) }) {
      settle(index, .dropped)
    }
  }

  /// Histories of older versions don't say which signal a step took: the first of its name that was kept, or else the
  /// first of its name at all, which then ended several waits.
  mutating func noteWaitEnded(_ id: String) {
    guard let step = step(id), step.status == .waiting, let name = step.waitingFor else { return }
    let wait = ReceivedSignal.Wait(step: id, round: step.round)
    func has(_ signal: ReceivedSignal) -> Bool { signal.name.hasSameScalars(as: name) }
    let isKnown = signals.contains { signal in
      if case .taken(let waits) = signal.fate { has(signal) && waits.contains(wait) } else { false }
    }
    guard !isKnown else { return }
    if let index = signals.firstIndex(where: { has($0) && $0.isKept }) {
      settle(index, .taken([wait]))
    } else if let index = signals.firstIndex(where: has), case .taken(let waits) = signals[index].fate {
      settle(index, .taken(waits + [wait]))
    }
  }

  private func wait(of id: String) throws(HistoryError) -> ReceivedSignal.Wait {
    guard let step = step(id) else {
      throw HistoryError("A signal names the step “\(id)”, which the saga doesn't have.")
    }
    return ReceivedSignal.Wait(step: id, round: step.round)
  }

  private mutating func settle(_ index: Int, _ fate: ReceivedSignal.Fate) {
    signals[index].fate = fate
    signals[index].body = nil
  }
}

// MARK: Storing

extension SignalGiven {
  func add(to data: inout JSONObject) {
    data["signal"] = .string(name)
    data["signalId"] = id.map(JSON.string)
    data["body"] = body
    data["by"] = .string(by)
    data["from"] = from.map(JSON.string)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      name: try data.string("signal"), id: data.optionalString("signalId"), body: try data.value("body"),
      by: try data.string("by"), from: data.optionalString("from"))
  }
}

extension SignalRefusal {
  func add(to data: inout JSONObject) {
    data["signal"] = .string(name)
    data["signalId"] = id.map(JSON.string)
    data["digest"] = .string(digest)
    data["bytes"] = .int(bytes)
    data["body"] = body
    data["by"] = .string(by)
    data["from"] = from.map(JSON.string)
    data["code"] = .string(code)
    data["message"] = .string(message)
    data["step"] = step.map(JSON.string)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      name: try data.string("signal"), id: data.optionalString("signalId"), digest: try data.string("digest"),
      bytes: try data.int("bytes"), body: data.data["body"], by: try data.string("by"),
      from: data.optionalString("from"), code: try data.string("code"), message: try data.string("message"),
      step: data.optionalString("step"))
  }
}

extension ReceivedSignal {
  /// As a snapshot keeps it.
  var json: JSON {
    var members: JSONObject = [
      "name": .string(name), "digest": .string(digest), "bytes": .int(bytes), "by": .string(by), "at": .moment(at),
      "version": .int(version),
    ]
    members["id"] = id.map(JSON.string)
    members["from"] = from.map(JSON.string)
    members["body"] = body
    switch fate {
    case .kept: members["fate"] = "kept"
    case .dropped: members["fate"] = "dropped"
    case .taken(let waits):
      members["fate"] = "taken"
      members["waits"] = .array(waits.map { ["step": .string($0.step), "round": .int($0.round)] })
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
        let reader = EventReader(type: "snapshot.signal.wait", data: json)
        waits.append(Wait(step: try reader.string("step"), round: try reader.int("round")))
      }
      fate = .taken(waits)
    default: throw data.unreadable("fate")
    }
    self.init(
      name: try data.string("name"), id: data.optionalString("id"), digest: try data.string("digest"),
      by: try data.string("by"), from: data.optionalString("from"), at: try data.moment("at"),
      version: try data.int("version"), body: data.data["body"], bytes: try data.int("bytes"), fate: fate)
  }
}
