import JSON
import Values

/// The answer of `GET /v1/sagas/{id}`: a saga with its steps.
public struct SagaResponse: WireValue {
  public let id: String
  public let title: String?
  public let workflow: String
  public let version: Int
  public let status: String
  public let paused: Pause?
  public let startedAt: Timestamp
  public let startedBy: String?
  public let endedAt: Timestamp?
  public let deadline: Timestamp?
  public let overdue: Bool
  public let why: Why
  /// The idempotency key of the start.
  public let key: String?
  public let parent: Parent?
  public let tags: [String]
  public let labels: [Label]
  /// The step that the saga is stuck on, or whose failure made it turn back.
  public let failedStep: String?
  public let failureCode: String?
  public let failureMessage: String?
  public let turnBack: TurnBack?
  /// A turn-back that waits until the outcome of the pivot is known.
  public let turnBackRequested: TurnBack?
  public let pivotPassed: Bool
  public let rewind: Rewind?
  /// The turn that the saga itself holds or waits for.
  public let turn: Turn?
  public let abandoned: Abandoned?
  /// Set once the key of the saga's sensitive values was destroyed.
  public let forgotten: Abandoned?
  public let stuck: [StuckStep]
  public let verbs: [AcceptedVerb]
  public let steps: [Step]
  public let input: JSON
  public let output: JSON?
  public let outputErrors: [OutputError]
  public let lastEvent: Int

  public init(
    id: String, title: String? = nil, workflow: String, version: Int, status: String, paused: Pause? = nil,
    startedAt: Timestamp,
    startedBy: String? = nil, endedAt: Timestamp? = nil, deadline: Timestamp? = nil, overdue: Bool,
    why: Why, key: String? = nil, parent: Parent? = nil, tags: [String] = [], labels: [Label] = [],
    failedStep: String? = nil, failureCode: String? = nil, failureMessage: String? = nil,
    turnBack: TurnBack? = nil, turnBackRequested: TurnBack? = nil,
    pivotPassed: Bool, rewind: Rewind? = nil, turn: Turn? = nil, abandoned: Abandoned? = nil,
    forgotten: Abandoned? = nil, stuck: [StuckStep],
    verbs: [AcceptedVerb],
    steps: [Step], input: JSON, output: JSON? = nil, outputErrors: [OutputError] = [], lastEvent: Int
  ) {
    self.id = id
    self.title = title
    self.workflow = workflow
    self.version = version
    self.status = status
    self.paused = paused
    self.startedAt = startedAt
    self.startedBy = startedBy
    self.endedAt = endedAt
    self.deadline = deadline
    self.overdue = overdue
    self.why = why
    self.key = key
    self.parent = parent
    self.tags = tags
    self.labels = labels
    self.failedStep = failedStep
    self.failureCode = failureCode
    self.failureMessage = failureMessage
    self.turnBack = turnBack
    self.turnBackRequested = turnBackRequested
    self.pivotPassed = pivotPassed
    self.rewind = rewind
    self.turn = turn
    self.abandoned = abandoned
    self.forgotten = forgotten
    self.stuck = stuck
    self.verbs = verbs
    self.steps = steps
    self.input = input
    self.output = output
    self.outputErrors = outputErrors
    self.lastEvent = lastEvent
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    id = try members.text("id")
    title = try members.textIfAny("title")
    workflow = try members.text("workflow")
    version = try members.int("version")
    status = try members.text("status")
    paused = try members.oneIfAny("paused")
    startedAt = try members.time("startedAt")
    startedBy = try members.textIfAny("startedBy")
    endedAt = try members.timeIfAny("endedAt")
    deadline = try members.timeIfAny("deadline")
    overdue = try members.bool("overdue")
    why = try members.one("why")
    let olderKey = try members.textIfAny("idempotencyKey")
    key = try members.textIfAny("key") ?? olderKey
    parent = try members.oneIfAny("parent")
    tags = try members.textsIfAny("tags") ?? []
    labels = try members.labelsIfAny("labels") ?? []
    failedStep = try members.textIfAny("failedStep")
    failureCode = try members.textIfAny("failureCode")
    failureMessage = try members.textIfAny("failureMessage")
    turnBack = try members.oneIfAny("turnBack")
    turnBackRequested = try members.oneIfAny("turnBackRequested")
    pivotPassed = try members.bool("pivotPassed")
    rewind = try members.oneIfAny("rewind")
    turn = try members.oneIfAny("turn")
    abandoned = try members.oneIfAny("abandoned")
    forgotten = try members.oneIfAny("forgotten")
    stuck = try members.list("stuck")
    verbs = try members.list("verbs")
    steps = try members.list("steps")
    input = try members.json("input")
    output = members.jsonIfAny("output")
    outputErrors = try members.listIfAny("outputErrors") ?? []
    lastEvent = try members.int("lastEvent")
  }

