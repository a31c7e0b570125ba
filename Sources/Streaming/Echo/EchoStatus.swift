public import Messaging
public import Values

/// How far the echo of a store has come.
public struct EchoStatus: Sendable, Hashable {
  public enum State: String, Sendable, Hashable, CaseIterable {
    /// Everything that was committed a moment ago has been delivered.
    case current
    /// Behind, and sending.
    case catchingUp
    /// Behind, and something stands in the way: `problem` says what.
    case held
  }

  public struct Shard: Sendable, Hashable {
    public let shard: Int
    /// The position of the last event committed.
    public let head: Int64
    /// Every event up to this position has been delivered, or has gone to the dead letters.
    public let delivered: Int64
    /// Where a restart would begin: never ahead of `delivered`.
    public let checkpoint: Int64

    public init(shard: Int, head: Int64, delivered: Int64, checkpoint: Int64) {
      self.shard = shard
      self.head = head
      self.delivered = delivered
      self.checkpoint = checkpoint
    }
  }

  /// What stands in the way.
  public struct Problem: Sendable, Hashable {
    public let code: String
    public let message: String
    public let since: Timestamp

    public init(code: String, message: String, since: Timestamp) {
      self.code = code
      self.message = message
      self.since = since
    }
  }

  public let topic: String
  public let state: State
  /// How many committed events have not been delivered.
  public let lagEvents: Int64
  /// How long ago the oldest of them was recorded; zero when there is none.
  public let lag: Duration
  public let problem: Problem?
  /// Since the process began.
  public let delivered: Int64
  /// Events that the broker refused for good, since the process began.
  public let deadLettered: Int64
  public let shards: [Shard]
  /// What the client last measured of itself; nil before it first did.
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

/// The echo as its operator sees it. A test may bring its own.
public protocol EchoControl: Sendable {
  func status() async throws -> EchoStatus

  /// Sends again what stands behind a position.
  /// - Parameters:
  ///   - shard: nil for every shard.
  ///   - position: the last position that is not sent again; 0 sends everything that is kept.
  ///   - by: who wants it.
  ///   - reason: why, for the auditor.
  ///   - from: the way that it came, as `rest 10.0.0.7`.
  /// - Returns: how many events will be sent again.
  /// - Throws: `CodedError` `echo.rewindInvalid`: there is no such shard, or it has not come so far.
  func rewind(shard: Int?, to position: Int64, by: String, reason: String, from: String?) async throws -> Int64
}
