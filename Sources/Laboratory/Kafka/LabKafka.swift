import JSON
public import Messaging
import Persistence
public import Runtime
public import Streaming
import Values

/// The laboratory's participants over Kafka: they take commands from their topics, answer each on its reply topic, and
/// publish their events.
public final class LabKafka: Sendable {
  /// The cluster, the topics and the consumer group.
  public struct Configuration: Sendable, Hashable {
    public var cluster: KafkaCluster
    public var topics: Topics
    /// The consumer group that reads the commands; Kafka stores its offsets.
    public var group: String
    /// The time that running commands have to end and be answered when the laboratory stops.
    public var drainTime = Duration.seconds(5)

    public init(cluster: KafkaCluster, topics: Topics = Topics(), group: String = "laboratory") {
      self.cluster = cluster
      self.topics = topics
      self.group = group
    }
  }

  private let configuration: Configuration
  private let producer: KafkaProducer
  private let consumer: KafkaConsumer
  private let publishing: Echo
  private let environment: Environment
  private let log: Log

  /// - Parameters:
  ///   - configuration: the cluster, the topics and the consumer group.
  ///   - participants: carry out the commands. The caller closes them.
  ///   - environment: time and ids.
  ///   - log: receives warnings and errors.
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
    reading.drainTime = configuration.drainTime
    try reading.check()
    consumer = KafkaConsumer(
      reading, handlers: MessageHandlers(all: { try await handler.handle($0) }),
      deadLetters: DeadLetters(producer: producer, topic: topics.deadLetter, environment: environment),
      environment: environment, log: log)
    let events = LabService.allCases.map { KafkaTopic(topics[.events($0)]) }
    publishing = try Echo(
      store: participants.store,
      configuration: Echo.Configuration(
        cluster: configuration.cluster, topics: events, deadLetters: KafkaTopic(topics.deadLetter)),
      map: { try EchoedEvent($0, on: topics) }, environment: environment, log: log)
    self.configuration = configuration
    self.producer = producer
    self.environment = environment
    self.log = log
  }

  /// The status of the command consumer.
  public func status() -> ConsumerStatus { consumer.status() }

  /// The status of the event publisher, and its rewind.
  public var echo: any EchoControl { publishing }

  /// Both, in the form of `/lab/kafka`.
  func json() async throws -> JSON {
    let (commands, events) = (consumer.status(), try await publishing.status())
    return [
      "commands": .members(
        ("group", .string(commands.group)), ("topics", .array(commands.topics.map { .string($0) })),
        ("partitions", .int(commands.partitions)), ("waiting", .int(Int(commands.lag))),
        ("handled", .int(Int(commands.handled))), ("deadLettered", .int(Int(commands.deadLettered))),
        ("problem", .text(commands.problem))),
      "events": .members(
        ("state", .string(events.state.rawValue)), ("waiting", .int(Int(events.lagEvents))),
        ("delivered", .int(Int(events.delivered))), ("deadLettered", .int(Int(events.deadLettered))),
        ("problem", .text(events.problem?.message))),
    ]
  }

  /// Works until the task is cancelled. Then it gives running commands time to end. It waits for a broker that is
  /// unavailable. To be called once.
  public func run() async throws {
    do {
      try await withThrowingDiscardingTaskGroup { group in
        group.addTask { try await self.publishing.run() }
        group.addTask {
          try await self.makeTopics()
          // A command that took effect but was not answered comes again to the next reader, which answers it.
          try await self.consumer.run()
        }
      }
    } catch {
      await producer.close(flushWithin: .seconds(1))
      throw error
    }
  }

  /// Creates the missing command topics. Retries until Kafka allows it.
  private func makeTopics() async throws {
    let topics = configuration.topics
    let wanted = LabService.allCases.map { KafkaTopic(topics[.commands($0)]) } + [KafkaTopic(topics.deadLetter)]
    let maker = try KafkaTopics(configuration.cluster)
    var said: String?
    while true {
      do {
        _ = try await maker.ensure(wanted)
        return
      } catch {
        if said != error.message {
          log.error("Could not create the laboratory's topics; will retry", ("error", error.description))
        }
        said = error.message
        try await environment.sleep(for: .seconds(2))
      }
    }
  }
}
