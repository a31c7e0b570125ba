import JSON
import Runtime
import Values

// Going forward.
extension Account {
  /// Checks a step that starts something new.
  mutating func starts(_ index: Int, _ fact: Fact) {
    let step = steps[index]
    if pausedAt != nil { violates("7 paused starts nothing", "starts while the saga is paused", fact) }
    if turnedBack { violates("4 turning back", "goes forward after the saga turned back", fact) }
    if waitsForOwnTurn { violates("turns", "\(step.plan.id) starts before the turn of its saga", fact) }
    if !rewind.isEmpty { violates("8 rewind", "goes forward while a rewind is under way", fact) }
    if requestedTurnBack, !(step.plan.isPivot && [.backingOff, .polling].contains(step.phase)) {
      violates("6 pivot", "starts while only the pivot is waited for", fact)
    }
    if let item = step.item {
      if step.phase == .pending || step.isQueued { startsItem(index, of: item, fact) }
    } else if step.phase == .pending || step.phase == .queued {
      if !isInOpenGroup(step) { violates("groups", "\(step.plan.id) starts, and its group is not open", fact) }
      let missing = workflow.conditions(of: step.plan).filter { !isReached($0) }
      if !missing.isEmpty { violates("order", "\(step.plan.id) starts before \(missing)", fact) }
    }
    if step.phase == .backingOff, let due = step.due, clock(fact.at) < due {
      violates("7 never early", "\(step.plan.id) is due \(due - clock(fact.at)) later", fact)
    }
  }

  func holds(_ when: StepPlan.When?) -> Bool {
    switch when {
    case .flag(let number)?: flags.indices.contains(number) && flags[number]
    case .succeeded(let id)?: step(id)?.phase == .succeeded
    case nil: true
    }
  }

  mutating func skipped(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    if steps[index].phase != .pending { violates("the history", "step is \(steps[index].phase)", fact) }
    if let group = steps[index].plan.group.flatMap(step), group.phase == .skipped {
      steps[index].phase = .skipped
      return
    }
    starts(index, fact)
    if holds(steps[index].plan.when) { violates("when", "\(fact.step) is skipped though its condition holds", fact) }
    steps[index].phase = .skipped
  }

  mutating func waitStarted(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    starts(index, fact)
    needsTurn(index, fact)
    if steps[index].phase == .pending, !holds(steps[index].plan.when) {
      violates("when", "\(fact.step) starts though its condition does not hold", fact)
    }
    if ![.pending, .queued, .backingOff].contains(steps[index].phase) {
      violates("the history", "step is \(steps[index].phase)", fact)
    }
    steps[index].phase = .waiting
    steps[index].due = fact.time("until").map { due($0, setAt: fact.at) }
    steps[index].signal = fact.text("signal")
    steps[index].reminders = 0
    steps[index].remindDue = fact.time("remindAt").map { due($0, setAt: fact.at) }
    if (steps[index].plan.remind == nil) != (steps[index].remindDue == nil) {
      violates("reminders", "\(fact.step) is not reminded of as its workflow says", fact)
    }
  }

  mutating func reminded(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
    if step.phase != .waiting { violates("the history", "step is \(step.phase)", fact) }
    if turnedBack || pausedAt != nil { violates("reminders", "reminds while nothing waits", fact) }
    guard let due = step.remindDue else { return violates("reminders", "no reminder was planned", fact) }
    if clock(fact.at) < due { violates("7 never early", "the reminder is due \(due - clock(fact.at)) later", fact) }
    if fact.number("number") != step.reminders + 1 {
      violates("reminders", "follows reminder \(step.reminders)", fact)
    }
    steps[index].reminders += 1
    steps[index].remindDue = fact.time("next").map { self.due($0, setAt: fact.at) }
  }

  mutating func groupOpened(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    starts(index, fact)
    needsTurn(index, fact)
    if !steps[index].plan.isGroup { violates("groups", "\(fact.step) is not a group", fact) }
    if steps[index].phase == .pending, !holds(steps[index].plan.when) {
      violates("when", "\(fact.step) opens though its condition does not hold", fact)
    }
    if ![.pending, .queued, .backingOff].contains(steps[index].phase) {
      violates("the history", "step is \(steps[index].phase)", fact)
    }
    steps[index].phase = .open
    steps[index].due = fact.time("until").map { due($0, setAt: fact.at) }
  }

