import JSON
import Persistence
import SagaCore
import Values

/// The read model of people's acts: a row for each start, signal and verb, in the order of time. A row is found by
/// saga, actor and verb. The statuses before and after are folds of the saga's history, up to the act and with its
/// append. A later effect of an act (a kept signal is taken, an operation ends) is added to its row.
struct AuditProjection: Projection {
  static let collection = "audit"
  /// The number changes with the form of the rows. Then the list is built again from the events.
  let name = "audit.2"
  let collections: Set<String> = [Self.collection, OperationDocuments.collection]
  let history: SagaHistory

  /// The sagas of one batch just before their latest act, so that the next act on one of them begins there.
  private typealias Folds = [UniqueID: SagaFold]

  func apply(_ events: [StoredEvent], to changes: inout ProjectionChanges) async throws {
    var folds: Folds = [:]
    for (index, stored) in events.enumerated() {
      try await OperationDocuments.take(stored, into: &changes)
      try await amend(stored, &changes)
      guard let act = AuditAct(stored) else { continue }
      let entry: AuditEntry?
      switch act.kind {
      case .start: entry = try await start(act, stored, behind: events[(index + 1)...], &folds)
      case .signal, .verb: entry = try await onSaga(act, stored, &folds)
      case .operation: entry = try await onOperation(act, stored, &changes)
      case .engine, .registration: entry = Self.entry(act, stored)
      }
      if let entry { changes.put(entry.document(in: Self.collection)) }
    }
  }

  // MARK: Sagas

  /// Most acts are starts. The batch contains the consequences of a start, so nothing has to be read.
  private func start(
    _ act: AuditAct, _ stored: StoredEvent, behind: ArraySlice<StoredEvent>, _ folds: inout Folds
  ) async throws -> AuditEntry? {
    let rest = behind.prefix { $0.appendID == stored.appendID }
    let last = rest.last ?? stored
    if let status = (try? JSON(parsing: last.meta, limits: .stored))?["status"]?.stringValue {
      return Self.entry(
        act, stored, workflow: act.data["saga"]?["workflow"]?.stringValue,
        after: AuditEntry.Standing(saga: status, step: nil))
    }
    // The batch ends within the append.
    return try await onSaga(act, stored, &folds)
  }

  private func onSaga(_ act: AuditAct, _ stored: StoredEvent, _ folds: inout Folds) async throws -> AuditEntry? {
    var fold =
      if let kept = folds[stored.stream] { kept } else {
        try await history.fold(stored.stream, upTo: stored.version - 1)
      }
    var pages = history.pages(of: stored.stream, after: fold.version)
    var before: SagaState?
    history: while let page = try await pages.next() {
      for event in page {
        if event.version > stored.version, event.appendID != stored.appendID { break history }
        if event.version == stored.version {
          before = fold.state
          folds[stored.stream] = fold
        }
        _ = try? fold.take(event)
      }
    }
    // A history that can't be read does not keep the act out of the list.
    if fold.isBroken { return Self.entry(act, stored) }
    let after = fold.state
    // This event is the effect of an earlier request, not a separate act.
    if stored.type == "turnedBack", before?.requestedTurnBack != nil { return nil }
    var content = act.content
    var step = act.step
    Self.addExtension(act, before, to: &content)
    if act.type == SignalReceived.typeName, let signal = after?.signals.first(where: { $0.version == stored.version }) {
      content["outcome"] = .string(Self.word(for: signal.fate))
      if case .taken(let waits) = signal.fate { step = waits.first?.step ?? step }
    }
    if act.type == RewindStarted.typeName, let before, let after {
      let kept = Set(before.signals.filter(\.isKept).map(\.version))
      let dropped = after.signals.filter { $0.fate == .dropped && kept.contains($0.version) }.map {
        JSON.int($0.version)
      }
      if !dropped.isEmpty { content["droppedSignals"] = .array(dropped) }
    }
    return Self.entry(
      act, stored, workflow: after?.start.workflow, step: step, content: content,
      before: before.map { Self.standing($0, step: step) }, after: after.map { Self.standing($0, step: step) })
  }

  /// Adds how much later a deadline or a wait ends. The event does not contain that duration.
  private static func addExtension(_ act: AuditAct, _ before: SagaState?, to content: inout JSONObject) {
    guard act.type == OperatorExtended.typeName, let before,
      let until = act.data["until"]?.stringValue.flatMap({ Timestamp($0) }),
      let was = act.step == nil ? before.deadline : act.step.flatMap({ before.step($0)?.waitsUntil })
    else { return }
    content["was"] = .string(was.description)
    content["byMs"] = .int((until - was).wholeMilliseconds)
  }

