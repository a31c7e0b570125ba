import Values

/// The surroundings of a process: time, ids, randomness and threads. All other code gets them from here, so a test or a
/// simulation can replace them. A rule test forbids other ways to get them.
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
  /// Returns the time of the machine's wall clock. Use it only for times that another machine compares with its own
  /// clock.
  public func wallNow() -> Timestamp { clock.wallNow() }
  public func random() -> UInt64 { nextRandom() }
  /// Returns after `duration` or later. Returns immediately when the duration is not positive.
  /// - Throws: `CancellationError` when the task is cancelled first.
  public func sleep(for duration: Duration) async throws { try await clock.sleep(until: now() + duration) }
  /// Returns a new version 7 id with the current time.
  public func newID() -> UniqueID { .version7(at: now(), random: (random(), random())) }
}

/// A clock, and sleep until a time.
public protocol WallClock: Sendable {
  /// Returns the process's time. It never goes back, and it does not jump when the machine's clock is set. A duration
  /// is the difference of two such timestamps.
  func now() -> Timestamp
  /// Returns the time of the machine's wall clock, which an administrator may set. After that it differs from `now`.
  func wallNow() -> Timestamp
  /// Moves the time forward to `moment` at least: the time at which an earlier process ended.
  func begin(at moment: Timestamp)
  /// Returns at `deadline` or later, never before it. Returns immediately when the deadline has passed.
  /// - Throws: `CancellationError` when the task is cancelled first.
  func sleep(until deadline: Timestamp) async throws
}

extension WallClock {
  public func wallNow() -> Timestamp { now() }
  public func begin(at moment: Timestamp) {}
}
