import JSON
import Values
import Workflows

// Going forward: starting what is ready, retrying what is due, and completing.
extension Decider {
  mutating func goForward() {
    var changed = true
    while changed, state.turnBack == nil {
      changed = false
      for step in state.steps {
        let before = events.count
        if isSpent { return }
        switch step.status {
        case .pending where state.requestedTurnBack == nil && isReady(step): begin(step)
        case .backingOff where isRetryDue(step): act(step)
        case .pending, .running, .backingOff, .waiting, .succeeded, .failed, .skipped, .undoing, .undone, .undoFailed:
          break
        }
        if events.count > before {
          changed = true
          decideTurningBack()
          if state.turnBack != nil {
            turnBack()
            return
          }
        }
      }
    }
    completeIfDone()
  }

  private func isReady(_ step: StepState) -> Bool {
    guard let definition = definition(of: step) else { return false }
    return definition.dependsOn.allSatisfy(isReached)
  }

  /// Whether what depends on the step may start. An operator may have had it skipped before its turn had come: then what
  /// stands before it has to be passed as well.
  private func isReached(_ id: String) -> Bool {
    guard let step = place(id), step.isPassed else { return false }
    guard step.skippedByOperator, let definition = definition(of: step) else { return true }
    return definition.dependsOn.allSatisfy(isReached)
  }

  /// A step's state by its place in the file. Every pass asks this of every dependency: looking through all steps each
  /// time, a workflow of many hundred steps would keep the processor busy with nothing else.
  private func place(_ id: String) -> StepState? {
    guard let index = definition.index(of: id), state.steps.indices.contains(index), state.steps[index].id == id else {
      return state.step(id)
    }
    return state.steps[index]
  }

  /// While a turn-back waits for a pivot, only that pivot's own attempts go on.
  private func isRetryDue(_ step: StepState) -> Bool {
    guard let retryAt = step.forward.retryAt, retryAt <= now else { return false }
    return mayRetry(step)
  }

  func mayRetry(_ step: StepState) -> Bool {
    guard state.rewind == nil else { return false }
    return state.requestedTurnBack == nil || (definition(of: step)?.pivot ?? false)
  }

  private mutating func begin(_ step: StepState) {
    guard let definition = definition(of: step) else { return }
    if let condition = definition.when {
      let document = state.document(reading: condition.reads)
      if let error = condition.obstacle(in: document) {
        fail(step.id, StepFailure(code: error.code, message: error.message))
        return
      }
      do {
        guard try measured({ meter throws(BudgetExceeded) in try condition.holds(in: document, meter: meter) }) else {
          emit(.stepSkipped(step: step.id))
          return
        }
      } catch {
        // Whether the step is to run is not known, so it neither runs nor is skipped.
        fail(step.id, StepFailure(code: error.code, message: "The step's condition: \(error.message)."))
        return
      }
    }
    act(step)
  }

  /// Makes an attempt, or waits: for the first time, or again.
  private mutating func act(_ step: StepState) {
    guard let definition = definition(of: step) else { return }
    switch definition.action {
    case .http, .kafka:
      startAttempt(step.id)
    case .signal(let signal):
      let until = definition.timeout.map { now + $0 }
      emit(.waitStarted(step: step.id, until: until, signal: signal.name))
      useKeptSignal(for: definition, signal)
    case .delay(let delay):
      beginDelay(step, delay)
    }
  }

  private mutating func beginDelay(_ state: StepState, _ delay: DelayAction) {
    let step = state.id
    let until: Timestamp
    switch delay {
    case .for(let duration):
      until = now + duration
    case .until(let template):
      do {
        let text = try template.render(in: self.state.document(for: state, reading: template.reads), encoding: .none)
        guard let moment = Timestamp(text) else {
          fail(
            step,
            StepFailure(
              code: EngineErrorCode.delayNotATime,
              message: "“\(text.prefix(100))” is no date-time; write it as 2026-03-01T08:15:30Z."))
          return
        }
        until = moment
      } catch {
        fail(step, StepFailure(code: error.code, message: error.message))
        return
      }
    }
    emit(.waitStarted(step: step, until: until, signal: nil))
    if until <= now { succeed(step, output: .null) }
  }

  mutating func startAttempt(_ id: String) {
    guard let step = state.step(id), let definition = definition(of: step) else { return }
    // What can't be rendered is never sent: the step fails cleanly, unless an earlier attempt left it unknown.
    if let failure = problem(with: definition.action, of: step) {
      fail(id, failure)
      return
    }
    emit(
      .attemptStarted(
        step: id, phase: .forward, round: step.round, attempt: step.forward.count + 1,
        deadline: now + (definition.timeout ?? CallRendering.defaultTimeout)))
  }

  mutating func succeed(_ step: String, output: StepOutput) {
    emit(.stepSucceeded(step: step, output: output, isPivot: definition.step(step)?.pivot ?? false))
  }

  /// The step fails for good. What follows depends on where the saga stands and on what is known of the round.
  mutating func fail(_ id: String, _ failure: StepFailure, isUnknown: Bool = false, outcome given: RoundOutcome? = nil)
  {
    guard let step = state.step(id), let definition = definition(of: step) else { return }
    let attempted = step.forward.count > 0
    let outcome = given ?? (attempted ? step.outcome.after(attemptUnknown: isUnknown) : .none)
    let consequence: FailureConsequence =
      if state.turnBack != nil || state.isRewinding(id) {
        .settles
      } else if definition.pivot && outcome == .unknown {
        .blocks
      } else if definition.onFailure == .continue {
        .goesOn
      } else if isPivotPassed {
        .blocks
      } else {
        .turnsBack
      }
    emit(.stepFailed(step: id, outcome: outcome, failure: failure, consequence: consequence))
  }

  private mutating func completeIfDone() {
    guard state.end == nil, state.steps.allSatisfy(\.isPassed) else { return }
    guard let template = definition.output else {
      emit(.sagaCompleted(output: .null, errors: []))
      return
    }
    let document = state.document
    let (output, failures) = measured { template.renderMembers(in: document, meter: $0) }
    let errors = failures.map { failure in
      OutputError(
        path: failure.pointer.description, expression: failure.error.query,
        StepFailure(code: failure.error.code, message: failure.error.message))
    }
    emit(.sagaCompleted(output: output, errors: errors))
  }
}
