/// The pauses between attempts: each is longer than the one before by a factor, up to a limit.
public struct Backoff: Sendable, Hashable {
  /// The pause after the first failed attempt.
  public var first: Duration
  /// The longest pause, without jitter. When it is shorter than `first`, every pause is as long as the limit.
  public var limit: Duration
  /// The number by which each further failure multiplies the pause.
  public var factor: Int
  /// The largest part of a pause that jitter adds or takes away: 0.5 for pauses of one half to three halves.
  public var spread: Double

  public init(first: Duration, limit: Duration, factor: Int = 2, spread: Double = 0.5) {
    self.first = first
    self.limit = limit
    self.factor = factor
    self.spread = spread
  }

  /// Returns the pause after a number of failed attempts; for fewer than 1 the same as for 1.
  public func pause(after attempts: Int) -> Duration {
    if first <= .zero { return .zero }
    var pause = first
    var left = attempts - 1
    while left > 0 && factor > 1 && pause < limit {
      pause *= factor
      left -= 1
    }
    return min(pause, limit)
  }

  /// Returns the pause with jitter, so that processes that failed together don't come back together.
  /// - Parameter random: 64 random bits.
  public func pause(after attempts: Int, jitter random: UInt64) -> Duration {
    // 53 bits fill a Double's fraction.
    pause(after: attempts) * (1 - spread + 2 * spread * Double(random >> 11) / 9_007_199_254_740_992)
  }
}
