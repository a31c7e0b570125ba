import JSON
import Runtime
import Values

/// Moments and durations as people read them. Moments are in UTC, as everywhere in the project.
enum Moments {
  /// `2026-03-01 08:15:30 UTC`
  static func full(_ moment: Timestamp) -> String { "\(date(moment)) \(clock(moment)) UTC" }

  /// The time of day, and the date only where it is another than that of `start`.
  static func short(_ moment: Timestamp, besides start: Timestamp) -> String {
    date(moment) == date(start) ? clock(moment) : "\(date(moment)) \(clock(moment))"
  }

  private static func date(_ moment: Timestamp) -> String { String(moment.description.prefix(10)) }
  private static func clock(_ moment: Timestamp) -> String { String(moment.description.dropFirst(11).prefix(8)) }

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

extension JSON {
  /// A member that is an RFC 3339 moment.
  func moment(_ name: String) -> Timestamp? { self[name]?.stringValue.flatMap { Timestamp($0) } }
  func text(_ name: String) -> String? { self[name]?.stringValue.map(Layout.printable) }
}
