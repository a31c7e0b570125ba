import JSON
import Values

// How events are written. What is written stays readable for ever: a change of shape is a new schema version, and an
// upcaster in `SagaEvent+Upcasting.swift` lifts what was written in the old one.
extension SagaEvent {
  /// The version of the shapes below. A new type of event, or a new member that may be missing, leaves it as it is: what
  /// was stored before reads as it did. (An older version says of such a type that it doesn't know it, and guesses at
  /// nothing.)
  public static let schema = 1

  /// The event's name in the store.
  public var typeName: String { kind.rawValue }

  /// The event's data as it is stored. Absent is nil; moments are RFC 3339.
  public var data: JSON {
    var data: JSONObject = ["at": .moment(at)]
    switch what {
    case .sagaStarted(let start):
      data["saga"] = start.json
    case .stepSkipped(let step):
      data["step"] = .string(step)
    case .waitStarted(let step, let until, let signal):
      data["step"] = .string(step)
      data["until"] = until.map(JSON.moment)
      data["signal"] = signal.map(JSON.string)
    case .attemptStarted(let step, let phase, let round, let attempt, let deadline):
      data["step"] = .string(step)
      data["phase"] = .string(phase.rawValue)
      data["round"] = .int(round)
      data["attempt"] = .int(attempt)
      data["deadline"] = .moment(deadline)
    case .attemptFailed(let step, let phase, let attempt, let isUnknown, let failure, let retryAt):
      data["step"] = .string(step)
      data["phase"] = .string(phase.rawValue)
      data["attempt"] = .int(attempt)
      data["unknown"] = .bool(isUnknown)
      data["failure"] = failure.json
      data["retryAt"] = .moment(retryAt)
    case .attemptNotMade(let step, let phase, let attempt, let failure, let retryAt):
      data["step"] = .string(step)
      data["phase"] = .string(phase.rawValue)
      data["attempt"] = .int(attempt)
      data["failure"] = failure.json
      data["retryAt"] = .moment(retryAt)
    case .stepProgressed(let step, let phase, let attempt, let progress):
      data["step"] = .string(step)
      data["phase"] = .string(phase.rawValue)
      data["attempt"] = .int(attempt)
      for (name, value) in progress.members { data[name] = value }
    case .answerIgnored(let step, let phase, let attempt, let answer):
      data["step"] = .string(step)
      data["phase"] = .string(phase.rawValue)
      data["round"] = .int(answer.round)
      data["attempt"] = .int(attempt)
      data["why"] = .string(answer.why.rawValue)
      data["outcome"] = .string(answer.outcome)
      data["code"] = answer.code.map(JSON.string)
      data["answer"] = .string(answer.id)
    case .stepSucceeded(let step, let output, let isPivot):
      data["step"] = .string(step)
      data["output"] = output.value
      data["outputProblem"] = output.problem?.json
      data["pivot"] = isPivot ? true : nil
    case .stepFailed(let step, let outcome, let failure, let consequence):
      data["step"] = .string(step)
      data["outcome"] = .string(outcome.rawValue)
      data["failure"] = failure.json
      data["consequence"] = .string(consequence.rawValue)
    case .signalReceived(let signal, let step):
      signal.add(to: &data)
      data["step"] = step.map(JSON.string)
    case .signalRefused(let refused): refused.add(to: &data)
    case .keptSignalTaken(let name, let step, let received):
      data["signal"] = .string(name)
      data["step"] = .string(step)
      data["received"] = .int(received)
    case .keptSignalRefused(let name, let step, let received):
      data["signal"] = .string(name)
      data["step"] = .string(step)
      data["received"] = received.map(JSON.int)
    case .turnBackRequested(let reason), .turnedBack(let reason):
      data["reason"] = reason.json
    case .undoSucceeded(let step, let how):
      data["step"] = .string(step)
      data["how"] = .string(how.rawValue)
    case .undoFailed(let step, let failure, let blocks):
      data["step"] = .string(step)
      data["failure"] = failure.json
      data["blocks"] = .bool(blocks)
    case .operatorRetried(let step, let phase, let input, let act):
      data["step"] = .string(step)
      data["phase"] = .string(phase.rawValue)
      data["input"] = input
      data.add(act)
    case .operatorResolved(let step, let resolution, let isPivot, let goesOn, let act):
      data["step"] = .string(step)
      data["resolution"] = .string(resolution.word)
      if case .happened(let output) = resolution { data["output"] = output }
      data["pivot"] = isPivot ? true : nil
      data["goesOn"] = goesOn ? true : nil
      data.add(act)
    case .operatorSkipped(let step, let output, let isPivot, let act):
      data["step"] = .string(step)
      data["output"] = output
      data["pivot"] = isPivot ? true : nil
      data.add(act)
    case .operatorRanNow(let steps, let act):
      data["steps"] = .array(steps.map(JSON.string))
      data.add(act)
    case .operatorExtended(let step, let until, let act):
      data["step"] = step.map(JSON.string)
      data["until"] = .moment(until)
      data.add(act)
    case .rewindStarted(let step, let steps, let act):
      data["step"] = .string(step)
      data["steps"] = .array(steps.map(JSON.string))
      data.add(act)
    case .rewindFinished(let step, let steps):
      data["step"] = .string(step)
      data["steps"] = .array(steps.map(JSON.string))
    case .stepOverdue(let step, let phase, let overdue):
      data["step"] = .string(step)
      data["phase"] = .string(phase.rawValue)
      data.add(overdue)
    case .turnBackLapsed, .sagaOverdue, .sagaCompensated:
      break
    case .sagaCompleted(let output, let errors):
      data["output"] = output
      data.add(errors)
    case .sagaPaused(let act), .sagaResumed(let act), .sagaAbandoned(let act):
      data.add(act)
    }
    return .object(data)
  }
}

