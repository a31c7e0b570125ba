import JSON
import Wire

@testable import saga

/// Answers of the engine that are complete, with the members that a test is about set to its values.
enum Sample {
  static let id = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"

  private static func set(_ changes: KeyValuePairs<String, JSON>, in base: JSON) -> JSON {
    var members = base.objectValue ?? [:]
    for (name, value) in changes { members[name] = value }
    return .object(members)
  }

  static func saga(_ changes: KeyValuePairs<String, JSON> = [:]) -> JSON {
    set(
      changes,
      in: [
        "id": .string(id), "workflow": "sample-processing", "version": 1, "status": "running",
        "startedAt": "2026-03-01T08:15:30.250Z", "overdue": false,
        "why": ["kind": "running", "sentence": "The saga is running.", "next": []], "pivotPassed": false, "stuck": [],
        "verbs": [],
        "steps": [], "input": [:], "lastEvent": 1,
      ])
  }

  static func step(_ changes: KeyValuePairs<String, JSON>) -> JSON {
    set(
      changes,
      in: [
        "id": "a", "status": "running", "dependsOn": [], "action": ["kind": "delay"], "pivot": false, "round": 1,
        "attempt": 1,
      ])
  }

  /// A line of a list.
  static func summary(_ changes: KeyValuePairs<String, JSON> = [:]) -> JSON {
    set(
      changes,
      in: [
        "id": .string(id), "workflow": "sample-processing", "version": 1, "status": "running", "overdue": false,
        "startedAt": "2026-03-01T08:15:30.250Z", "updatedAt": "2026-03-01T08:15:31.250Z",
        "deadline": "2026-03-01T09:15:30.250Z", "tags": [], "attempts": 1,
      ])
  }

  static func response(_ changes: KeyValuePairs<String, JSON>) throws -> SagaResponse {
    try SagaResponse(json: saga(changes))
  }
}

extension EngineAnswer {
  /// An answer as it came from an engine.
  init(_ json: JSON, status: Int = 200) { self.init(status: status, json: json, server: "http://engine") }
}
