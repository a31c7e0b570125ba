import Notifications
import WorkflowEngine

/// What the API shows of those who are told, and asks of them.
public protocol NoticesView: Sendable {
  /// How each destination stands.
  func status() async throws -> [NoticeStatus]
  /// Sends a destination a notice that nothing has happened for.
  func test(_ name: String, by: String, from: String?) async throws -> NoticeTest
  /// Sends a destination what had been given up, or one notice of it.
  func resend(_ name: String, only: String?, by: String, from: String?) async throws -> NoticeResend
}

extension Notices: NoticesView {}
