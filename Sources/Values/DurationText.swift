/// Reads and writes durations: `250ms`, `30s`, `5m`, `2h`, `7d`, or ISO 8601 (`PT5M`, `P1DT2H`, `P2W`).
///
/// Only whole numbers are accepted. ISO 8601 years and months are refused, because their length varies. A day is 24
/// hours.
public enum DurationText {
  /// The longest accepted duration: 100 years of 365 days.
  public static let longest: Duration = .seconds(100 * 365 * 86_400)

  /// - Returns: nil when the text is not a duration, or the duration is longer than `longest`.
  public static func parse(_ text: String) -> Duration? {
    if case .success(let duration) = read(text) { duration } else { nil }
  }

  /// Returns the shortest text that gives this duration again. Parts finer than a millisecond are left out.
  public static func format(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let rest = attoseconds / 1_000_000_000_000_000
    if rest != 0 {
      let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
      return overflow ? "\(seconds)s" : "\(whole + rest)ms"
    }
    for (unit, length) in [("d", Int64(86_400)), ("h", 3_600), ("m", 60)] where seconds != 0 && seconds % length == 0 {
      return "\(seconds / length)\(unit)"
    }
    return "\(seconds)s"
  }

  /// The reason why a text is not a duration, and what to write instead.
  public struct Refusal: Error, Hashable {
    public let reason: String
  }

  public static func read(_ text: String) -> Result<Duration, Refusal> {
    let bytes = Array(text.utf8)
    if bytes.first == UInt8(ascii: "P") || bytes.first == UInt8(ascii: "p") { return readISO(bytes) }
    let digits = bytes.prefix { isDigit($0) }
    let unit = String(decoding: bytes[digits.count...], as: UTF8.self)
    guard !digits.isEmpty else {
      return .failure(Refusal(reason: bytes.first == UInt8(ascii: "-") ? "a duration can't be negative" : usage))
    }
    guard let milliseconds = unitLengths[unit] else { return .failure(Refusal(reason: hint(for: text, unit: unit))) }
    return sum([(number(digits), milliseconds)])
  }

  private static let usage = "write a whole number and a unit, as 250ms, 30s, 5m, 2h or 7d, or ISO 8601, as PT5M"
  private static let tooLong = "it is longer than 100 years"
  private static let second: Int64 = 1_000
  private static let unitLengths: [String: Int64] = [
    "ms": 1, "s": second, "m": 60 * second, "h": 3_600 * second, "d": 86_400 * second,
  ]

  private static func hint(for text: String, unit: String) -> String {
    if unit.isEmpty { return "it has no unit: \(text)s is seconds, \(text)m minutes" }
    if unit.utf8.first == UInt8(ascii: ".") || unit.utf8.first == UInt8(ascii: ",") {
      return "a duration has no fraction: take a smaller unit, as 90m for one and a half hours"
    }
    if unit.utf8.contains(where: isDigit) { return "one number and one unit, or ISO 8601 for several, as PT1H30M" }
    let plain = unit.drop { $0 == " " }.lowercased()
    if ["w", "week", "weeks"].contains(plain),
      let weeks = Int(String(decoding: text.utf8.prefix(while: isDigit), as: UTF8.self)), weeks < 10_000
    {
      return "a week is 7d: write \(weeks * 7)d, or P\(weeks)W"
    }
    let meant = unitLengths[plain] != nil ? plain : words[plain]
    if let meant = meant ?? NearNames.nearest(to: plain, among: unitLengths.keys.sorted(), within: 1) {
      return
        "the units are ms, s, m, h and d: did you mean \(String(decoding: text.utf8.prefix(while: isDigit), as: UTF8.self))\(meant)?"
    }
    return usage
  }

  private static let words = [
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "msec": "ms", "millis": "ms",
    "milliseconds": "ms",
  ]

  // MARK: ISO 8601

  private static func readISO(_ bytes: [UInt8]) -> Result<Duration, Refusal> {
    let example = "ISO 8601 durations are as P1DT2H, PT5M or P2W"
    guard bytes.first == UInt8(ascii: "P") else { return .failure(Refusal(reason: "\(example), in capitals")) }
    var parts: [(Int64?, Int64)] = []
    var rest = bytes[1...]
    var inTime = false
    // Each unit occurs at most once, from the largest to the smallest.
    var allowed: [(UInt8, Int64)] = [(UInt8(ascii: "W"), 7 * 86_400 * second), (UInt8(ascii: "D"), 86_400 * second)]
    while let byte = rest.first {
      if byte == UInt8(ascii: "T"), !inTime {
        inTime = true
        allowed = [(UInt8(ascii: "H"), 3_600 * second), (UInt8(ascii: "M"), 60 * second), (UInt8(ascii: "S"), second)]
        rest = rest.dropFirst()
        if rest.isEmpty { return .failure(Refusal(reason: "\(example): nothing follows the T")) }
        continue
      }
      let digits = rest.prefix { isDigit($0) }
      rest = rest.dropFirst(digits.count)
      guard !digits.isEmpty, let unit = rest.first else { return .failure(Refusal(reason: example)) }
      if unit == UInt8(ascii: ".") || unit == UInt8(ascii: ",") {
        return .failure(Refusal(reason: "a duration has no fraction: take a smaller unit, as PT90M"))
      }
      guard let place = allowed.firstIndex(where: { $0.0 == unit }) else {
        if !inTime, unit == UInt8(ascii: "Y") || unit == UInt8(ascii: "M") {
          return .failure(Refusal(reason: "years and months have no fixed length: write days, as P30D (minutes: PT5M)"))
        }
        return .failure(Refusal(reason: example))
      }
      parts.append((number(digits), allowed[place].1))
      allowed.removeFirst(place + 1)
      rest = rest.dropFirst()
    }
    return parts.isEmpty ? .failure(Refusal(reason: example)) : sum(parts)
  }

  // MARK: Exact sums

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  /// Returns nil when the number does not fit.
  private static func number(_ digits: some Sequence<UInt8>) -> Int64? {
    var result: Int64 = 0
    for digit in digits {
      let (tens, tooMany) = result.multipliedReportingOverflow(by: 10)
      let (next, overflow) = tens.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
      if tooMany || overflow { return nil }
      result = next
    }
    return result
  }

  private static func sum(_ parts: [(Int64?, Int64)]) -> Result<Duration, Refusal> {
    var total: Int64 = 0
    for (count, length) in parts {
      guard let count else { return .failure(Refusal(reason: tooLong)) }
      let (product, tooMany) = count.multipliedReportingOverflow(by: length)
      let (next, overflow) = total.addingReportingOverflow(product)
      if tooMany || overflow { return .failure(Refusal(reason: tooLong)) }
      total = next
    }
    let duration = Duration.milliseconds(total)
    return duration > longest ? .failure(Refusal(reason: tooLong)) : .success(duration)
  }
}
