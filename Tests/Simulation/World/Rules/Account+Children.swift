import JSON
import Runtime
import Values

// Children, and the sagas that started them.
extension Account {
  mutating func childStarted(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
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
        let number = link["key"]?.stringValue?.split(separator: "/").last.flatMap({ Int($0) })
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
}
