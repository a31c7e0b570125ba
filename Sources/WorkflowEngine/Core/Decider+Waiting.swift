import JSON
import Runtime
import Workflows

// Signals and the ends of waits.
extension Decider {
  mutating func takeSignal(_ name: String, id: String?, body: JSON, by: String) throws(Refusal) {
    let waiting = signalSteps(named: name)
    guard !waiting.isEmpty else {
      let names = definition.steps.compactMap { step in
        if case .signal(let signal) = step.action { signal.name } else { nil }
      }
      let known = names.isEmpty ? "It waits for no signal." : "It knows \(names.joined(separator: ", "))."
      throw Refusal(EngineErrorCode.signalUnknown, "The workflow has no signal “\(name)”. \(known)")
    }
    if let taken = state.signal(name) {
      // A second one is a repeat, and changes nothing. But as long as no step has met the first, another body is no
      // repeat: dropping it in silence could lose an approval.
      guard state.isUsed(signal: name) || taken.body == body else {
        throw Refusal(
          EngineErrorCode.signalKeptOther,
          "A signal “\(name)” with another body came before and is kept until its step waits for it.")
      }
      return
    }
    if state.turnBack != nil {
      throw Refusal(EngineErrorCode.signalTooLate, "The saga has turned back and waits for no signal any more.")
    }
    let steps = waiting.compactMap { step, signal in state.step(step.id).map { ($0, signal) } }
    // A step that is being rewound will wait again.
    guard steps.contains(where: { $0.0.status == .pending || $0.0.status == .waiting || state.isRewinding($0.0.id) })
    else {
      throw Refusal(EngineErrorCode.signalTooLate, "No step waits for the signal “\(name)” any more.")
    }
    let waitingNow = steps.filter { $0.0.status == .waiting }
    for (step, signal) in waitingNow where try !accepts(signal, body) {
      throw Refusal(
        EngineErrorCode.signalRefused, "The step \(step.id) doesn't accept this body; it goes on waiting.")
    }
    emit(.signalReceived(name: name, signalID: id, body: body, by: by))
    for (step, _) in waitingNow { succeed(step.id, output: StepOutput(body)) }
  }

  /// A signal that came early meets the step that wants it.
  mutating func useKeptSignal(for step: Step, _ signal: SignalAction) {
    guard let kept = state.signals.first(where: { $0.name.hasSameScalars(as: signal.name) }) else { return }
    // A condition that takes more work than its budget allows accepts nothing.
    if (try? accepts(signal, kept.body)) ?? false {
      succeed(step.id, output: StepOutput(kept.body))
    } else {
      emit(.keptSignalRefused(name: signal.name, step: step.id))
    }
  }

  /// Ends the waits whose time has come, before the saga's own timeout is looked at.
  mutating func endDueWaits() {
    guard state.turnBack == nil else { return }
    for step in state.steps where step.status == .waiting {
      guard let until = step.waitUntil, until <= now, until <= state.deadline || isPivotPassed else { continue }
      if let signal = step.waitingFor {
        fail(
          step.id,
          StepFailure(
            code: EngineErrorCode.signalTimeout, message: "The signal “\(signal)” did not come by \(until)."))
      } else {
        succeed(step.id, output: .null)
      }
    }
  }

  private func signalSteps(named name: String) -> [(Step, SignalAction)] {
    definition.steps.compactMap { step in
      if case .signal(let signal) = step.action, signal.name.hasSameScalars(as: name) { (step, signal) } else { nil }
    }
  }

  /// - Throws: `expression.budget` when the condition takes more work than is allowed: then the signal is not taken.
  private func accepts(_ signal: SignalAction, _ body: JSON) throws(Refusal) -> Bool {
    guard let condition = signal.accept else { return true }
    guard case .object(var members) = state.document(reading: condition.reads) else { return false }
    members["signal"] = body
    do {
      return try condition.holds(in: .object(members))
    } catch {
      throw Refusal(error.code, "The condition of the signal “\(signal.name)” can't be decided: \(error.message).")
    }
  }
}
