import Persistence
import Runtime
import Synchronization
import Values

/// The read model of an engine's sagas. It follows the events into the current tables, and on request fills new tables
/// beside them.
final class SagaReadModel: Sendable {
  /// One generation and its projector.
  struct Line: Sendable {
    let generation: Int
    let projector: Projector
    let task: Task<Void, Never>
  }
  private enum Happening: Sendable {
    case begun(Int)
    case filled(Int)
    case ended(Int, any Error)
  }
  private struct State {
    var current: Line?
    var building: Line?
    var rebuildBegan: Timestamp?
    /// Whether the current tables have had every event that was stored when this process began to fill them.
    var hasCaughtUp = false
    /// The callers that wait for tables. Finished when the tables exist, or when they never will.
    var nextWaiter = 0
    var waiters: [Int: AsyncStream<Never>.Continuation] = [:]
    var ended: (any Error)?
  }

  let store: any SagaReadStore
  private let events: any EventStore
  private let environment: Environment
  private let log: Log
  private let state = Mutex(State())
  private let happenings: AsyncStream<Happening>
  private let tell: AsyncStream<Happening>.Continuation

  init(store: any SagaReadStore, events: any EventStore, environment: Environment, log: Log) {
    self.store = store
    self.events = events
    self.environment = environment
    self.log = log
    (happenings, tell) = AsyncStream.makeStream()
  }

  /// Works until the task is cancelled or the events' store is closed.
  func run() async throws {
    do {
      let generations = try await begin()
      start(generations.current, isCurrent: true)
      if let building = generations.building {
        state.withLock { $0.rebuildBegan = environment.now() }
        tell.yield(.begun(building))
      }
      for await happening in happenings {
        switch happening {
        case .begun(let generation): fill(generation)
        case .filled(let generation): try await swap(to: generation)
        case .ended(let generation, let error): if currentLine?.generation == generation { throw error }
        }
      }
      throw CancellationError()
    } catch {
      await finish(error)
      throw error
    }
  }

  /// Returns the tables to continue with. An unavailable read model stops no saga: it is tried again.
  private func begin() async throws -> ReadGenerations {
    let backoff = Backoff(first: .milliseconds(200), limit: .seconds(10))
    var failures = 0
    while true {
      do {
        var generations = try await store.generations()
        if try await !isOfTheseEvents(generations.current) {
          log.warning("The read model was made from other events: it is made anew")
          let fresh = try await store.beginGeneration()
          // The old generation is ahead of the events, so the new one replaces it at once.
          _ = try await store.makeCurrent(fresh, evenIfBehind: true)
          try await store.dropOldGenerations()
          generations = try await store.generations()
        }
        return generations
      } catch {
        try Task.checkCancellation()
        if let error = error as? StoreError, error.kind == .closed { throw error }
        log.error("The read model is out of reach; lists wait for it", ("error", "\(error)"))
        failures += 1
        try await environment.sleep(for: backoff.pause(after: failures))
      }
    }
  }

  /// Returns whether the events from which the rows were made are the events in the store.
  private func isOfTheseEvents(_ generation: Int) async throws -> Bool {
    for (shard, checkpoint) in try await store.checkpoints(generation) {
      guard shard < events.shardCount else { return false }
      if checkpoint.position == 0 { continue }
      let there = try await events.tail(shard: shard, after: checkpoint.position - 1, limit: 1).first
      guard there?.position == checkpoint.position, there?.hash == checkpoint.hash else { return false }
    }
    return true
  }

  private func start(_ generation: Int, isCurrent: Bool) {
    let follower = SagaFollower(generation: generation, events: events, store: store, log: log)
    let projector = Projector(store: events, follower: follower, environment: environment) { [log] failure in
      log.warning(
        "The list of sagas is behind and will catch up", ("shard", "\(failure.shard)"), ("error", "\(failure.error)"))
    }
    let task = Task(executorPreference: environment.executor) { [tell] in
      do {
        try await projector.run()
      } catch {
        tell.yield(.ended(generation, error))
      }
    }
    let line = Line(generation: generation, projector: projector, task: task)
    let waiters = state.withLock { state -> [AsyncStream<Never>.Continuation] in
      guard isCurrent else {
        state.building = line
        return []
      }
      state.current = line
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.finish() }
    if isCurrent { noteFirstPass(of: line) }
  }

  /// Notes when the tables have every event that is stored now. Until then, no number of theirs is taken for the true
  /// one, however new the missing events are.
  private func noteFirstPass(of line: Line) {
    Task(executorPreference: environment.executor) { [weak self] in
      // It ends earlier only when the engine does.
      guard (try? await line.projector.waitUntilCaughtUp()) != nil else { return }
      self?.state.withLock { $0.hasCaughtUp = true }
    }
  }

