import Messaging
import Streaming
import Synchronization
import Values

/// Topics in memory, for processors to read from and to write to.
final class MemoryKafka: Sendable {
  struct DeadLetter: Sendable {
    let message: KafkaMessage
    let code: String
    let reason: String
  }
  struct Failed: Error {}

  private struct State {
    var topics: [String: [Partition]] = [:]
    var deadLetters: [DeadLetter] = []
    var wakes: [AsyncStream<Void>.Continuation] = []
    /// The number of the latest look of the watchers.
    var looks = 0
    var watchers: [Watcher] = []
    var nextWatcher = 0
    /// Those whose test was cancelled while they were looking.
    var cancelled: Set<Int> = []
  }
  private struct Watcher {
    let id: Int
    let isEnough: @Sendable (MemoryKafka) -> Bool
    let continuation: CheckedContinuation<Void, Never>
  }
  struct Partition: Sendable {
    /// The first offset that is kept.
    var first: Int64 = 0
    var messages: [KafkaMessage] = []
    var end: Int64 { first + Int64(messages.count) }
  }
  private let state = Mutex(State())

  init(_ topics: [String: Int] = [:]) {
    state.withLock { state in
      for (topic, count) in topics { state.topics[topic] = Array(repeating: Partition(), count: count) }
    }
  }

  func append(_ record: KafkaRecord, partition: Int = 0) {
    state.withLock { state in
      var partitions = state.topics[record.topic] ?? [Partition()]
      partitions[partition].messages.append(
        KafkaMessage(
          topic: record.topic, partition: partition, offset: partitions[partition].end, key: record.key,
          value: record.value, headers: record.headers))
      state.topics[record.topic] = partitions
    }
    changed()
  }

  func set(_ topic: String, _ partitions: [Partition]) {
    state.withLock { $0.topics[topic] = partitions }
    changed()
  }

  /// Deletes all messages of a partition before an offset.
  func delete(_ topic: String, _ partition: Int, before offset: Int64) {
    state.withLock { state in
      guard var one = state.topics[topic]?[partition] else { return }
      one.messages.removeFirst(Int(offset - one.first))
      one.first = offset
      state.topics[topic]?[partition] = one
    }
  }

  func partitions(_ topic: String) -> [Partition]? { state.withLock { $0.topics[topic] } }
  func messages(_ topic: String) -> [KafkaMessage] { (partitions(topic) ?? []).flatMap(\.messages) }
  var deadLetters: [DeadLetter] { state.withLock { $0.deadLetters } }

  func bury(_ deadLetter: DeadLetter) {
    state.withLock { $0.deadLetters.append(deadLetter) }
    changed()
  }

  /// Lets every reader look again.
  func changed() {
    for wake in state.withLock({ $0.wakes }) { wake.yield() }
    look()
  }

  /// Lets those who wait for something see whether it is so. A watcher is away while it looks, so that another look, for a
  /// later change, passes it by. Then it looks once more.
  func look() {
    while true {
      let (woken, number) = state.withLock { state in
        state.looks += 1
        defer { state.watchers = [] }
        return (state.watchers, state.looks)
      }
      var (done, waiting): ([Watcher], [Watcher]) = ([], [])
      for one in woken { if one.isEnough(self) { done.append(one) } else { waiting.append(one) } }
      let isCurrent = state.withLock { state in
        done += waiting.filter { state.cancelled.contains($0.id) }
        waiting.removeAll { state.cancelled.contains($0.id) }
        state.watchers += waiting
        return state.looks == number || waiting.isEmpty
      }
      for one in done { one.continuation.resume() }
      if isCurrent { return }
    }
  }

