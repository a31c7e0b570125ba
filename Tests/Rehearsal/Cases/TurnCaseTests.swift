import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("A case of a workflow that waits for a turn", .timeLimit(.minutes(15)), .inTurn)
struct TurnCaseTests {
  private static let workflow = """
    { "name": "run", "version": 1, "timeout": "8h", "steps": [
      { "id": "load", "concurrency": { "key": "HiSeq-1" }, "compensation": "none",
        "http": { "service": "lab", "method": "PUT", "path": "/loads/1" } },
      { "id": "look", "http": { "service": "lab", "method": "GET", "path": "/loads/1" } } ] }
    """
  private static let answers = #""answers": { "load": { "status": 200 }, "look": { "status": 200 } }"#

  @Test(
    "has its turn at once, unless the case says that it never comes",
    arguments: [
      #""expect": { "status": "completed", "sent": { "load": 1 } }"#,
      #""turnsNever": ["load"], "expect": { "status": "compensated", "error": "saga.timeout", "takes": "> 7h" }"#,
    ])
  func plays(_ members: String) throws {
    let result = try CaseBench.play("\(Self.answers), \(members)", workflow: Self.workflow, defaults: "{}")
    #expect(result.said == [])
  }

  @Test(
    "names only steps that wait for a turn",
    arguments: [(#"["look"]"#, "look has no \"concurrency\""), (#"["laod"]"#, "has no step \"laod\"")])
  func names(_ steps: String, _ message: String) throws {
    let text = """
      { "workflow": "thaw.json", "cases": [
        { "name": "a case", "turnsNever": \(steps), "expect": { "status": "completed" } } ] }
      """
    let findings = try CaseBench.check(text, workflow: Self.workflow).findings
    #expect(findings.count == 1 && findings[0].message.contains(message), "\(findings)")
  }

  @Test("tells the story of a turn")
  func story() throws {
    let members = #"\#(Self.answers), "expect": { "status": "completed" }"#
    let result = try CaseBench.play(members, workflow: Self.workflow, defaults: "{}")
    let lines = RunStory(try #require(result.run)).lines.map(\.text)
    for words in ["waits for its turn of HiSeq-1", "holds its turn of HiSeq-1", "the turn of HiSeq-1 is free"] {
      #expect(lines.contains(words), "\(lines)")
    }
  }
}
