/// What a process takes from its surroundings: time, ids, randomness, and threads. Everything else in the tree gets them
/// from here, so that a test or a simulation can hand in its own. A rule test bans the other ways to them.
public struct Environment: Sendable {
  public let clock: any WallClock
  /// Runs the tasks that the engine begins on its own; nil for the runtime's threads. The simulation passes an executor
  /// that decides by a seed which task runs next.
  public let executor: (any TaskExecutor)?
  private let nextRandom: @Sendable () -> UInt64

  /// - Parameters:
  ///   - clock: the wall clock.
  ///   - executor: runs the tasks that the engine begins on its own.
  ///   - random: gives 64 random bits each time; called from any thread.
  public init(
    clock: any WallClock, executor: (any TaskExecutor)? = nil, random: @escaping @Sendable () -> UInt64
  ) {
    self.clock = clock
    self.executor = executor
    self.nextRandom = random
  }

  public func now() -> Timestamp { clock.now() }
  public func random() -> UInt64 { nextRandom() }
  /// A new version 7 id of this moment.
  public func newID() -> UniqueID { .version7(at: now(), random: (random(), random())) }
}

/// The wall clock, and sleeping until a moment of it.
public protocol WallClock: Sendable {
  func now() -> Timestamp
  /// Returns at `deadline` or later, never before it; at once when it has passed.
  /// - Throws: `CancellationError` when the task is cancelled first.
  func sleep(until deadline: Timestamp) async throws
}
