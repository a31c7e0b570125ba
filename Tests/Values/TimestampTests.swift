import Foundation
import TestSupport
import Testing
import Values

@Suite("Timestamps", .timeLimit(.minutes(15)), .inTurn)
struct TimestampTests {
  @Test(
    "RFC 3339 is read and written",
    arguments: [
      ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
      ("2026-03-01T08:15:30.25Z", "2026-03-01T08:15:30.250Z"),
      ("2026-03-01t08:15:30z", "2026-03-01T08:15:30.000Z"),
      ("2026-03-01T08:15:30.123456+02:00", "2026-03-01T06:15:30.123Z"),
      ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z"),
      ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
      ("2000-01-01T00:00:00-00:30", "2000-01-01T00:30:00.000Z"),
    ])
  func reads(text: String, written: String) throws {
    #expect(try #require(Timestamp(text)).description == written)
  }

  @Test(
    "Text that is not an RFC 3339 date-time is refused",
    arguments: [
      "", "2026-03-01", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
      "2026-03-00T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T00:60:00Z", "2026-03-01T00:00:61Z",
      "2026-03-01T00:00:00", "2026-03-01T00:00:00.Z", "2026-03-01T00:00:00+2:00", "2026-03-01T00:00:00+02:00x",
      "2026-3-1T00:00:00Z", "٢٠٢٦-03-01T00:00:00Z", "tomorrow", "9999-12-31T23:59:59-01:00",
      "0000-01-01T00:00:00+01:00",
    ])
  func refuses(text: String) { #expect(Timestamp(text) == nil) }

  @Test("The calendar agrees with Foundation's on every month for centuries")
  func calendar() {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(identifier: "UTC") ?? .gmt
    for months in stride(from: -2_400, through: 4_800, by: 7) {
      let year = 1970 + Int((Double(months) / 12).rounded(.down))
      let month = (months % 12 + 12) % 12 + 1
      let date = calendar.date(from: DateComponents(year: year, month: month, day: 28, hour: 5)) ?? .distantPast
      let moment = Timestamp(milliseconds: Int64(date.timeIntervalSince1970 * 1_000))
      #expect(moment.yearAndMonth == (year, month))
      #expect(Timestamp(moment.description) == moment)
    }
  }

  @Test("Adding rounds up to the millisecond, so that nothing is early")
  func rounding() {
    let start = Timestamp(milliseconds: 1_000)
    #expect((start + .microseconds(1)).milliseconds == 1_001)
    #expect((start + .milliseconds(250)).milliseconds == 1_250)
    #expect((start + .seconds(-2)).milliseconds == -1_000)
    #expect((start + .seconds(2)) - start == .seconds(2))
  }
}
