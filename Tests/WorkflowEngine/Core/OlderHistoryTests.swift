import JSON
import TestSupport
import Testing

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Histories from before answers came as messages", .timeLimit(.minutes(15)), .inTurn)
struct OlderHistoryTests {
  @Test("A start of compensation without a message is read as before")
  func turnBack() throws {
    let data = try JSON(
      parsing: #"""
        {"at": "2026-03-01T08:00:00.000Z", "reason": {"cause": "cancelled", "code": "saga.cancelled",
         "message": "m", "by": "mia", "reason": "r"}}
        """#)
    let event = try SagaEvent(type: "turnedBack", schema: 1, data: data)
    let expected = TurnBack(cause: .cancelled, code: "saga.cancelled", message: "m", by: "mia", reason: "r")
    #expect(event == SagaEvent(at: event.at, TurnedBack(expected)) && expected.commandID == nil)
    #expect(event.data == data, "and is written as it was")
  }

  @Test("A snapshot without progress or a message is read as before")
  func snapshot() throws {
    var saga = try SagaSpecification("[\(SagaSpecification.http("a"))]")
    try saga.start()
    let state = try #require(saga.state)
    let snapshot = state.snapshot
    #expect(snapshot["cancelId"] == nil && snapshot["steps"]?[0]?["progress"] == nil)
    #expect(try SagaState(snapshot: snapshot) == state)
  }
}
