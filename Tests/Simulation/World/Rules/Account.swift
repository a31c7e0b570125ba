import JSON
import Runtime
import Values

/// The state of a saga by its history, read event by event. Each event is checked against the rules of
/// `docs/reliability.md`. `Account+Forward.swift`, `Account+Back.swift` and `Account+People.swift` have the rules.
///
/// This is a second and much smaller model of the engine's behaviour. It decides nothing; it only finds violations.
struct Account {
  enum Phase: String {
    case pending, running, backingOff, waiting, polling
    /// The step waits for its turn, or holds it and can't begin yet.
    case queued
    /// The members of a group may start.
    case open
    case succeeded, failed, skipped
    case undoing, undone, undoFailed
  }

  /// One item of a step with `forEach`.
  struct Item {
    let step: String
    /// From 0.
    let number: Int
  }

  /// The state of one step by the history, or of one item.
  struct Step {
    var plan: StepPlan
    var item: Item?
    /// An operator retries the failed item, and it has not begun again.
    var isQueued = false
    var phase = Phase.pending
    var round = 1
    /// Of the round: `none`, `succeeded`, `failed` or `unknown`.
    var outcome = "none"
    var attempt = 0
    var undoAttempt = 0
    /// Attempts that count against the retry policy.
    var spent = 0
    var undoSpent = 0
    var isInFlight = false
    /// When its next attempt, or the end of its wait, is due by the saga's clock. The clock stops while it is paused.
    var due: Duration?
    var signal: String?
    /// When people are reminded of the wait next, by the saga's clock.
    var remindDue: Duration?
    var reminders = 0
    /// When the poll ends, by the saga's clock.
    var pollEnd: Duration?
    /// Whether the next look repeats one that failed.
    var isRetry = false
    /// `goesOn`, `turnsBack`, `blocks` or `settles`.
    var consequence: String?
    var blocksUndo = false
    var isSkippedByOperator = false
    /// The child that the round has started.
    var child: String?
    /// The undo waits for a signal or for its child.
    var isUndoWaiting = false
    /// The signal that the waiting undo has taken, by its place among the signals.
    var confirmedBy: Int?
    /// The last child that the undo has started.
    var undoChild: String?
    /// Whether that child was compensated, so that the next attempt starts another one.
    var isUndoChildOver = false
    /// The rounds that are over, with what is known of them.
    var rounds: [Int: Round] = [:]
  }

  /// The final state of one round by the history.
  struct Round {
    var outcome = "none"
    var isUndone = false
    /// The undo failed, and the workflow calls it a courtesy.
    var isGivenUp = false
    /// Whether an operator resolved the round.
    var isOperatorsWord = false
    var undoBegan = false
    /// The child that has undone the round.
    var undoneBy: String?
  }

  let name: String
  /// The version that the saga follows.
  var workflow: WorkflowPlan
  let flags: [Bool]
  /// The keys of the items of each step with `forEach`, by the saga's input.
  let itemKeys: [String: [String]]
  /// The steps of the workflow, then the items of steps that have opened.
  var steps: [Step]
  var violations: [Violation] = []

  var startedAt = Timestamp(milliseconds: 0)
  var version = 0
  /// Whether another saga has started it.
  var isChild = false
  /// The end's event, once there is one.
  var end: String?
  var turnedBack = false
  var requestedTurnBack = false
  var pivotPassed = false
  var rewind: Set<String> = []
  var pausedAt: Timestamp?
  var pausedBefore = Duration.zero
  /// By the saga's clock.
  var deadline = Duration.zero
  var isOverdue = false
  /// The turns that the saga waits for or holds, by their steps; the saga's own has no name.
  var turns: [String: Turn] = [:]
  /// The received signals, with their bodies, and whether a step has considered them.
  var signals: [Signal] = []
  var commands: Set<String> = []

  struct Signal {
    /// The number of its event.
    let version: Int
    let name: String
    let number: Int
    let isGood: Bool
    let identity: String?
    let by: String
    var isUsed = false
    var isRefused = false
    /// A rewind has begun since it came, and may have let it go: its sender has to send another.
    var mayBeGone = false

    var isKept: Bool { !isUsed && !isRefused && !mayBeGone }
  }

  init(name: String, workflow: WorkflowPlan, flags: [Bool], items: [String: [String]]) {
    self.name = name
    itemKeys = items
    self.workflow = workflow
    self.flags = flags
    steps = workflow.steps.map { Step(plan: $0) }
  }

  mutating func violates(_ rule: String, _ what: String, _ fact: Fact? = nil) {
    violations.append(Violation(rule, name, (fact.map { "event \($0.version) \($0.type): " } ?? "") + what))
  }

  // MARK: The saga's clock

  /// Returns how long the saga has run at a timestamp, without its pauses.
  func clock(_ moment: Timestamp) -> Duration {
    ((pausedAt.map { min($0, moment) } ?? moment) - startedAt) - pausedBefore
  }

  /// Returns the due time, by the saga's clock, of something that is set to a timestamp, counted from now on.
  func due(_ moment: Timestamp, setAt now: Timestamp) -> Duration { clock(now) + (moment - now) }

  // MARK: Steps

  func index(_ id: String) -> Int? { steps.firstIndex { $0.plan.id == id } }
  func step(_ id: String) -> Step? { steps.first { $0.plan.id == id } }