  private static func word(for fate: ReceivedSignal.Fate) -> String {
    switch fate {
    case .taken: "taken"
    case .kept: "kept"
    case .refused: "refused"
    case .dropped: "dropped"
    }
  }

  private static func standing(_ state: SagaState, step: String?) -> AuditEntry.Standing {
    AuditEntry.Standing(
      saga: state.status.rawValue, step: step.flatMap { state.step($0)?.status.rawValue })
  }

  // MARK: Operations

  /// Makes the entry of an act on an operation. What a person agreed to or stopped is read from the list of operations.
  private func onOperation(
    _ act: AuditAct, _ stored: StoredEvent, _ changes: inout ProjectionChanges
  ) async throws -> AuditEntry {
    var content = act.content
    if act.type != "operationStarted", let row = try await operation(stored.stream, &changes) {
      for name in ["request", "filter", "sagas", "done", "refused", "left"] {
        AuditContent.add(row[name], as: name, to: &content)
      }
      AuditContent.add(row["by"], as: "askedBy", to: &content)
    }
    return Self.entry(act, stored, content: content)
  }

  private func operation(_ id: UniqueID, _ changes: inout ProjectionChanges) async throws -> JSONObject? {
    let document = try await changes.document(collection: OperationDocuments.collection, id: id.description)
    return document.flatMap { try? JSON(parsing: $0.data, limits: .stored) }?.objectValue
  }

  // MARK: What comes of an act later

  private func amend(_ stored: StoredEvent, _ changes: inout ProjectionChanges) async throws {
    switch stored.type {
    case "keptSignalTaken", "keptSignalRefused":
      guard let data = try? JSON(parsing: stored.data, limits: .stored), let received = data["received"]?.intValue
      else { return }
      try await amend("\(stored.stream)/\(received)", &changes) { row, content in
        content["outcome"] = stored.type == "keptSignalTaken" ? "taken" : "refused"
        row["step"] = data["step"]
      }
    case "operationApproved", "operationDeclined", "operationStopped", "operationFinished":
      guard let operation = try await operation(stored.stream, &changes) else { return }
      try await amend("\(stored.stream)/1", &changes) { _, content in
        for name in ["status", "done", "refused", "left", "refusals"] {
          AuditContent.add(operation[name], as: name, to: &content)
        }
        for name in ["approved", "declined", "stopped"] {
          AuditContent.add(operation[name]?["by"], as: name + "By", to: &content)
        }
      }
    case EngineAct.Kind.ended:
      guard let outcome = (try? JSON(parsing: stored.data, limits: .stored))?["outcome"] else { return }
      try await amend("\(stored.stream)/1", &changes) { _, content in content["outcome"] = outcome }
    default: break
    }
  }

  private func amend(
    _ id: String, _ changes: inout ProjectionChanges, _ change: (inout JSONObject, inout JSONObject) -> Void
  ) async throws {
    guard let document = try await changes.document(collection: Self.collection, id: id),
      var row = (try? JSON(parsing: document.data, limits: .stored))?.objectValue
    else { return }
    var content = row["content"]?.objectValue ?? [:]
    change(&row, &content)
    row["content"] = .object(content)
    changes.put(
      Document(
        collection: document.collection, id: document.id, sort: document.sort, fields: document.fields,
        data: JSON.object(row).bytes()))
  }

  // MARK: Rows

  private static func entry(
    _ act: AuditAct, _ stored: StoredEvent, workflow: String? = nil, step: String? = nil, content: JSONObject? = nil,
    before: AuditEntry.Standing? = nil, after: AuditEntry.Standing? = nil
  ) -> AuditEntry {
    let isSaga = act.kind != .engine && act.kind != .operation
    return AuditEntry(
      id: "\(stored.stream)/\(stored.version)", at: act.at ?? stored.recordedAt, actor: act.actor, kind: act.kind,
      verb: act.verb, saga: isSaga ? stored.stream : nil, version: isSaga ? stored.version : nil, workflow: workflow,
      step: step ?? act.step, reason: act.reason, from: act.from,
      operation: act.kind == .operation ? stored.stream : nil, content: content ?? act.content, before: before,
      after: after)
  }
}
