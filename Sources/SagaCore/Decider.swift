import JSON
import Values
import Workflows

/// Decides the events that follow from a command. It is a value: it collects events and changes its state by each of
/// them. It uses no clock, no I/O and no randomness, except the values that are passed in. Steps are addressed by their
/// index.
public struct Decider {
  private(set) var definition: WorkflowDefinition
  /// The version to which the request under way moves the saga; nil for every other command.
  var target: MoveTarget?
  let now: Timestamp
  /// The learned expected times. An expected time in the definition takes precedence.
  let learned: LearnedTimes
  public internal(set) var state: SagaState
  public private(set) var events: [SagaEvent] = []
  /// The number of steps of evaluation that the decision has taken.
  private var computed = 0
  /// Whether more is due than the decision may compute. Then the saga needs another command soon.
  private(set) var isUnfinished = false
  /// Set when the decision made an event that can't follow the state. Then nothing of the decision is stored.
  private var impossible: HistoryError?

  init(_ state: SagaState, definition: WorkflowDefinition, now: Timestamp, learned: LearnedTimes = [:]) {
    self.definition = definition
    self.now = now
    self.learned = learned
    self.state = state
  }

  /// Returns the events that follow from a command. No events: the command changes nothing, because it is a repeat or
  /// reports on a settled attempt.
  /// - Parameters:
  ///   - command: the request or the report.
  ///   - state: nil before the saga has started.
  ///   - definition: the definition that the saga follows.
  ///   - now: the timestamp of the events. It decides what is due.
  ///   - learned: the expected times of steps for which the definition declares none.
  ///   - isDraining: true while the engine stops. Then reports are recorded and nothing starts.
  /// - Throws: `Refusal` when the saga can't take the command in its state.
  public static func decide(
    _ command: SagaCommand, _ state: SagaState?, definition: WorkflowDefinition, now: Timestamp,
    learned: LearnedTimes = [:], isDraining: Bool = false
  ) throws(Refusal) -> [SagaEvent] {
    try decision(command, state, definition: definition, now: now, learned: learned, isDraining: isDraining).events
  }

  /// Returns the same events, and whether the decision is unfinished. Then the engine must wake the saga again.
  package static func decision(
    _ command: SagaCommand, _ state: SagaState?, definition: WorkflowDefinition, now: Timestamp,
    learned: LearnedTimes = [:], isDraining: Bool = false
  ) throws(Refusal) -> (events: [SagaEvent], isUnfinished: Bool) {
    var decider: Decider
    var first: [SagaEvent] = []
    if let state {
      decider = Decider(state, definition: definition, now: now, learned: learned)
      // An operator can pause a saga before anything of it is evaluated.
      if case .operate = command {} else { decider.state.loadItems(by: definition) }
      try requireSameSteps(state, definition)
      try decider.take(command)
    } else {
      guard case .start(let request) = command else {
        throw Refusal(EngineErrorCode.sagaNotFound, "There is no such saga.")
      }
      let meter = Meter()
      let start = request.titled(by: definition, at: now, meter)
      let state = SagaState(start: start, at: now)
      try requireSameSteps(state, definition)
      first = [SagaEvent(at: now, SagaStarted(start))]
      decider = Decider(state, definition: definition, now: now, learned: learned)
      decider.count(meter.stepsUsed)
      try decider.askForOwnTurn()
    }
    if !isDraining { decider.advance() }
    if let impossible = decider.impossible {
      throw Refusal(impossible.code, "The engine decided something that can't be: \(impossible.message)")
    }
    return (first + decider.events, decider.isUnfinished)
  }

  /// A saga's steps are those of its definition, in the same order: its start names both, and so does a move.
  static func requireSameSteps(_ state: SagaState, _ definition: WorkflowDefinition) throws(Refusal) {
    guard state.steps.count == definition.steps.count else {
      throw Refusal(
        EngineErrorCode.historyImpossible,
        "The saga has \(state.steps.count) steps and version \(definition.version) of “\(definition.name)” has "
          + "\(definition.steps.count): it follows another definition.")
    }
  }