  /// Returns whether the steps that depend on the step may start.
  func isPassed(_ step: Step) -> Bool {
    switch step.phase {
    case .succeeded, .skipped: true
    case .failed: step.consequence == "goesOn"
    case .pending, .queued, .running, .backingOff, .waiting, .polling, .open, .undoing, .undone, .undoFailed: false
    }
  }

  /// Whether the group around the step, if there is one, is open.
  func isInOpenGroup(_ step: Step) -> Bool { step.plan.group.flatMap(self.step).map { $0.phase == .open } ?? true }

  /// A step that an operator has skipped before its turn doesn't open the way for what is behind it.
  func isReached(_ id: String) -> Bool {
    guard let step = step(id), isPassed(step) else { return false }
    return !step.isSkippedByOperator || workflow.conditions(of: step.plan).allSatisfy(isReached)
  }

  func isBlocked(_ step: Step) -> Bool {
    switch step.phase {
    case .failed: step.consequence == "blocks"
    case .undoFailed: step.blocksUndo
    case .pending, .queued, .running, .backingOff, .waiting, .polling, .open, .succeeded, .skipped, .undoing, .undone:
      false
    }
  }

  /// The step's round calls for an undo.
  func needsUndo(_ step: Step) -> Bool {
    guard let undo = step.plan.undo, step.outcome != "none" else { return false }
    return undo.applies(to: step.outcome)
  }

  /// Nothing is left to undo about the step.
  func isUndoSettled(_ step: Step) -> Bool {
    switch step.phase {
    case .pending, .skipped, .undone: true
    case .undoFailed: !step.blocksUndo
    case .queued, .running, .backingOff, .waiting, .polling, .open, .undoing: false
    case .succeeded, .failed:
      step.plan.forEach == nil ? !needsUndo(step) : items(of: step.plan.id).allSatisfy(isUndoSettled)
    }
  }

  /// Whether a pivot may have happened, and its outcome is not known yet.
  var isPivotUndecided: Bool {
    steps.contains { step in
      guard step.plan.isPivot else { return false }
      switch step.phase {
      case .running: return true
      case .polling: return step.plan.mayChange && step.attempt > 0
      case .backingOff, .failed: return step.outcome == "unknown"
      case .pending, .queued, .waiting, .open, .succeeded, .skipped, .undoing, .undone, .undoFailed: return false
      }
    }
  }

  /// Notes what is known of the step's round.
  mutating func keep(_ index: Int, _ change: (inout Round) -> Void = { _ in }) {
    var round = steps[index].rounds[steps[index].round] ?? Round()
    round.outcome = steps[index].outcome
    change(&round)
    steps[index].rounds[steps[index].round] = round
  }

  // MARK: Reading

  mutating func take(_ fact: Fact) {
    if fact.version != version + 1 { violates("the history", "follows version \(version)", fact) }
    version = fact.version
    if let end, fact.type != "sagaReopened" { violates("the end", "follows \(end)", fact) }
    if version == 1 {
      startedAt = fact.at
      let deadline = fact.data["saga"]?["deadline"]?.stringValue.flatMap(Timestamp.init) ?? fact.at
      self.deadline = due(deadline, setAt: fact.at)
      isChild = fact.data["saga"]?["parent"] != nil
      if fact.type != "sagaStarted" { violates("the history", "begins a history", fact) }
      return
    }
    switch fact.type {
    case "stepSkipped": skipped(fact)
    case "waitStarted": if fact.isUndo { undoWaitStarted(fact) } else { waitStarted(fact) }
    case "groupOpened": groupOpened(fact)
    case "itemsOpened": itemsOpened(fact)
    case "itemsUndone": itemsUndone(fact)
    case "waitReminded": reminded(fact)
    case "pollStarted": pollStarted(fact)
    case "turnAsked": turnAsked(fact)
    case "turnTaken": turnTaken(fact)
    case "turnReleased": turnReleased(fact)
    case "pollAnswered": pollAnswered(fact)
    case "childStarted": childStarted(fact)
    case "sagaReopened": reopened(fact)
    case "attemptStarted": if fact.isUndo { undoStarted(fact) } else { attemptStarted(fact) }
    case "attemptFailed", "attemptNotMade": attemptFailed(fact)
    case "stepSucceeded": succeeded(fact)
    case "stepFailed": failed(fact)
    case "sagaCompleted": completed(fact)
    case "sagaOverdue": overdue(fact)
    case "stepOverdue": stepOverdue(fact)
    case "turnBackRequested": turnBackRequested(fact)
    case "turnBackLapsed": turnBackLapsed(fact)
    case "turnedBack": turnedBack(fact)
    case "undoSucceeded": undoSucceeded(fact)
    case "undoFailed": undoFailed(fact)
    case "sagaCompensated": compensated(fact)
    case "rewindStarted": rewindStarted(fact)
    case "rewindFinished": rewindFinished(fact)
    case "operatorRetried": retried(fact)
    case "operatorResolved": resolved(fact)
    case "operatorSkipped": skippedByOperator(fact)
    case "operatorRanNow": ranNow(fact)
    case "operatorExtended": extended(fact)
    case "sagaPaused": paused(fact)
    case "sagaResumed": resumed(fact)
    case "sagaMoved": moved(fact)
    case "sagaAbandoned": abandoned(fact)
    case "signalReceived": signalReceived(fact)
    case "keptSignalRefused": keptSignalRefused(fact)
    case "keptSignalTaken": keptSignalTaken(fact)
    case "signalRefused", "stepProgressed", "answerIgnored": break
    default: violates("the history", "is an event that the rules don't know", fact)
    }
  }
}
