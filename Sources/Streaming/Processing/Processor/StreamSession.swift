import JSON
import Messaging
import Persistence
import Runtime

/// A stream between two loads of its state. The state in memory equals the state in the store.
///
/// A step takes a batch, sends its outputs, waits until they are delivered, and writes the state and the offsets in one
/// transaction. After a crash before the transaction the step is repeated, and its outputs have the same ids. Any error
/// ends the session; the next session loads the state from the store.
struct StreamSession {
  private let definition: StreamDefinition
  private let store: any EventStore
  private let source: any StreamSource
  private let sink: any StreamSink
  private let environment: Environment
  private let log: Log
  private(set) var machine: StreamMachine
  /// The number of transactions so far. Each transaction names its predecessor. So when two processes run one stream, one
  /// of them fails.
  private var revision: Int64
  private let partitionCounts: [String: Int]

  static func follower(_ name: String) -> String { "stream/\(name)" }
  private static let page = 1_000

  /// Loads the state and begins to read at its offsets.
  init(
    _ definition: StreamDefinition, store: any EventStore, source: any StreamSource, sink: any StreamSink,
    environment: Environment, log: Log
  ) async throws {
    self.definition = definition
    self.store = store
    self.source = source
    self.sink = sink
    self.environment = environment
    self.log = log
    partitionCounts = try await Self.partitionCounts(of: definition, in: source)
    let (documents, revision) = try await Self.load(definition.name, from: store)
    self.revision = revision
    let partitions = partitionCounts.flatMap { topic, count in
      (0..<count).map { StreamPartition(topic: topic, number: $0) }
    }
    machine = try StreamMachine(definition, partitions: Set(partitions), documents: documents)
    for partition in partitions.sorted() { try await begin(partition) }
    try await source.assign(machine.offsets.filter { partitions.contains($0.key) })
  }

  private mutating func begin(_ partition: StreamPartition) async throws {
    let bounds = try await source.bounds(of: partition)
    if let next = machine.offsets[partition], next > bounds.upperBound {
      throw StreamError.offsetGone(partition, offset: next, end: bounds.upperBound)
    }
    let lost = machine.totals.lost
    machine.begin(at: bounds.lowerBound, in: partition)
    if machine.totals.lost > lost {
      log.error(
        "The broker deleted messages before they were read; continuing after them", ("stream", definition.name),
        ("partition", "\(partition)"), ("messages", "\(machine.totals.lost - lost)"))
    }
  }

  private static func partitionCounts(
    of definition: StreamDefinition, in source: any StreamSource
  ) async throws -> [String: Int] {
    var counts: [String: Int] = [:]
    for topic in definition.topics { counts[topic] = try await source.partitionCount(of: topic) }
    return counts
  }

  /// Returns whether the topics still have as many partitions as when the session began.
  func seesAllPartitions() async throws -> Bool {
    try await Self.partitionCounts(of: definition, in: source) == partitionCounts
  }

  private static func load(
    _ name: String, from store: any EventStore
  ) async throws -> (documents: [StateDocument], revision: Int64) {
    let follower = follower(name)
    while true {
      let revision = try await store.checkpoint(follower, shard: 0)
      var documents: [StateDocument] = []
      var query = DocumentQuery(collection: follower, limit: page)
      while true {
        let found = try await store.documents(query)
        for document in found {
          guard let data = try? JSON(parsing: document.data) else { throw StreamError.unreadable(document.id) }
          documents.append(StateDocument(id: document.id, data: data))
        }
        guard found.count == page else { break }
        query.after = found.last?.cursor
      }
      // If another process wrote meanwhile, these documents are of two states, and are read again.
      if try await store.checkpoint(follower, shard: 0) == revision { return (documents, revision) }
    }
  }

  // MARK: Steps

  /// Takes a batch: computes, sends and saves.
  mutating func take(_ batch: StreamBatch) async throws {
    var step = Deliveries()
    for message in batch.messages { take(message, into: &step) }
    let outputs = machine.tick(ended: batch.ended, at: environment.now())
    step.records += outputs.map { $0.record(of: definition) }
    try await send(step)
    try await save()
  }

  /// The messages to send after a batch.
  private struct Deliveries {
    var records: [KafkaRecord] = []
    var deadLetters: [(message: KafkaMessage, refusal: StreamRefusal)] = []
    /// The late events of a stream without a topic for late events.
    var late: [(place: String, reason: String)] = []
  }

  private mutating func take(_ message: KafkaMessage, into step: inout Deliveries) {
    let partition = StreamPartition(topic: message.topic, number: message.partition)
    // A source may repeat messages that it read before `assign`.
    guard let next = machine.offsets[partition], message.offset >= next else { return }
    let event: StreamEvent
    do throws(Poison) {
      event = try StreamEvent(message)
    } catch {
      machine.refuse(in: partition, at: message.offset)
      step.deadLetters.append((message, StreamRefusal(error.code, error.message)))
      return
    }
    let result = machine.take(event, at: environment.now())
    step.records += result.outputs.map { $0.record(of: definition) }
    switch result.verdict {
    case .taken, .ignored, .repeated: break
    case .refused(let refusal): step.deadLetters.append((message, refusal))
    case .late(let reason):
      if let late = definition.late {
        step.records.append(message.lateRecord(to: late, stream: definition.name, reason: reason))
      } else {
        step.late.append((message.place, reason))
      }
    }
  }

  private func send(_ step: Deliveries) async throws {
    // After an outage there may be many, so they share one line.
    if let first = step.late.first {
      log.warning(
        "Events came too late; dropped them", ("stream", definition.name), ("events", "\(step.late.count)"),
        ("first", first.place), ("reason", first.reason))
    }
    if !step.records.isEmpty { try await sink.deliver(step.records) }
    for (message, refusal) in step.deadLetters {
      log.warning(
        "The stream can't use a message; moving it to the dead letters", ("stream", definition.name),
        ("place", message.place), ("code", refusal.code), ("reason", refusal.message))
      try await sink.bury(
        message, code: refusal.code, reason: "The stream “\(definition.name)” can't use it. \(refusal.message)")
    }
  }

  private mutating func save() async throws {
    let changes = machine.takeChanges()
    if changes.isEmpty { return }
    let collection = Self.follower(definition.name)
    var batch = ProjectionBatch(follower: collection, shard: 0, from: revision, to: revision + 1)
    batch.upserts = changes.puts.map {
      Document(collection: collection, id: $0.id, sort: $0.id, data: $0.data.bytes())
    }
    batch.deletes = changes.deletes.map { DocumentName(collection: collection, id: $0) }
    try await store.apply(batch)
    revision += 1
  }
}
