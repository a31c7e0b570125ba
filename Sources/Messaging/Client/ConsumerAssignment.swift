import Dispatch
import Synchronization

/// The partitions that the group has assigned to a consumer, and their messages. The consumer's thread and its handlers
/// share it.
final class ConsumerAssignment: Sendable {
  struct Partition: Sendable, Hashable {
    let topic: String
    let number: Int
  }

  /// A message whose handler may begin.
  struct Started: Sendable {
    let message: KafkaMessage
    /// The number of the partition's assignment. A partition that was given up and came back has another number.
    let assignment: Int
    var partition: Partition { Partition(topic: message.topic, number: message.partition) }
  }

  private struct Assigned {
    let number: Int
    var queue: PartitionQueue
    var committed: Int64?
    var isPaused = false
    /// The offset after the partition's last message, as far as the client knows; 0 when it does not know.
    var end: Int64 = 0
    var problem: String?
  }

  private struct State {
    var assignments = 0
    var partitions: [Partition: Assigned] = [:]
    var handled: Int64 = 0
    var deadLettered: Int64 = 0
    var brokerProblem: String?
    var starting: AsyncStream<Started>.Continuation?
  }

  /// The largest number of messages after one that is not handled. All of them would come again after a crash.
  private static let mostAhead = 10_000

  private let configuration: KafkaConsumer.Configuration
  private let state = Mutex(State())
  /// Signalled each time a handler ends.
  let ended = DispatchSemaphore(value: 0)

  init(_ configuration: KafkaConsumer.Configuration) { self.configuration = configuration }

  func begin(_ starting: AsyncStream<Started>.Continuation) { state.withLock { $0.starting = starting } }

  // MARK: For the thread

  func add(_ partitions: [Partition]) {
    state.withLock { state in
      for partition in partitions {
        state.assignments += 1
        state.partitions[partition] = Assigned(
          number: state.assignments, queue: PartitionQueue(limit: configuration.maxInFlight))
      }
    }
  }

  /// Starts no new handlers in these partitions; nil means all.
  func close(_ partitions: [Partition]?) {
    state.withLock { state in
      for partition in partitions ?? Array(state.partitions.keys) { state.partitions[partition]?.queue.close() }
    }
  }

  /// Returns whether no handler runs in these partitions; nil means all. A handler in backoff does not count.
  func areIdle(_ partitions: [Partition]?) -> Bool {
    state.withLock { state in
      (partitions ?? Array(state.partitions.keys)).allSatisfy { state.partitions[$0]?.queue.isIdle ?? true }
    }
  }

  /// Removes partitions.
  /// - Returns: the removed partitions that were paused.
  func remove(_ partitions: [Partition]) -> [Partition] {
    state.withLock { state in
      partitions.filter { state.partitions.removeValue(forKey: $0)?.isPaused ?? false }
    }
  }

  func receive(_ message: KafkaMessage) {
    let partition = Partition(topic: message.topic, number: message.partition)
    state.withLock { state in
      state.partitions[partition]?.queue.add(message)
      Self.start(partition, &state)
    }
  }

  /// Returns the offsets that can be committed, and notes them as committed.
  /// - Parameter all: false for those that are not noted yet. True for the last commit: the outcome of the one before may
  ///   not be known.
  func takeCommits(all: Bool = false) -> [(Partition, Int64)] {
    state.withLock { state in
      var commits: [(Partition, Int64)] = []
      for (partition, assigned) in state.partitions {
        guard let offset = assigned.queue.committable, all || offset != assigned.committed else { continue }
        state.partitions[partition]?.committed = offset
        commits.append((partition, offset))
      }
      return commits
    }
  }

  /// Notes that a commit failed. `takeCommits` returns these partitions again.
  func commitFailed(_ partitions: [Partition]) {
    state.withLock { state in for partition in partitions { state.partitions[partition]?.committed = nil } }
  }

  /// Returns the partitions with too many waiting messages, and the paused partitions that have caught up.
  func takePauses() -> (pause: [Partition], resume: [Partition]) {
    state.withLock { state in
      var (pause, resume): ([Partition], [Partition]) = ([], [])
      for (partition, assigned) in state.partitions {
        let isFarAhead = assigned.queue.ahead >= Self.mostAhead
        if !assigned.isPaused, assigned.queue.load >= 4 * configuration.maxInFlight || isFarAhead {
          state.partitions[partition]?.isPaused = true
          pause.append(partition)
        } else if assigned.isPaused, assigned.queue.load <= configuration.maxInFlight, !isFarAhead {
          state.partitions[partition]?.isPaused = false
          resume.append(partition)
        }
      }
      return (pause, resume)
    }
  }

  /// The partitions that are fetched, and those that are paused.
  var partitionsByPause: (fetched: [Partition], paused: [Partition]) {
    state.withLock { state in
      (state.partitions.filter { !$0.value.isPaused }.map(\.key), state.partitions.filter(\.value.isPaused).map(\.key))
    }
  }
  func note(end: Int64, of partition: Partition) { state.withLock { $0.partitions[partition]?.end = end } }
  func note(broker problem: String?) { state.withLock { $0.brokerProblem = problem } }

  // MARK: For the handlers

  /// Notes that the message's handler is in backoff before its next attempt.
  func backsOff(_ started: Started) {
    state.withLock { state in
      guard state.partitions[started.partition]?.number == started.assignment else { return }
      state.partitions[started.partition]?.queue.backOff(started.message.offset)
    }
    ended.signal()
  }

  /// Notes that the message's handler begins an attempt.
  /// - Returns: false when the partition was given up meanwhile. Then the handler must not run.
  func begins(_ started: Started) -> Bool {
    let begins = state.withLock { state in
      guard state.partitions[started.partition]?.number == started.assignment else { return false }
      return state.partitions[started.partition]?.queue.resume(started.message.offset) ?? false
    }
    if !begins { ended.signal() }
    return begins
  }

  func finished(_ started: Started) {
    state.withLock { state in
      guard state.partitions[started.partition]?.number == started.assignment else { return }
      state.partitions[started.partition]?.queue.finish(started.message.offset)
      Self.start(started.partition, &state)
    }
    ended.signal()
  }

  func note(_ problem: String?, at started: Started, isBuried: Bool = false) {
    state.withLock { state in
      if state.partitions[started.partition]?.number == started.assignment {
        state.partitions[started.partition]?.problem = problem
      }
      guard problem == nil else { return }
      if isBuried { state.deadLettered += 1 } else { state.handled += 1 }
    }
  }

  private static func start(_ partition: Partition, _ state: inout State) {
    guard let number = state.partitions[partition]?.number, let messages = state.partitions[partition]?.queue.start()
    else { return }
    for message in messages { state.starting?.yield(Started(message: message, assignment: number)) }
  }

  var status: ConsumerStatus {
    state.withLock { state in
      let lag = state.partitions.values.reduce(Int64(0)) { sum, assigned in
        guard assigned.end > 0 else { return sum }
        return sum + max(0, assigned.end - (assigned.queue.next ?? assigned.end))
      }
      return ConsumerStatus(
        group: configuration.group, topics: configuration.topics, lag: lag, handled: state.handled,
        deadLettered: state.deadLettered, partitions: state.partitions.count,
        problem: state.partitions.values.lazy.compactMap(\.problem).first ?? state.brokerProblem)
    }
  }
}
