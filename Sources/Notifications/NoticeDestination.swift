import WorkflowEngine

/// Where notices are delivered to.
public protocol NoticeDestination: Sendable {
  /// Names its checkpoints: another name is another destination, which begins with what happens from then on.
  var name: String { get }
  var kind: NoticeDestinationKind { get }
  /// Where it is, as it may be shown: without what could be a secret.
  var target: String { get }
  var types: Set<NoticeType> { get }

  /// Tries once. What follows from a failure isn't its business.
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

/// What became of one try to deliver a notice.
public enum NoticeOutcome: Sendable, Hashable {
  /// It has arrived; what the destination said to it.
  case delivered(answer: String)
  case failed(NoticeFailure)
}

/// Why a notice could not be delivered.
public struct NoticeFailure: Sendable, Hashable {
  public var code: String
  public var message: String
  /// How long the destination asked us to wait.
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

/// When a notice that could not be delivered is tried again.
struct NoticeBackoff: Sendable {
  let first: Duration
  let longest: Duration

  /// - Parameters:
  ///   - failures: how many there were in a row, from 1.
  ///   - random: spreads those that failed together, by a fifth to either side.
  func pause(after failures: Int, random: UInt64) -> Duration {
    var pause = first
    for _ in 1..<max(1, failures) where pause < longest { pause *= 3 }
    let percent = 80 + Int(random % 41)
    return min(pause, longest) * percent / 100
  }
}