  public var json: JSON {
    .members([
      "id": .string(id), "title": .text(title), "workflow": .string(workflow), "version": .int(version),
      "draft": .flag(VersionName.isDraft(version)),
      "status": .string(status),
      "paused": paused?.json, "startedAt": .time(startedAt), "startedBy": .text(startedBy), "endedAt": .time(endedAt),
      "deadline": .time(deadline), "overdue": .bool(overdue), "why": why.json, "key": .text(key),
      "idempotencyKey": .text(key), "parent": parent?.json, "tags": .textsIfAny(tags), "labels": .labelsIfAny(labels),
      "failedStep": .text(failedStep), "failureCode": .text(failureCode), "failureMessage": .text(failureMessage),
      "turnBack": turnBack?.json,
      "turnBackRequested": turnBackRequested?.json,
      "pivotPassed": .bool(pivotPassed), "rewind": rewind?.json, "turn": turn?.json, "abandoned": abandoned?.json,
      "forgotten": forgotten?.json,
      "stuck": .list(stuck),
      "verbs": .list(verbs), "steps": .list(steps), "input": input, "output": output,
      "outputErrors": .listIfAny(outputErrors), "lastEvent": .int(lastEvent),
    ])
  }

  /// The saga that started this one.
  public struct Parent: WireValue {
    public let id: String
    /// The step, or the item, of the parent.
    public let step: String
    /// `undo` when the saga undoes the step; nil when it does the step.
    public let phase: String?

    public init(id: String, step: String, phase: String? = nil) {
      self.id = id
      self.step = step
      self.phase = phase
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      step = try members.text("step")
      phase = try members.textIfAny("phase")
    }

    public var json: JSON { .members(["id": .string(id), "step": .string(step), "phase": .text(phase)]) }
  }

  /// Who paused the saga, when and why.
  public struct Pause: WireValue {
    public let since: Timestamp
    public let by: String
    public let reason: String

    public init(since: Timestamp, by: String, reason: String) {
      self.since = since
      self.by = by
      self.reason = reason
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      since = try members.time("since")
      by = try members.text("by")
      reason = try members.text("reason")
    }

    public var json: JSON {
      .members([
        "since": .time(since), "by": .string(by), "reason": .string(reason),
      ])
    }
  }

  /// The cause of a turn-back.
  public struct TurnBack: WireValue {
    public let cause: String
    public let failedStep: String?
    public let code: String
    public let message: String
    public let by: String?
    public let reason: String?
    public let at: Timestamp

    public init(
      cause: String, failedStep: String? = nil, code: String, message: String, by: String? = nil, reason: String? = nil,
      at: Timestamp
    ) {
      self.cause = cause
      self.failedStep = failedStep
      self.code = code
      self.message = message
      self.by = by
      self.reason = reason
      self.at = at
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      cause = try members.text("cause")
      let olderStep = try members.textIfAny("step")
      failedStep = try members.textIfAny("failedStep") ?? olderStep
      code = try members.text("code")
      message = try members.text("message")
      by = try members.textIfAny("by")
      reason = try members.textIfAny("reason")
      at = try members.time("at")
    }

    public var json: JSON {
      .members([
        "cause": .string(cause), "failedStep": .text(failedStep), "step": .text(failedStep), "code": .string(code),
        "message": .string(message),
        "by": .text(by), "reason": .text(reason), "at": .time(at),
      ])
    }
  }

  /// A rewind that is under way.
  public struct Rewind: WireValue {
    public let step: String
    public let steps: [String]
    public let since: Timestamp
    public let by: String
    public let reason: String

