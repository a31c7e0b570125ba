import JSON
import Values
import WorkflowEngine
import Workflows

extension SagaNow {
  /// The saga as `GET /v1/sagas/{id}` shows it.
  /// - Parameter now: tells whether it is overdue.
  func json(at now: Timestamp) -> JSON {
    let allowed = Verbs.allowed(state, definition)
    return .members([
      "id": .string(state.id.description),
      "workflow": .string(state.start.workflow),
      "version": .int(state.start.version),
      "status": .string(state.status.rawValue),
      "paused": state.pause.map { pause in
        .members(["since": .time(pause.at), "by": .string(pause.value.by), "reason": .string(pause.value.reason)])
      },
      "startedAt": .time(state.startedAt),
      "startedBy": .string(state.start.by),
      "endedAt": .time(state.end?.at),
      "deadline": .time(state.deadline),
      "overdue": .bool(state.isOverdue(at: now)),
      "idempotencyKey": .text(state.start.idempotencyKey),
      "tags": .textsIfAny(state.start.tags),
      "turnBack": state.turnBack?.json,
      "turnBackRequested": state.requestedTurnBack?.json,
      "pivotPassed": .bool(state.isPivotPassed(by: definition)),
      "rewind": state.rewind?.json,
      "abandoned": abandoned,
      "stuck": .array(state.blockers.map { $0.json(Verbs.helping($0, among: allowed)) }),
      "verbs": .array(allowed.map(\.json)),
      "steps": .array(definition.steps.compactMap { step in state.step(step.id).map { $0.json(of: step) } }),
      "input": state.start.input,
      "output": state.end?.output,
      "outputErrors": outputErrors,
      "lastEvent": .int(state.version),
    ])
  }

  private var outputErrors: JSON? {
    guard let errors = state.end?.outputErrors, !errors.isEmpty else { return nil }
    return .array(
      errors.map {
        .members([
          "path": .string($0.path), "expression": .text($0.expression), "code": .string($0.code),
          "message": .string($0.message),
        ])
      })
  }

  private var abandoned: JSON? {
    guard let end = state.end, end.status == .abandoned else { return nil }
    return .members(["by": .text(end.by), "reason": .text(end.reason), "at": .time(end.at)])
  }
}

extension Dated where Value == TurnBack {
  fileprivate var json: JSON {
    .members([
      "cause": .string(value.cause.rawValue), "step": .text(value.step), "code": .string(value.code),
      "message": .string(value.message), "by": .text(value.by), "reason": .text(value.reason), "at": .time(at),
    ])
  }
}

extension Dated where Value == StepProgress {
  fileprivate var json: JSON {
    .members([
      "message": .string(value.message), "fraction": value.fraction.map { .number(JSONNumber($0)) }, "at": .time(at),
    ])
  }
}

extension AllowedVerb {
  var json: JSON { ["verb": .string(verb.rawValue), "steps": .texts(steps)] }
}

extension Rewind {
  fileprivate var json: JSON {
    .members([
      "step": .string(step), "steps": .texts(steps), "since": .time(at), "by": .string(by), "reason": .string(reason),
    ])
  }
}

extension Blocker {
  fileprivate func json(_ verbs: [OperatorVerb.Name]) -> JSON {
    .members([
      "step": .string(step), "phase": .string(phase.rawValue), "since": .time(since), "code": .string(failure.code),
      "message": .string(failure.message), "verbs": .texts(verbs.map(\.rawValue)),
    ])
  }
}

extension StepFailure {
  fileprivate func json(_ outcome: RoundOutcome? = nil) -> JSON {
    let known: String? =
      switch outcome {
      case .failed, .unknown: outcome?.rawValue
      case .none?, .succeeded, nil: nil
      }
    return .members(["code": .string(code), "message": .string(message), "outcome": .text(known)])
  }
}

extension StepState {
  fileprivate func json(of step: Step) -> JSON {
    .members([
      "id": .string(id),
      "description": .text(step.description),
      "status": .string(status.rawValue),
      "dependsOn": .texts(step.dependsOn),
      "action": step.action.json,
      "pivot": .bool(step.pivot),
      "round": .int(round),
      "attempt": .int(forward.count),
      "maxAttempts": .integer(step.action.isAttempted ? forward.allowed(by: step.retry, after: failure) : nil),
      "startedAt": .time(startedAt),
      "endedAt": .time(endedAt),
      "retryAt": .time(status == .backingOff ? forward.retryAt : nil),
      "until": .time(status == .waiting ? waitUntil : nil),
      "waitingFor": status == .waiting ? step.action.awaited : nil,
      "progress": forward.inFlight == nil ? nil : progress?.json,
      "overdue": overdue?.json(phase: status == .undoing ? .undo : .forward),
      "input": input,
      "output": outputProblem == nil ? output : nil,
      "outputError": outputProblem?.json(),
      "error": failure?.json(outcome),
      "undo": undoJSON(of: step),
    ])
  }

  private func undoJSON(of step: Step) -> JSON? {
    let word: String
    switch status {
    case .undoing: word = undo.inFlight == nil ? "backingOff" : "running"
    case .undone: word = "undone"
    case .undoFailed: word = "failed"
    case .pending, .running, .backingOff, .waiting, .succeeded, .failed, .skipped: return nil
    }
    let allowed: Int? =
      if case .undo(let rules) = step.compensation { undo.allowed(by: rules.retry, after: undoFailure) } else { nil }
    return .members([
      "status": .string(word), "attempt": .int(undo.count), "maxAttempts": .integer(allowed),
      "startedAt": .time(undo.startedAt), "endedAt": .time(undoEndedAt), "retryAt": .time(undo.retryAt),
      "progress": undo.inFlight == nil ? nil : progress?.json, "how": .text(undoHow), "error": undoFailure?.json(),
    ])
  }
}

extension StepOverdue {
  fileprivate func json(phase: StepPhase) -> JSON {
    .members([
      "phase": .string(phase.rawValue), "since": .time(since),
      "expectedMs": .int(Int(expected.duration / .milliseconds(1))), "basis": .string(expected.basis.rawValue),
      "samples": .integer(expected.samples),
    ])
  }
}

extension Attempts {
  /// The number that the last attempt may have: what an operator granted counts on top.
  fileprivate func allowed(by rules: RetryRules, after failure: StepFailure?) -> Int {
    let matching = failure.flatMap { failure in
      rules.policies.first { policy in
        policy.on.map { $0.contains { RetryPolicy.matches($0, codes: failure.codes) } } ?? true
      }
    }
    return budgetStart + (matching ?? rules.policies.first { $0.on == nil } ?? rules.fallback).maxAttempts
  }
}

extension Action {
  fileprivate var json: JSON {
    switch self {
    case .http(let http):
      ["kind": "http", "service": .string(http.service), "method": .string(http.method)]
    case .kafka(let kafka):
      ["kind": "kafka", "service": .string(kafka.service), "command": .string(kafka.command)]
    case .signal(let signal):
      .members(["kind": "signal", "signal": .string(signal.name), "roles": .textsIfAny(signal.roles)])
    case .delay: ["kind": "delay"]
    }
  }

  /// What a step with this action waits for.
  fileprivate var awaited: JSON? {
    switch self {
    case .http, .kafka: nil
    case .signal(let signal): ["kind": "signal", "name": .string(signal.name)]
    case .delay: ["kind": "delay"]
    }
  }
}
