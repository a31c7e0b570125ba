import JSON
import Values
import Workflows

// A snapshot is a saga's state as a line of JSON, and a line for each item of its steps that has begun. A tree of 100,000
// items would take much more memory than the items, so they are written and read one by one. A snapshot is only a
// shortcut, because the events decide. If this version can't read a snapshot, it reads the events instead.
extension SagaState {
  /// The version of the shape below. Versions 1 and 2 had fewer members. They are read unless they omit the results of
  /// signals. Snapshots of other versions are ignored, so that an older engine can't take a paused saga for a running
  /// one.
  static let snapshotSchema = 3
  /// The version of the shape with turns. An older engine would begin a step that waits for its turn.
  static let snapshotSchemaWithTurns = 5
  /// The version of the shape with children, and of a child. An older engine doesn't know their events.
  static let snapshotSchemaWithChildren = 6
  /// The version of the shape of a saga that an operator has moved. An older engine doesn't know the definition that such
  /// a saga follows.
  static let snapshotSchemaOfMoved = 7
  /// The version of the shape with undos that wait, or that have started children. An older engine doesn't know them.
  static let snapshotSchemaWithUndoWaits = 8
  /// The version of the shape with items. A snapshot without items is of a version above, so that an older engine reads
  /// it. Up to version 8 the items were in the one line, and none had its short form.
  static let snapshotSchemaWithItems = 9
  /// The version of the shape with sealed values. An older engine would send them as they are stored.
  static let snapshotSchemaSealed = 10

  private var isMoved: Bool { definition != start.definition }

  private var shape: Int {
    if start.isSealed { return Self.snapshotSchemaSealed }
    if !steps.owners.isEmpty { return Self.snapshotSchemaWithItems }
    if hasUndoWaits { return Self.snapshotSchemaWithUndoWaits }
    if isMoved { return Self.snapshotSchemaOfMoved }
    if start.parent != nil || steps.contains(where: { $0.child != nil }) { return Self.snapshotSchemaWithChildren }
    return hasTurns ? Self.snapshotSchemaWithTurns : Self.snapshotSchema
  }

  public var snapshotText: [UInt8] {
    var bytes = snapshot.bytes()
    for owner in steps.owners { steps.items(of: owner)?.writeLines(to: &bytes) }
    return bytes
  }

  private var hasUndoWaits: Bool {
    steps.contains { $0.undoWait != nil || $0.undoChild != nil }
      || signals.contains { signal in
        if case .taken(let waits) = signal.fate { waits.contains { $0.phase == .undo } } else { false }
      }
  }

  /// Reads a snapshot.
  /// - Throws: `UnreadableEvent` when it is of another version, or damaged.
  public init(snapshotText text: [UInt8]) throws(UnreadableEvent) {
    let lines = text.split(separator: UInt8(ascii: "\n"))
    guard let first = lines.first, let snapshot = JSON(line: first) else {
      throw UnreadableEvent(message: "The stored snapshot is not JSON.")
    }
    try self.init(snapshot: snapshot, itemLines: lines.dropFirst())
  }

  /// The first line of a snapshot.
  var snapshot: JSON {
    var members: JSONObject = [
      "schema": .int(shape), "start": start.json, "startedAt": .timestamp(startedAt),
      "version": .int(version), "steps": .array(steps.map(\.snapshotJSON)),
    ]
    if isMoved {
      members["definition"] = ["version": .int(definition.version), "digest": .string(definition.digest)]
    }
    if !steps.owners.isEmpty {
      var items = JSONObject()
      for owner in steps.owners { items[steps[owner].id] = steps.items(of: owner)?.snapshotJSON }
      members["items"] = .object(items)
    }
    if !signals.isEmpty { members["signals"] = .array(signals.map(\.json)) }
    members["turnBack"] = turnBack?.json
    members["requestedTurnBack"] = requestedTurnBack?.json
    if !commands.isEmpty { members["commands"] = .array(commands.map(\.json)) }
    members["lastAct"] = lastAct?.json
    members["pause"] = pause?.json
    if deadline != start.deadline { members["deadline"] = .timestamp(deadline) }
    members["rewind"] = rewind?.json
    if pivotPassed { members["pivotPassed"] = true }
    if hasTurns { members["turns"] = .array(turns.map(\.json)) }
    members["overdueSince"] = overdueSince.map(JSON.timestamp)
    members["end"] = end?.json
    members["forgotten"] = forgotten?.json
    return .object(members)
  }

