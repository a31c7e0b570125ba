import JSON
import SagaCore
import Values
import Wire
import WorkflowEngine
import Workflows

extension SagaNow {
  /// Returns the saga as `GET /v1/sagas/{id}` shows it.
  /// - Parameter now: decides whether the saga is overdue. A saga as it was is judged at its last event.
  func response(at now: Timestamp) -> SagaResponse {
    let now = asOf ?? now
    let allowed = Verbs.allowed(state, definition)
    let trouble = Trouble(state)
    return SagaResponse(
      id: state.id.description,
      title: state.start.title,
      workflow: state.start.workflow,
      version: state.definition.version,
      status: state.status.rawValue,
      paused: state.pause.map { .init(since: $0.at, by: $0.value.by, reason: $0.value.reason) },
      startedAt: state.startedAt,
      startedBy: state.start.by,
      endedAt: state.end?.at,
      deadline: state.deadline,
      overdue: state.isOverdue(at: now),
      why: Explanation(
        state, definition, now: now, allowed: allowed, turns: turns, lastAsked: asOf == nil ? lastAsked : nil,
        children: children
      )
      .response,
      key: state.start.idempotencyKey,
      parent: state.start.parent.map {
        .init(id: $0.saga.description, step: $0.step, phase: $0.phase == .undo ? StepPhase.undo.rawValue : nil)
      },
      tags: state.start.tags,
      labels: state.start.labels,
      failedStep: trouble?.step,
      failureCode: trouble?.code,
      failureMessage: trouble?.message,
      turnBack: state.turnBack?.response,
      turnBackRequested: state.requestedTurnBack?.response,
      pivotPassed: state.isPivotPassed(by: definition),
      rewind: state.rewind?.response,
      turn: turn(of: nil),
      abandoned: abandoned,
      forgotten: state.forgotten.map { .init(by: $0.value.by, reason: $0.value.reason, at: $0.at) },
      stuck: state.shownBlockers.map { $0.response(Verbs.helping($0, among: allowed, in: state, by: definition)) },
      verbs: allowed.map(\.response),
      steps: definition.steps.compactMap { step in
        state.step(step.id).map {
          $0.response(
            of: step, at: state.isPaused ? nil : now, items: state.items(of: step.id), turn: turn(of: step.id),
            in: self,
            children: children)
        }
      },
      input: state.start.input,
      output: state.end?.output,
      outputErrors: outputErrors,
      lastEvent: state.version)
  }

  /// Returns items of a step with `forEach` that have begun, in their order.
  /// - Parameters:
  ///   - status: only items with this status.
  ///   - start: the number of the first item.
  ///   - childrenNow: returns how the children of the items are.
  /// - Returns: the items, and the number at which the next page starts; nil behind the last item.
  /// - Throws: `step.unknown` when the workflow has no such step with `forEach`.
  func items(
    of id: String, status: StepStatus?, from start: Int, limit: Int, at now: Timestamp,
    childrenNow: ([ChildLink]) async throws -> [UniqueID: ChildNow]
  ) async throws -> (items: [SagaResponse.Step], next: Int?) {
    guard let step = definition.step(id), step.forEach != nil else {
      throw Refusal(EngineErrorCode.stepUnknown, "The workflow has no step “\(id)” with “forEach”.")
    }
    guard let items = state.items(of: id) else { return ([], nil) }
    var page: [StepState] = []
    var next: Int?
    for number in start..<max(start, items.begun) where status == nil || items.status(of: number) == status {
      if page.count == limit {
        next = number
        break
      }
      page.append(items[number])
    }
    let verbs = Verbs.allowed(on: page.map(\.id), state, definition)
    let children = try await childrenNow(page.flatMap { [$0.child, $0.undoChild].compactMap { $0 } })
    let shown = zip(page, verbs).map { item, verbs in
      item.response(
        of: step, at: state.isPaused ? nil : now, verbs: verbs.map(\.rawValue), in: self, children: children)
    }
    return (shown, next)
  }

  private var outputErrors: [SagaResponse.OutputError] {
    (state.end?.outputErrors ?? []).map {
      .init(path: $0.path, expression: $0.expression, code: $0.code, message: $0.message)
    }
  }

  private var abandoned: SagaResponse.Abandoned? {
    guard let end = state.end, end.status == .abandoned else { return nil }
    return .init(by: end.by, reason: end.reason, at: end.at)
  }
}

