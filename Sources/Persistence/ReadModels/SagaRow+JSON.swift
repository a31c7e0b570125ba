import JSON
import Values

// The form of a row in the tables, apart from the columns by which it is found.
extension SagaRow {
  var json: JSON {
    var members: JSONObject = [
      "shard": .int(shard), "lastEvent": .int(lastEvent), "workflow": .string(workflow), "version": .int(version),
      "status": .string(status), "startedAt": .number(JSONNumber(startedAt.milliseconds)),
      "updatedAt": .number(JSONNumber(updatedAt.milliseconds)), "deadline": .number(JSONNumber(deadline.milliseconds)),
      "attempts": .int(attempts), "steps": .array(steps.map(\.json)),
    ]
    if isPaused { members["paused"] = true }
    members["endedAt"] = endedAt.map { .number(JSONNumber($0.milliseconds)) }
    members["overdueAt"] = overdueAt.map { .number(JSONNumber($0.milliseconds)) }
    members["key"] = key.map(JSON.string)
    members["parent"] = parent.map(JSON.string)
    if !tags.isEmpty { members["tags"] = .array(tags.map(JSON.string)) }
    members["title"] = title.map(JSON.string)
    if !labels.isEmpty { members["labels"] = .labels(labels) }
    members["failedStep"] = failedStep.map(JSON.string)
    members["failureCode"] = failureCode.map(JSON.string)
    members["failureMessage"] = failureMessage.map(JSON.string)
    members["causeStep"] = causeStep.map(JSON.string)
    members["causeCode"] = causeCode.map(JSON.string)
    members["need"] = need?.json
    members["late"] = late?.json
    if !waitingFor.isEmpty { members["waitingFor"] = .array(waitingFor.map(JSON.string)) }
    if !words.isEmpty { members["words"] = .array(words.map(JSON.string)) }
    members["note"] = note.map(JSON.string)
    return .object(members)
  }

  /// - Throws: `store.corrupt` when the row is unreadable.
  init(id: UniqueID, data: String) throws(StoreError) {
    guard let json = try? JSON(parsing: Array(data.utf8), limits: .stored) else { throw Self.unreadable(id) }
    func moment(_ name: String) -> Timestamp? { json[name]?.intValue.map { Timestamp(milliseconds: Int64($0)) } }
    func texts(_ name: String) -> [String] { json[name]?.arrayValue?.compactMap(\.stringValue) ?? [] }
    guard let shard = json["shard"]?.intValue, let lastEvent = json["lastEvent"]?.intValue,
      let workflow = json["workflow"]?.stringValue, let version = json["version"]?.intValue,
      let status = json["status"]?.stringValue, let startedAt = moment("startedAt"),
      let updatedAt = moment("updatedAt"), let deadline = moment("deadline"), let attempts = json["attempts"]?.intValue
    else { throw Self.unreadable(id) }
    self.init(
      id: id, shard: shard, lastEvent: lastEvent, workflow: workflow, version: version, status: status,
      isPaused: json["paused"]?.boolValue ?? false, startedAt: startedAt, updatedAt: updatedAt,
      endedAt: moment("endedAt"), deadline: deadline, overdueAt: moment("overdueAt"), key: json["key"]?.stringValue,
      parent: json["parent"]?.stringValue, tags: texts("tags"), title: json["title"]?.stringValue,
      labels: json["labels"]?.labelsValue ?? [],
      failedStep: json["failedStep"]?.stringValue, failureCode: json["failureCode"]?.stringValue,
      failureMessage: json["failureMessage"]?.stringValue,
      causeStep: json["causeStep"]?.stringValue, causeCode: json["causeCode"]?.stringValue,
      need: json["need"].flatMap(SagaNeed.init), late: json["late"].flatMap(SagaNeed.init),
      waitingFor: texts("waitingFor"), attempts: attempts,
      steps: json["steps"]?.arrayValue?.compactMap(StepRow.init) ?? [], words: texts("words"),
      note: json["note"]?.stringValue)
  }

  private static func unreadable(_ id: UniqueID) -> StoreError {
    .corrupt("the read model's row of saga \(id) can't be read; `saga projections rebuild` makes it anew")
  }
}

extension SagaNeed {
  fileprivate var json: JSON {
    var members: JSONObject = [
      "kind": .string(kind.rawValue), "since": .number(JSONNumber(since.milliseconds)),
    ]
    members["step"] = step.map(JSON.string)
    members["phase"] = phase.map(JSON.string)
    members["code"] = code.map(JSON.string)
    if outcomeIsUnknown { members["outcomeIsUnknown"] = true }
    if isItem { members["isItem"] = true }
    return .object(members)
  }

  fileprivate init?(_ json: JSON) {
    guard let kind = json["kind"]?.stringValue.flatMap(IncidentKind.init), let since = json["since"]?.intValue else {
      return nil
    }
    self.init(
      kind: kind, step: json["step"]?.stringValue, phase: json["phase"]?.stringValue, code: json["code"]?.stringValue,
      outcomeIsUnknown: json["outcomeIsUnknown"]?.boolValue ?? false, isItem: json["isItem"]?.boolValue ?? false,
      since: Timestamp(milliseconds: Int64(since)))
  }
}

extension StepRow {
  fileprivate var json: JSON {
    var members: JSONObject = ["id": .string(id), "status": .string(status), "attempts": .int(attempts)]
    members["error"] = error.map(JSON.string)
    if isAt { members["at"] = true }
    return .object(members)
  }

  fileprivate init?(_ json: JSON) {
    guard let id = json["id"]?.stringValue, let status = json["status"]?.stringValue else { return nil }
    self.init(
      id: id, status: status, attempts: json["attempts"]?.intValue ?? 0, error: json["error"]?.stringValue,
      isAt: json["at"]?.boolValue ?? false)
  }
}
