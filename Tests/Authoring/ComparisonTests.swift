import JSON
import TestSupport
import Testing
import Workflows

@testable import Authoring

@Suite("What changed between two versions", .timeLimit(.minutes(15)), .inTurn)
struct ComparisonTests {
  static let first: JSON = [
    "name": "store-tube", "version": 1, "timeout": "5m",
    "inputSchema": [
      "type": "object", "required": ["barcode"],
      "properties": [
        "barcode": ["type": "string"], "volumeMl": ["type": "number", "minimum": 0], "ward": ["type": "string"],
        "patient": ["type": "object", "properties": ["id": ["type": "string"]]],
        "tubes": ["type": "array", "items": ["type": "object", "properties": ["lot": ["type": "string"]]]],
      ],
    ],
    "steps": [
      [
        "id": "register",
        "http": [
          "service": "rack", "method": "PUT", "path": "/tubes/${input.barcode}",
          "body": ["volumes": [1, "${input.volumeMl}"], "ward": "${input.ward}"],
        ],
        "compensation": ["http": ["service": "rack", "method": "DELETE", "path": "/tubes/${input.barcode}"]],
      ],
      [
        "id": "weigh", "http": ["service": "scale", "method": "POST", "path": "/weighings"], "compensation": "none",
        "retry": ["maxAttempts": 5],
      ],
      ["id": "approve", "signal": ["name": "approval", "schema": ["required": ["by"]]], "timeout": "60s"],
      ["id": "rest", "delay": ["for": "1s"]],
    ],
    "output": ["barcode": "${input.barcode}"],
  ]

  static func definition(_ json: JSON) throws -> WorkflowDefinition { try Drawn.definition(json.text()) }

  /// Returns the first file with a value set at a place, or removed.
  static func changed(_ pointer: String, _ value: JSON?) throws -> JSON { try changed(first, pointer, value) }

  static func changed(_ json: JSON, _ pointer: String, _ value: JSON?) throws -> JSON {
    try set(json, Array(pointer.split(separator: "/").map(String.init))[...], value)
  }

