import JSON
import Runtime
import Values

// Acts of people. `Rules+Answers.swift` checks the requests and their answers against the history.
extension Account {
  /// Every act says who, and why; one request is done once.
  mutating func act(_ fact: Fact) {
    if (fact.text("by") ?? "").isEmpty { violates("8 who and why", "does not say who", fact) }
    if (fact.text("reason") ?? "").isEmpty { violates("8 who and why", "does not say why", fact) }
    noteCommand(fact.text("commandId"), fact)
  }

  mutating func noteCommand(_ id: String?, _ fact: Fact) {
    guard let id else { return }
    if !commands.insert("\(fact.type)/\(fact.step)/\(id)").inserted {
      violates("a repeat has no second effect", "\(id) was done before", fact)
    }
  }

  mutating func retried(_ fact: Fact) {
    act(fact)
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    if !isBlocked(steps[index]), !awaitsOperator(steps[index]) { violates("8 retry", "step is not blocked", fact) }
    if !fact.isUndo, steps[index].plan.forEach != nil {
      if fact.data["input"] != nil { violates("8 retry", "a step with items takes no input", fact) }
      return queueItems(index)
    }
    steps[index].due = clock(fact.at)
    if fact.isUndo {
      steps[index].phase = .undoing
      steps[index].undoSpent = 0
      return
    }
    if steps[index].item == nil { steps[index].phase = .backingOff } else { queueItems(index) }
    steps[index].spent = 0
    // A child that was compensated is over: the next one needs a round of its own.
    let isOver = steps[index].child != nil && steps[index].outcome == "failed"
    guard fact.data["input"] != nil || isOver else { return }
    if steps[index].outcome == "unknown" { violates("2 rounds", "an unknown round is left behind", fact) }
    keep(index)
    steps[index].round += 1
    steps[index].outcome = "none"
    steps[index].attempt = 0
    steps[index].child = nil
  }

  mutating func resolved(_ fact: Fact) {
    act(fact)
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    if !isBlocked(steps[index]), !awaitsOperator(steps[index]) { violates("8 resolve", "step is not blocked", fact) }
    if steps[index].plan.forEach != nil { violates("8 resolve", "the step has items", fact) }
    if steps[index].plan.isGroup { violates("8 resolve", "the step is a group", fact) }
    switch fact.text("resolution") {
    case "happened":
      steps[index].phase = .succeeded
      steps[index].outcome = "succeeded"
      steps[index].consequence = nil
      if let item = steps[index].item { reopen(item.step) }
      if steps[index].plan.isPivot { passPivot() }
    case "didNotHappen" where steps[index].item != nil: steps[index].outcome = "failed"
    case "didNotHappen":
      steps[index].outcome = "failed"
      steps[index].consequence =
        switch steps[index].plan.afterFailure {
        case .goesOn: "goesOn"
        case .isStuck: "blocks"
        case .compensates: pivotPassed ? "blocks" : "turnsBack"
        }
    case "undone": steps[index].phase = .undone
    default: violates("the history", "is no resolution", fact)
    }
    keep(index) { $0.isOperatorsWord = true }
  }

  mutating func skippedByOperator(_ fact: Fact) {
    act(fact)
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
    if ![.pending, .queued, .waiting, .polling, .backingOff, .failed].contains(step.phase) {
      violates("8 skip", "step is \(step.phase)", fact)
    }
    if step.plan.isGroup { violates("8 skip", "the step is a group", fact) }
    if step.plan.forEach != nil, ![.pending, .queued].contains(step.phase) {
      violates("8 skip", "the step has begun with its items", fact)
    }
    if step.phase == .failed, !isBlocked(step), !awaitsOperator(step) {
      violates("8 skip", "the saga is not stuck on the step", fact)
    }
    if step.outcome == "unknown" { violates("8 skip", "the step may have happened", fact) }
    steps[index].phase = .skipped
    steps[index].isSkippedByOperator = true
    steps[index].due = nil
    steps[index].consequence = nil
    keep(index)
    if let item = step.item { reopen(item.step) }
    // Skipped as done: the point of no return is passed.
    if step.plan.isPivot { passPivot() }
  }

  mutating func ranNow(_ fact: Fact) {
    act(fact)
    for id in fact.texts("steps") {
      guard let index = index(id) else { return violates("the history", "names no step", fact) }
      steps[index].due = clock(fact.at)
    }
  }

