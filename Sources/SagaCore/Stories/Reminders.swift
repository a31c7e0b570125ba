import JSON
import Values
import Workflows

// Reminders. A wait may say when people are reminded of it, once or again and again. A reminder changes nothing else: the
// step, or its undo, goes on waiting.

extension Decider {
  /// Records the reminders that are due. After a time without an engine, one reminder covers those that were missed.
  mutating func remindOfWaits() {
    let waiting = state.turnBack == nil ? state.sets.waiting.union(state.sets.undoing) : state.sets.undoing
    for step in waiting {
      let now = state.steps[step]
      guard let wait = now.stage.wait, let due = wait.remindAt, due <= self.now else { continue }
      let remind = now.undoWait == nil ? rules(of: step).remind : undo(of: step)?.remind
      let next = remind?.every.map { self.now + $0 }
      emit(WaitReminded(step: id(step), number: wait.reminders + 1, next: next))
    }
  }
}

/// People are reminded of a step that waits.
public struct WaitReminded: SagaEventContent {
  public static let typeName = "waitReminded"
  public let step: String
  /// The number of reminders of this wait, from 1.
  public let number: Int
  /// The time of the next reminder; nil when this is the last one.
  public let next: Timestamp?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), number: try data.int("number"), next: try data.optionalTimestamp("next"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["number"] = .int(number)
    data["next"] = next.map(JSON.timestamp)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard var wait = step.stage.wait, wait.remindAt != nil else { return false }
      wait.remindAt = next
      wait.reminders = number
      step.stage.wait = wait
      return true
    }
  }

  public var timeline: [TimelineNote] { [.mark("reminder \(number) of \(step)")] }
}
