import JSON
import Persistence
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// Makes notices of events.
///
/// It knows an event by its name, and reads the event's JSON. So it also makes notices of events that this version cannot
/// fold or does not know.
struct NoticeMaker: Sendable {
  let store: any EventStore
  /// Returns a saga's workflow; nil when it is not known.
  let definition: @Sendable (SagaDefinition) async -> WorkflowDefinition?

  /// - Parameter wanted: the types of notices that a destination takes.
  /// - Returns: nil when the event causes no such notice.
  /// - Throws: `StoreError` when the store does not answer.
  func notice(of stored: StoredEvent, wanted: Set<NoticeType>) async throws(StoreError) -> Notice? {
    let types = Self.types(of: stored)
    guard types.contains(where: wanted.contains) else { return nil }
    let data = (try? JSON(parsing: stored.data, limits: .stored)) ?? .null
    // `types(of:)` found `outputErrors` by its text, which can also be in a saga's output.
    let isIncomplete = data["outputErrors"] != nil || data["outputProblem"] != nil
    guard let type = types.first(where: { wanted.contains($0) && ($0 != .sagaOutputIncomplete || isIncomplete) }) else {
      return nil
    }
    switch type {
    case .approvalNeeded:
      guard data["needsApproval"]?.boolValue == true else { return nil }
      return operation(stored, data, type)
    case .operationFinished: return operation(stored, try await operation(upTo: stored) ?? data, type)
    case .sagaStuck where stored.type == "sagaPaused": return try await held(stored, data)
    case .sagaStuck: return try await stuck(stored, data)
    case .sagaOverdue, .sagaReminder, .sagaCompleted, .sagaAbandoned, .sagaCompensated, .sagaOutputIncomplete:
      let step = type == .sagaReminder ? data["step"]?.stringValue : nil
      let saga = try await SagaAsOf.read(stored, in: store)
      let late = type == .sagaOverdue && !saga.isBroken ? saga.after.flatMap(SagaNeed.init(late:)) : nil
      return await notice(type, stored, data, saga, about: step, need: late)
    case .test: return nil
    }
  }

