import SagaCore

// What the steps do at present. Many that do the same side by side, as the wells of a plate, are one fact.
extension Explainer {
  /// The most facts about steps under way.
  private static let mostFacts = 3
  /// The fewest steps that are named together.
  private static let fewest = 4

  /// Says what the steps do at present: `95 steps p1_* are under way`.
  /// - Parameter explained: the step that the sentence is about.
  func activities(but explained: String? = nil) -> [String] {
    let all = state.steps.filter { $0.id != explained }.compactMap { step in
      activity(of: step).map { (step: step, words: $0) }
    }
    guard all.count > Self.mostFacts else { return all.map(\.words) }
    // Steps that do the same are together; every other step is alone.
    var groups: [(together: String?, steps: [(id: String, words: String)])] = []
    var places: [String: Int] = [:]
    for (step, words) in all {
      let together = together(step)
      if let together, let place = places[together] {
        groups[place].steps.append((step.id, words))
      } else {
        if let together { places[together] = groups.count }
        groups.append((together, [(step.id, words)]))
      }
    }
    var facts: [String] = []
    var others = 0
    for group in groups {
      if let together = group.together, group.steps.count >= Self.fewest, facts.count < Self.mostFacts {
        facts.append("\(group.steps.count) steps \(CommonName.of(group.steps.map(\.id))) \(together)")
        continue
      }
      let named = group.steps.prefix(Self.mostFacts - facts.count)
      facts += named.map(\.words)
      others += group.steps.count - named.count
    }
    return others == 0 ? facts : facts + ["\(others) other step\(others == 1 ? " is" : "s are") under way"]
  }

  /// What several steps like this one do, after their names; nil for what is said of each alone.
  private func together(_ step: StepState) -> String? {
    switch step.status {
    case .running where step.isOpenGroup: nil
    case .running where step.isOnlyOffered: "wait for a worker of queue \(step.offer?.queue ?? "?")"
    case .running: state.turnBack == nil ? "are under way" : "have attempts that have not ended yet"
    case .backingOff: "wait for their next attempts"
    case .waiting:
      if step.isQueued {
        state.turn(of: step.id).map { "wait for their turns of \($0.key.clippedToLine())" }
      } else if step.polling != nil {
        "poll"
      } else if let signal = step.wait?.signal {
        "wait for the signal “\(signal)”"
      } else if step.awaitedChild != nil {
        "wait for their child sagas"
      } else {
        "wait for their delays to end"
      }
    case .undoing where step.isOnlyOffered:
      "wait for a worker of queue \(step.offer?.queue ?? "?") to be undone"
    case .undoing where step.inFlight != nil: "are being undone"
    case .undoing where step.undoWait == nil && step.undo.count > 0: "wait for the next attempts of their undos"
    case .undoing, .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: nil
    }
  }
}

/// What the ids of many steps have in common.
package enum CommonName {
  /// Returns what all ids share, with a star for the rest: `w*_read` of w1_read and w2_read.
  package static func of(_ ids: [String]) -> String {
    guard let first = ids.first else { return "*" }
    let prefix = ids.reduce(first[...]) { shared, id in
      shared.prefix(zip(shared, id).prefix { $0 == $1 }.count)
    }
    let rests = ids.map { $0.dropFirst(prefix.count) }
    let suffix = rests.dropFirst().reduce(rests.first ?? "") { shared, rest in
      shared.suffix(zip(shared.reversed(), rest.reversed()).prefix { $0 == $1 }.count)
    }
    // A digit that all numbers happen to share is part of the number.
    let ending = suffix.drop { $0.isNumber || $0.isLetter && suffix.first?.isNumber == true }
    return "\(prefix)*\(ending)"
  }
}
