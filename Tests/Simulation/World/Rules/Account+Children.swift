import JSON
import Runtime
import Values

// Children, and the sagas that started them.
extension Account {
  mutating func childStarted(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
    if fact.isUndo { return undoChildStarted(index, fact) }
    if !step.plan.isChild { violates("children", "\(fact.step) starts no child", fact) }
    if step.phase != .running { violates("the history", "step is \(step.phase)", fact) }
    if step.child != nil { violates("children", "the round has started a child before", fact) }
    steps[index].phase = .waiting
    steps[index].isInFlight = false
    steps[index].due = nil
    steps[index].signal = nil
    steps[index].child = fact.text("child")
    keep(index)
  }

  /// The undo of a step waits for its child. A child that was compensated is never asked again, and no other one is while it
  /// is not known what has become of the last one.
  private mutating func undoChildStarted(_ index: Int, _ fact: Fact) {
    let step = steps[index]
    if step.plan.undo?.isChild != true { violates("children", "the undo of \(fact.step) starts no child", fact) }
    if step.phase != .undoing || !step.isInFlight { violates("the history", "step is \(step.phase)", fact) }
    if let last = step.undoChild, (last == fact.text("child")) == step.isUndoChildOver {
      violates("children", "\(step.isUndoChildOver ? "asks a child that is over" : "starts a second child")", fact)
    }
    steps[index].isInFlight = false
    steps[index].isUndoWaiting = true
    steps[index].undoChild = fact.text("child")
    steps[index].isUndoChildOver = false
    steps[index].due = fact.time("until").map { due($0, setAt: fact.at) }
    keep(index)
  }

  /// The only event that follows an end.
  mutating func reopened(_ fact: Fact) {
    if end != "sagaCompleted" { violates("the end", "follows \(end ?? "no end")", fact) }
    if !isChild { violates("children", "opens again, and is not a child", fact) }
    if pivotPassed { violates("6 pivot", "opens again behind a passed pivot", fact) }
    end = nil
    turnedBack = true
  }
}

extension Rules {
  /// Holds each child against the step that has started it.
  /// - Parameter accounts: the accounts of all sagas, by their ids.
  func children(_ accounts: [UniqueID: Account]) -> [Violation] {
    var violations: [Violation] = []
    for saga in sagas {
      guard let link = saga.facts.first?.data["saga"]?["parent"], let account = accounts[saga.id] else { continue }
      func violates(_ what: String) { violations.append(Violation("children", saga.name, what)) }
      guard let id = link["saga"]?.stringValue.flatMap({ UniqueID($0) }), let parent = accounts[id],
        let name = link["step"]?.stringValue, let step = parent.step(name),
        let (number, isUndo) = link["key"]?.stringValue.flatMap(Self.round)
      else {
        violates("its parent is not stored")
        continue
      }
      guard let round = step.rounds[number] else {
        violates("its parent does not know round \(number) of \(name)")
        continue
      }
      // A person's statement counts, and an abandoned parent lets its children be.
      guard let end = parent.end, end != "sagaAbandoned", !round.isOperatorsWord else { continue }
      if account.end == nil { violates("runs, and its parent is over") }
      if isUndo {
        if round.undoneBy == saga.id.description, account.end != "sagaCompleted" {
          violates("has undone its step, and is \(account.end ?? "open")")
        }
        if round.isUndone, round.undoneBy != saga.id.description, account.end == "sagaCompleted" {
          violates("is completed, and another child has undone its step")
        }
        continue
      }
      if end == "sagaCompensated", !round.isGivenUp, account.end != "sagaCompensated" {
        violates("is \(account.end ?? "open"), and its parent is compensated")
      }
      if round.isUndone, account.end != "sagaCompensated" { violates("is not undone, and its step is") }
      if end == "sagaCompleted", number == step.round, round.outcome == "succeeded", account.end != "sagaCompleted" {
        violates("is \(account.end ?? "open"), and its step succeeded")
      }
    }
    return violations
  }

  /// Returns the round in the key of a child, and whether the child is of the undo: its key ends in `/undo`, or in `/undo/2`
  /// for the second one.
  private static func round(_ key: String) -> (number: Int, isUndo: Bool)? {
    var parts = key.split(separator: "/")
    if parts.count > 1, parts[parts.count - 2] == "undo" { parts.removeLast() }
    let isUndo = parts.last == "undo"
    if isUndo { parts.removeLast() }
    return parts.last.flatMap { Int($0) }.map { ($0, isUndo) }
  }
}
