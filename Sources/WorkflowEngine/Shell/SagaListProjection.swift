import JSON
import Persistence
import Runtime

/// The read model behind the list of sagas: one document a saga, found by status and workflow.
struct SagaListProjection: Projection {
  static let collection = "sagas"
  let name = "sagas"
  let collections: Set<String> = [Self.collection, SagaCounts.collection]
  /// The events that a row shows something of, besides the status that an append's last event carries.
  private static let shown: Set<String> = [
    "sagaStarted", "turnedBack", "turnBackLapsed", "undoFailed", "stepFailed", "sagaCompleted", "sagaCompensated",
    "sagaAbandoned",
  ]

  func apply(_ events: [StoredEvent], to changes: inout ProjectionChanges) async throws {
    try await changes.load(collection: Self.collection, ids: Set(events.map(\.stream.description)))
    for stored in events {
      let status = try JSON(parsing: stored.meta, limits: .stored)["status"]
      guard status != nil || Self.shown.contains(stored.type) else { continue }
      try await apply(stored, status: status, to: &changes)
    }
  }

  private func apply(_ stored: StoredEvent, status: JSON?, to changes: inout ProjectionChanges) async throws {
    let id = stored.stream.description
    let old = try await changes.document(collection: Self.collection, id: id).map {
      try JSON(parsing: $0.data, limits: .stored)
    }
    // One event that can't be read may not hold up a shard: its saga says so when it is asked for.
    let event = try? SagaEventCoding.decode(stored)
    var row: JSONObject
    if let event, case .sagaStarted(let start) = event.what {
      row = [
        "workflow": .string(start.workflow), "version": .int(start.version), "status": "running",
        "startedAt": .string(event.at.description),
      ]
    } else if let known = old?.objectValue {
      row = known
    } else {
      // Not the beginning of a saga, and of none that is listed: nothing to list.
      return
    }
    if let event { Self.note(event, in: &row) }
    if let status { row["status"] = status }
    // Most events change nothing that a list shows; those cost no write.
    if old?.objectValue == row { return }
    row["updatedAt"] = .string((event?.at ?? stored.recordedAt).description)
    try await SagaCounts.move(
      from: old.flatMap(Self.status), to: Self.status(.object(row)), shard: stored.shard, in: &changes)
    changes.put(
      Document(
        collection: Self.collection, id: id, sort: id,
        fields: ["status": row["status"]?.stringValue ?? "", "workflow": row["workflow"]?.stringValue ?? ""],
        data: JSON.object(row).bytes()))
  }

  private static func status(_ row: JSON) -> SagaStatus? {
    row["status"]?.stringValue.flatMap(SagaStatus.init(rawValue:))
  }

  private static func note(_ event: SagaEvent, in row: inout JSONObject) {
    switch event.what {
    case .turnedBack(let reason):
      row["failedStep"] = reason.step.map(JSON.string)
      row["failureCode"] = .string(reason.code)
      // Kept beside, as an undo that fails later takes the place of these for as long as the saga is stuck on it.
      row["turnedBackBy"] = row["failedStep"]
      row["turnBackCode"] = row["failureCode"]
    case .undoFailed(let step, let failure, blocks: true), .stepFailed(let step, _, let failure, consequence: .blocks):
      row["failedStep"] = .string(step)
      row["failureCode"] = .string(failure.code)
    case .stepFailed(let step, _, let failure, consequence: .turnsBack):
      // Should a pivot beside it succeed, the saga is stuck on this step.
      row["heldStep"] = .string(step)
      row["heldCode"] = .string(failure.code)
    case .turnBackLapsed:
      row["failedStep"] = row["heldStep"]
      row["failureCode"] = row["heldCode"]
    case .sagaCompensated:
      row["failedStep"] = row["turnedBackBy"]
      row["failureCode"] = row["turnBackCode"]
      row["endedAt"] = .string(event.at.description)
    case .sagaCompleted:
      row["failedStep"] = nil
      row["failureCode"] = nil
      row["endedAt"] = .string(event.at.description)
    case .sagaAbandoned:
      row["endedAt"] = .string(event.at.description)
    case .sagaStarted, .stepSkipped, .waitStarted, .attemptStarted, .attemptFailed, .attemptNotMade, .stepProgressed,
      .answerIgnored, .stepSucceeded, .stepFailed, .signalReceived, .keptSignalRefused, .turnBackRequested,
      .undoSucceeded, .undoFailed,
      .operatorRetried, .operatorResolved, .operatorSkipped, .operatorRanNow, .operatorExtended, .rewindStarted,
      .rewindFinished, .sagaPaused, .sagaResumed, .sagaOverdue:
      break
    }
  }
}

extension SagaSummary {
  /// - Returns: nil when the document can't be read.
  init?(_ document: Document) {
    guard let id = UniqueID(document.id), let row = try? JSON(parsing: document.data, limits: .stored),
      let workflow = row["workflow"]?.stringValue, let version = row["version"]?.intValue,
      let status = row["status"]?.stringValue.flatMap(SagaStatus.init(rawValue:)),
      let startedAt = row["startedAt"]?.stringValue.flatMap(Timestamp.init(_:)),
      let updatedAt = row["updatedAt"]?.stringValue.flatMap(Timestamp.init(_:))
    else { return nil }
    self.init(
      id: id, workflow: workflow, version: version, status: status, startedAt: startedAt, updatedAt: updatedAt,
      endedAt: row["endedAt"]?.stringValue.flatMap(Timestamp.init(_:)), failedStep: row["failedStep"]?.stringValue,
      failureCode: row["failureCode"]?.stringValue)
  }
}