  private func finish(_ error: any Error) async {
    let (lines, waiters) = state.withLock { state in
      defer { (state.current, state.building, state.waiters) = (nil, nil, [:]) }
      state.ended = error
      return ([state.current, state.building].compactMap { $0 }, Array(state.waiters.values))
    }
    for line in lines { line.task.cancel() }
    for line in lines { await line.task.value }
    for waiter in waiters { waiter.finish() }
    tell.finish()
  }

  // MARK: Rebuilding

  /// Begins to fill new tables, unless a rebuild is under way.
  func rebuild() async throws {
    _ = try await line()
    let isFirst = state.withLock { state in
      if state.rebuildBegan != nil { return false }
      state.rebuildBegan = environment.now()
      return true
    }
    guard isFirst else { return }
    do {
      tell.yield(.begun(try await store.beginGeneration()))
    } catch {
      state.withLock { $0.rebuildBegan = nil }
      throw error
    }
  }

  private func fill(_ generation: Int) {
    start(generation, isCurrent: false)
    guard let building = state.withLock({ $0.building }) else { return }
    Task(executorPreference: environment.executor) { [tell] in
      // It ends earlier only when the engine does.
      guard (try? await building.projector.waitUntilCaughtUp()) != nil else { return }
      tell.yield(.filled(generation))
    }
  }

  /// Replaces the old tables by the new ones, when the new ones have reached the same positions.
  private func swap(to generation: Int) async throws {
    guard let new = state.withLock({ $0.building }), new.generation == generation, let old = currentLine else { return }
    // 1. The old tables do not change any more, but still serve. Readers that wait for newer rows wait for the new
    // tables.
    state.withLock { state in
      state.current = new
      state.building = nil
    }
    old.task.cancel()
    await old.task.value
    // 2. The new tables reach the position of the old ones, which takes a short time, and replace them.
    while true {
      do {
        let reached = try await store.checkpoints(old.generation).mapValues(\.position)
        try await new.projector.caughtUp(to: reached)
        if try await store.makeCurrent(generation, evenIfBehind: false) { break }
      } catch {
        try Task.checkCancellation()
        if let error = error as? StoreError, error.kind == .closed { throw error }
        // The swap may have happened although the call failed.
        if (try? await store.generations())?.current == generation { break }
        log.error("The rebuilt read model can't take over yet", ("error", "\(error)"))
        try await environment.sleep(for: .seconds(1))
      }
    }
    // The new tables have had every event, whether or not the old ones ever had.
    state.withLock { state in
      state.rebuildBegan = nil
      state.hasCaughtUp = true
    }
    log.info("The read model was rebuilt", ("generation", "\(generation)"))
    // 3. The old tables are deleted. They do no harm: if this fails, the next start or rebuild deletes them.
    do {
      try await store.dropOldGenerations()
    } catch {
      log.warning(
        "The old tables of the read model could not be dropped; the next start or rebuild drops them",
        ("generation", "\(old.generation)"), ("error", "\(error)"))
    }
  }

  // MARK: Waiting

  private var currentLine: Line? { state.withLock { $0.current } }

  /// Returns the generation that serves, once the engine runs and the tables are available.
  private func line() async throws -> Line {
    while true {
      let (line, ended) = state.withLock { ($0.current, $0.ended) }
      if let line { return line }
      if let ended { throw ended }
      // The wait also ends when the task is cancelled, so a caller with a time limit does not stay.
      for await _ in waiter() {}
      try Task.checkCancellation()
    }
  }

  private func waiter() -> AsyncStream<Never> {
    AsyncStream { waiter in
      let id = state.withLock { state -> Int? in
        if state.current != nil || state.ended != nil { return nil }
        state.nextWaiter += 1
        state.waiters[state.nextWaiter] = waiter
        return state.nextWaiter
      }
      guard let id else { return waiter.finish() }
      waiter.onTermination = { [weak self] _ in self?.state.withLock { $0.waiters[id] = nil } }
    }
  }

  /// Returns once lists show these positions and everything before them in their shards.
  func caughtUp(to positions: [Int: Int64]) async throws {
    while true {
      let line = try await line()
      do {
        try await line.projector.caughtUp(to: positions)
        // During a swap, the new tables are ahead of the lists.
        guard state.withLock({ $0.rebuildBegan != nil && $0.building == nil && $0.current != nil }) else { return }
        let shown = try await store.checkpoints(store.generations().current)
        if positions.allSatisfy({ (shown[$0.key]?.position ?? 0) >= $0.value }) { return }
        try await environment.sleep(for: .milliseconds(20))
      } catch {
        try Task.checkCancellation()
        // Another generation replaced it.
        if currentLine?.generation == line.generation { throw error }
      }
    }
  }