extension JSON {
  static func moment(_ moment: Timestamp) -> JSON { .string(moment.description) }
}

extension JSONObject {
  mutating func add(_ act: OperatorAct) {
    self["by"] = .string(act.by)
    self["reason"] = .string(act.reason)
    self["from"] = act.from.map(JSON.string)
    self["commandId"] = act.commandID.map(JSON.string)
    self["commandDigest"] = act.commandDigest.map(JSON.string)
  }
}

extension JSONObject {
  mutating func add(_ overdue: StepOverdue) {
    self["since"] = .moment(overdue.since)
    self["expectedMs"] = .int(Int(overdue.expected.duration / .milliseconds(1)))
    self["basis"] = .string(overdue.expected.basis.rawValue)
    self["samples"] = overdue.expected.samples.map(JSON.int)
  }
}

extension SagaStart {
  var json: JSON {
    var members: JSONObject = [
      "id": .string(id.description), "workflow": .string(workflow), "version": .int(version),
      "definition": .string(definitionDigest), "steps": .array(steps.map(JSON.string)), "input": input,
      "deadline": .moment(deadline), "by": .string(by),
    ]
    members["idempotencyKey"] = idempotencyKey.map(JSON.string)
    members["from"] = from.map(JSON.string)
    if !tags.isEmpty { members["tags"] = .array(tags.map(JSON.string)) }
    return .object(members)
  }
}

extension StepFailure {
  var json: JSON {
    var members: JSONObject = ["code": .string(code), "message": .string(message)]
    if !classes.isEmpty { members["classes"] = .array(classes.map(JSON.string)) }
    if isRetryable { members["retryable"] = true }
    members["retryAfterMs"] = retryAfter.map { .int(Int($0 / .milliseconds(1))) }
    if isGone { members["gone"] = true }
    if keepsTombstones { members["tombstones"] = true }
    return .object(members)
  }
}

extension JSONObject {
  /// Adds the errors of an output, in the shape that they were read in.
  mutating func add(_ errors: [OutputError]) {
    self["outputProblem"] = errors.first { $0.expression == nil }?.failure.json
    let members = errors.filter { $0.expression != nil }
    if !members.isEmpty { self["outputErrors"] = .array(members.map(\.json)) }
  }
}

extension OutputError {
  var json: JSON {
    var members: JSONObject = ["path": .string(path), "code": .string(code), "message": .string(message)]
    members["expression"] = expression.map(JSON.string)
    return .object(members)
  }

  private init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      path: try data.string("path"), expression: try data.string("expression"),
      StepFailure(code: try data.string("code"), message: try data.string("message")))
  }

  /// Reads the errors of an output. Older versions stored one failure for the whole output, which was null then.
  static func all(in data: EventReader) throws(UnreadableEvent) -> [OutputError] {
    var errors: [OutputError] = []
    if data.has("outputProblem") {
      errors.append(OutputError(path: "", expression: nil, try StepFailure(data.nested("outputProblem"))))
    }
    for error in data.data["outputErrors"]?.arrayValue ?? [] {
      errors.append(try OutputError(EventReader(type: data.type, data: error)))
    }
    return errors
  }
}

extension StepProgress {
  var members: JSONObject {
    var members = JSONObject()
    members["fraction"] = fraction.map { .number(JSONNumber($0)) }
    members["message"] = .string(message)
    return members
  }
}

extension TurnBack {
  var json: JSON {
    var members: JSONObject = [
      "cause": .string(cause.rawValue), "code": .string(code), "message": .string(message),
    ]
    members["step"] = step.map(JSON.string)
    members["by"] = by.map(JSON.string)
    members["reason"] = reason.map(JSON.string)
    members["from"] = from.map(JSON.string)
    members["commandId"] = commandID.map(JSON.string)
    return .object(members)
  }
}
