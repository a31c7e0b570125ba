import Runtime
import Values

// Turns of one saga: what is asked for, held and released. `TurnRules.swift` compares the sagas with each other.
extension Account {
  /// A turn that the saga waits for or holds.
  struct Turn {
    let key: String
    let isUndo: Bool
    var isTaken = false
    /// By the saga's clock.
    let since: Duration
  }

  /// Whether the saga waits for its own turn. Nothing of it begins, and its timeout does not run.
  var waitsForOwnTurn: Bool { turns[""].map { !$0.isTaken } ?? false }

  /// Whether an undo waits for its turn.
  var hasQueuedUndo: Bool { turns.values.contains { $0.isUndo && !$0.isTaken } }

  mutating func turnAsked(_ fact: Fact) {
    if turns[fact.step] != nil { violates("turns", "asks for a turn twice", fact) }
    let key = fact.text("key") ?? ""
    turns[fact.step] = Turn(key: key, isUndo: fact.isUndo, since: clock(fact.at))
    guard fact.text("step") != nil else {
      if workflow.concurrency?.key != key { violates("turns", "the workflow has no such key", fact) }
      return
    }
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    if steps[index].plan.concurrency?.key != key { violates("turns", "the step has no such key", fact) }
    if fact.isUndo {
      if pausedAt != nil { violates("7 paused starts nothing", "asks while the saga is paused", fact) }
      if ![.succeeded, .failed].contains(steps[index].phase) {
        violates("the history", "step is \(steps[index].phase)", fact)
      }
      return
    }
    starts(index, fact)
    if steps[index].phase == .pending, !holds(steps[index].plan.when) {
      violates("when", "\(fact.step) waits though its condition does not hold", fact)
    }
    if ![.pending, .backingOff].contains(steps[index].phase) {
      violates("the history", "step is \(steps[index].phase)", fact)
    }
    steps[index].phase = .queued
    steps[index].due = fact.time("until").map { due($0, setAt: fact.at) }
  }

  mutating func turnTaken(_ fact: Fact) {
    if pausedAt != nil { violates("7 paused starts nothing", "takes a turn while the saga is paused", fact) }
    guard let turn = turns[fact.step], !turn.isTaken, turn.key == fact.text("key"), turn.isUndo == fact.isUndo else {
      return violates("turns", "takes a turn that it does not wait for", fact)
    }
    turns[fact.step]?.isTaken = true
    // The timeout of the saga begins with its turn.
    if fact.text("step") == nil { deadline += clock(fact.at) - turn.since }
  }

  mutating func turnReleased(_ fact: Fact) {
    guard let turn = turns.removeValue(forKey: fact.step), turn.key == fact.text("key") else {
      return violates("turns", "releases a turn that it does not have", fact)
    }
    guard let step = step(fact.step) else { return violates("the history", "names no step", fact) }
    if [.queued, .running, .backingOff, .waiting, .polling, .open, .undoing].contains(step.phase) || isBlocked(step) {
      // After a turn back nothing forward blocks any more. A wait for a turn can end without the turn.
      if !(step.phase == .failed && (turnedBack || !turn.isTaken)) {
        violates("turns", "releases the turn of a step that is \(step.phase)", fact)
      }
    }
  }

  /// A step with a key begins only with its turn.
  mutating func needsTurn(_ index: Int, _ fact: Fact) {
    // The turn of a step with items is that of the step.
    if steps[index].item == nil, !hasTurn(steps[index].plan) {
      violates("turns", "\(fact.step) begins without its turn", fact)
    }
  }

  /// Whether a step holds the turn that it needs. A group around it, or the saga, may hold one of the same key.
  private func hasTurn(_ plan: StepPlan) -> Bool {
    guard let key = plan.concurrency?.key else { return true }
    var owner: StepPlan? = plan
    while let one = owner {
      if let turn = turns[one.id], turn.isTaken, turn.key == key { return true }
      owner = one.group.flatMap(workflow.step)
    }
    return turns[""]?.isTaken == true && turns[""]?.key == key
  }

  /// An undo begins only with the turns of its step and of the groups around it.
  mutating func undoNeedsTurns(_ index: Int, _ fact: Fact) {
    var owner: StepPlan? = steps[index].plan
    if let item = steps[index].item { owner = step(item.step)?.plan }
    while let plan = owner {
      if !hasTurn(plan) {
        violates("turns", "the undo of \(fact.step) begins without the turn of \(plan.id)", fact)
      }
      owner = plan.group.flatMap(workflow.step)
    }
  }
}
