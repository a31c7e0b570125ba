import Foundation
import JSON
import TestSupport
import Testing
import Workflows

@testable import Rehearsal

/// Reads and plays test files that a test writes as text.
enum CaseBench {
  /// Three steps that are undone, a wait, and a step with a condition.
  static let workflow = """
    { "name": "thaw", "version": 1, "timeout": "8h",
      "inputSchema": { "type": "object", "required": ["id"], "properties": {
        "id": { "type": "string" }, "urgent": { "type": "boolean" } } },
      "steps": [
        { "id": "book", "http": { "service": "lab", "method": "PUT", "path": "/bookings/${input.id}",
            "body": { "tube": "${input.id}", "count": 2 } }, "timeout": "10s",
          "retry": { "maxAttempts": 2, "initialInterval": "4s", "jitter": 0 },
          "compensation": { "http": { "service": "lab", "method": "DELETE", "path": "/bookings/${input.id}" },
            "timeout": "10s", "retry": { "maxAttempts": 2, "initialInterval": "1s", "jitter": 0 } } },
        { "id": "approve", "signal": { "name": "approval", "accept": "$.signal.ok == true" }, "timeout": "2h" },
        { "id": "hurry", "when": "$.input.urgent == true", "onFailure": "continue",
          "http": { "service": "lab", "method": "POST", "path": "/alerts" }, "compensation": "none" },
        { "id": "load", "http": { "service": "robot", "method": "POST", "path": "/loads",
            "body": { "booking": "${steps.book.output.number}", "by": "${steps.approve.output.name}" } },
          "retry": { "maxAttempts": 1 }, "timeout": "1m",
          "compensation": { "http": { "service": "robot", "method": "DELETE", "path": "/loads/${steps.load.uuid}" } } }
      ],
      "output": { "booking": "${steps.book.output.number}" } }
    """

  static func definition(_ text: String = workflow) throws -> WorkflowDefinition {
    let result = WorkflowChecker.check(Array(text.utf8))
    return try #require(result.definition, "\(result.findings)")
  }

  /// Answers, signals and input that make every case of `workflow` complete.
  static let defaults = """
    { "input": { "id": "T-1" },
      "answers": {
        "book": { "status": 201, "body": { "number": 7 } }, "hurry": { "status": 202 },
        "load": { "status": 201, "body": { "slot": "A1" } } },
      "undo": { "*": { "status": 204 } } }
    """

  static func check(_ text: String, workflow: String = workflow) throws -> TestFileCheck {
    let definition = try definition(workflow)
    return TestFileChecker.check(Array(text.utf8), file: "thaw.tests.json") { _ in .definition(definition) }
  }

  /// Plays one case: its members without braces.
  static func play(_ members: String, workflow: String = workflow, defaults: String = defaults) throws -> CaseResult {
    let text = """
      { "workflow": "thaw.json", "defaults": \(defaults), "cases": [ { "name": "a case", \(members) } ] }
      """
    let check = try check(text, workflow: workflow)
    let tests = try #require(check.tests, "\(check.findings)")
    return tests.play(tests.cases[0])
  }

  static let approval = #""signals": [{ "after": "30m", "name": "approval", "body": { "ok": true, "name": "anna" } }]"#
}

extension CaseResult {
  /// The differences, one a line.
  var said: [String] {
    differences.map { "\($0.what): \($0.expected.map { "expected \($0), " } ?? "")seen \($0.seen)" }
  }
}
