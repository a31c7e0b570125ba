import JSON
import Runtime
import Values

// Turning back, and undoing.
extension Account {
  mutating func turnBackRequested(_ fact: Fact) {
    if !isPivotUndecided, !pivotPassed { violates("6 pivot", "waits for a pivot, and none is undecided", fact) }
    requestedTurnBack = true
    noteTimeout(fact)
    noteCommand(fact.data["reason"]?["commandId"]?.stringValue, fact)
  }

  mutating func turnBackLapsed(_ fact: Fact) {
    if !pivotPassed { violates("6 pivot", "lapses though no pivot has happened", fact) }
    requestedTurnBack = false
  }

  mutating func turnedBack(_ fact: Fact) {
    if pivotPassed { violates("6 pivot", "turns back behind a passed pivot", fact) }
    if isPivotUndecided { violates("6 pivot", "turns back while a pivot is undecided", fact) }
    if turnedBack { violates("4 turning back", "turns back twice", fact) }
    if !requestedTurnBack { noteTimeout(fact) }
    if !requestedTurnBack { noteCommand(fact.data["reason"]?["commandId"]?.stringValue, fact) }
    turnedBack = true
    requestedTurnBack = false
    rewind = []
    clearQueues { _ in true }
  }

  private mutating func noteTimeout(_ fact: Fact) {
    guard fact.data["reason"]?["cause"]?.stringValue == "timeout" else { return }
    if clock(fact.at) < deadline {
      violates("7 never early", "the timeout is \(deadline - clock(fact.at)) later", fact)
    }
  }

  mutating func undoStarted(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    undoBegins(index, fact)
    let step = steps[index]
    if step.plan.undo?.signal != nil { violates("3 what is undone", "a signal undoes \(fact.step)", fact) }
    if fact.number("attempt") != step.undoAttempt + 1 {
      violates("13 every attempt is counted", "follows attempt \(step.undoAttempt)", fact)
    }
    if step.undoSpent >= step.plan.undo?.maxAttempts ?? 10 {
      violates("retry", "the undo of \(fact.step) has used up its attempts", fact)
    }
    steps[index].phase = .undoing
    steps[index].isInFlight = true
    steps[index].undoAttempt += 1
    steps[index].undoSpent += 1
    steps[index].due = nil
    keep(index) { $0.undoBegan = true }
  }

  /// The undo of a step waits for a signal.
  mutating func undoWaitStarted(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    undoBegins(index, fact)
    let signal = steps[index].plan.undo?.signal
    if signal == nil || signal?.name != fact.text("signal") {
      violates("3 what is undone", "no such signal undoes \(fact.step)", fact)
    }
    steps[index].phase = .undoing
    steps[index].isInFlight = false
    steps[index].isUndoWaiting = true
    steps[index].confirmedBy = nil
    steps[index].due = fact.time("until").map { due($0, setAt: fact.at) }
    if steps[index].due == nil { violates("nothing silent", "the undo waits without an end", fact) }
    keep(index) { $0.undoBegan = true }
  }

  /// Checks a step whose undo begins, or begins again.
  private mutating func undoBegins(_ index: Int, _ fact: Fact) {
    let step = steps[index]
    // 1. When.
    if pausedAt != nil { violates("7 paused starts nothing", "starts while the saga is paused", fact) }
    if !turnedBack, !isRewinding(step) { violates("4 turning back", "the saga goes forward", fact) }
    if pivotPassed, !isRewinding(step) { violates("6 pivot", "undoes behind a passed pivot", fact) }
    let inFlight = steps.filter { $0.phase == .running && (turnedBack || isRewinding($0)) }.map(\.plan.id)
    if !inFlight.isEmpty { violates("4 in flight settles first", "attempts of \(inFlight) are in flight", fact) }
    undoNeedsTurns(index, fact)
    // 2. What.
    switch step.phase {
    case .succeeded, .failed:
      if !needsUndo(step) { violates("3 what is undone", "a round that is \(step.outcome) calls for no undo", fact) }
    case .undoing:
      if step.isInFlight || step.isUndoWaiting { violates("the history", "an undo is under way", fact) }
      if let due = step.due, clock(fact.at) < due {
        violates("7 never early", "the undo is due \(due - clock(fact.at)) later", fact)
      }
    case .undone: violates("nothing is undone twice", "\(fact.step) round \(step.round)", fact)
    default: violates("3 what is undone", "step is \(step.phase)", fact)
    }
    // 3. In which order.
    let before = workflow.dependents(of: step.item?.step ?? fact.step).filter { id in
      self.step(id).map { !isUndoSettled($0) } ?? false
    }
    if !before.isEmpty { violates("4 order of undo", "\(fact.step) before \(before)", fact) }
    if let item = step.item { undoesItem(item, fact) }
    if step.plan.forEach != nil { violates("items", "\(fact.step) itself has done nothing", fact) }
  }

  mutating func undoSucceeded(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
    if step.phase != .undoing { violates("the history", "step is \(step.phase)", fact) }
    if fact.text("how") == "alreadyGone", step.outcome != "succeeded", !step.plan.keepsTombstones {
      violates("3 gone is not undone", "the command may still be on its way", fact)
    }
    if let signal = step.plan.undo?.signal { confirm(step, signal, fact) }
    if step.plan.undo?.isChild == true, !step.isUndoWaiting {
      violates("children", "\(fact.step) is undone, and no child was waited for", fact)
    }
    let child = step.plan.undo?.isChild == true ? step.undoChild : nil
    steps[index].phase = .undone
    steps[index].isInFlight = false
    steps[index].isUndoWaiting = false
    steps[index].due = nil
    keep(index) {
      $0.isUndone = true
      $0.undoneBy = child
    }
  }