  mutating func attemptStarted(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    starts(index, fact)
    needsTurn(index, fact)
    let step = steps[index]
    if step.phase == .pending, !holds(step.plan.when) {
      violates("when", "\(fact.step) starts though its condition does not hold", fact)
    }
    if step.phase == .polling { looks(step, fact) }
    let before: [Phase] = step.plan.poll == nil ? [.pending, .queued, .backingOff] : [.polling]
    if !before.contains(step.phase) { violates("the history", "step is \(step.phase)", fact) }
    if fact.number("round") != step.round { violates("2 rounds", "the round is \(step.round)", fact) }
    if fact.number("attempt") != step.attempt + 1 {
      violates("13 every attempt is counted", "follows attempt \(step.attempt)", fact)
    }
    if step.spent >= step.plan.maxAttempts {
      violates("retry", "\(fact.step) has used up its \(step.plan.maxAttempts) attempts", fact)
    }
    steps[index].phase = .running
    steps[index].isInFlight = true
    steps[index].attempt += 1
    steps[index].spent += 1
    steps[index].due = nil
    keep(index)
  }

  mutating func attemptFailed(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    if steps[index].phase == .polling { beginUnrecordedLook(index, fact) }
    let step = steps[index]
    let isNotMade = fact.type == "attemptNotMade"
    let expected = fact.isUndo ? step.undoAttempt : step.attempt
    // The child of an undo has ended.
    let isOfChild = fact.isUndo && step.isUndoWaiting && step.plan.undo?.isChild == true && !isNotMade
    if !step.isInFlight && !isOfChild || step.phase != (fact.isUndo ? .undoing : .running)
      || fact.number("attempt") != expected
    {
      violates("the history", "no such attempt is in flight", fact)
    }
    if isOfChild { steps[index].isUndoChildOver = !fact.flag("unknown") }
    steps[index].isUndoWaiting = false
    steps[index].isInFlight = false
    steps[index].due = fact.time("retryAt").map { due($0, setAt: fact.at) }
    if isNotMade { if fact.isUndo { steps[index].undoSpent -= 1 } else { steps[index].spent -= 1 } }
    if !fact.isUndo {
      steps[index].phase = step.plan.poll == nil ? .backingOff : .polling
      steps[index].isRetry = true
      if !isNotMade, step.outcome != "unknown" { steps[index].outcome = fact.flag("unknown") ? "unknown" : "failed" }
    }
    keep(index)
  }

  mutating func succeeded(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
    switch (step.plan.kind, step.phase) {
    case (_, .open) where step.plan.forEach != nil:
      if let problem = itemsEnd(step) { violates("tolerated failures", "\(fact.step) \(problem)", fact) }
    case _ where step.plan.forEach != nil: violates("the history", "step is \(step.phase)", fact)
    case (.http, .running) where step.plan.poll?.isRecorded ?? true: ended(step, fact)
    case (.http, .polling) where step.plan.poll?.isRecorded == false: ended(step, fact)
    case (.kafka, .running): break
    case (.delay, .waiting):
      if let due = step.due, clock(fact.at) < due {
        violates("7 never early", "the delay ends \(due - clock(fact.at)) later", fact)
      }
    case (.signal, .waiting): meet(step, fact)
    case (.child, .waiting): break
    case (.group, .open):
      for member in workflow.members(of: fact.step) where !(self.step(member.id).map(isPassed) ?? false) {
        violates("groups", "\(fact.step) ends before its member \(member.id)", fact)
      }
    default: violates("the history", "step is \(step.phase)", fact)
    }
    steps[index].phase = .succeeded
    steps[index].outcome = "succeeded"
    steps[index].isInFlight = false
    steps[index].due = nil
    steps[index].consequence = nil
    keep(index)
    if step.plan.isPivot { passPivot() }
  }

  /// A signal step takes one signal of its name, which no other step has taken.
  private mutating func meet(_ step: Step, _ fact: Fact) {
    let number = fact.data["output"]?["n"]?.intValue
    guard let index = signals.firstIndex(where: { $0.number == number && $0.name == step.signal }) else {
      return violates("12 one signal for one step", "\(step.plan.id) met a signal that was not received", fact)
    }
    if signals[index].isUsed {
      violates("12 one signal for one step", "signal \(signals[index].number) had met another step", fact)
    }
    if case .signal(_, true) = step.plan.kind, !signals[index].isGood {
      violates("12 signals", "\(step.plan.id) took a signal that it does not accept", fact)
    }
    signals[index].isUsed = true
  }

