import Synchronization

/// Gives one follower the shards that may have grown since its last call. A slow follower loses nothing and uses little
/// memory: the waiting hints are one set of shards.
public struct CommitHints: AsyncSequence, Sendable {
  public typealias Element = Set<Int>
  public typealias Failure = Never

  final class Pending: Sendable {
    let shards = Mutex<Set<Int>>([])
  }

  fileprivate let pending: Pending
  fileprivate let wakes: AsyncStream<Void>

  public func makeAsyncIterator() -> Iterator { Iterator(pending: pending, wakes: wakes.makeAsyncIterator()) }

  /// An iterator for one task.
  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let pending: Pending
    fileprivate var wakes: AsyncStream<Void>.Iterator

    /// Waits until shards have grown. Ends when the store is closed or the task is cancelled.
    public mutating func next() async -> Set<Int>? { await next(isolation: nil) }

    public mutating func next(isolation actor: isolated (any Actor)?) async -> Set<Int>? {
      while await wakes.next(isolation: actor) != nil {
        let shards = pending.shards.withLock { shards in
          let taken = shards
          shards = []
          return taken
        }
        if !shards.isEmpty { return shards }
      }
      return nil
    }
  }
}

/// The sender of hints, used by a store.
public final class CommitHub: Sendable {
  private struct Follower {
    enum Kind {
      case hints(CommitHints.Pending)
      case feed(CommitFeed.Pending)
    }
    let kind: Kind
    let wake: AsyncStream<Void>.Continuation
  }
  private struct State {
    var nextID = 0
    var followers: [Int: Follower] = [:]
    var feeds = 0
    var closed = false
  }
  private let state = Mutex(State())

  public init() {}

  public func follow() -> CommitHints {
    let pending = CommitHints.Pending()
    return CommitHints(pending: pending, wakes: join(.hints(pending)))
  }

  /// - Parameter limit: the number of events that are buffered for a slow follower.
  public func feed(limit: Int) -> CommitFeed {
    let pending = CommitFeed.Pending(limit: limit)
    return CommitFeed(wakes: join(.feed(pending)), pending: pending)
  }

  private func join(_ kind: Follower.Kind) -> AsyncStream<Void> {
    let (stream, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { state -> Int? in
      if state.closed { return nil }
      state.nextID += 1
      state.followers[state.nextID] = Follower(kind: kind, wake: wake)
      if case .feed = kind { state.feeds += 1 }
      return state.nextID
    }
    if let id {
      wake.onTermination = { [weak self] _ in self?.leave(id) }
    } else {
      wake.finish()
    }
    return stream
  }

  /// True when at least one follower takes the events themselves.
  public var hasFeeds: Bool { state.withLock { $0.feeds > 0 } }

  /// Sends the hint that these shards have grown. Call it when the events can be read.
  /// - Parameter events: the new events, when there are feeds; the events of each shard are in order.
  public func grew(_ shards: Set<Int>, by events: [StoredEvent] = []) {
    if shards.isEmpty { return }
    let followers = state.withLock { Array($0.followers.values) }
    for follower in followers {
      switch follower.kind {
      case .hints(let pending): pending.shards.withLock { $0.formUnion(shards) }
      case .feed(let pending): if events.isEmpty { pending.add(shards: shards) } else { pending.add(events) }
      }
      follower.wake.yield()
    }
  }

  /// Ends the sequences of all followers.
  public func close() {
    let followers = state.withLock { state in
      state.closed = true
      defer { state.followers = [:] }
      return Array(state.followers.values)
    }
    for follower in followers { follower.wake.finish() }
  }

  private func leave(_ id: Int) {
    state.withLock { state in
      if case .feed? = state.followers.removeValue(forKey: id)?.kind { state.feeds -= 1 }
    }
  }
}
