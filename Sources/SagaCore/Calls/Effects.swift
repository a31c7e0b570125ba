import Values
import Workflows

/// What should be in flight for a saga in its state. Recovery folds the saga's events and then performs its effects.
public enum Effect: Sendable, Hashable {
  case call(StepCall)
  /// An attempt that can't be made after all: report a clean failure.
  case unrenderable(step: String, phase: StepPhase, attempt: Int, StepFailure)
  /// Something is due at this time: send `SagaCommand.wake` then or later, never earlier.
  case wake(at: Timestamp)
}

/// A look that is due.
public enum DueLook: Sendable, Hashable {
  case call(StepCall)
  /// A look that can't be made: report this.
  case unrenderable(LookReport)
}

extension Decider {
  /// Returns the effects of a state: a call for each attempt in flight, and the next time at which something is due.
  /// - Parameter isWanted: returns whether to render the call of a step's attempt in flight. Nil renders all calls.
  public static func effects(
    of state: SagaState, definition: WorkflowDefinition, learned: LearnedTimes = [:], looks: Looks = Looks(),
    where isWanted: ((StepState) -> Bool)? = nil
  ) -> [Effect] {
    var effects = calls(of: state, definition: definition, where: isWanted)
    if let time = nextWake(of: state, definition: definition, learned: learned, looks: looks) {
      effects.append(.wake(at: time))
    }
    return effects
  }

  /// Returns the effects of a state without the next time at which something is due.
  package static func calls(
    of state: SagaState, definition: WorkflowDefinition, where isWanted: ((StepState) -> Bool)? = nil
  ) -> [Effect] {
    guard state.end == nil, state.steps.count == definition.steps.count else { return [] }
    let wanted = state.sets.inFlight.filter { isWanted?(state.steps[$0]) ?? true }
    // The calls of items are rendered with the values of the items.
    let known = wanted.contains { ItemPlace($0) != nil } ? state.withItems(by: definition) : state
    return wanted.compactMap { call(of: $0, in: known, definition: definition) }
  }

  /// Returns the looks that are due now and that the history will not have as attempts: calls to make, and the reports on
  /// those that can't be rendered.
  /// - Parameter looks: the looks that the caller remembers.
  public static func dueLooks(
    of state: SagaState, definition: WorkflowDefinition, looks: Looks, now: Timestamp
  ) -> [DueLook] {
    guard state.end == nil, !state.isPaused, state.steps.count == definition.steps.count else { return [] }
    let decider = Decider(state.withItems(by: definition), definition: definition, now: now)
    let state = decider.state
    // A saga whose time is over turns back first.
    guard now < state.deadline || decider.isPivotPassed else { return [] }
    var due: [DueLook] = []
    for index in state.sets.waiting {
      guard let polling = state.steps[index].polling, decider.mayLook(index), !decider.isRecordedPoll(index),
        let time = looks.next(of: state.steps[index]), time <= now, polling.endsWithoutLook.map({ $0 > now }) ?? true
      else { continue }
      due.append(look(polling.number(at: now), of: index, in: state, definition: definition, now: now))
    }
    return due
  }

  static func look(
    _ number: Int, of index: Int, in state: SagaState, definition: WorkflowDefinition, now: Timestamp
  ) -> DueLook {
    let (step, rules) = (state.steps[index], definition.steps[ItemPlace.step(of: index)])
    var failure = StepFailure(
      code: EngineErrorCode.historyImpossible, message: "The step polls, and its action sends nothing.")
    do {
      let document = state.document(for: step, reading: rules.action.reads)
      if let action = try CallRendering.render(rules.action, in: document) {
        return .call(
          StepCall(
            saga: state.id, workflow: state.start.workflow, step: step.id, phase: .forward, round: step.round,
            attempt: number, action: action,
            idempotencyKey: IdempotencyKey.look(saga: state.id, step: step.id, round: step.round, number: number),
            compensates: nil, timeout: rules.poll?.lookTimeout ?? CallRendering.defaultTimeout,
            look: .unrecorded(number: number, at: now)))
      }
    } catch {
      failure = StepFailure(code: error.code, message: error.message)
    }
    return .unrenderable(
      LookReport(step: step.id, round: step.round, number: number, at: now, outcome: .failed(failure)))
  }