  /// From here nothing is undone: what failed beside the pivot waits for an operator.
  mutating func passPivot() {
    pivotPassed = true
    for index in steps.indices where steps[index].phase == .failed && steps[index].consequence == "turnsBack" {
      steps[index].consequence = "blocks"
    }
  }

  mutating func failed(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    if steps[index].phase == .pending || steps[index].isQueued, pausedAt == nil { starts(index, fact) }
    let step = steps[index]
    let (outcome, consequence) = (fact.text("outcome") ?? "", fact.text("consequence") ?? "")
    failedWithItems(step, consequence, fact)
    if ![.pending, .queued, .running, .backingOff, .waiting, .polling, .open].contains(step.phase) {
      violates("the history", "step is \(step.phase)", fact)
    }
    if fact.failureCode == "group.timeout", let due = step.due, clock(fact.at) < due {
      violates("7 never early", "the time of the group ends \(due - clock(fact.at)) later", fact)
    }
    if fact.failureCode == "concurrency.timeout", step.due.map({ clock(fact.at) < $0 }) ?? true {
      violates("7 never early", "the wait for the turn has not ended", fact)
    }
    if step.plan.isGroup, outcome != "none" { violates("groups", "a group has the outcome \(outcome)", fact) }
    // The end of a child says what has become of it, whatever is known of its start.
    if step.outcome == "unknown", outcome != "unknown", step.child == nil {
      violates("3 unknown stays unknown", "the round was unknown and becomes \(outcome)", fact)
    }
    if fact.failureCode == "signal.timeout", let due = step.due, clock(fact.at) < due {
      violates("7 never early", "the wait ends \(due - clock(fact.at)) later", fact)
    }
    if fact.failureCode == "poll.timeout" {
      // A request to turn back that waits for the poll ends it, too.
      if !requestedTurnBack, step.pollEnd.map({ clock(fact.at) < $0 }) ?? true {
        violates("7 never early", "the poll has not ended", fact)
      }
    }
    if let poll = step.plan.poll, !poll.isRecorded, outcome == "unknown" {
      violates("polls", "looks that change nothing leave the outcome unknown", fact)
    }
    if case .fail = step.plan.kind, outcome != "none" {
      violates("fail", "a step that sends nothing has the outcome \(outcome)", fact)
    }
    if pivotPassed, consequence == "turnsBack" {
      violates("6 pivot", "a failure behind the pivot turns the saga back", fact)
    }
    if consequence == "goesOn", step.plan.afterFailure != .goesOn, step.item == nil {
      violates("onFailure", "\(fact.step) does not say that the saga goes on", fact)
    }
    if consequence == "turnsBack", step.plan.afterFailure != .compensates {
      violates("onFailure", "\(fact.step) does not say that the saga turns back", fact)
    }
    let isUnknownPivot = step.plan.isPivot && outcome == "unknown"
    if consequence == "blocks", step.plan.afterFailure != .isStuck, !pivotPassed, !isUnknownPivot {
      violates("onFailure", "\(fact.step) is left to an operator without a reason", fact)
    }
    if step.plan.isPivot, outcome == "unknown", !turnedBack, !["blocks", "settles"].contains(consequence) {
      violates("6 pivot", "an unknown pivot is not left to an operator", fact)
    }
    steps[index].phase = .failed
    steps[index].outcome = outcome
    steps[index].consequence = consequence
    steps[index].isInFlight = false
    steps[index].due = nil
    keep(index)
  }

  mutating func completed(_ fact: Fact) {
    if turnedBack { violates("4 turning back", "completes after it turned back", fact) }
    if pausedAt != nil { violates("7 paused starts nothing", "completes while it is paused", fact) }
    for step in steps where step.item == nil && !isPassed(step) {
      violates("nothing is left open", "\(step.plan.id) is \(step.phase)", fact)
    }
    end = fact.type
  }

  mutating func overdue(_ fact: Fact) {
    if !pivotPassed { violates("6 pivot", "is overdue without a pivot: it should turn back", fact) }
    if clock(fact.at) < deadline { violates("7 never early", "the timeout is later", fact) }
    isOverdue = true
  }

  mutating func stepOverdue(_ fact: Fact) {
    if let since = fact.time("since"), since > fact.at { violates("7 never early", "it is overdue later", fact) }
  }
}
