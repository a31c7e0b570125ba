import Foundation
import Synchronization
import Values

extension Environment {
  /// The machine's own clock and randomness.
  public static let system = Environment(clock: SystemClock()) {
    var generator = SystemRandomNumberGenerator()
    return generator.next()
  }
}

/// The process's time: it starts at the machine's wall clock and then goes on steadily (`SteadyTime`). Every instance
/// shows the same time.
///
/// The pace is that of `ContinuousClock`, which continues while the machine is suspended. Four hours of thawing are
/// four hours for the sample, too.
public struct SystemClock: WallClock {
  private static let origin = ContinuousClock.now
  private static let steady = Mutex(SteadyTime(wall: wallTime(), monotonic: monotonicTime()))
  /// The longest single sleep. A timer of the system may stop while the machine is suspended, so a sleeper checks the
  /// time again after this.
  private static let longestNap = Duration.seconds(10)

  public init() {}

  public func now() -> Timestamp {
    Timestamp(
      milliseconds: Self.steady.withLock { $0.now(wall: Self.wallTime(), monotonic: Self.monotonicTime()) } / 1_000)
  }

  public func wallNow() -> Timestamp { Timestamp(milliseconds: Self.wallTime() / 1_000) }

  public func begin(at moment: Timestamp) {
    Self.steady.withLock { $0.begin(at: moment.milliseconds * 1_000) }
  }

  public func sleep(until deadline: Timestamp) async throws {
    while true {
      let left = deadline - now()
      if left <= .zero { return }
      try await Task.sleep(for: min(left, Self.longestNap))
    }
  }

  private static func wallTime() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }

  private static func monotonicTime() -> Int64 {
    let (seconds, attoseconds) = (ContinuousClock.now - origin).components
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
  }
}
