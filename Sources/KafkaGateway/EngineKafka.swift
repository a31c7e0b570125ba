public import Messaging
public import Persistence
public import Runtime
public import Streaming
import Synchronization
import Values
import WorkflowEngine

/// The engine's connection to Kafka: it publishes events, and takes commands and answers.
public final class EngineKafka: Sendable {
  /// Topic names, consumer group and schema framing.
  public struct Configuration: Sendable {
    public var cluster: KafkaCluster
    public var events: KafkaTopic
    public var commands: KafkaTopic
    public var replies: KafkaTopic
    public var deadLetters: KafkaTopic
    public var group: String
    /// Framing of event data for a schema registry, and its removal. Each start creates a new one.
    public var framing: Framing?
    /// The laboratory roles of everyone who writes to the topic of commands. Nil compares no sender of a signal: for an
    /// engine that recognises no callers.
    public var labRoles: [String]?

    public init(
      cluster: KafkaCluster, events: KafkaTopic = KafkaTopic("laboratory.saga.events"),
      commands: KafkaTopic = KafkaTopic("saga.commands"), replies: KafkaTopic = KafkaTopic("saga.replies"),
      deadLetters: KafkaTopic = KafkaTopic("laboratory.dead-letter"), group: String = "saga-engine",
      framing: Framing? = nil
    ) {
      self.cluster = cluster
      self.events = events
      self.commands = commands
      self.replies = replies
      self.deadLetters = deadLetters
      self.group = group
      self.framing = framing
    }
  }

  /// The functions of a schema registry.
  public struct Framing: Sendable {
    /// Registers the schema of events, and returns the function that frames data.
    public let prepare: Echo.Prepare
    /// Removes the framing of incoming data.
    public let unframe: @Sendable ([UInt8]) async throws -> [UInt8]

    public init(prepare: @escaping Echo.Prepare, unframe: @escaping @Sendable ([UInt8]) async throws -> [UInt8]) {
      self.prepare = prepare
      self.unframe = unframe
    }
  }

  /// The longest wait for commands under way when the engine stops. On a slow disk, a thousand may be under way.
  public static let drainTime = Duration.seconds(25)

  /// The event publisher ("the echo").
  public let events: Echo
  private let configuration: Configuration
  private let environment: Environment
  private let log: Log
  private let deadLetterProducer: KafkaProducer
  private let commands: KafkaConsumer
  private let replies: KafkaConsumer
  private let problem = Mutex<String?>(nil)
  /// The task that takes commands, and whether it must stop.
  private let taken = Mutex<(by: Task<Void, any Error>?, isOver: Bool)>((nil, false))

  /// - Parameters:
  ///   - engine: publishes its events and handles the commands and answers.
  ///   - store: the engine's store.
  ///   - executor: makes the attempts that wait for the answers.
  ///   - configuration: topic names, consumer group and schema framing.
  ///   - environment: the clock.
  ///   - log: the log for problems.
  /// - Throws: `kafka.configurationInvalid`.
  public init(
    engine: Engine, store: any EventStore, executor: KafkaStepExecutor, configuration: Configuration,
    environment: Environment, log: Log = .silent
  ) throws(KafkaError) {
    self.configuration = configuration
    self.environment = environment
    self.log = log
    let topic = configuration.events.name
    let prepare: Echo.Prepare = configuration.framing?.prepare ?? { @Sendable in nil }
    events = try Echo(
      store: store,
      configuration: Echo.Configuration(
        cluster: configuration.cluster, topics: [configuration.events], deadLetters: configuration.deadLetters),
      map: { SagaEventEcho.event($0, topic: topic) }, prepare: prepare,
      environment: environment, log: log)
    deadLetterProducer = try KafkaProducer(configuration.cluster, name: "letters", log: log)
    let letters = DeadLetters(
      producer: deadLetterProducer, topic: configuration.deadLetters.name, environment: environment)
    let unframe = configuration.framing?.unframe
    func consumer(
      _ topic: KafkaTopic, drainTime: Duration? = nil, _ handlers: MessageHandlers
    ) throws(KafkaError) -> KafkaConsumer {
      var reading = KafkaConsumer.Configuration(
        cluster: configuration.cluster, group: "\(configuration.group)-\(topic.name)", topics: [topic.name])
      if let drainTime { reading.drainTime = drainTime }
      try reading.check()
      return KafkaConsumer(
        reading, handlers: handlers, deadLetters: letters, environment: environment, log: log)
    }
    commands = try consumer(
      configuration.commands, drainTime: Self.drainTime,
      KafkaCommands(engine: engine, unframe: unframe, labRoles: configuration.labRoles).handlers)
    replies = try consumer(
      configuration.replies,
      KafkaReplies(engine: engine, executor: executor, unframe: unframe, log: log).handlers)
  }

