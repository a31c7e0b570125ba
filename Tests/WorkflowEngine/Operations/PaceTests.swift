import TestSupport
import Testing

@testable import WorkflowEngine

@Suite("The pace of an operation", .timeLimit(.minutes(15)), .inTurn)
struct PaceTests {
  @Test("Without a ramp the turns of the sagas are one interval apart")
  func even() {
    let pace = OperationPace(rate: 10)
    #expect(pace.turn(0) == .zero)
    #expect(pace.turn(1) == .milliseconds(100))
    #expect(pace.turn(36) == .milliseconds(3_600))
  }

  @Test("While the rate rises the turns come closer together, and never faster than the rate")
  func ramp() {
    let pace = OperationPace(rate: 10, ramp: .seconds(4))
    // In 4 s at half the rate on average: 20 sagas.
    #expect(pace.turn(20) == .seconds(4))
    #expect(pace.turn(21) == .milliseconds(4_100))
    let gaps = (1...60).map { pace.turn($0) - pace.turn($0 - 1) }
    #expect(zip(gaps, gaps.dropFirst()).allSatisfy { $1 <= $0 + .milliseconds(1) })
    #expect(gaps.allSatisfy { $0 >= .milliseconds(99) })
  }

  @Test(
    "The number of turns in a second is the rate", arguments: [0.5, 1, 3, 10, 250, 1_000])
  func rate(_ rate: Double) {
    let pace = OperationPace(rate: rate)
    let had = (0..<5_000).prefix { pace.turn($0) < .seconds(4) }.count
    #expect(abs(Double(had) - rate * 4) <= 1)
  }
}
