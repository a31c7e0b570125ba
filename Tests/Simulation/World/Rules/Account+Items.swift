import Runtime
import Values

// Steps that do their action for each item of a list. An item is a step of the account, behind the steps of the workflow.
extension Account {
  /// Returns the items of a step that are under way, forward.
  private func underWay(of step: String) -> [Step] {
    steps.filter { $0.item?.step == step && [.running, .backingOff, .waiting, .polling].contains($0.phase) }
  }

  func items(of step: String) -> [Step] { steps.filter { $0.item?.step == step } }

  /// The items that have failed and that no operator retries.
  private func failures(of step: String) -> Int {
    items(of: step).count { $0.phase == .failed && !$0.isQueued }
  }

  /// Whether the step is an item of a step that is rewound, or is rewound itself.
  func isRewinding(_ step: Step) -> Bool { rewind.contains(step.item?.step ?? step.plan.id) }

  mutating func itemsOpened(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    starts(index, fact)
    needsTurn(index, fact)
    let step = steps[index]
    guard step.plan.forEach != nil else { return violates("items", "\(fact.step) has no forEach", fact) }
    if step.phase == .pending, !holds(step.plan.when) {
      violates("when", "\(fact.step) opens though its condition does not hold", fact)
    }
    if ![.pending, .queued, .backingOff].contains(step.phase) {
      violates("the history", "step is \(step.phase)", fact)
    }
    let keys = itemKeys[fact.step] ?? []
    if fact.number("count") != keys.count { violates("items", "the input has \(keys.count) items", fact) }
    steps[index].phase = .open
    steps[index].due = nil
    for (number, key) in keys.enumerated() {
      let id = "\(fact.step)[\(key)]"
      var item = Step(plan: step.plan.item(id))
      item.item = Item(step: fact.step, number: number)
      item.round = step.round
      if let before = self.index(id) {
        item.rounds = steps[before].rounds
        steps[before] = item
      } else {
        steps.append(item)
      }
    }
  }

  /// Checks an item that begins, for the first time or because an operator retries it.
  mutating func startsItem(_ index: Int, of item: Item, _ fact: Fact) {
    guard let owner = step(item.step), let forEach = owner.plan.forEach else { return }
    if owner.phase != .open { violates("items", "\(fact.step) begins, and its step is \(owner.phase)", fact) }
    let others = underWay(of: item.step).count
    if others >= forEach.parallel {
      violates("maxParallel", "\(fact.step) begins beside \(others), and \(forEach.parallel) may be under way", fact)
    }
    let (failures, tolerated) = (failures(of: item.step), forEach.tolerated(of: items(of: item.step).count))
    if failures > tolerated {
      violates("tolerated failures", "\(fact.step) begins, and \(failures) items have failed", fact)
    }
    let before = items(of: item.step).first { ($0.item?.number ?? 0) < item.number && $0.phase == .pending }
    if let before { violates("items", "\(fact.step) begins before \(before.plan.id)", fact) }
    if steps[index].isQueued {
      steps[index].isQueued = false
      steps[index].phase = .backingOff
      steps[index].due = nil
    }
  }

  /// Checks that a step succeeds when all its items are over and no more have failed than it tolerates.
  func itemsEnd(_ step: Step) -> String? {
    let items = items(of: step.plan.id)
    let open = items.filter { $0.isQueued || ![.succeeded, .failed, .skipped].contains($0.phase) }
    if !open.isEmpty { return "ends before \(open.map { "\($0.plan.id) \($0.phase)" })" }
    let tolerated = step.plan.forEach?.tolerated(of: items.count) ?? 0
    let failed = failures(of: step.plan.id)
    return failed > tolerated ? "succeeds, \(failed) of \(items.count) items have failed, and \(tolerated) may" : nil
  }

  /// Checks the failure of a step with items, or of one of its items.
  mutating func failedWithItems(_ step: Step, _ consequence: String, _ fact: Fact) {
    if step.item != nil {
      // How many items may fail is for their step.
      if !["goesOn", "settles"].contains(consequence) {
        violates("items", "\(fact.step) has the consequence \(consequence)", fact)
      }
      return
    }
    guard let forEach = step.plan.forEach else { return }
    if fact.text("outcome") != "none" { violates("items", "the step itself has an outcome", fact) }
    guard fact.failureCode == "forEach.failures" else { return }
    let tolerated = forEach.tolerated(of: items(of: step.plan.id).count)
    if failures(of: step.plan.id) <= tolerated {
      violates("tolerated failures", "\(failures(of: step.plan.id)) items have failed, and \(tolerated) may", fact)
    }
    if !underWay(of: step.plan.id).isEmpty { violates("items", "\(fact.step) ends before its items", fact) }
  }

