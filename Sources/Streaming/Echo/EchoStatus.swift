public import Messaging
public import Persistence

/// The status of a store's echo: its state, its lag and its problem.
public struct EchoStatus: Sendable, Hashable {
  public enum State: String, Sendable, Hashable, CaseIterable {
    /// All events are delivered except very recent ones.
    case current
    /// The echo is behind and sends.
    case catchingUp
    /// The echo is behind and cannot send; `problem` says why.
    case held
  }

  public struct Shard: Sendable, Hashable {
    public let shard: Int
    /// The position of the last event committed.
    public let head: Int64
    /// Every event up to this position is delivered or is a dead letter.
    public let delivered: Int64
    /// The stored position after which a restart begins; never greater than `delivered`.
    public let checkpoint: Int64

    public init(shard: Int, head: Int64, delivered: Int64, checkpoint: Int64) {
      self.shard = shard
      self.head = head
      self.delivered = delivered
      self.checkpoint = checkpoint
    }
  }

  /// Why the echo cannot send, and since when.
  public typealias Problem = StoreHealth.Problem

  public let topic: String
  public let state: State
  /// The number of committed events that are not delivered.
  public let lagEvents: Int64
  /// The age of the oldest of them; zero when there is none.
  public let lag: Duration
  public let problem: Problem?
  /// The number of events delivered since the process began.
  public let delivered: Int64
  /// The number of events that became dead letters since the process began.
  public let deadLettered: Int64
  public let shards: [Shard]
  /// The client's latest statistics; nil before the first ones.
  public let client: KafkaStatistics?

  public init(
    topic: String, state: State, lagEvents: Int64, lag: Duration, problem: Problem?, delivered: Int64,
    deadLettered: Int64, shards: [Shard], client: KafkaStatistics? = nil
  ) {
    self.client = client
    self.topic = topic
    self.state = state
    self.lagEvents = lagEvents
    self.lag = lag
    self.problem = problem
    self.delivered = delivered
    self.deadLettered = deadLettered
    self.shards = shards
  }
}

/// An operator's view of the echo. Tests implement their own.
public protocol EchoControl: Sendable {
  func status() async throws -> EchoStatus

  /// Sends all events after a position again.
  /// - Parameters:
  ///   - shard: the shard; nil for every shard.
  ///   - position: the last position that is not sent again; 0 sends all events that the store keeps.
  ///   - by: the person who requests it.
  ///   - reason: the reason, for the auditor.
  ///   - from: the origin of the request, such as `rest 10.0.0.7`.
  /// - Returns: the number of events that will be sent again.
  /// - Throws: `CodedError` `echo.rewindInvalid`: the shard does not exist, or it has not been sent up to the position.
  func rewind(shard: Int?, to position: Int64, by: String, reason: String, from: String?) async throws -> Int64
}
