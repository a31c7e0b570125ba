/// Time that never jumps: it begins at the wall clock's time, and then goes on at the pace of a monotonic clock.
///
/// When the wall clock is set, the steady time approaches it by at most one part in 2,000 of the time that passes, as NTP
/// slews a clock. So a duration that is measured by it is right to 0.05 %, whatever happens to the wall clock.
///
/// All times are microseconds: of the wall clock since 1970, of the monotonic clock since any moment.
public struct SteadyTime: Sendable {
  /// A correction is at most the time that passed divided by this.
  static let slew: Int64 = 2_000
  /// The time that one correction answers for. Without a bound, a first look after a quiet week would correct by minutes.
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

  /// Returns the steady time now; never one before that of an earlier call.
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

  /// Moves the time forward to `moment`, unless it is there already.
  public mutating func begin(at moment: Int64) { time = max(time, moment) }
}
