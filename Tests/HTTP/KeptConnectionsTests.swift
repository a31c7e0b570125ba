import TestSupport
import Testing

@testable import HTTP

@Suite("Servers that close kept connections without notice", .timeLimit(.minutes(15)), .inTurn)
struct KeptConnectionsTests {
  @Test("Kept connections are not used for a minute, then four times as long after each loss, up to a day")
  func losses() {
    var kept = KeptConnections()
    var now = ContinuousClock.now
    #expect(!kept.areDistrusted("a", at: now))
    for length in [60, 240, 960, 3_840, 15_360, 61_440, 86_400, 86_400] {
      kept.lost("a", at: now)
      // Calls that were lost together are one loss.
      kept.lost("a", at: now)
      #expect(kept.areDistrusted("a", at: now + .seconds(length - 1)))
      #expect(!kept.areDistrusted("b", at: now))
      now += .seconds(length)
      #expect(!kept.areDistrusted("a", at: now))
    }
    kept.answered("a")
    kept.lost("a", at: now)
    #expect(!kept.areDistrusted("a", at: now + .seconds(60)))
  }
}
