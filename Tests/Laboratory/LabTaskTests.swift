import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("The laboratory's services as workers", .timeLimit(.minutes(15)), .inTurn)
struct LabTaskTests {
  private static func task(_ command: JSON, phase: String = "forward") throws -> LabTask {
    try #require(
      LabTask([
        "id": "t", "lease": "l", "saga": "s", "key": "s/print/1", "phase": .string(phase), "input": command,
        "heartbeatTimeoutMs": 30_000,
      ]))
  }

  @Test("Each reply to a command has its answer to the task")
  func answers() throws {
    let forward = try Self.task(.null)
    let undo = try Self.task(.null, phase: "undo")
    #expect(forward.answer(.succeeded(["a": 1])) == ("complete", ["lease": "l", "output": ["a": 1]]))
    let gone = CommandReply.failed(code: "c", message: "m", gone: true)
    #expect(undo.answer(gone) == ("complete", ["lease": "l", "output": .null]))
    func failure(retryable: Bool, nothingHappened: Bool) -> (String, JSON) {
      (
        "fail",
        [
          "lease": "l", "code": "c", "message": "m", "retryable": .bool(retryable),
          "nothingHappened": .bool(nothingHappened),
        ]
      )
    }
    #expect(forward.answer(gone) == failure(retryable: false, nothingHappened: true))
    #expect(
      undo.answer(.failed(code: "c", message: "m", retryable: true)) == failure(retryable: true, nothingHappened: true))
    #expect(
      forward.answer(.unknown(code: "c", message: "m")) == failure(retryable: true, nothingHappened: false))
  }

  @Test("A task without what the laboratory needs is not read", arguments: ["id", "lease", "saga", "key", "phase"])
  func unreadable(missing: String) {
    var task: JSONObject = [
      "id": "t", "lease": "l", "saga": "s", "key": "k", "phase": "forward", "heartbeatTimeoutMs": 1_000,
    ]
    #expect(LabTask(.object(task)) != nil)
    task[missing] = nil
    #expect(LabTask(.object(task)) == nil)
  }

  @Test("The queue of each service is a name that a workflow can have")
  func queues() {
    #expect(LabTasks.queue(of: .libraryPrep) == "laboratory.library-prep")
    #expect(Set(LabService.allCases.map(LabTasks.queue)).count == LabService.allCases.count)
  }
}
