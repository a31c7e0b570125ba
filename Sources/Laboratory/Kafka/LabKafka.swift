import JSON
public import Messaging
public import Runtime
public import Streaming
import Values

/// The laboratory's participants over Kafka: they take commands from their topics, answer them where each wants its
/// answer, and publish what they store.
public final class LabKafka: Sendable {
  /// Where Kafka is, and what stands where in it.
  public struct Configuration: Sendable, Hashable {
    public var cluster: KafkaCluster
    public var topics: Topics
    /// The consumer group, under which Kafka keeps how far commands were taken.
    public var group: String
    /// How long commands that are under way may take to end and be answered when it stops.
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

  /// How the taking of commands stands.
  public func status() -> ConsumerStatus { consumer.status() }

  /// How the publishing of events stands, and a way to have it done again.
  public var echo: any EchoControl { publishing }

  /// Both, as `/lab/kafka` shows them.
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

  /// Works until the task is cancelled; then lets what is under way end, for a while. A broker that is out of reach is
  /// waited for. For one call only.
  public func run() async throws {
    do {
      try await withThrowingDiscardingTaskGroup { group in
        group.addTask { try await self.publishing.run() }
        group.addTask {
          try await self.makeTopics()
          // A command that took effect and could not be answered comes again to whoever reads next, and is answered then.
          try await self.consumer.run()
        }
      }
    } catch {
      await producer.close(flushWithin: .seconds(1))
      throw error
    }
  }

  /// Makes the topics of commands that are missing, however long Kafka lets us wait for that.
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
        if said != error.message { log.error("the laboratory waits for Kafka", ("error", error.description)) }
        said = error.message
        try await environment.clock.sleep(until: environment.now() + .seconds(2))
      }
    }
  }
}
