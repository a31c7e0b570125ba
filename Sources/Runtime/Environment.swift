import Values

/// What a process takes from its surroundings: time, ids, randomness, and threads. Everything else in the tree gets them
/// from here, so that a test or a simulation can hand in its own. A rule test bans the other ways to them.
public struct Environment: Sendable {
  public let clock: any WallClock
  /// Runs the tasks that the engine begins on its own; nil for the runtime's threads. The simulation passes an executor
  /// that decides by a seed which task runs next.
  public let executor: (any WorkThreads)?
  private let nextRandom: @Sendable () -> UInt64

  /// - Parameters:
  ///   - clock: the wall clock.
  ///   - executor: runs the tasks that the engine begins on its own.
  ///   - random: gives 64 random bits each time; called from any thread.
  public init(
    clock: any WallClock, executor: (any WorkThreads)? = nil, random: @escaping @Sendable () -> UInt64
  ) {
    self.clock = clock
    self.executor = executor
    self.nextRandom = random
  }

  public func now() -> Timestamp { clock.now() }
  /// What the machine's wall clock shows. Only for what another machine compares with its own clock.
  public func wallNow() -> Timestamp { clock.wallNow() }
  public func random() -> UInt64 { nextRandom() }
  /// A new version 7 id of this moment.
  public func newID() -> UniqueID { .version7(at: now(), random: (random(), random())) }
}

/// Time, and sleeping until a moment of it.
public protocol WallClock: Sendable {
  /// Returns the process's time. It never goes back, and it doesn't jump when the machine's clock is set: a duration is
  /// the difference of two such moments.
  func now() -> Timestamp
  /// Returns what the machine's wall clock shows, which anybody may set. Differs from `now` after that.
  func wallNow() -> Timestamp
  /// Has the time begin at `moment` at the earliest: where the time of an earlier process ended.
  func begin(at moment: Timestamp)
  /// Returns at `deadline` or later, never before it; at once when it has passed.
  /// - Throws: `CancellationError` when the task is cancelled first.
  func sleep(until deadline: Timestamp) async throws
}

extension WallClock {
  public func wallNow() -> Timestamp { now() }
  public func begin(at moment: Timestamp) {}
}
