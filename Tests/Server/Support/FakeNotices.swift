import Notifications
import SagaCore
import Server
import Synchronization
import Values
import WorkflowEngine

/// The destinations of notices, as a test sets them.
final class FakeNotices: NoticesView {
  private struct Contents {
    var status: Result<[NoticeStatus], any Error>
    var outcome = NoticeOutcome.delivered(answer: "204")
    var tests: [String] = []
  }
  private let contents: Mutex<Contents>

  init(_ status: NoticeStatus...) { contents = Mutex(Contents(status: .success(status))) }

  var tests: [String] { contents.withLock { $0.tests } }

  func show(_ status: NoticeStatus...) { contents.withLock { $0.status = .success(status) } }
  func fail(_ error: any Error) { contents.withLock { $0.status = .failure(error) } }
  func answer(_ outcome: NoticeOutcome) { contents.withLock { $0.outcome = outcome } }

  func status() async throws -> [NoticeStatus] { try contents.withLock { try $0.status.get() } }

  func resend(_ name: String, only: String?, by: String, from: String?) async throws -> NoticeResend {
    guard only != "none/1" else {
      throw EngineError(code: EngineErrorCode.noticeUnknown, message: "No notice “none/1” to \(name) was given up.")
    }
    var done = NoticeResend(destination: name)
    return contents.withLock { contents in
      contents.tests.append("resend \(only ?? "all") to \(name) by \(by)")
      switch contents.outcome {
      case .delivered: done.delivered = [only ?? "x/1"]
      case .failed(let failure): (done.failed, done.left) = ([.init(id: only ?? "x/1", failure: failure)], 1)
      }
      done.took = .milliseconds(62)
      return done
    }
  }

  func test(_ name: String, by: String, from: String?) async throws -> NoticeTest {
    // The guide has a name of its own.
    guard ["pager", "night-shift"].contains(name) else {
      throw EngineError(
        code: EngineErrorCode.noticeDestinationUnknown, message: "There is no destination “\(name)”; there is pager.")
    }
    return contents.withLock { contents in
      contents.tests.append("\(name) by \(by)")
      return NoticeTest(
        destination: name, id: "test/1", outcome: contents.outcome, took: .milliseconds(31))
    }
  }
}

extension NoticeStatus {
  static func sample(_ state: State = .current, failing since: Timestamp? = nil) -> NoticeStatus {
    var status = NoticeStatus(
      name: "pager", kind: .webhook, target: "https://pager.lab", types: [.sagaOverdue, .sagaStuck], state: state,
      delivered: 41, lastDeliveredAt: Timestamp(milliseconds: 1_772_352_930_250), givenUp: 2)
    guard let since else { return status }
    status.failingSince = since
    (status.pending, status.failures, status.oldestPending) = (3, 4, since)
    status.problem = .init(code: EngineErrorCode.noticeRefused, message: "The receiver answered 503", at: since)
    status.nextTryAt = since + .seconds(600)
    status.deadNotices = [
      DeadNotice(
        destination: "pager", id: "x/1", type: "saga.stuck", at: since, summary: "Saga x is stuck.", attempts: 30,
        givenUpAt: since, code: "notice.refused", message: "The receiver answered 400")
    ]
    return status
  }
}
