import TestSupport
import Testing

@testable import Values

@Suite("Durations as text", .timeLimit(.minutes(15)), .inTurn)
struct DurationTextTests {
  @Test(
    "A valid duration is parsed",
    arguments: [
      ("250ms", Duration.milliseconds(250)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("2h", .seconds(7_200)),
      ("7d", .seconds(604_800)), ("0s", .zero), ("0ms", .zero), ("007s", .seconds(7)), ("PT5M", .seconds(300)),
      ("P1DT2H", .seconds(93_600)), ("P2W", .seconds(1_209_600)), ("P1W2D", .seconds(777_600)),
      ("PT1H30M15S", .seconds(5_415)), ("PT0S", .zero), ("36500d", DurationText.longest),
    ])
  func parse(text: String, duration: Duration) {
    #expect(DurationText.parse(text) == duration)
  }

  @Test(
    "Text that is not a duration is refused",
    arguments: [
      "", "5", "m", "5 m", " 5m", "5m ", "-5m", "+5m", "1.5h", "1,5h", "5M", "5H", "5min", "1h30m", "5µs", "5us", "5ns",
      "P", "PT", "P1", "PT1", "P1Y", "P1M", "P1Y2M", "PT1.5S", "P-1D", "p1d", "PT5m", "PT5S1H", "P1D2W", "PT1H1H",
      "P1H", "PT1D", "P1DT", "PTT5M", "P1W ", "٣s", "5s\u{0}", "36501d", "9223372036854775807ms",
      "9223372036854775808s", "99999999999999999999999999d", "P99999999999999999W", "0x5s", "1e3s", "∞s", "infinite",
    ])
  func refuse(text: String) {
    #expect(DurationText.parse(text) == nil)
  }

  @Test(
    "A refusal says which form to write",
    arguments: [
      ("30", "30s is seconds"), ("1.5h", "90m for one and a half hours"), ("5min", "did you mean 5m?"),
      ("10 seconds", "did you mean 10s?"), ("1h30m", "PT1H30M"), ("P1Y", "P30D"), ("5M", "did you mean 5m?"),
      ("99999999d", "longer than 100 years"), ("-5m", "negative"), ("soon", "write a whole number and a unit"),
    ])
  func hint(text: String, part: String) {
    guard case .failure(let refusal) = DurationText.read(text) else {
      Issue.record("\(text) was taken")
      return
    }
    #expect(refusal.reason.contains(part), "\(refusal.reason)")
  }

  @Test(
    "A duration is written in its shortest form",
    arguments: [
      (Duration.zero, "0s"), (.milliseconds(1), "1ms"), (.milliseconds(1_500), "1500ms"), (.seconds(59), "59s"),
      (.seconds(60), "1m"), (.seconds(90), "90s"), (.seconds(3_600), "1h"), (.seconds(86_400), "1d"),
      (.seconds(604_800), "7d"), (.seconds(90_000), "25h"),
    ])
  func format(duration: Duration, text: String) {
    #expect(DurationText.format(duration) == text)
    #expect(DurationText.parse(text) == duration)
  }

  @Test("A duration that no text can express does not trap", arguments: [Duration.seconds(Int64.max), .seconds(-5)])
  func formatAnything(duration: Duration) {
    #expect(!DurationText.format(duration).isEmpty)
  }
}
