import JSON
import Values

// A snapshot is a saga's state as JSON. It is only ever a shortcut: the events stay the truth, so a snapshot that this
// version can't read is passed over and the events are read instead.
extension SagaState {
  /// The version of the shape below. Versions 1 and 2 had less to tell, and read as they did, except where they left out
  /// what became of signals; other versions' snapshots are passed over, so that an older engine can't take a saga that is
  /// paused for one that runs.
  static let snapshotSchema = 3

  public var snapshot: JSON {
    var members: JSONObject = [
      "schema": .int(Self.snapshotSchema), "start": start.json, "startedAt": .moment(startedAt),
      "version": .int(version), "steps": .array(steps.map(\.json)),
    ]
    if !signals.isEmpty { members["signals"] = .array(signals.map(\.json)) }
    members["turnBack"] = turnBack?.json
    members["requestedTurnBack"] = requestedTurnBack?.json
    if !commands.isEmpty { members["commands"] = .array(commands.map(\.json)) }
    members["lastAct"] = lastAct?.json
    members["pause"] = pause?.json
    if deadline != start.deadline { members["deadline"] = .moment(deadline) }
    members["rewind"] = rewind?.json
    if pivotPassed { members["pivotPassed"] = true }
    members["overdueSince"] = overdueSince.map(JSON.moment)
    members["end"] = end?.json
    return .object(members)
  }

  /// Reads a snapshot.
  /// - Throws: `UnreadableEvent` when it is of another version, or damaged.
  public init(snapshot: JSON) throws(UnreadableEvent) {
    let data = EventReader(type: "snapshot", data: snapshot)
    let schema = try data.int("schema")
    guard (1...Self.snapshotSchema).contains(schema) else { throw data.unreadable("schema") }
    self.init(start: try SagaStart(data.nested("start")), at: try data.moment("startedAt"))
    version = try data.int("version")
    steps = []
    for step in try data.value("steps").arrayValue ?? [] {
      steps.append(try StepState(EventReader(type: "snapshot.step", data: step)))
    }
    guard steps.map(\.id) == start.steps else { throw data.unreadable("steps") }
    // Earlier ones don't say which step took which signal, and forgot signals at a rewind. The events tell.
    if schema < 3, data.has("signals") || steps.contains(where: { $0.waitingFor != nil || $0.round > 1 }) {
      throw data.unreadable("signals")
    }
    for signal in snapshot["signals"]?.arrayValue ?? [] {
      signals.append(try ReceivedSignal(EventReader(type: "snapshot.signal", data: signal)))
    }
    if data.has("turnBack") { turnBack = try Dated(data.nested("turnBack")) }
    if data.has("requestedTurnBack") { requestedTurnBack = try Dated(data.nested("requestedTurnBack")) }
    if let id = data.optionalString("cancelId") {
      commands = [KnownCommand(id: id, verb: OperatorVerb.Name.cancel.rawValue, digest: nil)]
    }
    for command in snapshot["commands"]?.arrayValue ?? [] {
      commands.append(try KnownCommand(EventReader(type: "snapshot.command", data: command)))
    }
    if data.has("lastAct") { lastAct = try LastAct(data.nested("lastAct")) }
    if data.has("pause") { pause = try Dated(data.nested("pause")) }
    deadline = try data.optionalMoment("deadline") ?? start.deadline
    if data.has("rewind") { rewind = try Rewind(data.nested("rewind")) }
    pivotPassed = data.flag("pivotPassed")
    overdueSince = try data.optionalMoment("overdueSince")
    if data.has("end") { end = try SagaEnd(data.nested("end")) }
    // Once it was not kept since when a step has been under way. The events tell.
    if end == nil, steps.contains(where: { $0.status.phaseUnderWay != nil && $0.underWaySince == nil }) {
      throw data.unreadable("steps")
    }
  }
}

