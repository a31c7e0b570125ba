public import Runtime
import Synchronization
import Values

/// Sends messages: idempotent, acknowledged by all in-sync replicas, and in order within each partition.
///
/// Its queue is bounded. When the queue is full, `send` waits and `enqueue` throws. A thread of its own serves librdkafka.
/// When librdkafka's client breaks for good, the producer replaces it. Before that, all messages on their way fail as
/// possibly sent.
public final class KafkaProducer: Sendable {
  /// How long the producer tries to deliver a message.
  public enum Patience: Sendable, Hashable {
    case forever
    case atMost(Duration)
  }

  /// The outcome of a message that was enqueued.
  public struct Report: Sendable {
    /// The token that was given to `enqueue`.
    public let token: UInt64
    public let result: Result<Delivery, KafkaError>
  }

  private struct Lone {
    var core: ProducerCore?
    var isClosed = false
  }

  private let core: ProducerCore
  private let isOneByOne: Bool
  /// Sends messages of refused batches again, one by one. Made at the first refusal.
  private let lone = Mutex(Lone())

  /// - Parameters:
  ///   - cluster: the cluster to send to.
  ///   - name: distinguishes the clients of one process in the broker's log.
  ///   - patience: how long the producer tries to deliver a message.
  ///   - lingering: how long a message may wait for others to fill its batch.
  ///   - stopsAtGaps: when the broker refuses a batch, all later messages fail too instead of overtaking it.
  ///   - oneByOne: each request carries one message, so that a refused request means a refused message.
  ///   - log: receives warnings about the client.
  ///   - reports: receives the outcomes of enqueued messages, on the producer's own thread.
  /// - Throws: `kafka.configurationInvalid`. It does not check whether a broker is available.
  public init(
    _ cluster: KafkaCluster, name: String, patience: Patience = .forever, lingering: Duration = .milliseconds(1),
    stopsAtGaps: Bool = false, oneByOne: Bool = false, log: Log = .silent,
    reports: @escaping @Sendable ([Report]) -> Void = { _ in }
  ) throws(KafkaError) {
    var settings: KafkaHandle.Settings = [
      ("enable.idempotence", "true"), ("acks", "all"), ("compression.type", "lz4"),
      ("queue.buffering.max.messages", "100000"), ("queue.buffering.max.kbytes", "65536"),
      // The engine should see the backpressure of a slow broker; a long queue of requests would hide it.
      ("linger.ms", "\(lingering / .milliseconds(1))"), ("message.max.bytes", "\(Self.largestMessage)"),
    ]
    switch patience {
    case .forever: settings.append(("message.timeout.ms", "0"))
    case .atMost(let time): settings.append(("message.timeout.ms", "\(max(1, time.wholeMilliseconds))"))
    }
    if stopsAtGaps { settings.append(("enable.gapless.guarantee", "true")) }
    isOneByOne = oneByOne
    core = try ProducerCore(
      cluster, name: name, settings: settings, isOneByOne: oneByOne, log: log, reports: reports)
    core.start()
  }

  /// The client's limit for a message, in bytes; so high that only the broker's own limit counts.
  static let largestMessage = 100_000_000

  deinit { closeBoth(flushWithin: .zero) }

  /// Sends a message and waits until the broker has acknowledged it. When the queue is full, it waits for room first.
  ///
  /// A broker refuses whole requests, so the producer sends a message of a refused request again alone. Cancelling the
  /// task ends the wait; the message may still be sent.
  /// - Throws: the reason why it was not delivered; `mayHaveBeenSent` says whether it may still be in the topic.
  public func send(_ record: KafkaRecord) async throws(KafkaError) -> Delivery {
    do throws(KafkaError) {
      return try await Self.send(record, by: core)
    } catch {
      guard error.refusesTheMessage, let alone = try forLone() else { throw error }
      return try await Self.send(record, by: alone)
    }
  }

  private static func send(_ record: KafkaRecord, by core: ProducerCore) async throws(KafkaError) -> Delivery {
    while true {
      do throws(KafkaError) {
        return try await core.send(record).get()
      } catch {
        guard error.code == MessagingErrorCode.queueFull else { throw error }
        await core.room()
      }
    }
  }

  private func forLone() throws(KafkaError) -> ProducerCore? {
    if isOneByOne { return nil }
    return try lone.withLock { lone throws(KafkaError) in
      if lone.isClosed { return nil }
      if let core = lone.core { return core }
      let made = try core.madeOneByOne()
      lone.core = made
      return made
    }
  }

  /// Queues a message without waiting; `reports` receives its outcome with the token.
  /// - Parameters:
  ///   - token: names the message in its report; below 2⁶³.
  ///   - client: the number of the client to use; when it was replaced, the message is refused. See `client`.
  /// - Throws: `kafka.queueFull` when the queue is full; then no report follows.
  public func enqueue(_ record: KafkaRecord, token: UInt64, client: Int? = nil) throws(KafkaError) {
    try core.enqueue(record, token: token, client: client)
  }

  /// Queues an event in binary mode without waiting. The same as queueing its `record`, with fewer copies.
  /// - Parameters:
  ///   - token: names the event in its report; below 2⁶³.
  ///   - client: the number of the client to use; when it was replaced, the event is refused. See `client`.
  /// - Throws: `kafka.queueFull` when the queue is full; then no report follows.
  public func enqueue(
    _ event: CloudEvent, topic: String, key: String, partition: Int, token: UInt64, client: Int? = nil
  ) throws(KafkaError) {
    try core.enqueue(event, topic: topic, key: key, partition: partition, token: token, client: client)
  }

  /// Asks for the brokers of topics, so that the first message to each doesn't have to wait for the answer. Returns at
  /// once. When the answer fails, the client asks again with the first message.
  public func prepare(topics: some Collection<String>) { core.prepare(Array(topics)) }

  /// The number of librdkafka's client; it grows when the producer replaces a broken client. By then `reports` has
  /// received the outcomes of all messages of the client before. A caller that reads this number first, then takes the
  /// reports, and then enqueues with this number only, never sends a message past one that failed.
  public var client: Int { core.client }

  /// Returns when there is room for another message, the producer was closed, or the task is cancelled.
  public func room() async { await core.room() }

  /// The number of messages on their way.
  public var countOnTheWay: Int { core.countOnTheWay }

  /// The number of callers that wait for room, including those in `send`.
  var countWaitingForRoom: Int { core.countWaitingForRoom }

  /// The client's latest statistics; nil before the first ones.
  public var statistics: KafkaStatistics? { core.statistics }

  /// The last error; nil after the next delivery.
  public var problem: KafkaError? { core.problem }

  /// Waits at most `time` until all messages on their way are delivered; then the rest fails. Later messages fail at once.
  public func close(flushWithin time: Duration) async {
    let lone = closeBoth(flushWithin: time)
    await core.closed()
    await lone?.closed()
  }

  @discardableResult
  private func closeBoth(flushWithin time: Duration) -> ProducerCore? {
    core.close(flushWithin: time)
    let lone = lone.withLock { lone in
      lone.isClosed = true
      return lone.core
    }
    lone?.close(flushWithin: time)
    return lone
  }
}
