import Runtime
import Values

/// A time as people type it: `1h`, `yesterday`, `2026-11-29`, `2026-11-29T10:00`.
///
/// A time without a zone is in UTC, because every time that the program prints is in UTC. A day is its beginning.
enum TimeWord {
  /// The forms, as an error and the help name them.
  static let forms = "1h (an hour ago), today, yesterday, 2026-11-29, or 2026-11-29T10:00"

  /// Returns the time that the text names.
  /// - Parameter now: the time from which `1h`, `today` and `yesterday` count.
  /// - Returns: nil when the text has none of the forms.
  static func time(_ text: String, now: Timestamp) -> Timestamp? {
    switch text {
    case "now": return now
    case "today": return beginning(of: now)
    case "yesterday": return beginning(of: now + .seconds(-86_400))
    default: break
    }
    if let before = DurationText.parse(text) {
      let time = Timestamp(milliseconds: now.milliseconds - Int64(before.wholeMilliseconds))
      return Timestamp.written.contains(time) ? time : nil
    }
    return absolute(text)
  }

  /// Returns the time of a day, or of a date and a time of day with or without seconds and zone.
  static func absolute(_ text: String) -> Timestamp? {
    let date = text.prefix(10)
    var rest = text.dropFirst(10)
    if rest.isEmpty { return Timestamp("\(date)T00:00:00Z") }
    guard let separator = rest.popFirst(), "Tt ".contains(separator) else { return nil }
    let clock = rest.prefix { !"Zz+-".contains($0) }
    let zone = rest.dropFirst(clock.count)
    return Timestamp("\(date)T\(clock)\(clock.count == 5 ? ":00" : "")\(zone.isEmpty ? "Z" : zone)")
  }

  private static func beginning(of time: Timestamp) -> Timestamp? {
    Timestamp("\(time.description.prefix(10))T00:00:00Z")
  }
}

extension Invocation {
  /// Returns the time that the value of an option names.
  /// - Throws: `UsageError` `cli.timeInvalid`.
  func time(_ text: String, of option: String) throws(UsageError) -> Timestamp {
    guard let time = TimeWord.time(text, now: environment.now()) else {
      throw UsageError(
        "--\(option) wants a time as \(TimeWord.forms), not \"\(text)\"", of: command, code: CLIErrorCode.timeInvalid)
    }
    return time
  }
}
