public import Runtime
import Synchronization
public import Values

/// Tables that a projector keeps up to date, with a checkpoint in each shard.
public protocol ShardFollower: Sendable {
  /// The name of the follower in reports of failures.
  var name: String { get }

  /// Returns the checkpoint in a shard; 0 when the follower has not begun.
  func checkpoint(shard: Int) async throws -> Int64

  /// Applies events of one shard, which follow the checkpoint `from`, and moves the checkpoint to the last of them. It
  /// does both or neither.
  /// - Throws: `store.checkpointConflict` when the checkpoint isn't at `from`.
  func apply(_ events: [StoredEvent], shard: Int, from: Int64) async throws

  /// Deletes everything that the follower has made. It then begins at the first event again.
  func reset() async throws
}

/// A projection whose documents are kept in the same store as its events.
private struct DocumentFollower: ShardFollower {
  let store: any DocumentStore
  let projection: any Projection
  var name: String { projection.name }

  func checkpoint(shard: Int) async throws -> Int64 { try await store.checkpoint(projection.name, shard: shard) }

  func apply(_ events: [StoredEvent], shard: Int, from: Int64) async throws {
    guard let last = events.last else { return }
    var changes = ProjectionChanges(store: store)
    try await projection.apply(events, to: &changes)
    try await store.apply(changes.batch(follower: projection.name, shard: shard, from: from, to: last.position))
  }

  func reset() async throws { try await store.reset(follower: projection.name, collections: projection.collections) }
}

/// Keeps a projection up to date. It follows the tail of every shard in batches, and writes each batch in one
/// transaction with its checkpoint. A failed batch is reported and tried again with growing pauses. The other shards
/// continue meanwhile.
public final class Projector: Sendable {
  /// The configuration of a projector.
  public struct Configuration: Sendable {
    /// The most events in one transaction.
    public var batchSize: Int
    /// The pauses after consecutive failures of a shard.
    public var backoff: Backoff
    /// The interval of reads of every shard without a hint. It is needed when another process appends to the store.
    public var pollInterval: Duration?

    public init(
      batchSize: Int = 500, backoff: Backoff = Backoff(first: .milliseconds(100), limit: .seconds(30)),
      pollInterval: Duration? = nil
    ) {
      self.batchSize = batchSize
      self.backoff = backoff
      self.pollInterval = pollInterval
    }
  }

  /// A batch that failed and will be tried again.
  public struct Failure: Sendable {
    public let projection: String
    public let shard: Int
    /// The number of consecutive failures.
    public let count: Int
    public let retryAt: Timestamp
    public let error: any Error
  }

  private let store: any EventLog
  private let follower: any ShardFollower
  private let environment: Environment
  private let configuration: Configuration
  private let report: @Sendable (Failure) -> Void
  private let progress: ProjectorProgress
  /// The shards to read: from the store's hints, from shards with more events, and from retries.
  private let inbox = CommitHub()
  private let started = Mutex(false)

  /// - Parameters:
  ///   - store: the store of the events and the documents.
  ///   - projection: turns events into documents.
  ///   - environment: the clock of the pauses.
  ///   - configuration: batch size and pauses.
  ///   - report: called for every failed batch.
  public convenience init(
    store: any EventLog & DocumentStore, projection: any Projection, environment: Environment,
    configuration: Configuration = Configuration(), report: @escaping @Sendable (Failure) -> Void = { _ in }
  ) {
    self.init(
      store: store, follower: DocumentFollower(store: store, projection: projection), environment: environment,
      configuration: configuration, report: report)
  }

  /// - Parameters:
  ///   - store: the store of the events.
  ///   - follower: applies the events.
  ///   - environment: the clock of the pauses.
  ///   - configuration: batch size and pauses.
  ///   - report: called for every failed batch.
  public init(
    store: any EventLog, follower: any ShardFollower, environment: Environment,
    configuration: Configuration = Configuration(), report: @escaping @Sendable (Failure) -> Void = { _ in }
  ) {
    self.store = store
    self.follower = follower
    self.environment = environment
    self.configuration = configuration
    self.report = report
    progress = ProjectorProgress(shardCount: store.shardCount)
  }

