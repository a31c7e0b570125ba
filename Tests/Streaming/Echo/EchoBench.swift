import Foundation
import Messaging
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Streaming

/// A broker, a store, and an echo of the store.
final class EchoBench: Sendable {
  let broker: TestBroker
  let cluster: KafkaCluster
  let topic: String
  let deadLetterTopic: String
  let partitions: Int
  let store: any EventStore
  let environment = Environment.system

  /// - Parameter store: memory when nil; a file when `isDurable`.
  init(
    shards: Int = 4, partitions: Int = 2, isDurable: Bool = false, needsMock: Bool = true,
    inFrontOf store: ((any EventStore) -> any EventStore) = { $0 }, _ properties: KafkaCluster.Property...
  ) async throws {
    self.partitions = partitions
    broker =
      needsMock
      ? try await .mock(topics: ["echo:\(partitions)", "dead-letters:1"])
      : try await .start(topics: ["echo:\(partitions)", "dead-letters:1"])
    cluster = KafkaCluster(brokers: broker.brokers, properties: properties)
    let unique = broker.isMock ? "" : "-\(Environment.system.newID())"
    (topic, deadLetterTopic) = ("echo\(unique)", "dead-letters\(unique)")
    if isDurable {
      let folder = try TestFolder.new("echo")
      self.store = store(
        try await SQLiteStore.open(
          path: folder.appendingPathComponent("store.db").path, environment: .system, shardCount: shards))
    } else {
      self.store = store(MemoryStore(environment: .system, shardCount: shards))
    }
    try await self.store.own(shards: nil)
  }

  // MARK: Events

