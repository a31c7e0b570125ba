import Runtime

/// Reads a `Retry-After` (RFC 9110 §10.2.3): seconds, or the date that servers write (`Sun, 06 Nov 1994 08:49:37 GMT`).
enum RetryAfter {
  /// - Returns: how long to wait from `now`; nil when the value is neither.
  static func parse(_ value: String, now: Timestamp) -> Duration? {
    if let seconds = Int(value), seconds >= 0 { return .seconds(min(seconds, 1_000_000_000)) }
    return date(value).map { max(.zero, $0 - now) }
  }

  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  private static func date(_ value: String) -> Timestamp? {
    let words = value.split(separator: " ")
    guard words.count == 6, words[5] == "GMT", let month = months.firstIndex(of: String(words[2])) else { return nil }
    let number = month + 1 < 10 ? "0\(month + 1)" : "\(month + 1)"
    return Timestamp("\(words[3])-\(number)-\(words[1])T\(words[4])Z")
  }
}
