import JSON
import Values

/// The step, or its undo, has a child, and waits until the child has ended.
public struct ChildStarted: SagaEventContent {
  public static let typeName = "childStarted"
  public let step: String
  public let child: ChildLink
  /// Whether the child does the step or undoes it. Events of older versions are of children that do it.
  public var phase = StepPhase.forward
  /// The end of the wait for a child that undoes the step; nil when only the child's own timeout limits it.
  public var until: Timestamp?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), child: try ChildLink.read(data), phase: try data.phase(),
      until: try data.optionalTimestamp("until"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    child.add(to: &data)
    data.write(phase)
    data["until"] = until.map(JSON.timestamp)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard let inFlight = step.inFlight, inFlight.phase == phase, inFlight.attempt.polling == nil,
        inFlight.attempt.offer == nil
      else { return false }
      switch phase {
      case .forward:
        step.stage = .waiting(StepStage.Wait(signal: nil, until: nil))
        step.child = child
      case .undo:
        step.stage = .undoWaiting(StepStage.Wait(signal: nil, until: until))
        step.undoChild = child
      }
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [
      .begin(step: step, phase, .wait),
      .mark("\(phase == .undo ? "the undo of " : "")\(step) started \(child.workflow) \(child.saga)"),
    ]
  }
}

/// A completed child is undone for its parent: it opens again and turns back. Its history goes on behind its end.
public struct SagaReopened: SagaEventContent {
  public static let typeName = "sagaReopened"
  public let reason: TurnBack

  public init(_ reason: TurnBack) { self.reason = reason }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(try TurnBack(data.nested("reason")))
  }

  public func write(to data: inout JSONObject) { data["reason"] = reason.json }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.end?.status == .completed else { throw HistoryError("Only a completed saga is opened again.") }
    guard !saga.pivotPassed else { throw HistoryError("A saga that passed its pivot can't turn back.") }
    saga.end = nil
    saga.turnBack = Dated(at: at, value: reason)
  }

  public var timeline: [TimelineNote] { [.mark("opened again and turned back", reason: reason.message)] }
}