  static func call(of index: Int, in state: SagaState, definition: WorkflowDefinition) -> Effect? {
    let (step, rules) = (state.steps[index], definition.steps[ItemPlace.step(of: index)])
    guard let (phase, attempt) = step.inFlight else { return nil }
    let forwardKey = IdempotencyKey.forward(saga: state.id, step: step.id, round: step.round)
    let action: Action
    switch phase {
    case .forward:
      action = rules.action
    case .undo:
      guard let undo = rules.undo else { return nil }
      action = undo.action
    }
    let polling = phase == .forward ? attempt.polling : nil
    let numberOfChild = step.undoChildrenEnded + 1
    let rendered: RenderedAction
    do {
      guard let action = try CallRendering.render(action, in: state.document(for: step, reading: action.reads)) else {
        return nil
      }
      if phase == .undo, case .workflow(let workflow) = action {
        rendered = .workflow(workflow.ofUndo(turnsBack: rules.action.isWorkflow, number: numberOfChild))
      } else {
        rendered = action
      }
    } catch {
      // The call could be rendered when the attempt was decided. Another event of the same decision removed a value.
      let failure = StepFailure(code: error.code, message: error.message)
      return .unrenderable(step: step.id, phase: phase, attempt: attempt.number, failure)
    }
    return .call(
      StepCall(
        saga: state.id, workflow: state.start.workflow, step: step.id, phase: phase, round: step.round,
        attempt: attempt.number, action: rendered,
        idempotencyKey: phase == .undo
          ? IdempotencyKey.undo(saga: state.id, step: step.id, round: step.round, child: numberOfChild)
          : polling.map {
            IdempotencyKey.look(saga: state.id, step: step.id, round: step.round, number: $0.look)
          } ?? forwardKey,
        compensates: phase == .undo ? forwardKey : nil, timeout: attempt.deadline - attempt.startedAt,
        look: polling.map { _ in .recorded }))
  }

  /// Returns the earliest time at which time alone changes something; nil while the saga is paused.
  /// - Parameter looks: the looks that the caller remembers. With none, each poll looks next when its history says so.
  public static func nextWake(
    of state: SagaState, definition: WorkflowDefinition, learned: LearnedTimes = [:], looks: Looks = Looks()
  ) -> Timestamp? {
    guard state.end == nil, !state.isPaused, state.steps.count == definition.steps.count else { return nil }
    let decider = Decider(state, definition: definition, now: state.startedAt, learned: learned)
    var next: Timestamp?
    func note(_ time: Timestamp?) { if let time { next = min(next ?? time, time) } }
    let isPivotPassed = decider.isPivotPassed
    for step in state.sets.underWay {
      note(decider.latenessNext(step)?.since)
      switch state.steps[step].stage {
      case .backingOff(let until): if state.turnBack == nil, decider.mayRetry(step) { note(until) }
      case .waiting(let wait):
        if state.turnBack == nil { note(wait.remindAt) }
        if state.turnBack == nil, let until = wait.until, until <= state.deadline || isPivotPassed { note(until) }
      case .queued(let until):
        if state.turnBack == nil, let until, until <= state.deadline || isPivotPassed,
          state.turn(of: state.steps[step].id)?.isTaken == false
        {
          note(until)
        }
      case .open(let until):
        if state.turnBack == nil, let until, until <= state.deadline || isPivotPassed { note(until) }
      case .polling(let polling):
        if state.turnBack == nil, let until = polling.endsWithoutLook, until <= state.deadline || isPivotPassed {
          note(until)
        }
        if decider.mayLook(step) {
          note(decider.isRecordedPoll(step) ? polling.due : looks.next(of: state.steps[step]))
        }
      case .undoBackingOff(let until): note(until)
      case .undoWaiting(let wait):
        note(wait.remindAt)
        note(wait.until)
      case .running, .undoing: if decider.endsTask(step) { note(state.steps[step].stage.offeredUntil) }
      case .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: break
      }
    }
    // The saga's timeout doesn't limit compensation.
    if state.turnBack == nil, !state.waitsForOwnTurn,
      isPivotPassed ? state.overdueSince == nil : state.requestedTurnBack == nil
    {
      note(state.deadline)
    }
    return next
  }
}