  /// - Parameters:
  ///   - snapshot: the first line.
  ///   - itemLines: the other lines.
  init(
    snapshot: JSON, itemLines: ArraySlice<ArraySlice<UInt8>> = []
  ) throws(UnreadableEvent) {
    let data = EventReader(snapshot, of: "snapshot")
    let schema = try data.int("schema")
    guard (1...Self.snapshotSchemaSealed).contains(schema) else { throw data.unreadable("schema") }
    self.init(start: try SagaStart(data.nested("start")), at: try data.timestamp("startedAt"))
    version = try data.int("version")
    var steps: [StepState] = []
    for step in data.values("steps") { steps.append(try StepState(EventReader(step, of: "snapshot.step"))) }
    var definition = start.definition
    if let moved = try data.optional("definition") {
      definition = SagaDefinition(
        workflow: start.workflow, version: try moved.int("version"), digest: try moved.string("digest"),
        steps: steps.map(\.id))
    }
    guard steps.map(\.id) == definition.steps else { throw data.unreadable("steps") }
    var states = StepStates(steps)
    var lines = itemLines
    for (id, items) in json(of: "items", in: snapshot) {
      guard let owner = definition.steps.firstIndex(of: id) else { throw data.unreadable("items") }
      states.restore(try ItemStates(EventReader(items, of: "snapshot.items"), of: id, &lines), of: owner)
    }
    restore(states, of: definition)
    // Versions 1 and 2 don't say which step took which signal, and lost signals at a rewind. The events contain both.
    if schema < 3, data.has("signals") || steps.contains(where: { $0.awaitedSignal != nil || $0.round > 1 }) {
      throw data.unreadable("signals")
    }
    for signal in data.values("signals") {
      signals.append(try ReceivedSignal(EventReader(signal, of: "snapshot.signal")))
    }
    if data.has("turnBack") { turnBack = try Dated(data.nested("turnBack")) }
    if data.has("requestedTurnBack") { requestedTurnBack = try Dated(data.nested("requestedTurnBack")) }
    if let id = data.optionalString("cancelId") {
      commands = [KnownCommand(id: id, verb: OperatorVerb.Name.cancel.rawValue, digest: nil)]
    }
    for command in data.values("commands") {
      commands.append(try KnownCommand(EventReader(command, of: "snapshot.command")))
    }
    if data.has("lastAct") { lastAct = try LastAct(data.nested("lastAct")) }
    if data.has("pause") { pause = try Dated(data.nested("pause")) }
    deadline = try data.optionalTimestamp("deadline") ?? start.deadline
    if data.has("rewind") { rewind = try Rewind(data.nested("rewind")) }
    pivotPassed = data.flag("pivotPassed")
    for value in data.values("turns") {
      let turn = try Turn(EventReader(value, of: "snapshot.turn"))
      turnsByOwner[turn.step ?? Turn.saga] = turn
    }
    overdueSince = try data.optionalTimestamp("overdueSince")
    if data.has("forgotten") { forgotten = try Dated(data.nested("forgotten")) }
    if data.has("end") { end = try SagaEnd(data.nested("end")) }
    // An older shape does not contain the time since which a step is under way. The events contain it.
    if end == nil, steps.contains(where: { $0.stage.phaseUnderWay != nil && $0.underWaySince == nil }) {
      throw data.unreadable("steps")
    }
  }
}

/// Returns the members of an object of a snapshot; none when it is missing.
private func json(of name: String, in snapshot: JSON) -> JSONObject { snapshot[name]?.objectValue ?? [:] }

