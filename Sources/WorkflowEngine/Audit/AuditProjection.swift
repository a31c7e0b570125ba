import JSON
import Persistence
import Runtime

/// The read model of what people did: a row for each start, signal and verb, found by saga, actor and verb, in the order
/// of time. What was before and after is the fold of the saga's history, up to the act and with its append.
struct AuditProjection: Projection {
  static let collection = "audit"
  let name = "audit"
  let collections: Set<String> = [Self.collection, OperationDocuments.collection]
  let store: any EventReading

  func apply(_ events: [StoredEvent], to changes: inout ProjectionChanges) async throws {
    for (index, stored) in events.enumerated() {
      try await OperationDocuments.take(stored, into: &changes)
      guard let act = AuditAct(stored) else { continue }
      let entry: AuditEntry?
      switch act.kind {
      case .start: entry = try await start(act, stored, behind: events[(index + 1)...])
      case .signal, .verb: entry = try await onSaga(act, stored)
      case .engine, .operation, .registration: entry = Self.entry(act, stored)
      }
      if let entry { changes.put(entry.document(in: Self.collection)) }
    }
  }

  /// Most acts are starts: what follows from one comes with it, and nothing has to be read.
  private func start(
    _ act: AuditAct, _ stored: StoredEvent, behind: ArraySlice<StoredEvent>
  ) async throws -> AuditEntry? {
    let rest = behind.prefix { $0.appendID == stored.appendID }
    let last = rest.last ?? stored
    let workflow = (try? JSON(parsing: stored.data, limits: .stored))?["saga"]?["workflow"]?.stringValue
    if let status = (try? JSON(parsing: last.meta, limits: .stored))?["status"]?.stringValue {
      return Self.entry(act, stored, workflow: workflow, after: AuditEntry.Standing(saga: status, step: nil))
    }
    // The batch ends within the append.
    return try await onSaga(act, stored)
  }

  private func onSaga(_ act: AuditAct, _ stored: StoredEvent) async throws -> AuditEntry? {
    var before: SagaState?
    var after: SagaState?
    var version = 0
    var isOver = false
    while !isOver {
      let page = try await store.read(stored.stream, after: version, limit: 200)
      if page.isEmpty { break }
      for event in page {
        version = event.version
        isOver = event.version > stored.version && event.appendID != stored.appendID
        if isOver { break }
        // A history that can't be read keeps nobody's act from being listed.
        guard let decoded = try? SagaEventCoding.decode(event),
          let next = try? SagaState.evolve(after, decoded)
        else {
          return Self.entry(act, stored)
        }
        after = next
        if event.version < stored.version { before = next }
      }
    }
    // It had been asked for before, and this is what came of it.
    if stored.type == "turnedBack", before?.requestedTurnBack != nil { return nil }
    return Self.entry(
      act, stored, workflow: after?.start.workflow, before: before.map { Self.standing($0, step: act.step) },
      after: after.map { Self.standing($0, step: act.step) })
  }

  private static func standing(_ state: SagaState, step: String?) -> AuditEntry.Standing {
    AuditEntry.Standing(
      saga: state.status.rawValue, step: step.flatMap { state.step($0)?.status.rawValue })
  }

  private static func entry(
    _ act: AuditAct, _ stored: StoredEvent, workflow: String? = nil, before: AuditEntry.Standing? = nil,
    after: AuditEntry.Standing? = nil
  ) -> AuditEntry {
    let isSaga = act.kind != .engine && act.kind != .operation
    return AuditEntry(
      id: "\(stored.stream)/\(stored.version)", at: act.at ?? stored.recordedAt, actor: act.actor, kind: act.kind,
      verb: act.verb, saga: isSaga ? stored.stream : nil, version: isSaga ? stored.version : nil, workflow: workflow,
      step: act.step, reason: act.reason, from: act.from,
      operation: act.kind == .operation ? stored.stream : nil, before: before, after: after)
  }
}
