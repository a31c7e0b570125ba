public import Values
import WorkflowEngine

/// The status of a destination of notices.
public struct NoticeStatus: Sendable, Hashable {
  public enum State: String, Sendable, Hashable {
    /// Every notice that was found has been sent.
    case current
    /// Notices wait to be sent, and nothing prevents it.
    case delivering
    /// The last try, or a notice before it, failed. It is tried again.
    case failing
    /// The destination said that it wants no more. Nothing is sent until a person has checked it.
    case gone
  }

  /// A failure and its time.
  public struct Problem: Sendable, Hashable {
    public let code: String
    public let message: String
    public let at: Timestamp

    public init(code: String, message: String, at: Timestamp) {
      self.code = code
      self.message = message
      self.at = at
    }
  }

  public var name: String
  public var kind: NoticeDestinationKind
  public var target: String
  public var types: [NoticeType]
  public var state: State
  /// The number of notices that were found and wait.
  public var pending: Int
  /// There may be more notices that the sender has not looked for yet.
  public var isPendingMore: Bool
  /// The time of the oldest waiting notice's event.
  public var oldestPending: Timestamp?
  public var delivered: Int64
  public var lastDeliveredAt: Timestamp?
  /// The time since which the destination or a notice fails.
  public var failingSince: Timestamp?
  /// The number of failed tries in a row.
  public var failures: Int
  /// The last problem. It stays until a notice is delivered.
  public var problem: Problem?
  public var nextTryAt: Timestamp?
  public var givenUp: Int64
  public var lastGivenUpAt: Timestamp?
  /// The last notices that were given up, newest first.
  public var deadNotices: [DeadNotice]

  public init(
    name: String, kind: NoticeDestinationKind, target: String, types: [NoticeType], state: State = .current,
    pending: Int = 0, isPendingMore: Bool = false, oldestPending: Timestamp? = nil, delivered: Int64 = 0,
    lastDeliveredAt: Timestamp? = nil, failingSince: Timestamp? = nil, failures: Int = 0, problem: Problem? = nil,
    nextTryAt: Timestamp? = nil, givenUp: Int64 = 0, lastGivenUpAt: Timestamp? = nil, deadNotices: [DeadNotice] = []
  ) {
    self.name = name
    self.kind = kind
    self.target = target
    self.types = types
    self.state = state
    self.pending = pending
    self.isPendingMore = isPendingMore
    self.oldestPending = oldestPending
    self.delivered = delivered
    self.lastDeliveredAt = lastDeliveredAt
    self.failingSince = failingSince
    self.failures = failures
    self.problem = problem
    self.nextTryAt = nextTryAt
    self.givenUp = givenUp
    self.lastGivenUpAt = lastGivenUpAt
    self.deadNotices = deadNotices
  }
}

/// The result of a test notice.
public struct NoticeTest: Sendable, Hashable {
  public let destination: String
  public let id: String
  public let outcome: NoticeOutcome
  public let took: Duration

  public init(destination: String, id: String, outcome: NoticeOutcome, took: Duration) {
    self.destination = destination
    self.id = id
    self.outcome = outcome
    self.took = took
  }
}
