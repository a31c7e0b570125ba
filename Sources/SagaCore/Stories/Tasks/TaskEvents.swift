import JSON
import Values

/// A worker has taken a task.
public struct TaskTaken: SagaEventContent {
  public static let typeName = "taskTaken"
  public let step: String
  public let phase: StepPhase
  public let round: Int
  public let attempt: Int
  /// The worker's name, as it gave it.
  public let worker: String
  /// The SHA-256 of the lease in hexadecimal digits. The history has no lease that a reader could use.
  public let lease: String
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), phase: try data.word("phase"), round: try data.int("round"),
      attempt: try data.int("attempt"), worker: try data.string("worker"), lease: try data.string("lease"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    data["round"] = .int(round)
    data["attempt"] = .int(attempt)
    data["worker"] = .string(worker)
    data["lease"] = .string(lease)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard step.isOnlyOffered, step.round == round, let inFlight = step.inFlight, inFlight.phase == phase,
        inFlight.attempt.number == attempt
      else { return false }
      var taken = inFlight.attempt
      taken.offer?.taken = StepStage.Offer.Taken(worker: worker, lease: lease, at: at)
      switch phase {
      case .forward: step.stage = .running(taken)
      case .undo: step.stage = .undoing(taken)
      }
      return true
    }
  }

  public var timeline: [TimelineNote] { [.mark("\(worker) takes \(phase == .undo ? "the undo of " : "")\(step)")] }
}
