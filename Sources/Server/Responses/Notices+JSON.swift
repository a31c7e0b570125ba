import Notifications
import Wire

extension NoticesResponse.Destination {
  init(_ status: NoticeStatus) {
    self.init(
      name: status.name, kind: status.kind.rawValue, target: status.target, types: status.types.map(\.rawValue),
      state: status.state.rawValue, pending: status.pending, pendingIsMore: status.isPendingMore,
      oldestPending: status.oldestPending, delivered: Int(status.delivered), lastDeliveredAt: status.lastDeliveredAt,
      failingSince: status.failingSince, failures: status.failures,
      problem: status.problem.map { .init(code: $0.code, message: $0.message, at: $0.at) },
      nextTryAt: status.nextTryAt, givenUp: Int(status.givenUp), lastGivenUpAt: status.lastGivenUpAt,
      letters: status.deadNotices.map {
        .init(
          id: $0.id, type: $0.type, at: $0.at, summary: $0.summary, attempts: $0.attempts, givenUpAt: $0.givenUpAt,
          code: $0.code, message: $0.message)
      })
  }
}

extension CodeAndMessage {
  fileprivate init(_ failure: NoticeFailure) { self.init(code: failure.code, message: failure.message) }
}

extension NoticeTestResponse {
  init(_ test: NoticeTest) {
    switch test.outcome {
    case .delivered(let answer):
      self.init(
        destination: test.destination, id: test.id, delivered: true, answer: answer, tookSeconds: test.took)
    case .failed(let failure):
      self.init(
        destination: test.destination, id: test.id, delivered: false, problem: CodeAndMessage(failure),
        tookSeconds: test.took)
    }
  }
}

extension NoticeResendResponse {
  init(_ resend: NoticeResend) {
    self.init(
      destination: resend.destination, delivered: resend.delivered,
      failed: resend.failed.map { Failed(id: $0.id, problem: CodeAndMessage($0.failure)) }, left: resend.left,
      tookSeconds: resend.took)
  }
}
