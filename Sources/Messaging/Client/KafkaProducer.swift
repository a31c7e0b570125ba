public import Runtime
import Synchronization
import Values

/// Sends messages: idempotent, acknowledged by all in-sync replicas, in the order in which they were given to it, partition
/// by partition.
///
/// It holds so many messages and no more: who sends faster than the broker takes waits (`send`), or is told
/// (`enqueue`). A thread of its own serves librdkafka. When the client behind it breaks for good it is made anew; what
/// was on its way then fails first, as possibly sent.
public final class KafkaProducer: Sendable {
  /// How long a message that can't be delivered is kept on trying.
  public enum Patience: Sendable, Hashable {
    case forever
    case atMost(Duration)
  }

  /// What became of a message that was enqueued.
  public struct Report: Sendable {
    /// As it was given to `enqueue`.
    public let token: UInt64
    public let result: Result<Delivery, KafkaError>
  }

  private struct Lone {
    var core: ProducerCore?
    var isClosed = false
  }

  private let core: ProducerCore
  private let isOneByOne: Bool
  /// Sends one by one what was refused in company; there from the first refusal on.
  private let lone = Mutex(Lone())

  /// - Parameters:
  ///   - cluster: where to send.
  ///   - name: tells clients of one process apart in the broker's log.
  ///   - patience: how long a message is tried.
  ///   - lingering: how long a message may wait for others to go with it.
  ///   - stopsAtGaps: when the broker refuses a batch, everything behind it fails too instead of going past it.
  ///   - oneByOne: a request carries one message, so that a broker that refuses a request means that very message.
  ///   - log: where it says what goes wrong.
  ///   - reports: told of what `enqueue` was given, on the producer's own thread.
  /// - Throws: `kafka.configurationInvalid`. Whether a broker can be reached shows later.
  public init(
    _ cluster: KafkaCluster, name: String, patience: Patience = .forever, lingering: Duration = .milliseconds(1),
    stopsAtGaps: Bool = false, oneByOne: Bool = false, log: Log = .silent,
    reports: @escaping @Sendable ([Report]) -> Void = { _ in }
  ) throws(KafkaError) {
    var settings: KafkaHandle.Settings = [
      ("enable.idempotence", "true"), ("acks", "all"), ("compression.type", "lz4"),
      ("queue.buffering.max.messages", "100000"), ("queue.buffering.max.kbytes", "65536"),
      // Backpressure on a broker that is slow should be ours to see, not hidden in a long queue of requests.
      ("linger.ms", "\(lingering / .milliseconds(1))"), ("message.max.bytes", "\(Self.largestMessage)"),
    ]
    switch patience {
    case .forever: settings.append(("message.timeout.ms", "0"))
    case .atMost(let time): settings.append(("message.timeout.ms", "\(max(1, Int(time / .milliseconds(1))))"))
    }
    if stopsAtGaps { settings.append(("enable.gapless.guarantee", "true")) }
    isOneByOne = oneByOne
    core = try ProducerCore(
      cluster, name: name, settings: settings, isOneByOne: oneByOne, log: log, reports: reports)
    core.start()
  }

  /// What the broker's own limit is, is the broker's to say.
  static let largestMessage = 100_000_000

  deinit { closeBoth(flushWithin: .zero) }

  /// Sends a message and waits until the broker has it. When too much is on its way already, waits for room first.
  ///
  /// A broker refuses whole requests: what was refused in company is sent again alone. Cancelling the task ends the wait,
  /// and the message may go out all the same.
  /// - Throws: the reason why it was not delivered; `mayHaveBeenSent` tells whether it may be in the topic all the same.
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

  /// Gives the producer a message without waiting; `reports` hears of it under the token.
  /// - Parameters:
  ///   - token: below 2⁶³.
  ///   - client: the message is refused when the client isn't this one any more, see `client`.
  /// - Throws: `kafka.queueFull` when too much is on its way; nothing will be heard of the message then.
  public func enqueue(_ record: KafkaRecord, token: UInt64, client: Int? = nil) throws(KafkaError) {
    try core.enqueue(record, token: token, client: client)
  }

  /// Gives the producer an event in binary mode without waiting. The same as its `record`, with fewer copies on the way.
  /// - Parameters:
  ///   - token: below 2⁶³.
  ///   - client: the event is refused when the client isn't this one any more, see `client`.
  /// - Throws: `kafka.queueFull` when too much is on its way; nothing will be heard of the event then.
  public func enqueue(
    _ event: CloudEvent, topic: String, key: String, partition: Int, token: UInt64, client: Int? = nil
  ) throws(KafkaError) {
    try core.enqueue(event, topic: topic, key: key, partition: partition, token: token, client: client)
  }

  /// Asks the broker where topics stand, so that the first message to each doesn't have to wait for the answer. Returns
  /// at once; what can't be found out now is asked for again when it is needed.
  public func prepare(topics: some Collection<String>) { core.prepare(Array(topics)) }

  /// The number of the client behind it, which grows when that breaks for good. By then `reports` has been told of
  /// everything that was given to the one before. Who asks for it first, then takes the reports, and then sends to this
  /// client only, never sends past what has failed.
  public var client: Int { core.client }

  /// Returns when there is room for another message, the producer was closed, or the task is cancelled.
  public func room() async { await core.room() }

  /// How many messages are on their way.
  public var countOnTheWay: Int { core.countOnTheWay }

  /// How many wait for room, `send` included.
  var countWaitingForRoom: Int { core.countWaitingForRoom }

  /// What the client last measured of itself; nil before it first did.
  public var statistics: KafkaStatistics? { core.statistics }

  /// What went wrong last, until something is delivered again.
  public var problem: KafkaError? { core.problem }

  /// Waits so long for what is on its way to be delivered; what isn't by then fails. Later messages fail at once.
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
