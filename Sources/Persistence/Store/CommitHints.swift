import Synchronization

/// Tells one follower which shards may have grown since it last asked. However slow the follower, nothing is lost and
/// nothing piles up: what it hasn't fetched yet is one set of shards.
public struct CommitHints: AsyncSequence, Sendable {
  public typealias Element = Set<Int>
  public typealias Failure = Never

  final class Pending: Sendable {
    let shards = Mutex<Set<Int>>([])
  }

  fileprivate let pending: Pending
  fileprivate let wakes: AsyncStream<Void>

  public func makeAsyncIterator() -> Iterator { Iterator(pending: pending, wakes: wakes.makeAsyncIterator()) }

  /// For one task.
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

/// The side of a store that gives hints.
public final class CommitHub: Sendable {
  private struct Follower {
    let pending: CommitHints.Pending
    let wake: AsyncStream<Void>.Continuation
  }
  private struct State {
    var nextID = 0
    var followers: [Int: Follower] = [:]
    var closed = false
  }
  private let state = Mutex(State())

  public init() {}

  public func follow() -> CommitHints {
    let pending = CommitHints.Pending()
    let (stream, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { state -> Int? in
      if state.closed { return nil }
      state.nextID += 1
      state.followers[state.nextID] = Follower(pending: pending, wake: wake)
      return state.nextID
    }
    if let id {
      wake.onTermination = { [weak self] _ in self?.leave(id) }
    } else {
      wake.finish()
    }
    return CommitHints(pending: pending, wakes: stream)
  }

  /// Hints that these shards have grown. Call it when the events can be read.
  public func grew(_ shards: Set<Int>) {
    if shards.isEmpty { return }
    let followers = state.withLock { Array($0.followers.values) }
    for follower in followers {
      follower.pending.shards.withLock { $0.formUnion(shards) }
      follower.wake.yield()
    }
  }

  /// Ends all followers' sequences.
  public func close() {
    let followers = state.withLock { state in
      state.closed = true
      defer { state.followers = [:] }
      return Array(state.followers.values)
    }
    for follower in followers { follower.wake.finish() }
  }

  private func leave(_ id: Int) { state.withLock { _ = $0.followers.removeValue(forKey: id) } }
}