  /// Runs until the task is cancelled or the store is closed. Call it only once.
  public func run() async throws {
    let first = started.withLock { started in
      defer { started = true }
      return !started
    }
    guard first else { throw StoreError.invalid("a projector runs once") }
    do {
      try await follow()
      progress.finish(CancellationError())
    } catch {
      progress.finish(error)
      throw error
    }
  }

  /// Returns when the documents contain these positions and everything before them in their shards.
  /// - Throws: when the projector ends before that, or the task is cancelled.
  public func caughtUp(to positions: [Int: Int64]) async throws { try await progress.wait(for: positions) }

  /// Returns when the documents contain everything that is in the store now.
  public func waitUntilCaughtUp() async throws {
    var heads: [Int: Int64] = [:]
    for shard in 0..<store.shardCount { heads[shard] = try await store.head(shard: shard) }
    try await caughtUp(to: heads)
  }

  /// Returns the checkpoint of each shard, as far as it is known.
  public func positions() -> [Int: Int64] { progress.positions() }

  /// Empties the projection's collections and fills them again from the first event. Queries meanwhile see the
  /// documents so far. Returns when the collections are empty; `waitUntilCaughtUp` waits for the rest.
  public func rebuild() async throws {
    // A rebuild runs between two batches. A batch that read documents before the reset must not write them back.
    try await progress.requestRebuild { self.inbox.grew([0]) }
  }

  private func follow() async throws {
    let shards = Set(0..<store.shardCount)
    // The hints begin before the first read. So a commit in between is seen by one of them.
    let hints = store.committed()
    let wakes = inbox.follow()
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask { [inbox] in
        for await shards in hints { inbox.grew(shards) }
        inbox.close()
      }
      if let interval = configuration.pollInterval {
        group.addTask { [inbox, environment] in
          while (try? await environment.sleep(for: interval)) != nil { inbox.grew(shards) }
        }
      }
      inbox.grew(shards)
      var failures: [Int: Int] = [:]
      var retries: [Int: Timestamp] = [:]
      for await shards in wakes {
        if let rebuilds = progress.takeRebuilds() { try await reset(rebuilds) }
        for shard in shards.sorted() {
          if let retryAt = retries[shard], environment.now() < retryAt { continue }
          retries[shard] = nil
          do {
            try await step(shard)
            failures[shard] = nil
          } catch {
            if Task.isCancelled { throw CancellationError() }
            if (error as? StoreError)?.kind == .closed { throw error }
            let count = failures[shard, default: 0] + 1
            failures[shard] = count
            let retryAt = environment.now() + configuration.backoff.pause(after: count)
            report(
              Failure(projection: follower.name, shard: shard, count: count, retryAt: retryAt, error: error))
            retries[shard] = retryAt
            group.addTask { [inbox, environment] in
              // The sleep ends early only when the task is cancelled. Then no task reads the inbox any more.
              try? await environment.clock.sleep(until: retryAt)
              inbox.grew([shard])
            }
          }
        }
      }
      group.cancelAll()
    }
  }

  /// Applies one batch of one shard. Adds the shard to the inbox when it may have more events.
  private func step(_ shard: Int) async throws {
    let from: Int64
    if let known = progress.position(of: shard) {
      from = known
    } else {
      from = try await follower.checkpoint(shard: shard)
      progress.reached(shard, from)
    }
    let events = try await store.tail(shard: shard, after: from, limit: configuration.batchSize)
    guard let last = events.last else { return }
    do {
      try await follower.apply(events, shard: shard, from: from)
      progress.reached(shard, last.position)
    } catch {
      // The outcome of the batch may be unknown; the stored checkpoint decides.
      progress.forget(shard)
      if case .checkpointConflict = (error as? StoreError)?.kind {
        inbox.grew([shard])
        return
      }
      throw error
    }
    if events.count == configuration.batchSize { inbox.grew([shard]) }
  }

  private func reset(_ rebuilds: ProjectorProgress.Rebuilds) async throws {
    do {
      try await follower.reset()
    } catch {
      rebuilds.finish(.failure(error))
      return
    }
    progress.forgetAll()
    inbox.grew(Set(0..<store.shardCount))
    rebuilds.finish(.success(()))
  }
}