  private static func set(_ json: JSON, _ path: ArraySlice<String>, _ value: JSON?) throws -> JSON {
    guard let name = path.first else { return try #require(value) }
    if var members = json.objectValue {
      members[name] = path.count == 1 ? value : try set(members[name] ?? [:], path.dropFirst(), value)
      return .object(members)
    }
    var elements = try #require(json.arrayValue)
    let index = try #require(Int(name))
    if path.count == 1, value == nil {
      elements.remove(at: index)
    } else if index == elements.count {
      elements.append(try #require(value))
    } else {
      elements[index] = try set(elements[index], path.dropFirst(), value)
    }
    return .array(elements)
  }

  /// Every change in words, with the step before it.
  static func words(_ comparison: WorkflowComparison) -> [String] {
    comparison.removed.map { "- \($0.id)" } + comparison.added.map { "+ \($0.id)" }
      + comparison.changed.flatMap { step in step.changes.map { "\(step.id) \($0.text)" } }
      + comparison.changes.map(\.text)
  }

  @Test(
    "is said in words, member by member",
    arguments: [
      ("timeout", "10m", ["timeout: \"5m\" → \"10m\""]),
      ("description", "Stores a tube", ["description: added: \"Stores a tube\""]),
      ("steps/0/http/path", "/tubes/x", ["register http.path: \"/tubes/${input.barcode}\" → \"/tubes/x\""]),
      ("steps/0/http/method", "POST", ["register http.method: \"PUT\" → \"POST\""]),
      ("steps/0/http/body/ward", nil, ["register http.body.ward: removed: \"${input.ward}\""]),
      ("steps/0/http/body/volumes/0", 2, ["register http.body.volumes[0]: 1 → 2"]),
      ("steps/0/http/body/the lot", "x", ["register http.body[\"the lot\"]: added: \"x\""]),
      ("steps/0/http/headers", ["X-Lab": "7"], ["register http.headers: added: {\"X-Lab\":\"7\"}"]),
      ("steps/0/timeout", "1m", ["register timeout: \"30s\" → \"1m\""]),
      ("steps/0/expected", "1m", ["register expected: added: \"1m\""]),
      ("steps/0/when", "$.input.ward != ''", ["register when: added: \"$.input.ward != ''\""]),
      ("steps/0/onFailure", "continue", ["register onFailure: \"compensate\" → \"continue\""]),
      (
        "steps/0/compensation/http/path", "/x",
        ["register compensation.http.path: \"/tubes/${input.barcode}\" → \"/x\""]
      ),
      ("steps/0/compensation/timeout", "5s", ["register compensation.timeout: \"30s\" → \"5s\""]),
      (
        "steps/0/compensation/retry", ["maxAttempts": 3],
        ["register compensation.retry.maxAttempts: 10 → 3"]
      ),
      ("steps/1/retry/maxAttempts", 9, ["weigh retry.maxAttempts: 5 → 9"]),
      ("steps/1/retry/nonRetryable", ["A", "B"], ["weigh retry.nonRetryable: added: \"A, B\""]),
      ("steps/1/compensation", nil, ["weigh compensation: removed: \"none\""]),
      ("steps/1/pivot", true, ["weigh pivot: false → true"]),
      ("steps/2/signal/name", "release", ["approve signal.name: \"approval\" → \"release\""]),
      ("steps/2/signal/schema/required", [], ["approve signal body.by: no longer required"]),
      ("steps/3/delay/for", "2s", ["rest delay.for: \"1s\" → \"2s\""]),
      ("steps/3/dependsOn", ["weigh"], ["rest order: follows weigh instead of approve"]),
      ("steps/1/dependsOn", [], ["weigh order: starts at once instead of register"]),
      ("inputSchema/required", ["barcode", "volumeMl"], ["input.volumeMl: now required"]),
      ("inputSchema/required", nil, ["input.barcode: no longer required"]),
      ("inputSchema/properties/ward", nil, ["input.ward: member removed"]),
      ("inputSchema/properties/lot", ["type": "string"], ["input.lot: new member"]),
      ("inputSchema/properties/volumeMl/minimum", 1, ["input.volumeMl, minimum: 0 → 1"]),
      ("inputSchema/properties/patient/properties/name", [:], ["input.patient.name: new member"]),
      ("inputSchema/properties/tubes/items/required", ["lot"], ["input.tubes[*].lot: now required"]),
      ("inputSchema", nil, ["input: has no schema any more"]),
      ("output/ward", "${input.ward}", ["output.ward: added: \"${input.ward}\""]),
    ] as [(String, JSON?, [String])])
  func words(_ pointer: String, _ value: JSON?, _ words: [String]) throws {
    let (before, after) = (try Self.definition(Self.first), try Self.definition(try Self.changed(pointer, value)))
    #expect(Self.words(WorkflowComparison(from: before, to: after)) == words)
    // There and back again is as many changes.
    #expect(Self.words(WorkflowComparison(from: after, to: before)).count == words.count)
  }

  @Test("another way to write the same changes nothing")
  func same() throws {
    var other = try Self.changed("timeout", "PT5M")
    other = try Self.changed(other, "version", 2)
    other = try Self.changed(other, "defaults", ["timeout": "30s"])
    other = try Self.changed(other, "steps/1/dependsOn", ["register"])
    other = try Self.changed(other, "steps/1/retry/jitter", 0.2)
    other = try Self.changed(other, "steps/2/timeout", "1m")
    other = try Self.changed(other, "$schema", "x.json")
    let comparison = WorkflowComparison(from: try Self.definition(Self.first), to: try Self.definition(other))
    #expect(comparison.isSame, "\(Self.words(comparison))")
    #expect(comparison.json["same"] == true)
    #expect(comparison.rule.obstacles.isEmpty)
  }

  @Test("a default that reaches a step is a change of that step")
  func defaults() throws {
    let other = try Self.changed("defaults", ["timeout": "10s"])
    let comparison = WorkflowComparison(from: try Self.definition(Self.first), to: try Self.definition(other))
    #expect(
      Self.words(comparison) == [
        "register timeout: \"30s\" → \"10s\"", "register compensation.timeout: \"30s\" → \"10s\"",
        "weigh timeout: \"30s\" → \"10s\"",
      ])
  }

  @Test("steps that were added and removed, with the steps that move because of them")
  func steps() throws {
    let steps = try #require(Self.first["steps"]?.arrayValue)
    let scan: JSON = ["id": "scan", "http": ["service": "rack", "method": "GET", "path": "/scan"]]
    let after = try Self.definition(try Self.changed("steps", .array([steps[0], scan, steps[2], steps[3]])))
    let comparison = WorkflowComparison(from: try Self.definition(Self.first), to: after)
    #expect(Self.words(comparison) == ["- weigh", "+ scan", "approve order: follows scan instead of weigh"])
    #expect(
      comparison.json["steps"] == [
        ["step": "weigh", "change": "removed"], ["step": "scan", "change": "added", "dependsOn": ["register"]],
        [
          "step": "approve", "change": "changed",
          "changes": [
            [
              "part": "order", "before": ["weigh"], "after": ["scan"], "text": "order: follows scan instead of weigh",
            ]
          ],
        ],
      ])
  }

  @Test("another kind of action is one change")
  func kinds() throws {
    let other = try Self.changed(
      "steps/1",
      [
        "id": "weigh", "kafka": ["service": "scale", "command": "weigh"], "compensation": "none",
        "retry": ["maxAttempts": 5],
      ])
    let comparison = WorkflowComparison(from: try Self.definition(Self.first), to: try Self.definition(other))
    #expect(Self.words(comparison) == ["weigh action: http → kafka"])
  }
}
