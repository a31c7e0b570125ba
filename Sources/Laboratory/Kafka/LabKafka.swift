public import Messaging
public import Runtime
import Synchronization

/// The laboratory's participants over Kafka: they take commands from their topics, answer them where each wants its
/// answer, and publish what they store.
public final class LabKafka: Sendable {
  /// Where Kafka is, and what stands where in it.
  public struct Configuration: Sendable, Hashable {
    public var cluster: KafkaCluster
    public var topics: Topics
    /// The consumer group: processes of one group share the commands. They need one store.
    public var group: String

    public init(cluster: KafkaCluster, topics: Topics = Topics(), group: String = "laboratory") {
      self.cluster = cluster
      self.topics = topics
      self.group = group
    }
  }

  private let configuration: Configuration
  private let producer: KafkaProducer
  private let consumer: KafkaConsumer
  private let environment: Environment
  private let log: Log
  /// How long commands that are under way may take to end and be answered when it stops.
  private static let drainTime = Duration.seconds(5)

  /// - Parameters:
  ///   - configuration: where Kafka is.
  ///   - participants: who carries the commands out. They stay open: they are their opener's.
  ///   - environment: time and ids.
  ///   - log: where it says what goes wrong.
  /// - Throws: `kafka.configurationInvalid`.
  public init(
    _ configuration: Configuration, participants: Participants, environment: Environment, log: Log = .silent
  ) throws(KafkaError) {
    let topics = configuration.topics
    try topics.check()
    let producer = try KafkaProducer(configuration.cluster, name: "laboratory", log: log)
    let handler = KafkaCommandHandler(
      participants: participants, topics: topics, environment: environment, log: log
    ) { record in
      _ = try await producer.send(record)
    }
    var reading = KafkaConsumer.Configuration(
      cluster: configuration.cluster, group: configuration.group, topics: topics.commands.values.sorted())
    reading.drainTime = Self.drainTime
    consumer = KafkaConsumer(
      reading, handlers: MessageHandlers(all: { try await handler.handle($0) }),
      deadLetters: DeadLetters(producer: producer, topic: topics.deadLetter, environment: environment),
      environment: environment, log: log)
    self.configuration = configuration
    self.producer = producer
    self.environment = environment
    self.log = log
  }

  /// How the taking of commands stands.
  public func status() -> ConsumerStatus { consumer.status() }

  /// Works until the task is cancelled; then lets what is under way end, for a while. A broker that is out of reach is
  /// waited for.
  public func run() async throws {
    do {
      try await makeTopics()
      try await readCommands()
    } catch {
      await producer.close(flushWithin: .seconds(1))
      throw error
    }
  }

  /// Makes the topics that are missing, however long Kafka lets us wait for that.
  private func makeTopics() async throws {
    let wanted = configuration.topics.all.sorted().map { KafkaTopic($0) }
    let maker = try KafkaTopics(configuration.cluster)
    var said: String?
    while true {
      do {
        _ = try await maker.ensure(wanted)
        return
      } catch {
        if said != error.message { log.error("the laboratory waits for Kafka", ("error", error.description)) }
        said = error.message
        try await environment.clock.sleep(until: environment.now() + .seconds(2))
      }
    }
  }

  private func readCommands() async throws {
    // An answer waits for as long as Kafka is away, which must not keep us from stopping: a command that took effect and
    // was not answered comes again to whoever reads next, and is answered then.
    let closing = Mutex<Task<Void, Never>?>(nil)
    defer { closing.withLock { $0?.cancel() } }
    try await withTaskCancellationHandler {
      try await consumer.run()
    } onCancel: {
      closing.withLock {
        $0 = Task { [environment, producer] in
          do { try await environment.clock.sleep(until: environment.now() + Self.drainTime) } catch { return }
          await producer.close(flushWithin: .zero)
        }
      }
    }
  }
}