extension Explanation {
  fileprivate var response: SagaResponse.Why {
    .init(
      kind: kind.rawValue, sentence: sentence, step: step, phase: phase?.rawValue, code: code,
      outcome: outcome?.rawValue, since: since, until: until,
      next: next.map {
        .init(
          verb: $0.verb, step: $0.step, signal: $0.signal, outcome: $0.outcome, purpose: $0.purpose,
          command: $0.command)
      })
  }
}

extension Dated where Value == TurnBack {
  fileprivate var response: SagaResponse.TurnBack {
    .init(
      cause: value.cause.rawValue, failedStep: value.step, code: value.code, message: value.message, by: value.by,
      reason: value.reason, at: at)
  }
}

extension Dated where Value == StepProgress {
  fileprivate var response: SagaResponse.Progress {
    .init(message: value.message, fraction: value.fraction, at: at)
  }
}

extension AllowedVerb {
  var response: AcceptedVerb { AcceptedVerb(verb: verb.rawValue, steps: steps) }
}

extension Rewind {
  fileprivate var response: SagaResponse.Rewind { .init(step: step, steps: steps, since: at, by: by, reason: reason) }
}

extension Blocker {
  fileprivate func response(_ verbs: [OperatorVerb.Name]) -> SagaResponse.StuckStep {
    .init(
      step: step, phase: phase.rawValue, since: since, code: failure.code, message: failure.message,
      verbs: verbs.map(\.rawValue))
  }
}

extension StepFailure {
  fileprivate func response(_ outcome: RoundOutcome? = nil) -> SagaResponse.Failure {
    let known: String? =
      switch outcome {
      case .failed, .unknown: outcome?.rawValue
      case .none?, .succeeded, nil: nil
      }
    return .init(code: code, message: message, outcome: known)
  }
}

extension StepState {
  /// - Parameter now: nil while the saga's clock is stopped.
  fileprivate func response(
    of step: Step, at now: Timestamp?, items: ItemStates? = nil, turn: SagaResponse.Turn? = nil,
    verbs: [String] = [], in saga: SagaNow,
    children: [UniqueID: ChildNow]
  ) -> SagaResponse.Step {
    .init(
      id: id,
      description: step.description,
      status: status.rawValue,
      dependsOn: step.dependsOn,
      group: step.group,
      action: step.action.response,
      items: items.flatMap { $0.response(by: step.forEach) },
      poll: step.poll?.response(polling, at: now),
      task: task(in: saga),
      child: child?.response(children),
      pivot: step.pivot,
      round: round,
      attempt: forward.count,
      maxAttempts: step.action.isAttempted ? forward.allowed(by: step.retry, after: failure) : nil,
      startedAt: startedAt,
      endedAt: endedAt,
      retryAt: status == .backingOff ? retryAt : nil,
      until: undoWait == nil ? waitsUntil : nil,
      waitingFor: status == .waiting || isOnlyOffered ? isQueued ? .init(kind: "turn") : step.awaited(wait) : nil,
      turn: turn,
      progress: inFlight?.phase == .forward ? progress?.response : nil,
      overdue: overdue?.response(phase: status == .undoing ? .undo : .forward),
      input: input,
      output: outputProblem == nil ? output : nil,
      outputError: outputProblem?.response(),
      error: failure?.response(outcome),
      undo: undoResponse(of: step, children: children),
      verbs: verbs)
  }

  private func undoResponse(of step: Step, children: [UniqueID: ChildNow]) -> SagaResponse.Step.Undo? {
    let word: String
    switch status {
    case .undoing: word = undoWait != nil ? "waiting" : inFlight == nil ? "backingOff" : "running"
    case .undone: word = "undone"
    case .undoFailed: word = "failed"
    case .pending, .running, .backingOff, .waiting, .succeeded, .failed, .skipped: return nil
    }
    // A wait for a signal has no attempts.
    let allowed: Int? =
      if case .undo(let rules) = step.compensation, !rules.action.isSignal {
        undo.allowed(by: rules.retry, after: undoFailure)
      } else {
        nil
      }
    return .init(
      status: word, attempt: undo.count, maxAttempts: allowed, startedAt: undo.startedAt, endedAt: undoEndedAt,
      retryAt: status == .undoing ? retryAt : nil, until: undoWait?.until, waitingFor: undoWait?.response,
      child: undoChild?.response(children), progress: inFlight?.phase == .undo ? progress?.response : nil,
      how: undoHow,
      error: undoFailure?.response(undoUnknown ? .unknown : nil))
  }
}

