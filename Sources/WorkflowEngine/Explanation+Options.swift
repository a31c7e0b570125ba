import JSON
import SagaCore
import Values
import Workflows

// What an operator can do next, in the order of advice.
extension Explainer {
  func options(_ allowed: [AllowedVerb]) -> [Explanation.Option] {
    let blockers = state.shownBlockers
    let isStuck = !blockers.isEmpty
    func takes(_ verb: OperatorVerb.Name, _ step: String? = nil) -> Bool {
      allowed.contains { $0.verb == verb && (step.map($0.steps.contains) ?? true) }
    }
    var options = blockers.flatMap { blocker in
      let helping = definition.map { Verbs.helping(blocker, among: allowed, in: state, by: $0) } ?? []
      // While the outcome is unknown, a person first finds out and says what they found. A retry comes after it.
      let first = blocker.outcomeIsUnknown ? helping.filter { $0 == .resolve } : []
      return (first + helping.filter { !first.contains($0) }).flatMap { help($0, at: blocker) }
    }
    if takes(.resume) { options.append(option(.resume, "Resume the saga.")) }
    let waiting = isStuck || definition == nil ? [] : state.steps.filter { $0.status == .waiting }
    func skip(_ step: StepState) {
      if takes(.skip, step.id) { options.append(option(.skip, step: step.id, "Continue without step \(step.id).")) }
    }
    for step in waiting {
      guard let signal = step.wait?.signal else { continue }
      options.append(self.signal(signal, to: step.id))
      skip(step)
    }
    if !isStuck, definition != nil {
      for step in state.steps {
        if let signal = step.undoWait?.signal { options.append(self.signal(signal, to: step.id, isUndo: true)) }
      }
    }
    if takes(.runNow), !state.isPaused {
      let wait = state.isPolling ? "the next look or attempt" : "the next attempt"
      options.append(option(.runNow, "Do not wait for \(wait), or for the end of the delay."))
    }
    waiting.filter { $0.wait?.signal == nil }.forEach(skip)
    if !isStuck, definition != nil { state.steps.filter { $0.status == .running && $0.isOnlyOffered }.forEach(skip) }
    if takes(.extend), isPastDeadline { options.append(option(.extend, "Give the saga more time.", words: "--by 2h")) }
    if takes(.abandon) { options.append(option(.abandon, "End the saga as it is. The engine undoes nothing more.")) }
    return options
  }

  private func help(_ verb: OperatorVerb.Name, at blocker: Blocker) -> [Explanation.Option] {
    let step = blocker.step
    let isUndo = blocker.phase == .undo
    switch verb {
    case .retry:
      return [
        option(.retry, step: step, "Try \(isUndo ? "the undo of " : "")step \(step) again, after the cause is fixed.")
      ]
    case .resolve where isUndo:
      return [
        option(.resolve, step: step, outcome: "undone", "You have undone step \(step) by hand.", words: "--undone")
      ]
    case .resolve:
      let happened = option(
        .resolve, step: step, outcome: "happened", "You have checked: step \(step) happened.", words: "--happened")
      // A step that was refused is known not to have happened.
      guard state.step(step)?.outcome == .unknown else { return [happened] }
      return [
        happened,
        option(
          .resolve, step: step, outcome: "didNotHappen", "You have checked: step \(step) did not happen.",
          words: "--did-not-happen"),
      ]
    case .skip: return [option(.skip, step: step, "Continue without step \(step).")]
    case .rewind:
      return [option(.rewind, step: step, "Undo step \(step) and all steps after it, and begin again at it.")]
    // Several steps may block the saga. Compensation is offered once.
    case .compensate where step == state.blockers.first?.step:
      return [option(.compensate, "Undo what the saga has done.")]
    // `abandon` comes last, once for the whole saga.
    case .runNow, .extend, .pause, .resume, .migrate, .compensate, .cancel, .abandon: return []
    }
  }

  private func option(
    _ verb: OperatorVerb.Name, step: String? = nil, outcome: String? = nil, _ purpose: String, words: String? = nil
  ) -> Explanation.Option {
    let named = step.map { "--step \($0)" }
    let line = ["saga \(verb.rawValue) \(state.id)", named, words, "--reason '…'"].compactMap { $0 }
    return Explanation.Option(
      verb: verb.rawValue, step: step, signal: nil, outcome: outcome, purpose: purpose,
      command: line.joined(separator: " "))
  }

  private func signal(_ name: String, to step: String, isUndo: Bool = false) -> Explanation.Option {
    Explanation.Option(
      verb: "signal", step: step, signal: name, outcome: nil,
      purpose: (isUndo
        ? "Send the signal that confirms the undo of step \(step)." : "Send the signal that step \(step) waits for.")
        + senders(step, isUndo),
      command: "saga signal \(state.id) \(name) --body '{}'")
  }

  /// ` Laboratory role: qa or lead.` Empty for a signal that anyone may send.
  private func senders(_ step: String, _ isUndo: Bool) -> String {
    let definition = definition?.steps.first { $0.id.hasSameScalars(as: ItemID.step(of: step)) }
    var signal = isUndo ? definition?.undoSignal : nil
    if !isUndo, case .signal(let own)? = definition?.action { signal = own }
    guard let roles = signal?.roles, !roles.isEmpty else { return "" }
    return " Laboratory role: \(roles.joined(separator: " or "))."
  }
}
