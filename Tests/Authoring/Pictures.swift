import JSON
import TestSupport
import Testing
import Workflows

/// Workflows whose pictures are compared.
enum Drawn {
  static func definition(_ text: String) throws -> WorkflowDefinition {
    let result = WorkflowChecker.check(Array(text.utf8))
    return try #require(result.definition, "\(result.findings)")
  }

  /// A workflow of delays.
  /// - Parameter dependencies: the steps before each step, by their numbers.
  static func steps(_ dependencies: [[Int]]) throws -> WorkflowDefinition {
    let steps = dependencies.enumerated().map { index, before -> JSON in
      [
        "id": .string("s\(index)"), "dependsOn": .array(before.map { .string("s\($0)") }), "delay": ["for": "1s"],
      ]
    }
    return try definition(
      JSON.object(["name": "drawn", "version": 1, "timeout": "30d", "steps": .array(steps)]).text())
  }

  /// Steps that a signal, a workflow and the turn-back of a child undo.
  static let undos = """
    { "name": "undos", "version": 1, "timeout": "9d", "steps": [
      { "id": "scan", "signal": { "name": "scanned" }, "timeout": "1h",
        "compensation": { "signal": { "name": "taken-out" }, "remind": { "after": "1h" } } },
      { "id": "load", "http": { "service": "robot", "method": "PUT", "path": "/loads/1" },
        "compensation": { "workflow": { "name": "unload" } } },
      { "id": "child", "workflow": { "name": "other" } } ] }
    """

  /// One step of each kind, with every sign.
  static let kinds = """
    { "name": "kinds", "version": 2, "timeout": "9d", "steps": [
      { "id": "load", "description": "Loads <the> \\"plate\\" & waits",
        "http": { "service": "robot.arm-1", "method": "PUT", "path": "/plates/${input.plate}" },
        "compensation": { "http": { "service": "robot.arm-1", "method": "DELETE", "path": "/plates/${input.plate}" } } },
      { "id": "thaw", "delay": { "for": "1s" }, "when": "$.input.frozen == true" },
      { "id": "approve", "dependsOn": ["load"], "signal": { "name": "approval" }, "timeout": "1d" },
      { "id": "run", "dependsOn": ["thaw", "approve"], "pivot": true, "compensation": "none",
        "kafka": { "service": "sequencer", "command": "run" } },
      { "id": "refuse", "dependsOn": ["run"], "when": "$.input.stop == true", "fail": { "code": "STOPPED" } }
    ] }
    """
}