extension StepState {
  fileprivate var json: JSON {
    var members: JSONObject = [
      "id": .string(id), "status": .string(status.rawValue), "round": .int(round), "outcome": .string(outcome.rawValue),
      "forward": forward.json, "undo": undo.json,
    ]
    members["waitUntil"] = waitUntil.map(JSON.moment)
    members["waitingFor"] = waitingFor.map(JSON.string)
    members["progress"] = progress?.json
    members["output"] = output
    members["outputProblem"] = outputProblem?.json
    members["input"] = input
    if skippedByOperator { members["skippedByOperator"] = true }
    members["failure"] = failure?.json
    members["consequence"] = consequence.map { .string($0.rawValue) }
    members["undoFailure"] = undoFailure?.json
    if undoBlocks { members["undoBlocks"] = true }
    members["startedAt"] = startedAt.map(JSON.moment)
    members["endedAt"] = endedAt.map(JSON.moment)
    members["undoEndedAt"] = undoEndedAt.map(JSON.moment)
    members["undoHow"] = undoHow.map(JSON.string)
    members["underWaySince"] = underWaySince.map(JSON.moment)
    if let overdue {
      var inner = JSONObject()
      inner.add(overdue)
      members["overdue"] = .object(inner)
    }
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(id: try data.string("id"))
    status = try data.word("status")
    round = try data.int("round")
    outcome = try data.word("outcome")
    forward = try Attempts(data.nested("forward"))
    undo = try Attempts(data.nested("undo"))
    waitUntil = try data.optionalMoment("waitUntil")
    waitingFor = data.optionalString("waitingFor")
    if data.has("progress") { progress = try Dated(data.nested("progress")) }
    output = data.data["output"]
    if data.has("outputProblem") { outputProblem = try StepFailure(data.nested("outputProblem")) }
    input = data.data["input"]
    skippedByOperator = data.flag("skippedByOperator")
    if data.has("failure") { failure = try StepFailure(data.nested("failure")) }
    if data.has("consequence") { consequence = try data.word("consequence") }
    if data.has("undoFailure") { undoFailure = try StepFailure(data.nested("undoFailure")) }
    undoBlocks = data.flag("undoBlocks")
    startedAt = try data.optionalMoment("startedAt")
    endedAt = try data.optionalMoment("endedAt")
    undoEndedAt = try data.optionalMoment("undoEndedAt")
    undoHow = data.optionalString("undoHow")
    underWaySince = try data.optionalMoment("underWaySince")
    if data.has("overdue") { overdue = try StepOverdue(data.nested("overdue")) }
  }
}

extension Attempts {
  fileprivate var json: JSON {
    var members: JSONObject = ["count": .int(count)]
    if budgetStart > 0 { members["budgetStart"] = .int(budgetStart) }
    if let inFlight {
      members["inFlight"] = [
        "number": .int(inFlight.number), "startedAt": .moment(inFlight.startedAt),
        "deadline": .moment(inFlight.deadline),
      ]
    }
    members["retryAt"] = retryAt.map(JSON.moment)
    members["startedAt"] = startedAt.map(JSON.moment)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init()
    count = try data.int("count")
    budgetStart = data.has("budgetStart") ? try data.int("budgetStart") : 0
    if data.has("inFlight") {
      let attempt = try data.nested("inFlight")
      inFlight = InFlight(
        number: try attempt.int("number"), startedAt: try attempt.moment("startedAt"),
        deadline: try attempt.moment("deadline"))
    }
    retryAt = try data.optionalMoment("retryAt")
    startedAt = try data.optionalMoment("startedAt")
  }
}

extension Dated where Value == OperatorAct {
  fileprivate var json: JSON {
    var members: JSONObject = ["at": .moment(at)]
    members.add(value)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(at: try data.moment("at"), value: try OperatorAct(data))
  }
}

extension KnownCommand {
  fileprivate var json: JSON {
    var members: JSONObject = ["id": .string(id), "verb": .string(verb)]
    members["digest"] = digest.map(JSON.string)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(id: try data.string("id"), verb: try data.string("verb"), digest: data.optionalString("digest"))
  }
}

extension LastAct {
  fileprivate var json: JSON {
    var members: JSONObject = [
      "verb": .string(verb), "by": .string(by), "reason": .string(reason), "at": .moment(at), "version": .int(version),
    ]
    members["step"] = step.map(JSON.string)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      verb: try data.string("verb"), step: data.optionalString("step"), by: try data.string("by"),
      reason: try data.string("reason"), at: try data.moment("at"), version: try data.int("version"))
  }
}

extension Rewind {
  fileprivate var json: JSON {
    [
      "step": .string(step), "steps": .array(steps.map(JSON.string)), "at": .moment(at), "by": .string(by),
      "reason": .string(reason),
    ]
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      step: try data.string("step"), steps: try data.strings("steps"), at: try data.moment("at"),
      by: try data.string("by"), reason: try data.string("reason"))
  }
}

extension Dated where Value == TurnBack {
  fileprivate var json: JSON { ["at": .moment(at), "reason": value.json] }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(at: try data.moment("at"), value: try TurnBack(data.nested("reason")))
  }
}

extension Dated where Value == StepProgress {
  fileprivate var json: JSON {
    var members = value.members
    members["at"] = .moment(at)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(at: try data.moment("at"), value: try StepProgress(data))
  }
}

extension SagaEnd {
  fileprivate var json: JSON {
    var members: JSONObject = ["status": .string(status.rawValue), "at": .moment(at)]
    members["output"] = output
    members.add(outputErrors)
    members["by"] = by.map(JSON.string)
    members["reason"] = reason.map(JSON.string)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      status: try data.word("status"), at: try data.moment("at"), output: data.data["output"],
      outputErrors: try OutputError.all(in: data),
      by: data.optionalString("by"), reason: data.optionalString("reason"))
  }
}