  /// Appends events in parallel, each to a stream of its own in one of these shards.
  func append(_ count: Int, to shards: [Int]? = nil, size: Int = 0) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      for number in 0..<count {
        let append = append(number, in: shards.map { $0[number % $0.count] }, size: size)
        group.addTask { [store] in _ = try await store.append(append) }
      }
    }
  }

  private func append(_ number: Int, in shard: Int?, size: Int) -> Append {
    var stream = environment.newID()
    while let shard, store.shard(of: stream) != shard { stream = environment.newID() }
    let text = "{\"n\":\(number),\"text\":\"" + String(repeating: "x", count: size) + "\"}"
    return Append(
      stream: stream, expectedVersion: 0, events: [NewEvent(type: "sample.moved", data: Array(text.utf8))],
      appendID: environment.newID())
  }

  func stored() async throws -> [[StoredEvent]] {
    var all: [[StoredEvent]] = []
    for shard in 0..<store.shardCount { all.append(try await store.tail(shard: shard, after: 0, limit: 100_000)) }
    return all
  }

  // MARK: The echo

  func configuration(_ change: (inout Echo.Configuration) -> Void = { _ in }) -> Echo.Configuration {
    var configuration = Echo.Configuration(
      cluster: cluster, topics: [KafkaTopic(topic, partitions: partitions)],
      deadLetters: KafkaTopic(deadLetterTopic, partitions: 1))
    configuration.backoff = Backoff(first: .milliseconds(20), limit: .milliseconds(200))
    change(&configuration)
    return configuration
  }

  @Sendable func told(_ event: StoredEvent) throws -> EchoedEvent? {
    EchoedEvent(
      topic: topic, key: event.stream.description,
      event: CloudEvent(
        id: "\(event.stream)/\(event.version)", source: "/tests", type: event.type, subject: event.stream.description,
        time: event.recordedAt,
        extensions: [.init("shard", "\(event.shard)"), .init("position", "\(event.position)")], data: event.data))
  }

  func echo(
    _ change: (inout Echo.Configuration) -> Void = { _ in }, map: Echo.Map? = nil,
    delivered: (@Sendable (Int, Int64) -> Void)? = nil
  ) throws -> Echo {
    try Echo(
      store: store, configuration: configuration(change), map: map ?? { [self] in try told($0) }, environment: .system,
      delivered: delivered)
  }

  /// Waits until the echo's status satisfies the condition, and returns that status.
  @discardableResult
  func wait(
    for echo: any EchoControl, _ fact: String = "the echo's status is as expected",
    until holds: (EchoStatus) -> Bool
  ) async throws -> EchoStatus {
    var status = try await echo.status()
    do {
      try await eventually(fact, within: .seconds(300), every: .milliseconds(10)) {
        status = try await echo.status()
        return holds(status)
      }
    } catch {
      Issue.record("The last status was \(status)")
      throw error
    }
    return status
  }

  /// Waits until all committed events are delivered or dead letters.
  @discardableResult
  func waitUntilDone(_ echo: any EchoControl) async throws -> EchoStatus {
    let heads = try await stored().map { Int64($0.count) }
    return try await wait(for: echo) { status in
      status.shards.count == heads.count && zip(status.shards, heads).allSatisfy { $0.delivered >= $1 }
    }
  }

  // MARK: The topics

  /// Reads a topic until at least `least` messages and all `wanted` events have come. Returns the messages by partition.
  @discardableResult
  func read(_ topic: String? = nil, _ least: Int, events wanted: Set<String> = []) async throws -> [KafkaMessage] {
    let producer = try KafkaProducer(cluster, name: "unused")
    let came = Mutex((messages: [KafkaMessage](), wanted: wanted))
    let (done, finished) = AsyncStream.makeStream(of: Void.self)
    let consumer = KafkaConsumer(
      .init(cluster: cluster, group: "reader-\(environment.newID())", topics: [topic ?? self.topic]),
      handlers: MessageHandlers(all: { message in
        let isEnough = came.withLock { came in
          came.messages.append(message)
          if !came.wanted.isEmpty { came.wanted.remove(message.echoed) }
          return came.wanted.isEmpty && came.messages.count >= least
        }
        if isEnough { finished.finish() }
      }), deadLetters: DeadLetters(producer: producer, topic: deadLetterTopic, environment: .system),
      environment: .system)
    let reading = Task { try await consumer.run() }
    for await _ in done {}
    reading.cancel()
    _ = await reading.result
    await producer.close(flushWithin: .zero)
    return came.withLock { $0.messages }.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
  }

  /// Reads until all events of the store have come except the missing ones. Checks that each shard's events come in order,
  /// that none is skipped, and that each repeat equals the first message.
  @discardableResult
  func readAll(_ least: Int = 0, missing: Set<String> = []) async throws -> [KafkaMessage] {
    let stored = try await stored()
    let wanted = Set(stored.joined().map { "\($0.shard)/\($0.position)" }).subtracting(missing)
    let all = try await read(nil, least, events: wanted)
    var byShard: [Int: [KafkaMessage]] = [:]
    for message in all {
      let shard = try #require(message.header("ce_shard").flatMap { Int($0) })
      #expect(message.partition == shard % partitions)
      byShard[shard, default: []].append(message)
    }
    for (shard, messages) in byShard {
      var next: Int64 = 1
      for message in messages {
        let position = try #require(message.header("ce_position").flatMap { Int64($0) })
        while missing.contains("\(shard)/\(next)") { next += 1 }
        #expect(position <= next, "shard \(shard): \(position) comes before \(next)")
        if position == next { next += 1 }
        let event = stored[shard][Int(position - 1)]
        #expect(message.value == event.data && message.key == Array(event.stream.description.utf8))
        #expect(message.header("ce_id") == "\(event.stream)/\(event.version)")
        #expect(message.header("ce_time") == event.recordedAt.description)
      }
    }
    return all
  }
}

extension KafkaMessage {
  /// The shard and position of the event in the message.
  var echoed: String { "\(header("ce_shard") ?? "-")/\(header("ce_position") ?? "-")" }
}

/// Runs an echo during `body`, and stops it.
func running(_ echo: Echo, _ body: () async throws -> Void) async throws {
  let task = Task { try await echo.run() }
  do {
    try await body()
  } catch {
    task.cancel()
    _ = await task.result
    throw error
  }
  task.cancel()
  _ = await task.result
}
