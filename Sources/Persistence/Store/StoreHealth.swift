import Runtime
import Synchronization
public import Values

/// Whether a store accepts writes, and whether this process still owns its shards.
public struct StoreHealth: Sendable, Hashable {
  /// The reason why something fails, such as writes.
  public struct Problem: Sendable, Hashable {
    /// The error code, such as `store.unavailable`.
    public let code: String
    /// The text for a person, with the words of the library or server below.
    public let message: String
    /// The time since which it has failed.
    public let since: Timestamp

    public init(code: String, message: String, since: Timestamp) {
      self.code = code
      self.message = message
      self.since = since
    }
  }

  /// Events that another program wrote into shards that this process owns.
  public struct Intruders: Sendable, Hashable {
    /// The number of occupied positions that were found since the store was opened.
    public var count: Int64
    /// The shard in which the last one was found.
    public var shard: Int
    public var position: Int64
  }

  /// Events that the database had confirmed and does not have any more.
  public struct Loss: Sendable, Hashable {
    /// The number of lost events in all shards.
    public var count: Int64
    /// A shard that lost events.
    public var shard: Int
    /// The last event that this shard has.
    public var position: Int64
  }

  /// The reason why writes fail now; nil while they work, as far as is known.
  public var problem: Problem?
  /// True when another process owns a shard that this one owned, or has written to it, or when the database has lost
  /// events. The streams in this process's
  /// memory may be out of date, and the process writes no more. The flag is never cleared: open the store again.
  public var isTakenOver: Bool
  /// True when the database has recently confirmed that this process owns its shards. Without a confirmation, for
  /// example after the process was stopped for a while, another process may own them. Then the memory of this process
  /// may be out of date.
  public var isConfirmed: Bool
  /// Events of other programs; nil when none was found.
  public var intruders: Intruders?
  /// Lost events; nil when none is missing. The streams in this process's memory are ahead of the database, so
  /// ``isTakenOver`` is true as well.
  public var loss: Loss?

  public init(
    problem: Problem? = nil, isTakenOver: Bool = false, isConfirmed: Bool = true, intruders: Intruders? = nil,
    loss: Loss? = nil
  ) {
    self.problem = problem
    self.isTakenOver = isTakenOver
    self.isConfirmed = isConfirmed
    self.intruders = intruders
    self.loss = loss
  }
}

