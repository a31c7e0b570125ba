import JSON
import Runtime
import Values

/// What there is to say of the steps of a saga that take longer than was expected of them.
struct OverdueSteps {
  let saga: JSON
  let now: Timestamp

  /// `approve has waited 3h 00m; 10m 00s were expected (declared)`, a step.
  var sentences: [String] {
    (saga["steps"]?.arrayValue ?? []).compactMap { step in
      guard let overdue = step["overdue"], let since = overdue.moment("since"),
        let expected = overdue["expectedMs"]?.intValue.map({ Duration.milliseconds($0) })
      else { return nil }
      let id = step.text("id") ?? "?"
      let isUndo = overdue["phase"]?.stringValue == "undo"
      let verb = step["status"]?.stringValue == "waiting" ? "waited" : "taken"
      let did = isUndo ? "undoing \(id) has taken" : "\(id) has \(verb)"
      // While the saga is paused its clock stands.
      let taken = (saga["paused"]?.moment("since") ?? now) - since + expected
      return "\(did) \(Moments.duration(taken)); \(Moments.duration(expected)) were expected (\(basis(overdue)))"
    }
  }

  private func basis(_ overdue: JSON) -> String {
    guard let samples = overdue["samples"]?.intValue else { return overdue.text("basis") ?? "declared" }
    return "learned from \(samples) runs"
  }

  /// Whether the saga's own time is up, beside what its steps take.
  var isPastDeadline: Bool {
    guard saga["overdue"]?.boolValue == true, let deadline = saga.moment("deadline") else { return false }
    return deadline <= saga["paused"]?.moment("since") ?? now
  }
}
