import JSON
import Messaging
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

/// A service that takes its commands from a topic. What it answers, each command's `mode` says.
final class TestParticipant: Sendable {
  private let producer: KafkaProducer
  private let letters: DeadLetters
  /// The attempts that came of each key.
  private let seen = Mutex<[String: [String]]>([:])
  /// Commands that are answered only when their undo comes.
  private let kept = Mutex<[String: KafkaMessage]>([:])

  init(_ cluster: KafkaCluster, letters topic: String) throws {
    producer = try KafkaProducer(cluster, name: "participant")
    letters = DeadLetters(producer: producer, topic: topic, environment: .system)
  }

  func attempts(_ key: String) -> [String] { seen.withLock { $0[key] ?? [] } }

  /// Works until it is cancelled.
  func run(_ cluster: KafkaCluster, topic: String, group: String) async throws {
    let consumer = KafkaConsumer(
      .init(cluster: cluster, group: group, topics: [topic]), handlers: MessageHandlers { try await self.handle($0) },
      deadLetters: letters, environment: .system)
    let result: Result<Void, any Error>
    do {
      result = .success(try await consumer.run())
    } catch {
      result = .failure(error)
    }
    await producer.close(flushWithin: .seconds(1))
    try result.get()
  }

  private func handle(_ command: KafkaMessage) async throws {
    let key = command.header("idempotency-key") ?? ""
    let attempt = command.header("saga-attempt") ?? ""
    seen.withLock { $0[key, default: []].append(attempt) }
    let mode = try JSON(parsing: command.value ?? [])["mode"]?.stringValue
    switch (command.header("ce_type"), mode, attempt) {
    case ("lab.make", "refuse", _):
      try await answer(command, ["outcome": "failed", "code": "NO_ROOM", "message": "the box is full"])
    case ("lab.make", "busy", "1"):
      try await answer(command, ["outcome": "failed", "code": "BUSY", "retryable": true])
    case ("lab.make", "busy", "2"):
      try await answer(command, ["outcome": "unknown", "code": "ARM_STOPPED"])
    case ("lab.make", "late", _):
      kept.withLock { $0[key] = command }
    case ("lab.make", _, _):
      try await answer(command, ["outcome": "progress", "message": "thawing", "fraction": 0.5])
      try await answer(command, ["outcome": "succeeded", "output": ["position": "F2-B17"]])
    case ("lab.undo", _, _):
      // A late answer is in the topic before the undo's answer.
      let late = kept.withLock { $0[command.header("compensates") ?? ""] }
      if let late { try await answer(late, ["outcome": "succeeded"]) }
      try await answer(command, ["outcome": "succeeded"])
    default: Issue.record("there is no such command: \(command.headers.map(\.text))")
    }
  }

  private func answer(_ command: KafkaMessage, _ body: JSON) async throws {
    _ = try await producer.send(
      KafkaRecord(
        topic: command.header("reply-topic") ?? "", key: command.key, value: body.bytes(),
        headers: command.headers.filter { ["idempotency-key", "saga-attempt"].contains($0.name) }))
  }
}

/// An engine on Kafka with a participant, all in this process.
struct KafkaBench {
  let engine: Engine
  let store: MemoryStore
  let kafka: EngineKafka
  let participant: TestParticipant
  private let executor: KafkaStepExecutor
  private let broker: TestBroker
  private let cluster: KafkaCluster
  private let commands: String
  private let running: [Task<Void, any Error>]

  /// - Parameter front: the store that the engine writes; nil for `memory`.
  init(
    workflows: [[UInt8]], memory store: MemoryStore = MemoryStore(environment: .system),
    in front: (any EventStore)? = nil
  ) async throws {
    let partitions = 4
    let names = ["events", "commands", "replies", "letters", "lab.commands"]
    broker = try await TestBroker.start(topics: names.map { "\($0):\(partitions)" })
    let cluster = KafkaCluster(brokers: broker.brokers)
    let suffix = broker.isMock ? "" : "-\(Environment.system.newID())"
    func topic(_ name: String) -> KafkaTopic { KafkaTopic(name + suffix, partitions: partitions) }
    _ = try await KafkaTopics(cluster).ensure(names.map(topic))
    let executor = try KafkaStepExecutor(
      cluster: cluster, services: [KafkaService(name: "lab", topic: topic("lab.commands").name)],
      replyTopic: topic("replies").name, clock: SystemClock(), patience: .seconds(600))
    let engine = Engine(
      store: front ?? store, executor: ActionExecutors(http: ScriptedExecutor(), kafka: executor),
      configuration: Engine.Configuration(kafkaServices: ["lab"]), environment: .system)
    let kafka = try EngineKafka(
      engine: engine, store: store, executor: executor,
      configuration: .init(
        cluster: cluster, events: topic("events"), commands: topic("commands"), replies: topic("replies"),
        deadLetters: topic("letters"), group: "engine\(suffix)"), environment: .system)
    let participant = try TestParticipant(cluster, letters: topic("letters").name)
    (self.store, self.executor, self.engine, self.kafka) = (store, executor, engine, kafka)
    self.participant = participant
    (self.cluster, commands) = (cluster, topic("commands").name)
    running = [
      Task { try await engine.run() }, Task { try await kafka.run() },
      Task { try await participant.run(cluster, topic: topic("lab.commands").name, group: "lab\(suffix)") },
    ]
    try await engine.waitUntilReady()
    for workflow in workflows { _ = try await engine.register(workflow, by: "test") }
  }

  func start(_ workflow: String, _ input: JSON) async throws -> UniqueID {
    try await engine.start(StartRequest(workflow: workflow, input: input, by: "test")).id
  }

  /// Sends a command, as a LIMS does over Kafka.
  func send(_ command: JSON) async throws {
    let producer = try KafkaProducer(cluster, name: "lims")
    _ = try await producer.send(KafkaRecord(topic: commands, key: Array("k".utf8), value: command.bytes()))
    await producer.close(flushWithin: .seconds(1))
  }

  func end(of id: UniqueID) async throws -> SagaState {
    try await engine.waitForEnd(of: id, atMost: .seconds(600)).state
  }

  func events(_ id: UniqueID) async throws -> [SagaEvent] {
    try await store.read(id, after: 0, limit: 100).map(SagaEventCoding.decode)
  }

  func stop() async {
    for task in running {
      task.cancel()
      _ = await task.result
    }
    await executor.close()
  }
}
