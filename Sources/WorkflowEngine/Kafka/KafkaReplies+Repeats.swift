import Persistence

extension KafkaReplies {
  /// Whether the history of the saga holds what an answer says: then it came before, and nothing is lost with it.
  ///
  /// Only asked of a saga that has ended: one that goes on finds repeats by itself.
  func isRecorded(_ reply: KafkaReply) async throws -> Bool {
    var record = RecordedAnswers(of: reply)
    var version = 0
    while true {
      let page = try await engine.host.events.read(reply.saga, after: version, limit: 500)
      for stored in page where record.holds(try SagaEventCoding.decode(stored)) { return true }
      guard let last = page.last, page.count == 500 else { return false }
      version = last.version
    }
  }
}

/// Finds an answer among the events of its saga, which come in order.
private struct RecordedAnswers {
  private let reply: KafkaReply
  /// Of the step, in the phase that was answered: the attempt that was begun last.
  private var begun: (round: Int, attempt: Int)?

  init(of reply: KafkaReply) { self.reply = reply }

  /// Whether the answer names the attempt that was begun last.
  private var isOfBegun: Bool { isOfRound && begun?.attempt == reply.attempt }
  private var isOfRound: Bool { begun?.round == reply.round }

  mutating func holds(_ event: SagaEvent) -> Bool {
    guard event.step == reply.step else { return false }
    switch (event.what, reply.outcome) {
    case (.attemptStarted(_, reply.phase, let round, let attempt, _), _):
      begun = (round, attempt)
      return false
    case (.answerIgnored(_, reply.phase, _, let answer), _): return answer.id == reply.id || answer.id == reply.formerID
    case (.stepProgressed(_, reply.phase, _, let progress), nil): return isOfBegun && progress == reply.progress
    case (.attemptFailed(_, reply.phase, _, false, let failure, _), .failed(let said)?),
      (.attemptFailed(_, reply.phase, _, true, let failure, _), .unknown(let said)?):
      return isOfBegun && failure.code == said.code
    case (.stepSucceeded(_, let output, _), .succeeded(let said)?):
      return reply.phase == .forward && isOfRound && output.value == said
    case (.stepFailed(_, _, let failure, _), .failed(let said)?),
      (.stepFailed(_, _, let failure, _), .unknown(let said)?):
      return reply.phase == .forward && isOfBegun && failure.code == said.code
    case (.undoSucceeded(_, .answered), .succeeded?): return reply.phase == .undo && isOfRound
    case (.undoSucceeded(_, .alreadyGone), .failed(let said)?):
      return reply.phase == .undo && isOfBegun && said.isGone
    case (.undoFailed(_, let failure, _), .failed(let said)?), (.undoFailed(_, let failure, _), .unknown(let said)?):
      return reply.phase == .undo && isOfBegun && failure.code == said.code
    default: return false
    }
  }
}