  public var consumers: [ConsumerStatus] {
    let problem = problem.withLock { $0 }
    return [commands.status(), replies.status()].map { status in
      guard let problem else { return status }
      return ConsumerStatus(
        group: status.group, topics: status.topics, lag: status.lag, handled: status.handled,
        deadLettered: status.deadLettered, partitions: status.partitions, problem: problem)
    }
  }

  /// Works until the task is cancelled, and then finishes the work under way. An unreachable Kafka ends nothing. An
  /// error that ends one part, such as a store that can't be read, doesn't end the others.
  public func run() async throws {
    await withDiscardingTaskGroup { group in
      group.addTask {
        do {
          try await self.events.run()
        } catch {
          // The status shows it too.
          if !Task.isCancelled {
            self.log.error("The echo to Kafka has ended; sagas go on without it", ("error", "\(error)"))
          }
        }
      }
      group.addTask {
        do {
          try await self.consume()
        } catch {
          if Task.isCancelled { return }
          self.log.error("Commands and answers are read no more; sagas go on", ("error", "\(error)"))
          self.problem.withLock { $0 = (error as? any CodedError)?.message ?? "\(error)" }
        }
      }
    }
    await deadLetterProducer.close(flushWithin: .seconds(1))
    try Task.checkCancellation()
  }

  /// The topics are created first: a consumer of a missing topic would not notice the topic for minutes.
  private func consume() async throws {
    let backoff = Backoff(first: .milliseconds(200), limit: .seconds(10))
    var failures = 0
    while true {
      do {
        _ = try await KafkaTopics(configuration.cluster).ensure(
          [configuration.commands, configuration.replies, configuration.deadLetters])
        break
      } catch {
        problem.withLock { $0 = (error as KafkaError).message }
        failures += 1
        try await environment.sleep(for: backoff.pause(after: failures))
      }
    }
    problem.withLock { $0 = nil }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.takeCommands() }
      group.addTask { try await self.replies.run() }
      try await group.waitForAll()
    }
  }

  /// Takes commands, and ends by itself when no more are wanted. Answers are still read.
  private func takeCommands() async throws {
    let taking = Task { try await commands.run() }
    let isWanted = taken.withLock { taken in
      taken.by = taking
      return !taken.isOver
    }
    if !isWanted { taking.cancel() }
    do {
      try await withTaskCancellationHandler {
        try await taking.value
      } onCancel: {
        taking.cancel()
      }
    } catch is CancellationError {
      try Task.checkCancellation()
    }
  }

  /// Takes no more commands, because the engine is about to end, and waits until those under way are finished. The next
  /// engine takes the rest. An engine that ends before would leave commands whose effect is stored and whose offset is
  /// not, so that they come again. Until `run` is cancelled, answers are read and events are published.
  /// - Parameter time: the longest wait.
  public func takeNoMoreCommands(waiting time: Duration) async {
    let taking = taken.withLock { taken in
      taken.isOver = true
      return taken.by
    }
    guard let taking else { return }
    taking.cancel()
    let finished = Once<Void>()
    let limit = Task {
      try? await environment.sleep(for: time)
      finished.give(())
    }
    Task {
      _ = await taking.result
      finished.give(())
    }
    await finished.value()
    limit.cancel()
  }
}
