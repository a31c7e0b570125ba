/// Measures how long something takes, for a metric. Decisions take their time from `Environment`.
public struct Stopwatch: Sendable {
  private let start = ContinuousClock.now

  /// Starts to measure.
  public init() {}

  /// The time since the start.
  public var elapsed: Duration { ContinuousClock.now - start }
}