extension StepState {
  var snapshotJSON: JSON {
    var members: JSONObject = [
      "id": .string(id), "status": .word(status), "round": .int(round), "outcome": .word(outcome),
      "forward": json(forward, .forward), "undo": json(undo, .undo),
    ]
    if let wait = stage.wait {
      members["waitUntil"] = wait.until.map(JSON.timestamp)
      members["remindAt"] = wait.remindAt.map(JSON.timestamp)
      if wait.reminders > 0 { members["reminders"] = .int(wait.reminders) }
    }
    if let undoWait {
      var inner = JSONObject()
      inner["signal"] = undoWait.signal.map(JSON.string)
      members["undoWait"] = .object(inner)
    }
    if case .open(let until) = stage {
      var open = JSONObject()
      open["until"] = until.map(JSON.timestamp)
      members["open"] = .object(open)
    }
    if case .queued(let until) = stage {
      var queued = JSONObject()
      queued["until"] = until.map(JSON.timestamp)
      members["queued"] = .object(queued)
    }
    members["turnKey"] = turnKey.map(JSON.string)
    members["polling"] = polling?.json
    if let child {
      var link = JSONObject()
      child.add(to: &link)
      members["child"] = .object(link)
    }
    if let undoChild {
      var link = JSONObject()
      undoChild.add(to: &link)
      members["undoChild"] = .object(link)
    }
    if undoChildrenEnded > 0 { members["undoChildrenEnded"] = .int(undoChildrenEnded) }
    if undoUnknown { members["undoUnknown"] = true }
    members["waitingFor"] = awaitedSignal.map(JSON.string)
    members["taskWait"] = taskWait?.json
    members["answeredTask"] = answeredTask?.json
    members["answeredUndo"] = answeredUndo?.json
    members["progress"] = progress?.json
    members["output"] = output
    members["outputProblem"] = outputProblem?.json
    members["answer"] = answer?.json
    members["input"] = input
    if isSkippedByOperator { members["skippedByOperator"] = true }
    members["failure"] = failure?.json
    members["consequence"] = consequence.map(JSON.word)
    members["undoFailure"] = undoFailure?.json
    if stage == .undoFailed(blocks: true) { members["undoBlocks"] = true }
    members["startedAt"] = startedAt.map(JSON.timestamp)
    members["endedAt"] = endedAt.map(JSON.timestamp)
    members["undoEndedAt"] = undoEndedAt.map(JSON.timestamp)
    members["undoHow"] = undoHow.map(JSON.string)
    members["underWaySince"] = underWaySince.map(JSON.timestamp)
    if let overdue {
      var inner = JSONObject()
      overdue.add(to: &inner)
      members["overdue"] = .object(inner)
    }
    return .object(members)
  }