  /// An undo takes one signal of its name, which nothing else has taken.
  private mutating func confirm(_ step: Step, _ signal: (name: String, accepts: Bool), _ fact: Fact) {
    guard step.isUndoWaiting, let index = step.confirmedBy, signals[index].name == signal.name else {
      return violates("12 one signal for one undo", "\(fact.step) is undone, and no signal has confirmed it", fact)
    }
    if signals[index].isUsed {
      violates("12 one signal for one undo", "signal \(signals[index].number) had met another step", fact)
    }
    if signal.accepts, !signals[index].isGood {
      violates("12 signals", "the undo of \(fact.step) took a signal that it does not accept", fact)
    }
    signals[index].isUsed = true
  }

  mutating func undoFailed(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
    if ![.undoing, .succeeded, .failed].contains(step.phase) {
      violates("the history", "step is \(step.phase)", fact)
    }
    if !fact.flag("blocks"), !(step.plan.undo?.isCourtesy ?? false) {
      violates("5 a failed undo is stuck", "\(fact.step) is given up", fact)
    }
    if step.isUndoWaiting, ["signal.timeout", "timeout"].contains(fact.failureCode), let due = step.due,
      clock(fact.at) < due
    {
      violates("7 never early", "the wait of the undo ends \(due - clock(fact.at)) later", fact)
    }
    if step.isUndoWaiting { steps[index].isUndoChildOver = !fact.flag("unknown") }
    steps[index].phase = .undoFailed
    steps[index].blocksUndo = fact.flag("blocks")
    steps[index].isUndoWaiting = false
    steps[index].isInFlight = false
    steps[index].due = nil
    keep(index) { $0.isGivenUp = !fact.flag("blocks") }
  }

  mutating func compensated(_ fact: Fact) {
    if !turnedBack { violates("4 turning back", "has not turned back", fact) }
    if pausedAt != nil { violates("7 paused starts nothing", "ends while it is paused", fact) }
    for step in steps where !isUndoSettled(step) {
      violates("compensated means undone", "\(step.plan.id) is \(step.phase), \(step.outcome)", fact)
    }
    end = fact.type
  }

  // MARK: Rewinding

  mutating func rewindStarted(_ fact: Fact) {
    act(fact)
    let named = fact.texts("steps")
    if turnedBack || requestedTurnBack { violates("8 rewind", "the saga is turning back", fact) }
    if !rewind.isEmpty { violates("8 rewind", "another rewind is under way", fact) }
    let meant = workflow.rewound(with: fact.step)
    if Set(named) != meant { violates("8 rewind", "names \(named) and not \(meant.sorted())", fact) }
    for step in steps where named.contains(step.plan.id) && step.plan.isPivot {
      if [.succeeded, .running].contains(step.phase) || step.outcome == "unknown"
        || (step.phase == .skipped && step.isSkippedByOperator)
      {
        violates("6 pivot", "rewinds across the pivot \(step.plan.id)", fact)
      }
    }
    rewind = Set(named)
    clearQueues { $0.item.map { named.contains($0.step) } ?? false }
    for index in signals.indices where signals[index].isKept { signals[index].mayBeGone = true }
    for index in steps.indices where rewind.contains(steps[index].plan.id) {
      if steps[index].phase == .failed { steps[index].consequence = "settles" }
      if steps[index].phase == .waiting { steps[index].signal = nil }
    }
  }

  mutating func rewindFinished(_ fact: Fact) {
    let named = Set(fact.texts("steps"))
    if named != rewind { violates("8 rewind", "finishes \(named.sorted()) and not \(rewind.sorted())", fact) }
    for index in signals.indices where signals[index].isKept && signals[index].name == StepPlan.Undo.signalName {
      signals[index].mayBeGone = true
    }
    for index in steps.indices where named.contains(steps[index].plan.id) {
      let step = steps[index]
      if !isUndoSettled(step) { violates("8 rewind", "\(step.plan.id) is \(step.phase) and not undone", fact) }
      let items = items(of: step.plan.id)
      let outcomes = step.plan.forEach == nil ? [step.outcome] : items.map(\.outcome)
      if step.plan.undo == nil, case .unspecified = step.plan.compensation, step.plan.mayChange,
        outcomes.contains(where: ["succeeded", "unknown"].contains)
      {
        violates("2 rounds", "\(step.plan.id) begins again, and what it did is not undone", fact)
      }
      var again = Step(plan: step.plan)
      again.round = (items.map(\.round) + [step.round]).max() ?? 1
      again.round += 1
      again.rounds = step.rounds
      steps[index] = again
      // The items begin again in a round that is new for each.
      for item in steps.indices where steps[item].item?.step == step.plan.id {
        var pending = Step(plan: steps[item].plan)
        pending.item = steps[item].item
        pending.round = again.round
        pending.rounds = steps[item].rounds
        steps[item] = pending
      }
    }
    rewind = []
  }
}
