import JSON
import Values

// The events of a step with `forEach` as a whole. The events of its items are those of every step: they name the item by
// its id, `STEP[KEY]`. An item begins with the first event that names it.

/// The items of a step may start.
public struct ItemsOpened: SagaEventContent {
  public static let typeName = "itemsOpened"
  public let step: String
  /// The number of items.
  public let count: Int
  /// The first 16 hexadecimal digits of the SHA-256 of all keys. The items are computed again from the saga's document,
  /// and the digest shows that they are the same.
  public let digest: String
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    let count = try data.int("count")
    guard count >= 0 else { throw data.unreadable("count") }
    return Self(step: try data.string("step"), count: count, digest: try data.string("digest"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["count"] = .int(count)
    data["digest"] = .string(digest)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard step.stage == .pending || step.isQueued || step.status == .backingOff && step.forward.count == 0
      else { return false }
      step.stage = .open(until: nil)
      step.startedAt = step.startedAt ?? at
      return true
    }
    if let index = saga.index(of: step) { saga.steps.open(index, count: count, digest: digest) }
  }

  public var timeline: [TimelineNote] { [.begin(step: step, .forward, .items)] }
}

/// Every item of the step that was to be undone is undone.
public struct ItemsUndone: SagaEventContent {
  public static let typeName = "itemsUndone"
  public let step: String
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self(step: try data.string("step")) }

  public func write(to data: inout JSONObject) { data["step"] = .string(step) }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    let hasItems = saga.items(of: step) != nil
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard hasItems, step.status == .succeeded || step.status == .failed else { return false }
      step.finishUndo(how: UndoSuccess.answered.rawValue, at: at)
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: "succeeded"), .mark("undone \(step)")]
  }
}
