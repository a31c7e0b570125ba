import Dispatch
import Synchronization

/// What a consumer's thread and its handlers know in common: the lanes of the partitions that it has.
final class ConsumerBoard: Sendable {
  struct Partition: Sendable, Hashable {
    let topic: String
    let number: Int
  }

  /// A message whose handler may begin.
  struct Started: Sendable {
    let message: KafkaMessage
    /// A partition that was given up and came back is another lane.
    let lane: Int
    var partition: Partition { Partition(topic: message.topic, number: message.partition) }
  }

  private struct Lane {
    let id: Int
    var lane: PartitionLane
    var committed: Int64?
    var isPaused = false
    /// The end of the partition, as far as the client knows.
    var end: Int64 = 0
    var problem: String?
  }

  private struct State {
    var nextLane = 0
    var lanes: [Partition: Lane] = [:]
    var handled: Int64 = 0
    var deadLettered: Int64 = 0
    var brokerProblem: String?
    var starting: AsyncStream<Started>.Continuation?
  }

  /// How many messages may have come behind one that is not done: all of them would come again after a crash.
  private static let mostAhead = 10_000

  private let configuration: KafkaConsumer.Configuration
  private let state = Mutex(State())
  /// Signalled whenever a handler has ended.
  let ended = DispatchSemaphore(value: 0)

  init(_ configuration: KafkaConsumer.Configuration) { self.configuration = configuration }

  func begin(_ starting: AsyncStream<Started>.Continuation) { state.withLock { $0.starting = starting } }

  // MARK: The thread's side

  func assigned(_ partitions: [Partition]) {
    state.withLock { state in
      for partition in partitions {
        state.nextLane += 1
        state.lanes[partition] = Lane(id: state.nextLane, lane: PartitionLane(limit: configuration.maxInFlight))
      }
    }
  }

  /// Nothing new begins in these partitions.
  func closing(_ partitions: [Partition]?) {
    state.withLock { state in
      for partition in partitions ?? Array(state.lanes.keys) { state.lanes[partition]?.lane.close() }
    }
  }

  /// Whether no handler works on these partitions any more.
  func areIdle(_ partitions: [Partition]?) -> Bool {
    state.withLock { state in
      (partitions ?? Array(state.lanes.keys)).allSatisfy { state.lanes[$0]?.lane.isIdle ?? true }
    }
  }

  /// - Returns: those of them that are paused.
  func removed(_ partitions: [Partition]) -> [Partition] {
    state.withLock { state in
      partitions.filter { state.lanes.removeValue(forKey: $0)?.isPaused ?? false }
    }
  }

  func came(_ message: KafkaMessage) {
    let partition = Partition(topic: message.topic, number: message.partition)
    state.withLock { state in
      state.lanes[partition]?.lane.add(message)
      Self.start(partition, &state)
    }
  }

  /// The offsets that have come to be committable and are not committed.
  func takeCommits() -> [(Partition, Int64)] {
    state.withLock { state in
      var commits: [(Partition, Int64)] = []
      for (partition, lane) in state.lanes {
        guard let offset = lane.lane.committable, offset != lane.committed else { continue }
        state.lanes[partition]?.committed = offset
        commits.append((partition, offset))
      }
      return commits
    }
  }

  /// A commit failed: these are committable again.
  func commitFailed(_ partitions: [Partition]) {
    state.withLock { state in for partition in partitions { state.lanes[partition]?.committed = nil } }
  }

  /// Partitions with enough waiting, and those that have caught up.
  func takePauses() -> (pause: [Partition], resume: [Partition]) {
    state.withLock { state in
      var (pause, resume): ([Partition], [Partition]) = ([], [])
      for (partition, lane) in state.lanes {
        let isFarAhead = lane.lane.ahead >= Self.mostAhead
        if !lane.isPaused, lane.lane.load >= 4 * configuration.maxInFlight || isFarAhead {
          state.lanes[partition]?.isPaused = true
          pause.append(partition)
        } else if lane.isPaused, lane.lane.load <= configuration.maxInFlight, !isFarAhead {
          state.lanes[partition]?.isPaused = false
          resume.append(partition)
        }
      }
      return (pause, resume)
    }
  }

  var partitions: [Partition] { state.withLock { Array($0.lanes.keys) } }
  func note(end: Int64, of partition: Partition) { state.withLock { $0.lanes[partition]?.end = end } }
  func note(broker problem: String?) { state.withLock { $0.brokerProblem = problem } }

  // MARK: The handlers' side

  /// Its handler waits before it tries again: nothing is under way of it.
  func rests(_ started: Started) {
    state.withLock { state in
      guard state.lanes[started.partition]?.id == started.lane else { return }
      state.lanes[started.partition]?.lane.rest(started.message.offset)
    }
    ended.signal()
  }

  /// Its handler would begin, for the first time or again.
  /// - Returns: false when the partition was given up meanwhile.
  func goesOn(_ started: Started) -> Bool {
    state.withLock { state in
      guard state.lanes[started.partition]?.id == started.lane else { return false }
      return state.lanes[started.partition]?.lane.goOn(started.message.offset) ?? false
    }
  }

  func finished(_ started: Started) {
    state.withLock { state in
      guard state.lanes[started.partition]?.id == started.lane else { return }
      state.lanes[started.partition]?.lane.finish(started.message.offset)
      Self.start(started.partition, &state)
    }
    ended.signal()
  }

  func note(_ problem: String?, at started: Started, isBuried: Bool = false) {
    state.withLock { state in
      if state.lanes[started.partition]?.id == started.lane { state.lanes[started.partition]?.problem = problem }
      guard problem == nil else { return }
      if isBuried { state.deadLettered += 1 } else { state.handled += 1 }
    }
  }

  private static func start(_ partition: Partition, _ state: inout State) {
    guard let id = state.lanes[partition]?.id, let messages = state.lanes[partition]?.lane.start() else { return }
    for message in messages { state.starting?.yield(Started(message: message, lane: id)) }
  }

  var status: ConsumerStatus {
    state.withLock { state in
      let lag = state.lanes.values.reduce(Int64(0)) { sum, lane in
        guard lane.end > 0 else { return sum }
        return sum + max(0, lane.end - (lane.lane.next ?? lane.end))
      }
      return ConsumerStatus(
        group: configuration.group, topics: configuration.topics, lag: lag, handled: state.handled,
        deadLettered: state.deadLettered, partitions: state.lanes.count,
        problem: state.lanes.values.lazy.compactMap(\.problem).first ?? state.brokerProblem)
    }
  }
}
