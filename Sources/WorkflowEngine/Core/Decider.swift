import JSON
import Runtime
import Values
import Workflows

/// Decides what follows from a command: a value that collects events while it evolves the state by them.
/// No clock, no I/O, no randomness but what is passed in.
public struct Decider {
  let definition: WorkflowDefinition
  let now: Timestamp
  /// How long steps took until now; what the definition expects goes first.
  let learned: LearnedTimes
  public private(set) var state: SagaState
  public private(set) var events: [SagaEvent] = []
  /// The number of steps of evaluation that the decision has taken.
  var computed = 0
  /// Whether there is more to begin than the decision may compute: give the saga another command soon.
  var isUnfinished = false

  init(_ state: SagaState, definition: WorkflowDefinition, now: Timestamp, learned: LearnedTimes = [:]) {
    self.definition = definition
    self.now = now
    self.learned = learned
    self.state = state
  }

  /// The events that a command makes of a state. No events: the command changes nothing (a repeat, or news of an
  /// attempt that has been settled).
  /// - Parameters:
  ///   - command: what is asked or reported.
  ///   - state: nil before the saga has started.
  ///   - definition: the one that the saga started on.
  ///   - now: the moment that the events are dated with, and that decides what is due.
  ///   - learned: how long steps are expected to take of which the definition doesn't say it.
  ///   - isHolding: record what is reported, but start nothing: the engine is about to stop.
  /// - Throws: `Refusal` when the saga, as it stands, can't take the command.
  public static func decide(
    _ command: SagaCommand, _ state: SagaState?, definition: WorkflowDefinition, now: Timestamp,
    learned: LearnedTimes = [:], isHolding: Bool = false
  ) throws(Refusal) -> [SagaEvent] {
    try decision(command, state, definition: definition, now: now, learned: learned, isHolding: isHolding).events
  }

  /// The same, with whether the decision is unfinished: then the saga is to be woken again.
  package static func decision(
    _ command: SagaCommand, _ state: SagaState?, definition: WorkflowDefinition, now: Timestamp,
    learned: LearnedTimes = [:], isHolding: Bool = false
  ) throws(Refusal) -> (events: [SagaEvent], isUnfinished: Bool) {
    guard let state else {
      guard case .start(let start) = command else {
        throw Refusal(EngineErrorCode.sagaNotFound, "There is no such saga.")
      }
      let started = SagaEvent(at: now, .sagaStarted(start))
      var decider = Decider(
        SagaState(start: start, at: now), definition: definition, now: now, learned: learned)
      if !isHolding { decider.advance() }
      return ([started] + decider.events, decider.isUnfinished)
    }
    var decider = Decider(state, definition: definition, now: now, learned: learned)
    try decider.take(command)
    if !isHolding { decider.advance() }
    return (decider.events, decider.isUnfinished)
  }

  mutating func emit(_ what: SagaEvent.Occurrence) {
    let event = SagaEvent(at: now, what)
    do {
      state = try SagaState.evolve(state, event)
      events.append(event)
    } catch {
      // The transition test proves that no decision reaches this; were one to, it must not be stored.
      assertionFailure(error.message)
    }
  }

  private mutating func take(_ command: SagaCommand) throws(Refusal) {
    if state.end != nil {
      switch command {
      case .operate(let request): try take(request)
      case .give(let signal, let formerIDs): try takeSignal(signal, formerIDs: formerIDs)
      case .attemptSettled, .wake, .recover: return
      case .start: throw Refusal(EngineErrorCode.sagaExists, "The saga has started before.")
      case .answered:
        throw Refusal(EngineErrorCode.sagaEnded, "The saga is \(state.status.rawValue): it has ended and can't change.")
      }
      return
    }
    switch command {
    case .start: throw Refusal(EngineErrorCode.sagaExists, "The saga has started before.")
    case .attemptSettled(let step, let phase, let round, let attempt, let outcome):
      // News of an earlier round says nothing of the one under way.
      if let round, state.step(step)?.round != round { return }
      settle(step, phase: phase, attempt: attempt, outcome: outcome)
    case .answered(let answer): try take(answer)
    case .wake: break
    case .recover: interruptAttempts()
    case .give(let signal, let formerIDs): try takeSignal(signal, formerIDs: formerIDs)
    case .operate(let request): try take(request)
    }
  }

  /// Does everything that is due and possible as the saga stands now.
  mutating func advance() {
    // Nothing new starts while the saga is paused, and no moment comes: its clock stands.
    guard state.end == nil, !state.isPaused else { return }
    goOn()
    // Last: what has settled at this very moment is not late.
    noticeOverdueSteps()
  }

  private mutating func goOn() {
    endDueWaits()
    noticeTimeout()
    decideTurningBack()
    if state.turnBack != nil {
      turnBack()
      return
    }
    // What stands beside a rewind goes on only when that is done.
    rewindOn()
    if state.rewind == nil { goForward() }
  }

  /// Whether a pivot has been passed: from then on nothing is undone.
  var isPivotPassed: Bool { state.isPivotPassed(by: definition) }

  func definition(of step: StepState) -> Step? { definition.step(step.id) }
}
