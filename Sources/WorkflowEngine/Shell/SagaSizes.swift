import Persistence
import SagaCore
import Workflows

/// The limits on the size of a saga's stored data.
package struct SagaSizes: Sendable {
  /// The most bytes of one event. A request's body has at most 8 MiB, a rendered call 16 MiB.
  package var mostEvent = 24 << 20
  /// The most bytes that one append collects. Further inputs wait for the next append.
  package var mostAppend = 16 << 20
  /// The most bytes of a saga's data: its input, its signals, and the outputs of its steps.
  package var mostKept = 64 << 20
  /// The size in bytes below which events are not measured: a saga whose events are all small stays small for long.
  private static let small = 16 << 10

  /// Checks that events may be stored, and that the saga stays small enough.
  /// - Throws: `event.tooLarge` or `saga.tooLarge`.
  func check(_ events: [NewEvent], before: SagaState?, after: SagaState) throws(Refusal) {
    var isLarge = false
    for event in events {
      guard event.data.count <= mostEvent else {
        throw Refusal(
          EngineErrorCode.eventTooLarge,
          "The event “\(event.type)” has \(event.data.count) bytes; at most \(mostEvent) are stored.")
      }
      isLarge = isLarge || event.data.count > Self.small
    }
    // Many small outputs of items are large together.
    guard isLarge || after.bytesOfItems > mostKept / 2 else { return }
    let size = Self.kept(after)
    // A saga that is too large already may become smaller.
    guard size > mostKept, size > before.map(Self.kept) ?? 0 else { return }
    throw Refusal(
      EngineErrorCode.sagaTooLarge,
      "The saga would keep \(size) bytes of input, signals and outputs; at most \(mostKept) are kept.")
  }

  private static func kept(_ state: SagaState) -> Int {
    let meter = Meter(Budget(steps: .max, bytes: .max, text: .max))
    for signal in state.signals { if let body = signal.body { _ = meter.produce(body) } }
    for step in state.steps {
      if let output = step.output { _ = meter.produce(output) }
      if let input = step.input { _ = meter.produce(input) }
    }
    return meter.bytesProduced + state.bytesOfInput + state.bytesOfItems
  }
}

extension SagaCommand {
  /// Returns the command that replaces an answer that is too large to store: the step succeeded, and its output can't
  /// be read.
  func withoutOutput(because refusal: Refusal) -> SagaCommand? {
    let failure = StepFailure(code: refusal.code, message: refusal.message, isRetryable: false)
    switch self {
    case .attemptSettled(let step, let phase, let round, let attempt, let outcome):
      guard let outcome = outcome.withoutOutput(because: failure) else { return nil }
      return .attemptSettled(step: step, phase: phase, round: round, attempt: attempt, outcome: outcome)
    case .looked(var report):
      guard let outcome = report.outcome.withoutOutput(because: failure) else { return nil }
      report.outcome = outcome
      return .looked(report)
    case .child(let report):
      guard case .ended(let end) = report.content, let smaller = end.withoutOutput(because: failure) else { return nil }
      return .child(ChildReport(step: report.step, round: report.round, phase: report.phase, .ended(smaller)))
    case .start, .answered, .takeTurns, .taken, .task, .wake, .recover, .give, .operate, .forget, .undoForParent:
      return nil
    }
  }
}

extension StepOutcome {
  /// Returns the outcome of the same success with an output that can't be read; nil when it has none already.
  fileprivate func withoutOutput(because failure: StepFailure) -> StepOutcome? {
    switch self {
    case .succeeded: return .succeededUnread(failure)
    case .answered(var answer):
      // The conditions of the poll still read the body.
      guard answer.problem == nil else { return nil }
      answer.problem = failure
      return .answered(answer)
    case .succeededUnread, .failed, .unknown, .notSent: return nil
    }
  }
}