  mutating func extended(_ fact: Fact) {
    act(fact)
    guard let until = fact.time("until") else { return violates("the history", "has no time", fact) }
    // A deferral sets a timestamp as it is, because the length of the current pause is not known yet.
    let end = (until - startedAt) - pausedBefore
    if let id = fact.text("step") {
      guard let index = index(id) else { return violates("the history", "names no step", fact) }
      if steps[index].phase == .polling {
        if let before = steps[index].pollEnd, end < before { violates("8 extend", "is earlier", fact) }
        steps[index].pollEnd = end
        return
      }
      if let due = steps[index].due, end < due { violates("8 extend", "is earlier", fact) }
      steps[index].due = end
    } else {
      if end < deadline { violates("8 extend", "is earlier", fact) }
      deadline = end
      if end > clock(fact.at) { isOverdue = false }
    }
  }

  /// The saga follows the other version. The steps that it has begun stay as they are.
  mutating func moved(_ fact: Fact) {
    act(fact)
    if !rewind.isEmpty { violates("20 versions", "moves while it is rewound", fact) }
    let added = StepPlan.added.id
    switch (workflow.version, fact.data["toVersion"]?.intValue) {
    case (1, 2):
      workflow = workflow.next
      steps.insert(Step(plan: .added), at: 0)
    case (2, 1):
      if let step = step(added), step.phase != .pending || step.round > 1 {
        violates("20 versions", "loses step \(added), which has begun", fact)
      }
      workflow = workflow.first
      steps.removeAll { $0.plan.id == added }
    default: violates("20 versions", "moves from \(workflow.version) to no other version", fact)
    }
    if fact.texts("steps") != steps.filter({ $0.item == nil }).map(\.plan.id) {
      violates("20 versions", "has other steps than version \(workflow.version)", fact)
    }
    guard let until = fact.time("deadline") else { return }
    let end = (until - startedAt) - pausedBefore
    if end <= deadline { violates("20 versions", "takes time from the saga", fact) }
    deadline = end
    if end > clock(fact.at) { isOverdue = false }
  }

  mutating func paused(_ fact: Fact) {
    act(fact)
    if pausedAt != nil { violates("8 pause", "is paused already", fact) }
    pausedAt = fact.at
  }

  mutating func resumed(_ fact: Fact) {
    act(fact)
    guard let pausedAt else { return violates("8 resume", "is not paused", fact) }
    pausedBefore += fact.at - pausedAt
    self.pausedAt = nil
  }

  mutating func abandoned(_ fact: Fact) {
    act(fact)
    if !steps.contains(where: isBlocked), !hasQueuedUndo { violates("8 abandon", "is not stuck", fact) }
    if steps.contains(where: \.isInFlight) { violates("8 abandon", "an attempt is in flight", fact) }
    end = fact.type
  }

  // MARK: Signals

  mutating func signalReceived(_ fact: Fact) {
    let signal = Signal(
      version: fact.version, name: fact.text("signal") ?? "", number: fact.data["body"]?["n"]?.intValue ?? 0,
      isGood: fact.data["body"]?["ok"]?.boolValue ?? false, identity: fact.text("signalId"), by: fact.text("by") ?? "")
    if let identity = signal.identity, signals.contains(where: { $0.identity == identity }) {
      violates("12 a repeat has no second effect", "\(identity) was received before", fact)
    }
    signals.append(signal)
    if let id = fact.text("step"), let index = index(id), steps[index].isUndoWaiting {
      steps[index].confirmedBy = signals.count - 1
    }
  }

  mutating func keptSignalTaken(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    guard steps[index].isUndoWaiting else { return }
    // A rewind keeps the signals of undos, although it may have let others go.
    steps[index].confirmedBy = signals.firstIndex {
      $0.version == fact.number("received") && !$0.isUsed && !$0.isRefused
    }
  }

  mutating func keptSignalRefused(_ fact: Fact) {
    guard let step = step(fact.step) else { return violates("the history", "names no step", fact) }
    guard
      let index = signals.firstIndex(where: {
        guard $0.name == fact.text("signal"), !$0.isUsed, !$0.isRefused else { return false }
        return fact.data["received"] == nil || fact.number("received") == $0.version
      })
    else { return violates("12 signals", "no signal was kept", fact) }
    var accepts: Bool?
    if case .signal(_, let itself) = step.plan.kind { accepts = itself }
    if step.isUndoWaiting { accepts = step.plan.undo?.signal?.accepts }
    if let accepts, !accepts || signals[index].isGood {
      violates("12 signals", "\(fact.step) accepts the signal", fact)
    }
    signals[index].isRefused = true
  }
}