  /// Returns as soon as what there is is enough, or when the task is cancelled.
  func wait(until isEnough: @escaping @Sendable (MemoryKafka) -> Bool) async {
    let id = state.withLock { state in
      state.nextWatcher += 1
      return state.nextWatcher
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isCancelled = state.withLock { state in
          if state.cancelled.contains(id) { return true }
          state.watchers.append(Watcher(id: id, isEnough: isEnough, continuation: continuation))
          return false
        }
        if isCancelled { continuation.resume() } else { changed() }
      }
    } onCancel: {
      let watcher = state.withLock { state -> Watcher? in
        state.cancelled.insert(id)
        return state.watchers.firstIndex { $0.id == id }.map { state.watchers.remove(at: $0) }
      }
      watcher?.continuation.resume()
    }
  }

  func follow() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    state.withLock { $0.wakes.append(continuation) }
    return stream
  }
}

/// Reads a few messages at a time, of partitions in an order that the seed chooses.
final class MemorySource: StreamSource {
  private struct State {
    var positions: [StreamPartition: Int64] = [:]
    var random: SeededRandom
    var assigned = 0
    /// Of the session: a stream ends with the task that it was cancelled in.
    var wakes: AsyncStream<Void>?
  }
  private let kafka: MemoryKafka
  private let most: Int
  private let state: Mutex<State>

  init(_ kafka: MemoryKafka, atMost most: Int = 4, seed: UInt64 = 1) {
    self.kafka = kafka
    self.most = most
    state = Mutex(State(random: SeededRandom(seed: seed)))
  }

  /// How often a session began.
  var assignments: Int { state.withLock { $0.assigned } }

  func partitionCount(of topic: String) async throws -> Int {
    guard let partitions = kafka.partitions(topic) else { throw MemoryKafka.Failed() }
    return partitions.count
  }

  func bounds(of partition: StreamPartition) async throws -> Range<Int64> {
    guard let one = kafka.partitions(partition.topic)?[partition.number] else { throw MemoryKafka.Failed() }
    return one.first..<one.end
  }

  func assign(_ offsets: [StreamPartition: Int64]) async throws {
    state.withLock { state in
      state.positions = offsets
      state.assigned += 1
      state.wakes = kafka.follow()
    }
    kafka.changed()
  }

  func nextBatch() async throws -> StreamBatch {
    // The work of the last batch is done and visible.
    kafka.look()
    // Also when nothing is there: time may have passed.
    guard let wakes = state.withLock({ $0.wakes }) else { throw MemoryKafka.Failed() }
    for await _ in wakes {
      let batch = read()
      if !batch.messages.isEmpty { kafka.changed() }
      return batch
    }
    throw CancellationError()
  }

  private func read() -> StreamBatch {
    state.withLock { state in
      var batch = StreamBatch()
      for partition in state.positions.keys.sorted().shuffled(using: &state.random) {
        guard let one = kafka.partitions(partition.topic)?[partition.number], let next = state.positions[partition]
        else { continue }
        let messages = one.messages.dropFirst(Int(next - one.first)).prefix(most - batch.messages.count)
        batch.messages += messages
        state.positions[partition] = next + Int64(messages.count)
        if next + Int64(messages.count) == one.end { batch.ended.insert(partition) }
      }
      return batch
    }
  }
}

/// Writes to topics in memory; goes wrong where a test wants it to.
final class MemorySink: StreamSink {
  private let kafka: MemoryKafka
  /// Told before and after each delivery, and may throw.
  private let trouble: @Sendable (_ delivered: Bool) async throws -> Void

  init(_ kafka: MemoryKafka, trouble: @escaping @Sendable (_ delivered: Bool) async throws -> Void = { _ in }) {
    self.kafka = kafka
    self.trouble = trouble
  }

  func deliver(_ records: [KafkaRecord]) async throws {
    try await trouble(false)
    for record in records { kafka.append(record) }
    try await trouble(true)
  }

  func bury(_ message: KafkaMessage, code: String, reason: String) async throws {
    try await trouble(false)
    kafka.bury(MemoryKafka.DeadLetter(message: message, code: code, reason: reason))
    try await trouble(true)
  }
}
