import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("A case of a workflow with tasks", .timeLimit(.minutes(15)), .inTurn)
struct TaskCaseTests {
  private static let workflow = """
    { "name": "load", "version": 1, "timeout": "8h", "steps": [
      { "id": "load", "task": { "queue": "robot", "input": { "plate": "P-1" } }, "timeout": "2h",
        "compensation": { "task": { "queue": "robot" } } } ] }
    """

  /// The members of a case without its name, and what it shows of it.
  static let cases: [(String, [String])] = [
    (
      """
      "answers": { "load": { "output": { "run": 7 } } },
      "expect": { "status": "completed",
        "sent": { "load": { "queue": "robot", "key": "${saga.id}/load/1", "body": { "plate": "P-1" } } } }
      """, []
    ),
    (
      """
      "answers": { "load": { "timeout": "untaken" } },
      "expect": { "status": "compensated", "error": "task.timeout", "takes": "> 1h", "undone": [] }
      """, []
    ),
    (
      """
      "answers": { "load": [ { "timeout": "lost" }, { "output": {} } ] },
      "expect": { "status": "completed", "steps": { "load": { "attempts": 2 } } }
      """, []
    ),
    (
      """
      "answers": { "load": { "fail": { "code": "NO_PLATE" } } },
      "expect": { "status": "compensated", "error": "NO_PLATE", "remains": [] }
      """, []
    ),
    (
      #""answers": { "load": { "fail": { "code": "NO_PLATE" } } }, "expect": { "status": "completed" }"#,
      ["status: expected completed, seen compensated [NO_PLATE]"]
    ),
  ]

  @Test("gives each task its answer", arguments: cases)
  func plays(_ members: String, _ said: [String]) throws {
    let result = try CaseBench.play(members, workflow: Self.workflow, defaults: "{}")
    #expect(result.said == said)
  }

  @Test("tells the story of a task")
  func story() throws {
    let result = try CaseBench.play(Self.cases[2].0, workflow: Self.workflow, defaults: "{}")
    let lines = RunStory(try #require(result.run)).lines.map(\.text)
    #expect(lines.contains("task for a worker of robot"), "\(lines)")
    #expect(lines.contains("taken by worker"), "\(lines)")
    #expect(lines.contains { $0.contains("[task.heartbeatLost]; it may have happened; again in") }, "\(lines)")
  }

  @Test("refuses the answers of another kind of step")
  func kinds() throws {
    func errors(_ answer: String) throws -> String {
      let text = """
        { "workflow": "load.json", "cases": [
          { "name": "a case", "answers": { "load": \(answer) }, "expect": { "status": "completed" } } ] }
        """
      return try CaseBench.check(text, workflow: Self.workflow).errors.map(\.description).joined(separator: "\n")
    }
    #expect(try errors(#"{ "status": 200 }"#).contains("a task gets no HTTP status"))
    #expect(try errors(#"{ "refusedConnection": true }"#).contains("a task has no connection"))
  }
}
