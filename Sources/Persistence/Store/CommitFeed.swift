import Synchronization

/// Events of one shard that were committed one after the other.
public struct CommittedRun: Sendable, Hashable {
  public let shard: Int
  /// Contiguous, in order.
  public let events: [StoredEvent]
  /// More was committed behind them than the follower was given: the tail has it.
  public let isCut: Bool

  public init(shard: Int, events: [StoredEvent], isCut: Bool = false) {
    self.shard = shard
    self.events = events
    self.isCut = isCut
  }
}

/// Gives one follower what is committed, straight from the writer, so that a follower that keeps up reads nothing.
///
/// A shortcut, never the truth: a run may begin anywhere, be cut, or have been seen before. The follower compares
/// positions, and reads the tail where one is missing. However slow it is, so many events are held for it and no more.
public struct CommitFeed: Sendable {
  /// One element when there is something to take. Ends when the store is closed. For one task.
  public let wakes: AsyncStream<Void>
  let pending: Pending

  /// What was committed since this was last called, a run a shard.
  public func take() -> [CommittedRun] { pending.take() }

  final class Pending: Sendable {
    private struct State {
      var runs: [Int: [StoredEvent]] = [:]
      var cut: Set<Int> = []
      var count = 0
    }
    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// - Parameter events: of any shards, each shard's in order.
    func add(_ events: [StoredEvent]) {
      state.withLock { state in
        for event in events where !state.cut.contains(event.shard) {
          let last = state.runs[event.shard]?.last?.position
          guard state.count < limit, last == nil || last == event.position - 1 else {
            state.cut.insert(event.shard)
            continue
          }
          state.runs[event.shard, default: []].append(event)
          state.count += 1
        }
      }
    }

    /// They have grown; by what, only the tail can say.
    func add(shards: Set<Int>) { state.withLock { $0.cut.formUnion(shards) } }

    func take() -> [CommittedRun] {
      state.withLock { state in
        defer { state = State() }
        return Set(state.runs.keys).union(state.cut).map { shard in
          CommittedRun(shard: shard, events: state.runs[shard] ?? [], isCut: state.cut.contains(shard))
        }
      }
    }
  }
}
