import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

/// Returns the definition of a workflow that the checker accepts.
func definition(_ text: String) throws -> WorkflowDefinition {
  let result = WorkflowChecker.check(Array(text.utf8), file: "w.json")
  return try #require(result.definition, "\(result.findings)")
}

func shipped(_ name: String) throws -> WorkflowDefinition {
  try #require(WorkflowChecker.check(Repository.bytes("workflows/\(name).json"), file: name).definition)
}

/// Texts of small workflows.
enum Small {
  /// - Parameters:
  ///   - steps: the text of the list of steps.
  ///   - more: more members of the workflow, each followed by a comma.
  static func workflow(_ steps: String, more: String = "") -> String {
    """
    { "name": "w", "version": 1, "timeout": "2d", \(more)
      "defaults": { "timeout": "10s", "retry":
        { "maxAttempts": 3, "initialInterval": "1s", "backoffCoefficient": 2, "maxInterval": "1m", "jitter": 0 } },
      "steps": [\(steps)] }
    """
  }

  /// A step that does something at a service, with the call that undoes it.
  static func put(_ id: String, _ more: String = "", undo: String = "", kind: String = "http") -> String {
    let call =
      kind == "http"
      ? #""http": { "service": "s", "method": "PUT", "path": "/\#(id)" }"#
      : #""kafka": { "service": "s", "command": "\#(id)" }"#
    let back =
      kind == "http"
      ? #""http": { "service": "s", "method": "DELETE", "path": "/\#(id)" }"#
      : #""kafka": { "service": "s", "command": "undo" }"#
    return #"{ "id": "\#(id)", \#(call), "compensation": { \#(back)\#(undo) }\#(more) }"#
  }

  /// A step that does something and says nothing of an undo.
  static func bare(_ id: String, _ more: String = "") -> String {
    #"{ "id": "\#(id)", "http": { "service": "s", "method": "PUT", "path": "/\#(id)" }\#(more) }"#
  }
}

extension VirtualRun {
  /// Each call as `step.phase#attempt@milliseconds after the start`.
  var sent: [String] {
    calls.map { sent in
      let at = (sent.at - state.startedAt) / .milliseconds(1)
      return "\(sent.call.step).\(sent.call.phase)#\(sent.call.attempt)@\(Int(at))"
    }
  }

  var kinds: [String] { events.map(\.typeName) }
}
