/// The pauses between attempts: each twice as long as the one before, up to a limit.
public struct Backoff: Sendable, Hashable {
  /// The pause after the first failed attempt.
  public var first: Duration
  /// The longest pause, without jitter. When it is shorter than `first`, every pause is as long as the limit.
  public var limit: Duration

  public init(first: Duration, limit: Duration) {
    self.first = first
    self.limit = limit
  }

  /// Returns the pause after a number of failed attempts; for fewer than 1 the same as for 1.
  public func pause(after attempts: Int) -> Duration {
    if first <= .zero { return .zero }
    var pause = first
    var left = attempts - 1
    while left > 0 && pause < limit {
      pause *= 2
      left -= 1
    }
    return min(pause, limit)
  }

  /// Returns the pause times a factor from 0.5 to 1.5, so that processes that failed together don't come back together.
  /// - Parameter random: 64 random bits.
  public func pause(after attempts: Int, jitter random: UInt64) -> Duration {
    // 53 bits fill a Double's fraction.
    pause(after: attempts) * (0.5 + Double(random >> 11) / 9_007_199_254_740_992)
  }
}
