import Runtime
import TestSupport
import Testing
import Values

@testable import Runtime

@Suite("Time that doesn't jump", .timeLimit(.minutes(15)), .inTurn)
struct SteadyTimeTests {
  private static let hour: Int64 = 3_600_000_000

  @Test("When the wall clock is set forward or back, a duration changes by at most one part in 2,000")
  func set() {
    for step in [Self.hour, -Self.hour, 30 * 365 * 24 * Self.hour] {
      var time = SteadyTime(wall: 0, monotonic: 0)
      #expect(time.now(wall: 1_000_000, monotonic: 1_000_000) == 1_000_000)
      var last: Int64 = 1_000_000
      for second in 2...1_800 {
        let passed = Int64(second) * 1_000_000
        let now = time.now(wall: passed + step, monotonic: passed)
        #expect(now >= last)
        last = now
      }
      #expect(abs(last - Self.hour / 2) <= Self.hour / 2 / 2_000)
    }
  }

  @Test("A small difference to the wall clock is corrected over time")
  func slew() {
    var time = SteadyTime(wall: 0, monotonic: 0)
    // 2 s are made up within 4,000 s.
    for second in 1...4_100 {
      _ = time.now(wall: Int64(second) * 1_000_000 + 2_000_000, monotonic: Int64(second) * 1_000_000)
    }
    #expect(time.now(wall: 4_101_000_000 + 2_000_000, monotonic: 4_101_000_000) == 4_103_000_000)
  }

  @Test("The time never goes back, whatever either clock shows")
  func monotonic() {
    var time = SteadyTime(wall: 5_000, monotonic: 100)
    var random = SeededRandom(seed: 7)
    var last: Int64 = 0
    for _ in 0..<10_000 {
      let now = time.now(wall: Int64(random.next() % 10_000_000_000), monotonic: Int64(random.next() % 1_000_000_000))
      #expect(now >= last)
      last = now
    }
  }

  @Test("The first reading after a week without readings corrects by milliseconds, not by minutes")
  func quiet() {
    var time = SteadyTime(wall: 0, monotonic: 0)
    let week = 7 * 24 * Self.hour
    #expect(time.now(wall: week + Self.hour, monotonic: week) - week == 5_000)
  }

  @Test("The time begins where an earlier process ended, and never before")
  func begin() {
    var time = SteadyTime(wall: 1_000_000, monotonic: 0)
    time.begin(at: 9_000_000)
    #expect(time.now(wall: 1_000_000, monotonic: 0) == 9_000_000)
    time.begin(at: 2_000_000)
    #expect(time.now(wall: 2_000_000, monotonic: 1_000_000) >= 9_990_000)
  }

  @Test("Every instance of the system's clock shows the same time, near the wall clock's")
  func system() async throws {
    let (one, other) = (SystemClock(), SystemClock())
    let first = one.now()
    #expect(other.now() >= first)
    #expect(one.now() >= first)
    let deadline = one.now() + .milliseconds(20)
    try await other.sleep(until: deadline)
    #expect(one.now() >= deadline)
  }
}
