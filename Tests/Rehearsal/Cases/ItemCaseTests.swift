import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("A case of a workflow with items", .timeLimit(.minutes(15)), .inTurn)
struct ItemCaseTests {
  private static let workflow = #"""
    { "name": "plate", "version": 1, "timeout": "8h", "steps": [
      { "id": "book", "http": { "service": "lab", "method": "PUT", "path": "/plates/1" },
        "compensation": { "http": { "service": "lab", "method": "DELETE", "path": "/plates/1" } } },
      { "id": "run", "forEach": { "items": "${input.wells[*]}", "as": "well", "key": "${well}", "toleratedFailures": 1 },
        "http": { "service": "robot", "method": "PUT", "path": "/wells/${well}" }, "timeout": "10s",
        "retry": { "maxAttempts": 2, "initialInterval": "4s", "jitter": 0 },
        "compensation": { "http": { "service": "robot", "method": "DELETE", "path": "/wells/${well}" } } },
      { "id": "after", "http": { "service": "lab", "method": "POST", "path": "/reports" }, "compensation": "none" } ] }
    """#

  private static let defaults = """
    { "input": { "wells": ["A", "B", "C"] },
      "answers": { "book": { "status": 201 }, "run": { "status": 201, "body": { "n": 1 } }, "after": { "status": 200 } },
      "undo": { "*": { "status": 204 } } }
    """

  private func play(_ members: String) throws -> CaseResult {
    try CaseBench.play(members, workflow: Self.workflow, defaults: Self.defaults)
  }

  /// The members of a case without its name, and what it shows of it.
  static let cases: [(String, [String])] = [
    (
      """
      "answers": { "run[B]": { "status": 409 } },
      "expect": { "status": "completed", "remains": ["book", "run[A]", "run[C]", "after"],
        "steps": { "run": "succeeded", "run[B]": { "status": "failed", "error": "http.409" },
          "run[C]": { "status": "succeeded", "attempts": 1, "output": { "n": 1 } } },
        "sent": { "run": 3, "run[B]": 1, "after": 1 } }
      """, []
    ),
    (
      """
      "answers": { "run[B]": { "timeout": "lost" } },
      "expect": { "status": "completed", "steps": { "run[B]": { "attempts": 2, "outcome": "unknown" } },
        "sent": { "run": 4, "run[B]": 2 } }
      """, []
    ),
    (
      """
      "answers": { "run[A]": { "status": 409 }, "run[B]": { "status": 409 } },
      "expect": { "status": "compensated", "failedStep": "run", "error": "forEach.failures", "undone": ["run", "book"],
        "remains": [], "sent": [{ "step": "book" }, { "step": "run[C]" }, { "step": "run", "undo": true }] }
      """, []
    ),
    (
      """
      "answers": { "after": { "status": 409 } }, "undo": { "run[C]": { "status": 409 } },
      "expect": { "status": "stuck", "steps": { "run[A]": "undone", "run[C]": "undoFailed" }, "remains": ["book", "run"] }
      """, []
    ),
    (
      """
      "input": { "wells": [] }, "expect": { "status": "completed", "steps": { "run": "succeeded" }, "sent": { "run": 0 } }
      """, []
    ),
    (
      #""expect": { "status": "completed", "steps": { "run[X]": "succeeded" } }"#,
      ["steps.run[X]: expected succeeded, seen the step run has no such item"]
    ),
    (
      #""answers": { "run[X]": { "status": 409 } }, "undo": { "run[C]": { "status": 204 } }, "expect": { "status": "completed" }"#,
      ["answers.run[X]: expected an item of the step run, seen the step run has no such item"]
    ),
    (
      #""expect": { "status": "completed", "sent": { "run": 2 } }"#, ["sent.run: expected 2 calls, seen 3 calls"]
    ),
  ]

  @Test("answers one item, or all items of a step, and expects what comes of them", arguments: cases)
  func plays(_ members: String, _ said: [String]) throws {
    #expect(try play(members).said == said)
  }

  @Test("does not take a step for undone while the work of an item is left")
  func left() throws {
    let result = try play(
      """
      "answers": { "after": { "status": 409 } }, "undo": { "run[C]": { "status": 409 } },
      "expect": { "status": "stuck", "undone": ["run"] }
      """)
    #expect(result.said.count == 1 && result.said.first?.hasPrefix("undone: expected run, seen run[") == true)
  }

  @Test("covers a step by what its items do")
  func coverage() throws {
    var coverage = Coverage(of: try CaseBench.definition(Self.workflow))
    func note(_ members: String) throws { coverage.note(try #require(try play(members).run)) }
    try note(Self.cases[0].0)
    #expect(
      coverage.missed.filter { $0.step == "run" }.map(\.words) == [
        "the outcome of run is unknown", "run is undone", "the undo of run fails for good",
      ])
    try note(Self.cases[1].0)
    try note(Self.cases[3].0)
    #expect(coverage.missed.filter { $0.step == "run" } == [])
  }

  @Test("tells the story of the items")
  func story() throws {
    let lines = RunStory(try #require(try play(Self.cases[2].0).run)).lines
    #expect(lines.contains { $0.step == "run" && $0.text == "begins with its 3 items" })
    #expect(lines.contains { $0.step == "run[C]" && $0.text == "PUT robot /wells/C" })
    #expect(lines.contains { $0.step == "run" && $0.text.hasPrefix("failed for good: 2 of 3 items failed") })
    #expect(lines.contains { $0.step == "run" && $0.text == "all items are undone" })
  }
}