  private func json(_ attempts: Attempts, _ phase: StepPhase) -> JSON {
    var members: JSONObject = ["count": .int(attempts.count)]
    if attempts.budgetStart > 0 { members["budgetStart"] = .int(attempts.budgetStart) }
    if let inFlight, inFlight.phase == phase {
      var attempt: JSONObject = [
        "number": .int(inFlight.attempt.number), "startedAt": .timestamp(inFlight.attempt.startedAt),
        "deadline": .timestamp(inFlight.attempt.deadline),
      ]
      attempt["offer"] = inFlight.attempt.offer?.json
      members["inFlight"] = .object(attempt)
    }
    if status.phaseUnderWay == phase { members["retryAt"] = retryAt.map(JSON.timestamp) }
    members["startedAt"] = attempts.startedAt.map(JSON.timestamp)
    return .object(members)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(id: try data.string("id"))
    round = try data.int("round")
    outcome = try data.word("outcome")
    let (forward, undo) = (try data.nested("forward"), try data.nested("undo"))
    self.forward = try Attempts(forward)
    self.undo = try Attempts(undo)
    turnKey = data.optionalString("turnKey")
    awaitedSignal = data.optionalString("waitingFor")
    taskWait = try data.optional("taskWait").map(TaskWait.read)
    answeredTask = try data.optional("answeredTask").map(AnsweredTask.read)
    answeredUndo = try data.optional("answeredUndo").map(AnsweredTask.read)
    progress = try data.optional("progress").map(Dated<StepProgress>.read)
    output = data.optionalValue("output")
    outputProblem = try data.optional("outputProblem").map(StepFailure.read)
    answer = try data.answer()
    input = data.optionalValue("input")
    child = try data.optional("child").map(ChildLink.read)
    undoChild = try data.optional("undoChild").map(ChildLink.read)
    undoChildrenEnded = try data.optionalInt("undoChildrenEnded") ?? 0
    undoUnknown = data.flag("undoUnknown")
    failure = try data.optional("failure").map(StepFailure.read)
    undoFailure = try data.optional("undoFailure").map(StepFailure.read)
    startedAt = try data.optionalTimestamp("startedAt")
    endedAt = try data.optionalTimestamp("endedAt")
    undoEndedAt = try data.optionalTimestamp("undoEndedAt")
    let polling = try data.optional("polling").map(StepStage.Polling.read)
    stage =
      switch try data.word("status") as StepStatus {
      case .pending: .pending
      case .running:
        if let open = try data.optional("open") {
          .open(until: try open.optionalTimestamp("until"))
        } else {
          .running(try StepStage.Attempt(forward.nested("inFlight"), polling: polling))
        }
      case .backingOff: .backingOff(until: try forward.timestamp("retryAt"))
      case .waiting:
        if let polling {
          .polling(polling)
        } else if let queued = try data.optional("queued") {
          .queued(until: try queued.optionalTimestamp("until"))
        } else {
          .waiting(try StepStage.Wait(data, for: awaitedSignal))
        }
      case .succeeded: .succeeded
      case .failed: .failed(try data.word("consequence"))
      case .skipped: .skipped(byOperator: data.flag("skippedByOperator"))
      case .undoing:
        if let attempt = try undo.optional("inFlight") {
          .undoing(try StepStage.Attempt(attempt))
        } else if let wait = try data.optional("undoWait") {
          .undoWaiting(try StepStage.Wait(data, for: wait.optionalString("signal")))
        } else {
          .undoBackingOff(until: try undo.timestamp("retryAt"))
        }
      case .undone: .undone(how: try data.string("undoHow"))
      case .undoFailed: .undoFailed(blocks: data.flag("undoBlocks"))
      }
    if let since = try data.optionalTimestamp("underWaySince") {
      clock = Clock(since: since, overdue: try data.optional("overdue").map(StepLateness.read))
    }
  }
}

extension Turn {
  fileprivate var json: JSON {
    var members: JSONObject = [
      "phase": .word(phase), "key": .string(key), "limit": .int(limit), "askedAt": .timestamp(askedAt),
    ]
    members["step"] = step.map(JSON.string)
    if waitsSince != askedAt { members["waitsSince"] = .timestamp(waitsSince) }
    members["takenAt"] = takenAt.map(JSON.timestamp)
    return .object(members)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      step: data.optionalString("step"), phase: try data.word("phase"), key: try data.string("key"),
      limit: try data.int("limit"), askedAt: try data.timestamp("askedAt"))
    waitsSince = try data.optionalTimestamp("waitsSince") ?? askedAt
    takenAt = try data.optionalTimestamp("takenAt")
  }
}

extension StepStage.Wait {
  fileprivate init(_ data: EventReader, for signal: String?) throws(UnreadableEvent) {
    self.init(
      signal: signal, until: try data.optionalTimestamp("waitUntil"),
      remindAt: try data.optionalTimestamp("remindAt"), reminders: try data.optionalInt("reminders") ?? 0)
  }
}

extension StepStage.Attempt {
  fileprivate init(_ data: EventReader, polling: StepStage.Polling? = nil) throws(UnreadableEvent) {
    self.init(
      number: try data.int("number"), startedAt: try data.timestamp("startedAt"),
      deadline: try data.timestamp("deadline"), polling: polling,
      offer: try data.optional("offer").map(StepStage.Offer.read))
  }
}