  /// Goes on by the definition to which the saga has moved.
  mutating func follow(_ definition: WorkflowDefinition) {
    if impossible == nil { self.definition = definition }
  }

  /// Adds an event, and changes the state by it.
  mutating func emit(_ what: any SagaEventContent) {
    guard impossible == nil else { return }
    let event = SagaEvent(at: now, what)
    do {
      try state.evolve(event)
      events.append(event)
    } catch {
      // The transition test proves that no decision reaches this.
      assertionFailure(error.message)
      impossible = error
    }
  }

  private mutating func take(_ command: SagaCommand) throws(Refusal) {
    switch command {
    case .start: throw Refusal(EngineErrorCode.sagaExists, "The saga has started before.")
    case .give(let signal, let formerIDs): try takeSignal(signal, formerIDs: formerIDs)
    case .operate(let request): try take(request)
    case .forget(let act): try forget(act)
    case .answered(let answer):
      if state.end != nil {
        throw Refusal(EngineErrorCode.sagaEnded, "The saga is \(state.status.rawValue): it has ended and can't change.")
      }
      try take(answer)
    case .attemptSettled(let id, let phase, let round, let attempt, let outcome):
      // A report on an earlier round says nothing about the current round.
      guard state.end == nil, let step = state.index(of: id),
        round ?? state.steps[step].round == state.steps[step].round
      else { return }
      settle(step, phase: phase, attempt: attempt, outcome: outcome)
    case .looked(let report): take(report)
    case .takeTurns(let offers): take(offers)
    case .taken(let claim): try take(claim)
    case .task(let answer): try take(answer)
    case .child(let report): take(report)
    case .undoForParent: try turnBackForParent()
    case .wake: break
    case .recover: if state.end == nil { interruptAttempts() }
    }
  }

  /// Does everything that is due and possible in the saga's state.
  private mutating func advance() {
    // Nothing new starts while the saga is paused, and nothing falls due: its clock is stopped.
    guard state.end == nil, !state.isPaused else { return }
    state.loadItems(by: definition)
    endDueWaits()
    endDueUndoWaits()
    endDueTurns()
    endDueTasks()
    endDueGroups()
    remindOfWaits()
    lookAgain()
    noticeTimeout()
    decideTurningBack()
    if state.turnBack != nil {
      turnBack()
    } else {
      // The steps beside a rewind go on only when the rewind is done.
      continueRewind()
      if state.rewind == nil, holdsOwnTurn { goForward() }
    }
    releaseTurns()
    // This comes last: a step that has just settled is not late.
    noticeOverdueSteps()
  }

  func id(_ step: Int) -> String { state.steps[step].id }

  // MARK: How much one decision may compute
  //
  // Each evaluation has its own budget (`Budget.standard`). A saga with a thousand expensive steps would still compute
  // for minutes. So a decision that has used up its share begins no further step, and reports that it is unfinished.
  // The engine stores the decided events, frees the thread for others, and wakes the saga again.

  /// The number of evaluation steps after which a decision begins nothing more. It equals the budget of one evaluation.
  static let share = Budget.standard.steps

  /// Whether the decision has used up its share. Asking marks it as unfinished.
  var isSpent: Bool {
    mutating get {
      guard computed >= Self.share else { return false }
      isUnfinished = true
      return true
    }
  }

  /// Leaves the rest of what is due to another decision.
  mutating func postpone() { isUnfinished = true }

  /// Evaluates with a separate meter, and adds the meter's count to the decision's count.
  mutating func measured<Result, Failure: Error>(_ body: (Meter) throws(Failure) -> Result) throws(Failure) -> Result {
    let meter = Meter()
    defer { computed += meter.stepsUsed }
    return try body(meter)
  }

  /// Adds the steps of a check that has a budget of its own to the decision's count.
  mutating func count(_ steps: Int) { computed += steps }

  /// Why an action of a step can't be rendered, or nil when it can.
  mutating func problem(with action: Action, of step: StepState) -> StepFailure? {
    let document = state.document(for: step, reading: action.reads)
    return measured { CallRendering.problem(with: action, in: document, meter: $0) }
  }
}
