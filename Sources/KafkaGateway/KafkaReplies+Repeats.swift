import Persistence
import SagaCore
import WorkflowEngine

extension KafkaReplies {
  /// Returns whether the saga's history contains the answer. Then the answer came before, and nothing is lost with it.
  ///
  /// Called only for a saga that has ended. An open saga finds repeats by itself.
  func isRecorded(_ reply: KafkaReply) async throws -> Bool {
    var record = RecordedAnswers(of: reply)
    var pages = engine.store.pages(of: reply.saga)
    while let page = try await pages.next() {
      for stored in page where record.holds(try SagaEventCoding.decode(stored)) { return true }
    }
    return false
  }
}

/// Finds an answer among the events of its saga, which come in order.
private struct RecordedAnswers {
  private let reply: KafkaReply
  /// The attempt of the step that began last, in the phase of the answer.
  private var begun: (round: Int, attempt: Int)?

  init(of reply: KafkaReply) { self.reply = reply }

  /// Whether the answer names the attempt that began last.
  private var isOfBegun: Bool { isOfRound && begun?.attempt == reply.attempt }
  private var isOfRound: Bool { begun?.round == reply.round }

  mutating func holds(_ event: SagaEvent) -> Bool {
    guard event.step == reply.step else { return false }
    switch event.what {
    case let event as AttemptStarted where event.phase == reply.phase:
      begun = (event.round, event.attempt)
      return false
    case let event as AnswerIgnored where event.phase == reply.phase:
      return event.answer.id == reply.id || event.answer.id == reply.formerID
    case let event as StepProgressed where event.phase == reply.phase:
      return reply.outcome == nil && isOfBegun && event.progress == reply.progress
    case let event as AttemptFailed where event.phase == reply.phase:
      return isOfBegun && reports(event.failure, isUnknown: event.isUnknown)
    case let event as StepSucceeded:
      guard case .succeeded(let said)? = reply.outcome else { return false }
      return reply.phase == .forward && isOfRound && event.output.value == said
    case let event as StepFailed: return reply.phase == .forward && isOfBegun && reports(event.failure)
    case let event as UndoSucceeded:
      switch (event.how, reply.outcome) {
      case (.answered, .succeeded?): return reply.phase == .undo && isOfRound
      case (.alreadyGone, .failed(let said)?): return reply.phase == .undo && isOfBegun && said.isGone
      default: return false
      }
    case let event as UndoFailed: return reply.phase == .undo && isOfBegun && reports(event.failure)
    default: return false
    }
  }

  /// Whether the answer reports this failure.
  /// - Parameter isUnknown: nil when the history doesn't distinguish an unknown outcome from a refusal.
  private func reports(_ failure: StepFailure, isUnknown: Bool? = nil) -> Bool {
    switch reply.outcome {
    case .failed(let said): isUnknown != true && failure.code == said.code
    case .unknown(let said): isUnknown != false && failure.code == said.code
    case .succeeded, .succeededUnread, .answered, .notSent, nil: false
    }
  }
}
