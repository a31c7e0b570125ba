import JSON
import Values
import Workflows

/// What ought to be in flight for a saga as it stands: recovery is to fold its events and then perform its effects.
public enum Effect: Sendable, Hashable {
  case call(StepCall)
  /// An attempt that can't be made after all: report it as cleanly failed.
  case unrenderable(step: String, phase: StepPhase, attempt: Int, StepFailure)
  /// Something is due at this moment: send `SagaCommand.wake` then, or later, never earlier.
  case wake(at: Timestamp)
}

extension Decider {
  /// The effects of a state: a call for each attempt in flight, and the next moment at which something is due.
  /// - Parameter isWanted: whether the call of a step's attempt in flight is to be rendered; all are when nil.
  public static func effects(
    of state: SagaState, definition: WorkflowDefinition, learned: LearnedTimes = [:],
    where isWanted: ((StepState) -> Bool)? = nil
  ) -> [Effect] {
    guard state.end == nil else { return [] }
    var effects: [Effect] = []
    if state.hasAttemptInFlight {
      for step in state.steps where step.inFlight != nil && isWanted?(step) ?? true {
        if let call = call(of: step, in: state, definition: definition) { effects.append(call) }
      }
    }
    if let moment = nextWake(of: state, definition: definition, learned: learned) { effects.append(.wake(at: moment)) }
    return effects
  }

  private static func call(
    of step: StepState, in state: SagaState, definition: WorkflowDefinition
  ) -> Effect? {
    guard let (phase, attempt) = step.inFlight, let definition = definition.step(step.id) else { return nil }
    let forwardKey = IdempotencyKey.forward(saga: state.id, step: step.id, round: step.round)
    let action: Action
    switch phase {
    case .forward:
      action = definition.action
    case .undo:
      guard case .undo(let undo) = definition.compensation else { return nil }
      action = undo.action
    }
    let rendered: RenderedAction
    do {
      guard let action = try CallRendering.render(action, in: state.document(for: step, reading: action.reads)) else {
        return nil
      }
      rendered = action
    } catch {
      // It could be rendered when the attempt was decided; what was decided with it took a value away.
      let failure = StepFailure(code: error.code, message: error.message)
      return .unrenderable(step: step.id, phase: phase, attempt: attempt.number, failure)
    }
    return .call(
      StepCall(
        saga: state.id, workflow: state.start.workflow, step: step.id, phase: phase, round: step.round,
        attempt: attempt.number, action: rendered,
        idempotencyKey: phase == .forward
          ? forwardKey : IdempotencyKey.undo(saga: state.id, step: step.id, round: step.round),
        compensates: phase == .undo ? forwardKey : nil, timeout: attempt.deadline - attempt.startedAt))
  }

  /// The earliest moment at which time alone changes something; none while the saga is paused.
  public static func nextWake(
    of state: SagaState, definition: WorkflowDefinition, learned: LearnedTimes = [:]
  ) -> Timestamp? {
    guard state.end == nil, !state.isPaused else { return nil }
    let decider = Decider(state, definition: definition, now: state.startedAt, learned: learned)
    var moments = state.steps.compactMap { decider.overdueNext($0)?.since }
    if state.turnBack != nil {
      // Retries of an undo; a blocked one waits for its operator, and the saga's timeout does not count here.
      moments += state.steps.compactMap { $0.status == .undoing ? $0.undo.retryAt : nil }
    } else {
      for step in state.steps {
        switch step.status {
        case .backingOff:
          if decider.mayRetry(step), let retryAt = step.forward.retryAt { moments.append(retryAt) }
        case .waiting:
          if let until = step.waitUntil, until <= state.deadline || decider.isPivotPassed { moments.append(until) }
        case .undoing:
          // A rewind.
          if let retryAt = step.undo.retryAt { moments.append(retryAt) }
        case .pending, .running, .succeeded, .failed, .skipped, .undone, .undoFailed:
          break
        }
      }
      let isTimeoutAhead = decider.isPivotPassed ? state.overdueSince == nil : state.requestedTurnBack == nil
      if isTimeoutAhead { moments.append(state.deadline) }
    }
    return moments.min()
  }
}
