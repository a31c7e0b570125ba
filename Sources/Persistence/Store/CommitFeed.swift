import Synchronization

/// Events of one shard that were committed one after the other.
public struct CommittedRun: Sendable, Hashable {
  public let shard: Int
  /// The events in order, without gaps.
  public let events: [StoredEvent]
  /// True when more events were committed after these. The follower reads them from the tail.
  public let isCut: Bool

  public init(shard: Int, events: [StoredEvent], isCut: Bool = false) {
    self.shard = shard
    self.events = events
    self.isCut = isCut
  }
}

/// Gives committed events to one follower, directly from the writer. A follower that is fast enough reads nothing from
/// the store.
///
/// The feed only saves reads; the store decides. A run may begin anywhere, be cut, or repeat events. The follower
/// compares positions and reads the tail when a position is missing. The feed buffers at most `limit` events for a slow
/// follower.
public struct CommitFeed: Sendable {
  /// Gives one element when there are events to take. Ends when the store is closed. Only one task may use it.
  public let wakes: AsyncStream<Void>
  let pending: Pending

  /// Returns the events that were committed since the last call: one run for each shard.
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

    /// - Parameter events: events of any shards; those of one shard are in order.
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

    /// Records that these shards have grown by unknown events. The follower reads them from the tail.
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