extension StepStage.Wait {
  /// A wait of an undo is for a signal, or for the end of the child that the undo has started.
  fileprivate var response: SagaResponse.Step.Waiting {
    .init(
      kind: signal == nil ? "child" : "signal", signal: signal, remindAt: remindAt,
      reminders: reminders > 0 ? reminders : nil)
  }
}

extension ChildLink {
  fileprivate func response(_ children: [UniqueID: ChildNow]) -> SagaResponse.Step.Child {
    let now = children[saga]
    return .init(
      id: saga.description, title: now?.title, workflow: workflow, version: version, status: now?.status.rawValue)
  }
}

extension StepState {
  /// Returns the task that is offered, or that a worker has, with what the engine knows of its lease.
  fileprivate func task(in saga: SagaNow) -> SagaResponse.Step.TaskState? {
    guard let offer, let id = task(of: saga.state.id), let attempt = inFlight?.attempt else { return nil }
    let known = saga.tasks[id]
    return .init(
      id: id.description, queue: offer.queue, offeredAt: attempt.startedAt, lastAskedAt: saga.lastAsked[offer.queue],
      worker: offer.taken?.worker, takenAt: offer.taken?.at, heartbeatAt: known?.heartbeatAt,
      leaseUntil: known?.leaseUntil)
  }
}

extension StepLateness {
  fileprivate func response(phase: StepPhase) -> SagaResponse.Step.Overdue {
    .init(
      phase: phase.rawValue, since: since, expectedMs: expected.duration.wholeMilliseconds,
      basis: expected.basis.rawValue, samples: expected.samples)
  }
}

extension Attempts {
  /// The largest number that the last attempt may have. Attempts that an operator granted count in addition.
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
  fileprivate var response: SagaResponse.Step.Action {
    switch self {
    case .http(let http): .init(kind: "http", service: http.service, method: http.method)
    case .kafka(let kafka): .init(kind: "kafka", service: kafka.service, command: kafka.command)
    case .task(let task): .init(kind: "task", queue: task.queue)
    case .workflow(let workflow): .init(kind: "workflow", workflow: workflow.name)
    case .signal(let signal): .init(kind: "signal", signal: signal.name, roles: signal.roles)
    case .delay, .fail, .group: .init(kind: kind)
    }
  }

}

extension Step {
  /// Returns what the step waits for; nil for a step that sends calls.
  fileprivate func awaited(_ wait: StepStage.Wait?) -> SagaResponse.Step.Waiting? {
    switch action {
    case .http: poll.map { _ in .init(kind: "poll") }
    case .kafka, .fail, .group: nil
    case .task: .init(kind: "task")
    case .workflow: .init(kind: "child")
    case .signal(let signal):
      .init(
        kind: "signal", signal: signal.name, remindAt: wait?.remindAt,
        reminders: wait.flatMap { $0.reminders > 0 ? $0.reminders : nil })
    case .delay: .init(kind: "delay")
    }
  }
}

extension ItemStates {
  fileprivate func response(by forEach: ForEach?) -> SagaResponse.Step.Items? {
    guard let forEach else { return nil }
    return .init(
      count: count, maxParallel: forEach.maxParallel, tolerated: forEach.tolerated.failures(of: count),
      statuses: StepStatus.allCases.map { (status: $0.rawValue, count: count(of: $0)) }.filter { $0.count > 0 })
  }
}

extension Poll {
  /// - Parameters:
  ///   - polling: nil while the step does not poll.
  ///   - now: nil while the saga's clock is stopped.
  fileprivate func response(_ polling: StepStage.Polling?, at now: Timestamp?) -> SagaResponse.Step.Poll {
    .init(
      everyMs: every.wholeMilliseconds, until: until.text, failWhen: failWhen?.text,
      look: polling.map { polling in now.map { polling.next(after: $0)?.number ?? polling.look } ?? polling.look },
      nextLook: now.flatMap { polling?.next(after: $0)?.at },
      answer: polling?.answer.map { .init(status: $0.status, shown: $0.shown, digest: $0.digest, since: $0.since) })
  }
}