extension StepStage.Polling {
  fileprivate var json: JSON {
    var members: JSONObject = [
      "everyMs": .int(every.wholeMilliseconds), "next": .timestamp(next), "look": .int(look),
    ]
    members["until"] = until.map(JSON.timestamp)
    if isRetry { members["retry"] = true }
    if let answer {
      var inner: JSONObject = [
        "status": .int(answer.status), "digest": .string(answer.digest), "since": .timestamp(answer.since),
      ]
      inner["shown"] = answer.shown.map(JSON.string)
      members["answer"] = .object(inner)
    }
    return .object(members)
  }

  fileprivate static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    var answer: Answer?
    if let inner = try data.optional("answer") {
      answer = Answer(
        status: try inner.int("status"), digest: try inner.string("digest"), shown: inner.optionalString("shown"),
        since: try inner.timestamp("since"))
    }
    return Self(
      every: .milliseconds(try data.int("everyMs")), until: try data.optionalTimestamp("until"),
      next: try data.timestamp("next"), look: try data.int("look"), isRetry: data.flag("retry"), answer: answer)
  }
}

extension Attempts {
  static func one(at time: Timestamp) -> Attempts {
    var attempts = Attempts()
    attempts.begin(1, at: time)
    return attempts
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init()
    count = try data.int("count")
    budgetStart = try data.optionalInt("budgetStart") ?? 0
    startedAt = try data.optionalTimestamp("startedAt")
  }
}

// `map` wants a function that throws the error that it is typed with.
extension StepFailure {
  fileprivate static func read(_ data: EventReader) throws(UnreadableEvent) -> StepFailure { try StepFailure(data) }
}

extension StepLateness {
  fileprivate static func read(_ data: EventReader) throws(UnreadableEvent) -> StepLateness { try StepLateness(data) }
}

extension Dated where Value == StepProgress {
  fileprivate static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { try Self(data) }
}

extension Dated where Value == OperatorAct {
  fileprivate var json: JSON {
    var members: JSONObject = ["at": .timestamp(at)]
    value.add(to: &members)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(at: try data.timestamp("at"), value: try OperatorAct(data))
  }
}

extension KnownCommand {
  fileprivate var json: JSON {
    var members: JSONObject = ["id": .string(id), "verb": .string(verb)]
    members["digest"] = digest.map(JSON.string)
    return .object(members)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(id: try data.string("id"), verb: try data.string("verb"), digest: data.optionalString("digest"))
  }
}

extension LastAct {
  fileprivate var json: JSON {
    var members: JSONObject = [
      "verb": .string(verb), "by": .string(by), "reason": .string(reason), "at": .timestamp(at),
      "version": .int(version),
    ]
    members["step"] = step.map(JSON.string)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      verb: try data.string("verb"), step: data.optionalString("step"), by: try data.string("by"),
      reason: try data.string("reason"), at: try data.timestamp("at"), version: try data.int("version"))
  }
}

extension Rewind {
  fileprivate var json: JSON {
    [
      "step": .string(step), "steps": .array(steps.map(JSON.string)), "at": .timestamp(at), "by": .string(by),
      "reason": .string(reason),
    ]
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      step: try data.string("step"), steps: try data.strings("steps"), at: try data.timestamp("at"),
      by: try data.string("by"), reason: try data.string("reason"))
  }
}

extension Dated where Value == TurnBack {
  fileprivate var json: JSON { ["at": .timestamp(at), "reason": value.json] }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(at: try data.timestamp("at"), value: try TurnBack(data.nested("reason")))
  }
}

extension Dated where Value == StepProgress {
  fileprivate var json: JSON {
    var members = JSONObject()
    value.add(to: &members)
    members["at"] = .timestamp(at)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(at: try data.timestamp("at"), value: try StepProgress(data))
  }
}

extension SagaEnd {
  fileprivate var json: JSON {
    var members: JSONObject = ["status": .word(status), "at": .timestamp(at)]
    members["output"] = output
    members.add(outputErrors)
    members["by"] = by.map(JSON.string)
    members["reason"] = reason.map(JSON.string)
    return .object(members)
  }

  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      status: try data.word("status"), at: try data.timestamp("at"), output: data.optionalValue("output"),
      outputErrors: try OutputError.all(in: data),
      by: data.optionalString("by"), reason: data.optionalString("reason"))
  }
}
