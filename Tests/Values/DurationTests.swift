import TestSupport
import Testing
import Values

@Suite("Durations in milliseconds", .timeLimit(.minutes(15)), .inTurn)
struct DurationTests {
  /// In floating-point arithmetic each of these comes out as one less.
  @Test(arguments: [295_149, 295_153, 9_999_999])
  func `whole milliseconds are exact`(milliseconds: Int) {
    #expect(Duration.milliseconds(milliseconds).wholeMilliseconds == milliseconds)
    #expect(Duration.milliseconds(-milliseconds).wholeMilliseconds == -milliseconds)
  }

  @Test(arguments: [
    (Duration.zero, 0), (.nanoseconds(999_999), 0), (.nanoseconds(-999_999), 0), (.nanoseconds(1_999_999), 1),
    (.seconds(Int64.max), .max), (.seconds(Int64.min), .min), (.seconds(Int64.max / 1_000), Int.max / 1_000 * 1_000),
  ])
  func `parts of a millisecond are left out, and extreme times become the limits`(duration: Duration, whole: Int) {
    #expect(duration.wholeMilliseconds == whole)
  }
}
