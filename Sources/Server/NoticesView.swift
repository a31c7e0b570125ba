import Notifications
import WorkflowEngine

/// The destinations of notices, for the API.
public protocol NoticesView: Sendable {
  /// Returns the state of each destination.
  func status() async throws -> [NoticeStatus]
  /// Sends a destination a notice that nothing has happened for.
  func test(_ name: String, by: String, from: String?) async throws -> NoticeTest
  /// Sends a destination what had been given up, or one notice of it.
  func resend(_ name: String, only: String?, by: String, from: String?) async throws -> NoticeResend
}

extension Notices: NoticesView {}
