public import Runtime
import Synchronization
public import Values

/// What a projector keeps up to date: some tables, with a checkpoint of their own in each shard.
public protocol ShardFollower: Sendable {
  /// Names it to those who are told of a failure.
  var name: String { get }

  /// How far it has come in a shard; 0 when it hasn't begun.
  func checkpoint(shard: Int) async throws -> Int64

  /// Takes events of one shard in, which follow its checkpoint `from`, and moves the checkpoint behind the last of them:
  /// both or neither.
  /// - Throws: `store.checkpointConflict` when the checkpoint isn't at `from`.
  func apply(_ events: [StoredEvent], shard: Int, from: Int64) async throws

  /// Throws away what it has made, to begin again at the first event.
  func reset() async throws
}

/// A projection whose documents are kept in the store of its events.
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

/// Keeps a projection up to date: follows every shard's tail, in batches, each written in one transaction with its
/// checkpoint. What fails is reported and tried again, later and later; the other shards go on meanwhile.
public final class Projector: Sendable {
  /// How a projector works.
  public struct Configuration: Sendable {
    /// The most events in one transaction.
    public var batchSize: Int
    /// The pauses after a shard's failures in a row.
    public var backoff: Backoff
    /// Look at every shard this often even without a hint; needed when another process appends to the store.
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
    /// How many times in a row.
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
  /// Shards to look at: from the store's hints, from shards with more to read, and from retries.
  private let inbox = CommitHub()
  private let started = Mutex(false)

  /// - Parameters:
  ///   - store: where events are read and documents are written.
  ///   - projection: what turns events into documents.
  ///   - environment: the clock of the pauses.
  ///   - configuration: batch size and pauses.
  ///   - report: is told of every failed batch.
  public convenience init(
    store: any EventLog & DocumentStore, projection: any Projection, environment: Environment,
    configuration: Configuration = Configuration(), report: @escaping @Sendable (Failure) -> Void = { _ in }
  ) {
    self.init(
      store: store, follower: DocumentFollower(store: store, projection: projection), environment: environment,
      configuration: configuration, report: report)
  }

  /// - Parameters:
  ///   - store: where events are read.
  ///   - follower: what takes them in.
  ///   - environment: the clock of the pauses.
  ///   - configuration: batch size and pauses.
  ///   - report: is told of every failed batch.
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

  /// Works until the task is cancelled or the store is closed; for one call only.
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

  /// Returns once these positions, and what was before them in their shards, are in the documents.
  /// - Throws: when the projector stops before, or the task is cancelled.
  public func caughtUp(to positions: [Int: Int64]) async throws { try await progress.wait(for: positions) }

  /// Returns once everything that is in the store now is in the documents.
  public func waitUntilCaughtUp() async throws {
    var heads: [Int: Int64] = [:]
    for shard in 0..<store.shardCount { heads[shard] = try await store.head(shard: shard) }
    try await caughtUp(to: heads)
  }

  /// How far it has come in each shard, as far as that is known.
  public func positions() -> [Int: Int64] { progress.positions() }

  /// Empties the projection's collections and fills them again from the first event. Queries are served meanwhile, of
  /// what is there so far. Returns when everything has been emptied; `waitUntilCaughtUp` waits for the rest.
  public func rebuild() async throws {
    // Between two batches: a batch that read documents before they went must not write them back.
    try await progress.requestRebuild { self.inbox.grew([0]) }
  }

  private func follow() async throws {
    let shards = Set(0..<store.shardCount)
    // The hints first, then the first look: what commits in between is seen by either.
    let hints = store.committed()
    let wakes = inbox.follow()
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask { [inbox] in
        for await shards in hints { inbox.grew(shards) }
        inbox.close()
      }
      if let interval = configuration.pollInterval {
        group.addTask { [inbox, environment] in
          while (try? await environment.clock.sleep(until: environment.now() + interval)) != nil { inbox.grew(shards) }
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
              // Only a cancelled task wakes early, and then nobody listens any more.
              try? await environment.clock.sleep(until: retryAt)
              inbox.grew([shard])
            }
          }
        }
      }
      group.cancelAll()
    }
  }

  /// One batch of one shard; asks to be called again when there may be more.
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
      // Whatever became of the batch, the checkpoint knows.
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
