import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("A case of a workflow with a child", .timeLimit(.minutes(15)), .inTurn)
struct ChildCaseTests {
  private static let workflow = """
    { "name": "run", "version": 1, "timeout": "8h", "steps": [
      { "id": "deliver", "workflow": { "name": "deliver-results", "input": { "run": "R7" } } },
      { "id": "refuse", "when": "$.steps.deliver.output.files == 0", "fail": { "code": "NO_FILES" } } ] }
    """

  /// The members of a case without its name, and what it shows of it.
  static let cases: [(String, [String])] = [
    (
      """
      "answers": { "deliver": { "output": { "files": 3 }, "after": "6h" } },
      "expect": { "status": "completed", "takes": "> 5h", "sent": { "deliver": 1 } }
      """, []
    ),
    (
      """
      "answers": { "deliver": { "output": { "files": 0 } } }, "undo": { "deliver": { "output": null } },
      "expect": { "status": "compensated", "error": "NO_FILES", "undone": ["deliver"] }
      """, []
    ),
    (
      """
      "answers": { "deliver": { "fail": { "code": "LASER" } } },
      "expect": { "status": "compensated", "failedStep": "deliver", "error": "LASER" }
      """, []
    ),
  ]

  @Test("answers the child like a participant", arguments: cases)
  func plays(_ members: String, _ said: [String]) throws {
    let result = try CaseBench.play(members, workflow: Self.workflow, defaults: "{}")
    #expect(result.said == said)
  }

  @Test("covers a child that runs, fails and is undone")
  func coverage() throws {
    let coverage = Coverage(of: try CaseBench.definition(Self.workflow))
    #expect(
      coverage.points.filter { $0.step == "deliver" }.map(\.words) == [
        "deliver runs", "deliver fails for good", "deliver is undone", "the undo of deliver fails for good",
      ])
  }
}
