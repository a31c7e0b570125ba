/// Reads a `Retry-After` (RFC 9110 §10.2.3): seconds, or one of the three forms of a date (§5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` (RFC 850), `Sun Nov  6 08:49:37 1994` (asctime).
public enum RetryAfter {
  /// More seconds than that are read as that many: 31 years.
  private static let mostSeconds = 1_000_000_000

  /// Returns how long to wait from `now`: zero for a date that has passed, nil when the value is none of the forms.
  public static func parse(_ value: String, now: Timestamp) -> Duration? {
    let words = value.split { $0 == " " || $0 == "\t" || $0 == "," }
    if words.count == 1, words[0].utf8.allSatisfy({ (48...57).contains($0) }) {
      // Digits that don't fit into an integer are many seconds all the same.
      return .seconds(min(Int(words[0]) ?? mostSeconds, mostSeconds))
    }
    return date(words, now: now).map { max(.zero, $0 - now) }
  }

  private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

  private static func date(_ words: [Substring], now: Timestamp) -> Timestamp? {
    // The day of the week says nothing that the date doesn't.
    guard words.count >= 4, words[0].allSatisfy({ $0.isASCII && $0.isLetter }) else { return nil }
    let parts: [Substring]
    let time: Substring
    var zone: Substring?
    if words.count == 6 {
      (parts, time, zone) = ([words[1], words[2], words[3]], words[4], words[5])
    } else if words.count == 4 {
      (parts, time, zone) = (words[1].split(separator: "-", omittingEmptySubsequences: false), words[2], words[3])
    } else if words.count == 5 {
      (parts, time) = ([words[2], words[1], words[4]], words[3])
    } else {
      return nil
    }
    if let zone, !["GMT", "UTC"].contains(zone) { return nil }
    guard parts.count == 3, let day = number(parts[0], digits: 1...2),
      let month = months.firstIndex(of: parts[1].lowercased()), let year = year(parts[2], now: now)
    else { return nil }
    return Timestamp("\(padded(year, 4))-\(padded(month + 1, 2))-\(padded(day, 2))T\(time)Z")
  }

  /// A year of two digits that would lie more than 50 years ahead is the last one that ended so.
  private static func year(_ text: Substring, now: Timestamp) -> Int? {
    if text.utf8.count == 4 { return number(text, digits: 4...4) }
    guard let short = number(text, digits: 2...2) else { return nil }
    let current = now.yearAndMonth.year
    let year = current - current % 100 - 100 + short
    return [year + 200, year + 100].first { $0 <= current + 50 } ?? year
  }

  private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int? {
    guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text)
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
