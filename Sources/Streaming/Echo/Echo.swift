public import Messaging
public import Persistence
public import Runtime
import Synchronization
public import Values

/// Tells Kafka everything that a store has committed: every event of every shard, in order, at least once.
///
/// Events go from the writer's commit straight to the producer; from the store's tail after a restart, or when the echo
/// is behind. A checkpoint a shard moves only behind the broker's acknowledgement. A broker that is down or slow holds up
/// nobody: the echo falls behind, says so, and catches up. What the broker refuses for good goes to the dead letters.
public final class Echo: EchoControl {
  /// Where an echo goes, and how it works.
  public struct Configuration: Sendable {
    public var cluster: KafkaCluster
    /// The topics that events go to; they are made when they are missing.
    public var topics: [KafkaTopic]
    public var deadLetters: KafkaTopic
    /// Names its checkpoints.
    public var follower = "echo"
    /// How often checkpoints are stored: what was delivered since then comes again after a crash.
    public var checkpointEvery = Duration.milliseconds(250)
    /// How many events are read from the tail at a time.
    public var pageSize = 1_000
    /// How many events the store may hold ready for it.
    public var feedLimit = 20_000
    /// How long it goes on delivering when it is told to stop.
    public var finishTime = Duration.seconds(5)
    public var backoff = Backoff(first: .milliseconds(200), limit: .seconds(10))

    public init(cluster: KafkaCluster, topics: [KafkaTopic], deadLetters: KafkaTopic) {
      self.cluster = cluster
      self.topics = topics
      self.deadLetters = deadLetters
    }
  }

  /// What an event is outside; nil when it is nobody's business outside.
  public typealias Map = @Sendable (StoredEvent) throws -> EchoedEvent?
  /// Made once Kafka is there: what the data of every event is put into, as a schema registry's framing.
  public typealias Prepare = @Sendable () async throws -> (@Sendable ([UInt8]) -> [UInt8])?

  /// The type of the events that the echo keeps of itself: who had something sent again, when and why. Each has a stream of
  /// its own, which is nobody else's.
  public static let rewoundType = ReservedEvents.echoRewound

  private let worker: EchoWorker

  /// - Parameters:
  ///   - store: whose events; its checkpoints are kept there.
  ///   - configuration: where to.
  ///   - map: what an event is outside.
  ///   - prepare: done before the first event is sent, again and again until it succeeds.
  ///   - environment: the clock.
  ///   - log: where it says what goes wrong.
  ///   - delivered: told of each event that the broker has acknowledged, on the producer's thread.
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

  /// Works until the task is cancelled; then delivers for a while longer what was committed, and keeps how far it came.
  /// For one call only.
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

/// What an operator asks of the echo.
struct EchoRewind: Sendable {
  let shard: Int?
  let position: Int64
  let by: String
  let reason: String
  let from: String?
}

/// Something that the echo can't do as it was asked.
public struct EchoRefusal: CodedError, Hashable {
  public let code: String
  public let message: String

  init(_ message: String) {
    code = StreamingErrorCode.echoRewindInvalid
    self.message = message
  }
}