  // MARK: Undo

  /// Checks the order and the number of the undos of a step's items.
  mutating func undoesItem(_ item: Item, _ fact: Fact) {
    guard let forEach = step(item.step)?.plan.forEach else { return }
    let all = items(of: item.step)
    let others = all.count {
      $0.plan.id != fact.step && ($0.phase == .undoing || $0.phase == .undoFailed && $0.blocksUndo)
    }
    if others >= forEach.parallel {
      violates("maxParallel", "\(fact.step) is undone beside \(others), and \(forEach.parallel) may be under way", fact)
    }
    let later = all.filter { other in
      (other.item?.number ?? 0) > item.number && [.succeeded, .failed].contains(other.phase) && needsUndo(other)
    }
    if !later.isEmpty { violates("4 order of undo", "\(fact.step) before \(later.map(\.plan.id))", fact) }
  }

  mutating func itemsUndone(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    if steps[index].plan.forEach == nil { violates("items", "\(fact.step) has no forEach", fact) }
    if ![.succeeded, .failed].contains(steps[index].phase) {
      violates("the history", "step is \(steps[index].phase)", fact)
    }
    for item in items(of: fact.step) where !isUndoSettled(item) {
      violates("compensated means undone", "\(item.plan.id) is \(item.phase), \(item.outcome)", fact)
    }
    if !items(of: fact.step).contains(where: { $0.rounds[$0.round]?.undoBegan == true || $0.phase == .undoFailed }) {
      violates("items", "no item of \(fact.step) was to be undone", fact)
    }
    steps[index].phase = .undone
  }

  // MARK: Operators

  /// Whether an operator can retry, skip or resolve a failed item: the step is not over, or the saga is stuck on it.
  func awaitsOperator(_ step: Step) -> Bool {
    guard let item = step.item, step.phase == .failed, !step.isQueued, !turnedBack, !isRewinding(step),
      let owner = self.step(item.step)
    else { return false }
    return owner.phase == .open || isBlocked(owner)
  }

  /// Queues one failed item, or all of a step. A step that has failed opens again.
  mutating func queueItems(_ index: Int) {
    let owner = steps[index].item?.step ?? steps[index].plan.id
    if steps[index].item != nil {
      steps[index].isQueued = true
      steps[index].spent = 0
      steps[index].due = nil
    } else {
      for item in steps.indices where steps[item].item?.step == owner && steps[item].phase == .failed {
        steps[item].isQueued = true
        steps[item].spent = 0
      }
    }
    reopen(owner)
  }

  /// Opens a step with items again that has failed.
  mutating func reopen(_ id: String) {
    guard let index = index(id), isBlocked(steps[index]) else { return }
    steps[index].phase = .open
    steps[index].consequence = nil
  }

  /// No item begins any more.
  mutating func clearQueues(of steps: (Step) -> Bool) {
    for index in self.steps.indices where steps(self.steps[index]) { self.steps[index].isQueued = false }
  }

  // MARK: At rest

  /// Checks that something happens to the items of a step that is not over.
  mutating func itemsAreIdle() {
    guard !turnedBack, !requestedTurnBack, rewind.isEmpty else { return }
    for step in steps where step.plan.forEach != nil && step.phase == .open && underWay(of: step.plan.id).isEmpty {
      violates("nothing silent", "\(step.plan.id) is open, and no item is under way: \(summary)")
    }
  }
}

extension StepPlan {
  /// Returns the plan of one item. The step has the place in the order, and the condition.
  fileprivate func item(_ id: String) -> StepPlan {
    var plan = StepPlan(
      id: id, kind: kind, forEach: nil, poll: poll, dependsOn: [], when: nil, isPivot: false,
      afterFailure: afterFailure, timeoutMs: timeoutMs, maxAttempts: maxAttempts, firstPauseMs: firstPauseMs,
      jitter: jitter, nonRetryable: nonRetryable, expectedMs: expectedMs, compensation: compensation,
      keepsTombstones: keepsTombstones, reads: reads, group: group)
    plan.remind = remind
    return plan
  }
}
