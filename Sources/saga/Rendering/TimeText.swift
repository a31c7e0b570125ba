import Values

/// Writes timestamps and durations for people. Timestamps are in UTC.
enum TimeText {
  /// `2026-03-01 08:15:30 UTC`
  static func full(_ time: Timestamp) -> String { "\(date(time)) \(clock(time)) UTC" }

  /// Returns the time of day, with the date only when it is not the date of `start`.
  static func short(_ time: Timestamp, besides start: Timestamp) -> String {
    (date(time) == date(start) ? clock(time) : "\(date(time)) \(clock(time))") + " UTC"
  }

  private static func date(_ time: Timestamp) -> String { String(time.description.prefix(10)) }
  private static func clock(_ time: Timestamp) -> String { String(time.description.dropFirst(11).prefix(8)) }

  /// `120ms`, `4.2s`, `1m 32s`, `2h 05m`, `3d 04h`: two units at most.
  static func duration(_ duration: Duration) -> String {
    let milliseconds = max(
      0, duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000)
    let seconds = milliseconds / 1_000
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if milliseconds < 1_000 { return "\(milliseconds)ms" }
    if seconds < 60 {
      let tenths = milliseconds / 100 % 10
      return tenths == 0 ? "\(seconds)s" : "\(seconds).\(tenths)s"
    }
    if seconds < 3_600 { return "\(seconds / 60)m \(two(seconds % 60))s" }
    if seconds < 86_400 { return "\(seconds / 3_600)h \(two(seconds / 60 % 60))m" }
    return "\(seconds / 86_400)d \(two(seconds / 3_600 % 24))h"
  }
}
