/// A receiver of notices.
public protocol NoticeDestination: Sendable {
  /// The name of its checkpoints. Another name is another destination, which begins with the events from then on.
  var name: String { get }
  var kind: NoticeDestinationKind { get }
  /// The address as it may be shown: without possible secrets.
  var target: String { get }
  var types: Set<NoticeType> { get }

  /// Tries once. The caller decides what follows from a failure.
  func deliver(_ notice: Notice) async -> NoticeOutcome

  /// Releases its resources.
  func close() async
}

extension NoticeDestination {
  public func close() async {}
}

public enum NoticeDestinationKind: String, Sendable, Hashable {
  case webhook, kafka
}

/// The result of one try to deliver a notice.
public enum NoticeOutcome: Sendable, Hashable {
  /// The notice arrived, with this answer.
  case delivered(answer: String)
  case failed(NoticeFailure)
}

/// Why a notice could not be delivered.
public struct NoticeFailure: Sendable, Hashable {
  public var code: String
  public var message: String
  /// The time that the destination asked the sender to wait.
  public var retryAfter: Duration?
  /// The destination says that it no longer exists.
  public var isGone: Bool

  public init(code: String, message: String, retryAfter: Duration? = nil, isGone: Bool = false) {
    self.code = code
    self.message = message
    self.retryAfter = retryAfter
    self.isGone = isGone
  }
}
