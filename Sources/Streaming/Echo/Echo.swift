public import Messaging
public import Persistence
public import Runtime
public import Values

/// The event publisher (an outbox relay): publishes every committed event of a store to Kafka, in order within a shard and
/// at least once.
///
/// Events go from the writer's commit straight to the producer. After a restart, and when the echo is behind, they come
/// from the store. Each shard has a checkpoint that moves only after the broker's acknowledgement. When a broker is down
/// or slow, writers don't wait: the echo falls behind, reports its lag, and catches up. An event that the broker refuses
/// for good becomes a dead letter.
public final class Echo: EchoControl {
  /// The topics, intervals and limits of an echo.
  public struct Configuration: Sendable {
    public var cluster: KafkaCluster
    /// The topics for the events. The echo creates missing topics.
    public var topics: [KafkaTopic]
    public var deadLetters: KafkaTopic
    /// The name of its checkpoints in the store.
    public var follower = "echo"
    /// The interval between stored checkpoints. After a crash, events delivered since the last one are sent again.
    public var checkpointEvery = Duration.milliseconds(250)
    /// The largest number of events in one read from the store.
    public var pageSize = 1_000
    /// The largest number of committed events that the store buffers for the echo.
    public var feedLimit = 20_000
    /// How long the echo continues to deliver after it was stopped.
    public var finishTime = Duration.seconds(5)
    public var backoff = Backoff(first: .milliseconds(200), limit: .seconds(10))

    public init(cluster: KafkaCluster, topics: [KafkaTopic], deadLetters: KafkaTopic) {
      self.cluster = cluster
      self.topics = topics
      self.deadLetters = deadLetters
    }
  }

  /// Returns the published form of an event; nil when the event is not published.
  public typealias Map = @Sendable (StoredEvent) throws -> EchoedEvent?
  /// Called when Kafka is available, before the first event is sent. Returns the framing for each event's data, such as a
  /// schema registry's; nil for no framing.
  public typealias Prepare = @Sendable () async throws -> (@Sendable ([UInt8]) -> [UInt8])?

  /// The type of the events that record a rewind of the echo: who requested it, when and why. Each of these events has a
  /// stream of its own.
  public static let rewoundType = ReservedEvents.echoRewound

  private let worker: EchoWorker

  /// - Parameters:
  ///   - store: the store whose events are published; it also stores the checkpoints.
  ///   - configuration: the topics, intervals and limits.
  ///   - map: returns the published form of an event.
  ///   - prepare: called before the first event is sent, and again until it succeeds.
  ///   - environment: the clock.
  ///   - log: receives warnings and errors.
  ///   - delivered: called for each event that the broker has acknowledged, on the producer's thread.
  /// - Throws: `kafka.configurationInvalid`.
  public init(
    store: any EventStore, configuration: Configuration, map: @escaping Map,
    prepare: @escaping Prepare = { nil }, environment: Environment, log: Log = .silent,
    delivered: (@Sendable (_ shard: Int, _ position: Int64) -> Void)? = nil
  ) throws(KafkaError) {
    worker = try EchoWorker(
      store: store, configuration: configuration, map: map, prepare: prepare, environment: environment, log: log,
      delivered: delivered)
  }

  /// Publishes until the task is cancelled. Then it delivers the committed events, for at most `finishTime`, and stores its
  /// checkpoints. To be called once.
  public func run() async throws {
    let working = Task { try await worker.run() }
    try await withTaskCancellationHandler {
      try await working.value
    } onCancel: {
      worker.inbox.stop()
    }
    try Task.checkCancellation()
  }

  public func status() async throws -> EchoStatus { await worker.status() }

  public func rewind(
    shard: Int?, to position: Int64, by: String, reason: String, from: String? = nil
  ) async throws -> Int64 {
    try await worker.inbox.ask(EchoRewind(shard: shard, position: position, by: by, reason: reason, from: from))
  }
}

/// An operator's request to publish events again.
struct EchoRewind: Sendable {
  let shard: Int?
  let position: Int64
  let by: String
  let reason: String
  let from: String?
}

/// The error of a rewind that the echo refuses.
public struct EchoRefusal: CodedError, Hashable {
  public let code: String
  public let message: String

  init(_ message: String) {
    code = StreamingErrorCode.echoRewindInvalid
    self.message = message
  }
}