  /// Returns once lists show everything that is stored now.
  func waitUntilCaughtUp() async throws {
    var heads: [Int: Int64] = [:]
    for shard in 0..<events.shardCount { heads[shard] = try await events.head(shard: shard) }
    try await caughtUp(to: heads)
  }

  /// - Returns: false when the time was over before lists had reached the positions.
  func caughtUp(to positions: [Int: Int64], within time: Duration) async throws -> Bool {
    let clock = environment.clock
    let deadline = environment.now() + time
    return try await withThrowingTaskGroup(of: Bool.self) { group in
      defer { group.cancelAll() }
      group.addTask {
        try await self.caughtUp(to: positions)
        return true
      }
      group.addTask {
        try await clock.sleep(until: deadline)
        return false
      }
      return try await group.next() ?? false
    }
  }

  // MARK: Status

  func status() async throws -> ProjectionStatus {
    let generations = try await store.generations()
    let (rebuildBegan, isChecked, hasCaughtUp) = state.withLock { state in
      (state.rebuildBegan, state.current != nil, state.hasCaughtUp)
    }
    // Tables that nothing has compared with the events yet may be those of another store.
    let current = isChecked ? try await store.checkpoints(generations.current) : [:]
    let building = try await generations.building.asyncMap { try await store.checkpoints($0) }
    var shards: [ProjectionStatus.Shard] = []
    var oldest: Timestamp?
    for (shard, head) in try await events.heads().enumerated() {
      let one = ProjectionStatus.Shard(
        shard: shard, position: current[shard]?.position ?? 0, head: head,
        rebuilt: building.map { $0[shard]?.position ?? 0 })
      shards.append(one)
      if one.lag > 0, let next = try await events.tail(shard: shard, after: one.position, limit: 1).first {
        oldest = min(next.recordedAt, oldest ?? next.recordedAt)
      }
    }
    return ProjectionStatus(
      store: store.kind, generation: generations.current, shards: shards,
      waited: oldest.map { max(.zero, environment.now() - $0) } ?? .zero, hasCaughtUp: hasCaughtUp,
      rebuilding: generations.building.map { .init(generation: $0, since: rebuildBegan) })
  }
}

extension Optional {
  fileprivate func asyncMap<Value>(_ body: (Wrapped) async throws -> Value) async throws -> Value? {
    if let self { try await body(self) } else { nil }
  }
}

/// The lag of the read model, and the progress of a rebuild.
public struct ProjectionStatus: Sendable, Hashable {
  public struct Shard: Sendable, Hashable {
    public let shard: Int
    public let position: Int64
    public let head: Int64
    /// The position that the new tables have reached.
    public let rebuilt: Int64?

    public init(shard: Int, position: Int64, head: Int64, rebuilt: Int64? = nil) {
      self.shard = shard
      self.position = position
      self.head = head
      self.rebuilt = rebuilt
    }

    public var lag: Int64 { max(0, head - position) }
  }
  public struct Rebuild: Sendable, Hashable {
    public let generation: Int
    public let since: Timestamp?

    public init(generation: Int, since: Timestamp?) {
      self.generation = generation
      self.since = since
    }
  }
  /// `sqlite`, `postgres`, `memory`.
  public let store: String
  public let generation: Int
  public let shards: [Shard]
  /// How long ago the oldest event that lists don't show was stored.
  public let waited: Duration
  /// Whether lists have had every event once since the engine started.
  public let hasCaughtUp: Bool
  public let rebuilding: Rebuild?

  public init(
    store: String, generation: Int, shards: [Shard], waited: Duration = .zero, hasCaughtUp: Bool = true,
    rebuilding: Rebuild? = nil
  ) {
    self.store = store
    self.generation = generation
    self.shards = shards
    self.waited = waited
    self.hasCaughtUp = hasCaughtUp
    self.rebuilding = rebuilding
  }

  public var lag: Int64 { shards.reduce(0) { $0 + $1.lag } }

  /// The longest time for which an event may be missing in lists that are not behind.
  public static let longestDelay = Duration.seconds(5)

  /// Whether the numbers of lists are those of an earlier time: an event has been missing for longer than
  /// `longestDelay`, or the lists have not had every event yet since the engine started.
  public var isBehind: Bool { lag > 0 && (waited > Self.longestDelay || !hasCaughtUp) }
}