    public init(step: String, steps: [String], since: Timestamp, by: String, reason: String) {
      self.step = step
      self.steps = steps
      self.since = since
      self.by = by
      self.reason = reason
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      step = try members.text("step")
      steps = try members.texts("steps")
      since = try members.time("since")
      by = try members.text("by")
      reason = try members.text("reason")
    }

    public var json: JSON {
      .members([
        "step": .string(step), "steps": .texts(steps), "since": .time(since), "by": .string(by),
        "reason": .string(reason),
      ])
    }
  }

  /// Who abandoned or forgot the saga, when and why.
  public struct Abandoned: WireValue {
    public let by: String?
    public let reason: String?
    public let at: Timestamp

    public init(by: String? = nil, reason: String? = nil, at: Timestamp) {
      self.by = by
      self.reason = reason
      self.at = at
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      by = try members.textIfAny("by")
      reason = try members.textIfAny("reason")
      at = try members.time("at")
    }

    public var json: JSON {
      .members([
        "by": .text(by), "reason": .text(reason), "at": .time(at),
      ])
    }
  }

  /// A step, or the undo of a step, that needs an operator.
  public struct StuckStep: WireValue {
    public let step: String
    public let phase: String
    public let since: Timestamp
    public let code: String
    public let message: String
    public let verbs: [String]

    public init(step: String, phase: String, since: Timestamp, code: String, message: String, verbs: [String]) {
      self.step = step
      self.phase = phase
      self.since = since
      self.code = code
      self.message = message
      self.verbs = verbs
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      step = try members.text("step")
      phase = try members.text("phase")
      since = try members.time("since")
      code = try members.text("code")
      message = try members.text("message")
      verbs = try members.texts("verbs")
    }

    public var json: JSON {
      .members([
        "step": .string(step), "phase": .string(phase), "since": .time(since), "code": .string(code),
        "message": .string(message), "verbs": .texts(verbs),
      ])
    }
  }

  /// A member of the output that could not be computed.
  public struct OutputError: WireValue {
    public let path: String
    public let expression: String?
    public let code: String
    public let message: String

    public init(path: String, expression: String? = nil, code: String, message: String) {
      self.path = path
      self.expression = expression
      self.code = code
      self.message = message
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      path = try members.text("path")
      expression = try members.textIfAny("expression")
      code = try members.text("code")
      message = try members.text("message")
    }

    public var json: JSON {
      .members([
        "path": .string(path), "expression": .text(expression), "code": .string(code), "message": .string(message),
      ])
    }
  }

  /// The error of a step or of its undo.
  public struct Failure: WireValue {
    public let code: String
    public let message: String
    /// `failed` when the step certainly had no effect, `unknown` when it may have had one. Of an undo: `unknown` when what
    /// the undo did may remain, otherwise nil.
    public let outcome: String?

    public init(code: String, message: String, outcome: String? = nil) {
      self.code = code
      self.message = message
      self.outcome = outcome
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      code = try members.text("code")
      message = try members.text("message")
      outcome = try members.textIfAny("outcome")
    }

    public var json: JSON {
      .members([
        "code": .string(code), "message": .string(message), "outcome": .text(outcome),
      ])
    }
  }

  /// The last progress message of a participant.
  public struct Progress: WireValue {
    public let message: String
    /// The share that is done, from 0 to 1.
    public let fraction: Double?
    public let at: Timestamp

    public init(message: String, fraction: Double? = nil, at: Timestamp) {
      self.message = message
      self.fraction = fraction
      self.at = at
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      message = try members.text("message")
      fraction = try members.doubleIfAny("fraction")
      at = try members.time("at")
    }

    public var json: JSON {
      .members([
        "message": .string(message), "fraction": fraction.map { .number(JSONNumber($0)) }, "at": .time(at),
      ])
    }
  }
}

/// A verb that a saga accepts now, and the steps that it accepts it for.
public struct AcceptedVerb: WireValue {
  public let verb: String
  public let steps: [String]

  public init(verb: String, steps: [String]) {
    self.verb = verb
    self.steps = steps
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    verb = try members.text("verb")
    steps = try members.texts("steps")
  }

  public var json: JSON {
    .members([
      "verb": .string(verb), "steps": .texts(steps),
    ])
  }
}