  /// Returns the types of the notice that an event may cause, by its name. An event causes the first one that is wanted.
  private static func types(of stored: StoredEvent) -> [NoticeType] {
    switch stored.type {
    // A step that failed before the pivot blocks the saga once the pivot is passed.
    case "stepFailed", "undoFailed", "operatorResolved", "turnBackLapsed": return [.sagaStuck]
    case "stepSucceeded", "operatorSkipped": return stored.data.contains(#""pivot":true"#) ? [.sagaStuck] : []
    // Only the engine's own pause, of a saga that it holds back.
    case "sagaPaused": return stored.data.contains(#""from":"recovery""#) ? [.sagaStuck] : []
    case "sagaOverdue", "stepOverdue": return [.sagaOverdue]
    case "waitReminded": return [.sagaReminder]
    case "sagaCompleted":
      // Events of older versions have `outputProblem`.
      return stored.data.contains(#""outputErrors":"#) || stored.data.contains(#""outputProblem":"#)
        ? [.sagaOutputIncomplete, .sagaCompleted] : [.sagaCompleted]
    case "sagaAbandoned": return [.sagaAbandoned]
    case "sagaCompensated": return [.sagaCompensated]
    case "operationStarted": return [.approvalNeeded]
    case "operationFinished": return [.operationFinished]
    default:
      if SagaEvent.kind(named: stored.type) != nil { return [] }
      return stored.meta.contains(#""status":"stuck""#) ? [.sagaStuck] : []
    }
  }

  // MARK: Stuck

  /// A step on which a saga is stuck, with all its items.
  private struct StepAndPhase: Hashable {
    let step: String
    let phase: StepPhase
  }

  private func stuck(_ stored: StoredEvent, _ data: JSON) async throws(StoreError) -> Notice? {
    var blocks: Bool?
    switch stored.type {
    case "stepFailed": blocks = data["consequence"]?.stringValue.map { $0 == FailureConsequence.blocks.rawValue }
    case "undoFailed": blocks = data["blocks"]?.boolValue
    default: break
    }
    if blocks == false { return nil }
    let saga = try await SagaAsOf.read(stored, in: store)
    if !saga.isBroken, let after = saga.after {
      let old = saga.before?.blockers ?? []
      // One notice is enough for a step, however many of its items wait for an operator.
      let known = Set(old.map { StepAndPhase(step: ItemID.step(of: $0.step), phase: $0.phase) })
      let new = after.blockers.filter { one in
        !known.contains(StepAndPhase(step: ItemID.step(of: one.step), phase: one.phase))
      }
      guard let first = new.first else { return nil }
      return await notice(.sagaStuck, stored, data, saga, about: first.step, need: SagaNeed(first))
    }
    guard blocks == true || !saga.wasStuck && SagaAsOf.status(stored) == SagaStatus.stuck.rawValue else { return nil }
    return await notice(.sagaStuck, stored, data, saga)
  }

  /// Returns the notice of a saga that the engine holds back; nil for another pause.
  private func held(_ stored: StoredEvent, _ data: JSON) async throws(StoreError) -> Notice? {
    let saga = try await SagaAsOf.read(stored, in: store)
    guard !saga.isBroken, let after = saga.after, after.isHeld else { return nil }
    return await notice(.sagaStuck, stored, data, saga, need: SagaNeed(after))
  }

  // MARK: The notice

  /// - Parameters:
  ///   - step: the step to explain; nil for the one that the event names.
  ///   - need: what stops or delays the saga, if one notice is enough for all sagas that have the same.
  private func notice(
    _ type: NoticeType, _ stored: StoredEvent, _ data: JSON, _ saga: SagaAsOf, about step: String? = nil,
    need: SagaNeed? = nil
  ) async -> Notice {
    let id = stored.stream.description
    let at = Self.moment(stored, data)
    let subject = NoticeWords.subject(saga, stored)
    var summary = NoticeWords.unread(type, stored.type, data, subject)
    var details: JSONObject = ["saga": .string(id)]
    details["title"] = saga.start?.title.map(JSON.string)
    details["key"] = saga.start?.idempotencyKey.map(JSON.string)
    details["workflow"] = saga.workflow.map(JSON.string)
    details["workflowVersion"] = (saga.after?.definition.version ?? saga.start?.version).map(JSON.int)
    details["event"] = .string(stored.type)
    details["version"] = .int(stored.version)
    details["step"] = (step ?? data["step"]?.stringValue).map(JSON.string)
    if !saga.isBroken, let state = saga.after {
      let definition = await definition(state.definition)
      let allowed = definition.map { Verbs.allowed(state, $0) } ?? []
      let why = Explanation(state, definition, now: at, allowed: allowed, about: step)
      summary = why.sentence(of: subject)
      // The code of an earlier failure does not belong to these notices.
      if ![.sagaOverdue, .sagaReminder, .sagaCompensated].contains(type) {
        details["code"] = why.code.map(JSON.string)
      }
      details["outputErrors"] = Self.json(state.end?.outputErrors ?? [])
      details["status"] = .string(state.status.rawValue)
      if !state.blockers.isEmpty {
        details["stuck"] = .array(
          state.shownBlockers.map { blocker in
            let helping = definition.map { Verbs.helping(blocker, among: allowed, in: state, by: $0) }
            return Self.json(blocker, helping ?? [])
          })
      }
      details["verbs"] = .array(allowed.map { .string($0.verb.rawValue) })
      details["next"] = .array(why.next.map(\.json))
    } else {
      details["code"] = (data["failure"]?["code"]?.stringValue).map(JSON.string)
      details["status"] = SagaAsOf.status(stored).map(JSON.string)
    }
    details["path"] = .string("/#/saga/\(id)")
    if let need, let workflow = saga.workflow {
      let incident = IncidentKey(need, workflow: workflow).id
      details["incident"] = [
        "id": .string(incident), "sagas": 1, "path": .string("/#/sagas?incident=\(incident)"),
      ]
    }
    return Notice(
      id: "\(id)/\(stored.version)", type: type, at: at, subject: id, summary: summary, details: details)
  }

  private static let mostOutputErrors = 20

  /// The members of an output that could not be made; nil when all could.
  private static func json(_ errors: [OutputError]) -> JSON? {
    errors.isEmpty ? nil : .array(errors.prefix(mostOutputErrors).map(\.json))
  }

  private static func json(_ blocker: Blocker, _ verbs: [OperatorVerb.Name]) -> JSON {
    [
      "step": .string(blocker.step), "phase": .string(blocker.phase.rawValue), "since": .timestamp(blocker.since),
      "code": .string(blocker.failure.code), "message": .string(blocker.failure.message.clippedToLine()),
      "verbs": .array(verbs.map { .string($0.rawValue) }),
    ]
  }

  /// Returns the request and the counts of an operation, which its last event lacks; nil when they cannot be read.
  private func operation(upTo stored: StoredEvent) async throws(StoreError) -> JSON? {
    var operation: Operation?
    var pages = store.pages(of: stored.stream, upTo: stored.version)
    while let page = try await pages.next() {
      for event in page {
        do { try Operation.evolve(&operation, event) } catch { return nil }
      }
    }
    guard let operation, pages.version == stored.version else { return nil }
    var data: JSONObject = [
      "verb": .string(operation.plan.verb.name.rawValue), "by": .string(operation.plan.act.by),
      "reason": .string(operation.plan.act.reason), "sagas": .int(operation.count), "done": .int(operation.done),
      "refused": .int(operation.refused),
    ]
    data["at"] = operation.endedAt.map(JSON.timestamp)
    return .object(data)
  }

  private func operation(_ stored: StoredEvent, _ data: JSON, _ type: NoticeType) -> Notice {
    let id = stored.stream.description
    var details: JSONObject = [
      "operation": .string(id), "event": .string(stored.type), "version": .int(stored.version),
    ]
    for name in ["verb", "by", "reason", "sagas", "done", "refused"] {
      if let value = data[name], value.stringValue != nil || value.numberValue != nil { details[name] = value }
    }
    if type == .approvalNeeded { details["verbs"] = ["approve", "decline"] }
    details["path"] = .string("/#/operation/\(id)")
    return Notice(
      id: "\(id)/\(stored.version)", type: type, at: Self.moment(stored, data), subject: id,
      summary: NoticeWords.operation(type, data, id: id), details: details)
  }

  private static func moment(_ stored: StoredEvent, _ data: JSON) -> Timestamp {
    data["at"]?.stringValue.flatMap { Timestamp($0) } ?? stored.recordedAt
  }
}

extension [UInt8] {
  fileprivate func contains(_ text: String) -> Bool { firstRange(of: Array(text.utf8)) != nil }
}
