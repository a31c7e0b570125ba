import Runtime
import Values
import Wire

/// The steps of a saga that take longer than expected, in words.
struct OverdueSteps {
  let saga: SagaResponse
  let now: Timestamp

  /// One sentence a step: `approve has waited 3h 00m; 10m 00s were expected (declared)`.
  var sentences: [String] {
    saga.steps.compactMap { step in
      guard let overdue = step.overdue else { return nil }
      let expected = Duration.milliseconds(overdue.expectedMs)
      let verb = step.status == "waiting" ? "waited" : "taken"
      let did = overdue.phase == "undo" ? "undoing \(step.id) has taken" : "\(step.id) has \(verb)"
      // The clock of a paused saga stands still.
      let taken = (saga.paused?.since ?? now) - overdue.since + expected
      let basis = overdue.samples.map { "learned from \($0) runs" } ?? overdue.basis
      return "\(did) \(TimeText.duration(taken)); \(TimeText.duration(expected)) were expected (\(basis))"
    }
  }

  /// Whether the deadline of the saga itself has passed.
  var isPastDeadline: Bool {
    guard saga.overdue, let deadline = saga.deadline else { return false }
    return deadline <= saga.paused?.since ?? now
  }
}
