import JSON

/// A point in time on the wall clock, in whole milliseconds since 1970-01-01T00:00:00Z. The engine stores, compares and
/// shows time only in this form.
public struct Timestamp: Sendable, Hashable, Comparable {
  public let milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

  /// Returns the timestamp `duration` later, rounded up to a millisecond. So a timer at that time never fires early.
  public static func + (moment: Timestamp, duration: Duration) -> Timestamp {
    let (seconds, attoseconds) = duration.components
    let milliseconds =
      seconds * 1_000 + (attoseconds + (attoseconds > 0 ? 999_999_999_999_999 : 0)) / 1_000_000_000_000_000
    return Timestamp(milliseconds: moment.milliseconds + milliseconds)
  }

  /// Returns the duration since `earlier`; negative when this timestamp is before it.
  public static func - (later: Timestamp, earlier: Timestamp) -> Duration {
    .milliseconds(later.milliseconds - earlier.milliseconds)
  }
}

// MARK: RFC 3339

extension Timestamp: CustomStringConvertible {
  /// The text in RFC 3339, in UTC with milliseconds: `2026-03-01T08:15:30.250Z`.
  public var description: String {
    let days = milliseconds.flooredQuotient(86_400_000)
    let ofDay = milliseconds - days * 86_400_000
    let (year, month, day) = Self.civil(fromDays: days)
    // The text is written for every event, so this code is optimized. RFC 3339 has four digits for a year; other years
    // are shown too.
    let isPlain = (0...9_999).contains(year)
    let text = String(unsafeUninitializedCapacity: 24) { buffer in
      var end = 0
      func put(_ byte: UInt8) {
        buffer[end] = byte
        end += 1
      }
      func put(_ value: Int64, _ divisor: Int64) {
        var divisor = divisor
        while divisor > 0 {
          put(UInt8(ascii: "0") + UInt8(value / divisor % 10))
          divisor /= 10
        }
      }
      if isPlain { put(year, 1_000) }
      put(UInt8(ascii: "-"))
      put(month, 10)
      put(UInt8(ascii: "-"))
      put(day, 10)
      put(UInt8(ascii: "T"))
      put(ofDay / 3_600_000, 10)
      put(UInt8(ascii: ":"))
      put(ofDay / 60_000 % 60, 10)
      put(UInt8(ascii: ":"))
      put(ofDay / 1_000 % 60, 10)
      put(UInt8(ascii: "."))
      put(ofDay % 1_000, 100)
      put(UInt8(ascii: "Z"))
      return end
    }
    return isPlain ? text : "\(year)\(text)"
  }

  /// Reads an RFC 3339 date-time. Digits after the milliseconds are cut off. A leap second reads as the next second.
  /// - Returns: nil when the text is not an RFC 3339 date-time.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
      guard range.upperBound <= bytes.count else { return nil }
      var value: Int64 = 0
      for byte in bytes[range] {
        guard (48...57).contains(byte) else { return nil }
        value = value * 10 + Int64(byte - 48)
      }
      return value
    }
    func isByte(_ index: Int, _ allowed: Unicode.Scalar...) -> Bool {
      index < bytes.count && allowed.contains { $0.value == UInt32(bytes[index]) }
    }
    guard let year = number(0..<4), isByte(4, "-"), let month = number(5..<7), isByte(7, "-"),
      let day = number(8..<10), isByte(10, "T", "t", " "), let hour = number(11..<13), isByte(13, ":"),
      let minute = number(14..<16), isByte(16, ":"), let second = number(17..<19),
      (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year), hour < 24, minute < 60, second <= 60
    else { return nil }
    var index = 19
    var fraction: Int64 = 0
    if isByte(index, ".") {
      index += 1
      var digits = 0
      while index < bytes.count, (48...57).contains(bytes[index]) {
        if digits < 3 { fraction = fraction * 10 + Int64(bytes[index] - 48) }
        digits += 1
        index += 1
      }
      guard digits > 0 else { return nil }
      for _ in 0..<max(0, 3 - digits) { fraction *= 10 }
    }
    var offset: Int64 = 0
    if isByte(index, "Z", "z") {
      index += 1
    } else if isByte(index, "+", "-") {
      guard let hours = number(index + 1..<index + 3), isByte(index + 3, ":"),
        let minutes = number(index + 4..<index + 6), hours < 24, minutes < 60
      else { return nil }
      offset = (hours * 60 + minutes) * (isByte(index, "-") ? -60_000 : 60_000)
      index += 6
    } else {
      return nil
    }
    guard index == bytes.count else { return nil }
    let days = Self.days(fromCivil: year, month, day)
    let seconds = hour * 3_600 + minute * 60 + second
    let milliseconds = days * 86_400_000 + seconds * 1_000 + fraction - offset
    // An offset can lead outside the years that RFC 3339 can write. Such a timestamp could not be read back.
    self.init(milliseconds: milliseconds)
    guard Self.written.contains(self) else { return nil }
  }

  /// The timestamps that RFC 3339 can write: the years 0 to 9999.
  public static let written =
    Timestamp(milliseconds: -62_167_219_200_000)...Timestamp(milliseconds: 253_402_300_799_999)

  /// The UTC year and month (1–12). They name the partition of a stream that began at this time.
  public var yearAndMonth: (year: Int, month: Int) {
    let (year, month, _) = Self.civil(fromDays: milliseconds.flooredQuotient(86_400_000))
    return (Int(year), Int(month))
  }

  private static func days(in month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  // The proleptic Gregorian calendar, with years that begin in March. So a leap day is the last day of its year.
  private static func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted.flooredQuotient(400)
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(fromDays days: Int64) -> (Int64, Int64, Int64) {
    let shifted = days + 719_468
    let era = shifted.flooredQuotient(146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}

extension Int64 {
  fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}

extension JSON {
  /// Returns a timestamp in its JSON form: RFC 3339 text.
  public static func timestamp(_ timestamp: Timestamp) -> JSON { .string(timestamp.description) }
}
