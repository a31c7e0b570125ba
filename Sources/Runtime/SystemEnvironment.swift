import Foundation

extension Environment {
  /// The machine's own clock and randomness.
  public static let system = Environment(clock: SystemClock()) {
    var generator = SystemRandomNumberGenerator()
    return generator.next()
  }
}

/// The machine's wall clock.
public struct SystemClock: WallClock {
  public init() {}

  public func now() -> Timestamp {
    Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
  }

  public func sleep(until deadline: Timestamp) async throws {
    // The wall clock may be set while we sleep: look again after each nap, and never nap longer than a minute.
    while true {
      let left = deadline - now()
      if left <= .zero { return }
      try await Task.sleep(for: min(left, .seconds(60)))
    }
  }
}
