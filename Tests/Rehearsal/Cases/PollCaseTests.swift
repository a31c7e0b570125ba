import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("A case of a workflow that polls", .timeLimit(.minutes(15)), .inTurn)
struct PollCaseTests {
  private static let workflow = """
    { "name": "run", "version": 1, "timeout": "8h", "steps": [
      { "id": "sequence", "http": { "service": "lab", "method": "GET", "path": "/runs/1" },
        "poll": { "every": "5m", "until": "$.answer.body.state == 'done' && $.answer.headers['x-run'] == '1'",
          "failWhen": "$.answer.body.state == 'failed'" },
        "timeout": "2h" } ] }
    """

  private static let states = """
    [ { "status": 200, "body": { "state": "loading" } }, { "status": 503 }, { "status": 200, "body": { "state": "done" } },
      { "status": 200, "body": { "state": "done" }, "headers": { "X-Run": "1" } } ]
    """

  /// The members of a case without its name, and what it shows of it.
  static let cases: [(String, [String])] = [
    (
      #""answers": { "sequence": \#(states) }, "expect": { "status": "completed", "sent": { "sequence": 4 } }"#, []
    ),
    (
      """
      "answers": { "sequence": { "status": 200, "body": { "state": "running" } } },
      "expect": { "status": "compensated", "failedStep": "sequence", "error": "poll.timeout", "takes": "> 2h" }
      """, []
    ),
    (
      """
      "answers": { "sequence": { "status": 200, "body": { "state": "failed", "code": "LASER" } } },
      "expect": { "status": "compensated", "error": "LASER", "sent": { "sequence": 1 } }
      """, []
    ),
    (
      #""answers": { "sequence": { "status": 200, "body": { "state": "failed" } } }, "expect": { "status": "completed" }"#,
      ["status: expected completed, seen compensated [poll.failed]"]
    ),
  ]

  @Test("gives each look its answer, and the last one to all further looks", arguments: cases)
  func plays(_ members: String, _ said: [String]) throws {
    let result = try CaseBench.play(members, workflow: Self.workflow, defaults: "{}")
    #expect(result.said == said)
  }

  @Test("covers the end of a poll without an answer")
  func coverage() throws {
    let definition = try CaseBench.definition(Self.workflow)
    var coverage = Coverage(of: definition)
    #expect(
      coverage.points.map(\.words) == [
        "sequence runs", "sequence fails for good", "no answer ends the poll of sequence",
      ])
    let result = try CaseBench.play(Self.cases[1].0, workflow: Self.workflow, defaults: "{}")
    coverage.note(try #require(result.run))
    #expect(coverage.missed.map(\.words) == ["sequence fails for good"])
  }

  @Test("tells the story of a poll")
  func story() throws {
    let result = try CaseBench.play(Self.cases[0].0, workflow: Self.workflow, defaults: "{}")
    let lines = RunStory(try #require(result.run)).lines.map(\.text)
    #expect(lines.contains("asks every 5m, for at most 2h"), "\(lines)")
    #expect(lines.contains { $0.hasPrefix("the answer to look 1 is “loading”; the next look is in 4m") }, "\(lines)")
  }
}
