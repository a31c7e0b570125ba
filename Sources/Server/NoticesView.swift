import Notifications

/// The destinations of notices, for the API.
public protocol NoticesView: Sendable {
  /// Returns the state of each destination.
  func status() async throws -> [NoticeStatus]
  /// Sends a destination a test notice, which reports no event.
  func test(_ name: String, by: String, from: String?) async throws -> NoticeTest
  /// Sends a destination its given-up notices once more, or one of them.
  func resend(_ name: String, only: String?, by: String, from: String?) async throws -> NoticeResend
}

extension Notices: NoticesView {}