/// Collects the health of a store from its writers and informs followers of a change.
package final class StoreHealthBoard: Sendable {
  private struct State {
    var problems: [Int: StoreHealth.Problem] = [:]
    /// The time of the last refusal of each writer. A heartbeat does not disprove a refusal, because it needs less
    /// space than an append.
    var refusals: [Int: ContinuousClock.Instant] = [:]
    /// The time at which the database last confirmed to each writer that it owns its shards.
    var confirmations: [Int: ContinuousClock.Instant] = [:]
    var isTakenOver = false
    var intruders: StoreHealth.Intruders?
    var loss: StoreHealth.Loss?
    var followers: [Int: AsyncStream<StoreHealth>.Continuation] = [:]
    var nextFollower = 0
    var isClosed = false

    func health(_ validity: Duration) -> StoreHealth {
      let now = ContinuousClock.now
      return StoreHealth(
        problem: problems.values.min { $0.since < $1.since }, isTakenOver: isTakenOver,
        isConfirmed: confirmations.values.allSatisfy { now - $0 <= validity }, intruders: intruders,
        loss: loss)
    }
  }
  private let state = Mutex(State())
  private let told = Mutex<StoreHealth?>(nil)
  private let environment: Environment
  private let validity: Duration

  /// - Parameter validity: how long a confirmation is valid.
  package init(environment: Environment, validity: Duration = .seconds(1_000_000_000)) {
    self.environment = environment
    self.validity = validity
  }

  package var health: StoreHealth { state.withLock { $0.health(validity) } }

  /// Returns a stream of the health now and after each change, until the store is closed.
  package func changes() -> AsyncStream<StoreHealth> {
    let (stream, continuation) = AsyncStream.makeStream(of: StoreHealth.self, bufferingPolicy: .bufferingNewest(1))
    state.withLock { state in
      guard !state.isClosed else { return continuation.finish() }
      let id = state.nextFollower
      state.nextFollower += 1
      state.followers[id] = continuation
      continuation.onTermination = { [weak self] _ in
        _ = self?.state.withLock { $0.followers.removeValue(forKey: id) }
      }
      continuation.yield(state.health(validity))
    }
    return stream
  }

  /// Records that a writer owns its shards and has committed an append.
  package func works(_ writer: Int) {
    let now = ContinuousClock.now
    change { state in
      state.problems[writer] = nil
      state.refusals[writer] = nil
      state.confirmations[writer] = now
    }
  }

  /// Records that a writer owns its shards and has committed a heartbeat.
  package func beats(_ writer: Int) {
    let now = ContinuousClock.now
    change { state in
      state.confirmations[writer] = now
      if let refusal = state.refusals[writer], now - refusal < .seconds(10) { return }
      state.problems[writer] = nil
      state.refusals[writer] = nil
    }
  }

  /// Records that a writer owns its shards. It is not known whether it can write.
  package func owns(_ writer: Int) {
    let now = ContinuousClock.now
    change { $0.confirmations[writer] = now }
  }

  /// Records that a writer owns no shards.
  package func ownsNothing(_ writer: Int) {
    change { state in
      state.problems[writer] = nil
      state.refusals[writer] = nil
      state.confirmations[writer] = nil
    }
  }

  /// Records that an append waits without an answer. A reason that is already known is kept, because it says more.
  package func stalls(_ writer: Int, for time: Duration) {
    if state.withLock({ $0.problems[writer] != nil }) { return }
    fails(writer, .unavailable("the database has answered nothing for \(time.components.seconds) s"))
  }

  /// Informs followers of changes that come only from the passage of time.
  package func look() { change { _ in } }

  /// Records that the writes of a writer fail. The time of the first failure is kept.
  /// - Parameter isRefused: true when the server is reachable and refused an append.
  package func fails(_ writer: Int, _ error: StoreError, isRefused: Bool = false) {
    let now = environment.now()
    let instant = ContinuousClock.now
    change { state in
      if isRefused { state.refusals[writer] = instant }
      state.problems[writer] = StoreHealth.Problem(
        code: StoreErrorCode.unavailable, message: error.detail ?? error.message,
        since: state.problems[writer]?.since ?? now)
    }
  }

  package func isTakenOver() { change { $0.isTakenOver = true } }

  /// Records that a shard ends at a position, before events that the database had confirmed.
  package func lost(_ count: Int64, shard: Int, position: Int64) {
    change { state in
      state.loss = StoreHealth.Loss(count: (state.loss?.count ?? 0) + count, shard: shard, position: position)
      state.isTakenOver = true
    }
  }

  package func found(_ count: Int64, shard: Int, position: Int64) {
    change { state in
      let before = state.intruders?.count ?? 0
      state.intruders = StoreHealth.Intruders(count: before + count, shard: shard, position: position)
    }
  }

  package func close() {
    let followers = state.withLock { state in
      state.isClosed = true
      defer { state.followers = [:] }
      return Array(state.followers.values)
    }
    for follower in followers { follower.finish() }
  }

  private func change(_ body: (inout State) -> Void) {
    // Yielding under the lock keeps the changes in order. The stream buffers only the newest one and runs no code of a
    // follower.
    state.withLock { state in
      body(&state)
      let health = state.health(validity)
      let isNews = told.withLock { told in
        defer { told = health }
        return told != health
      }
      guard isNews else { return }
      for follower in state.followers.values { follower.yield(health) }
    }
  }
}
