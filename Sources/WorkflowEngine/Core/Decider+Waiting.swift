import JSON
import Values
import Workflows

// The ends of waits. `Signals.swift` says what a signal does.
extension Decider {
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
}
