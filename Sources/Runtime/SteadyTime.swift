/// Time that never jumps. It starts at the wall clock's time, and then follows a monotonic clock.
///
/// When the wall clock is set, the steady time approaches it by at most one part in 2,000 of the elapsed time, as NTP
/// slews a clock. So a measured duration is right to 0.05 %, even when the wall clock changes.
///
/// All times are in microseconds: the wall clock's since 1970, the monotonic clock's since an arbitrary start.
public struct SteadyTime: Sendable {
  /// The divisor of a correction: it is at most the elapsed time divided by this.
  static let slew: Int64 = 2_000
  /// The longest elapsed time that one correction covers. Without this limit, the first call after a quiet week would
  /// correct by minutes.
  static let longestCorrected: Int64 = 10_000_000
  private static let shortestCorrected: Int64 = 10_000

  private var time: Int64
  private var reading: Int64
  private var corrected: Int64

  public init(wall: Int64, monotonic: Int64) {
    time = wall
    reading = monotonic
    corrected = monotonic
  }

  /// Returns the steady time now. It is never before the result of an earlier call.
  public mutating func now(wall: Int64, monotonic: Int64) -> Int64 {
    time += max(0, monotonic - reading)
    reading = max(reading, monotonic)
    let passed = reading - corrected
    if passed >= Self.shortestCorrected {
      corrected = reading
      let most = min(passed, Self.longestCorrected) / Self.slew
      time += min(max(wall - time, -most), most)
    }
    return time
  }

  /// Moves the time forward to `moment`. Does nothing when the time is already later.
  public mutating func begin(at moment: Int64) { time = max(time, moment) }
}
