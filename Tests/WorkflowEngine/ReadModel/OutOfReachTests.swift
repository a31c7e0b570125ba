import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import WorkflowEngine

@Suite("Lists whose tables do not exist yet", .timeLimit(.minutes(15)), .inTurn)
struct OutOfReachTests {
  @Test("A caller that waits for new events stops waiting after its limit")
  func waits() async throws {
    let clock = FakeClock()
    let store = MemoryStore(environment: .system)
    // It is never run, as if its tables were out of reach.
    let model = SagaReadModel(
      store: MemoryReadStore(), events: store, environment: .fake(clock: clock), log: .silent)
    let waiting = Task { try await model.caughtUp(to: [0: 1], within: .seconds(2)) }
    await clock.waitForSleepers { !$0.isEmpty }
    clock.advance(by: .seconds(2))
    #expect(try await !waiting.value)
  }
}
