import JSON
import TestSupport
import Testing
import Values
import Wire

@testable import saga

@Suite("saga incidents", .timeLimit(.minutes(15)), .inTurn)
struct IncidentsTests {
  private static func incident(
    _ id: String, _ kind: String, step: String?, phase: String = "forward", code: String?, outcome: String? = nil,
    sagas: Int, since: String, samples: [JSON], verbs: [JSON]
  ) -> JSON {
    var members: JSONObject = [
      "id": .string(id), "kind": .string(kind), "workflow": "accession-and-storage", "sagas": .int(sagas),
      "since": .string(since), "newest": .string(since), "samples": .array(samples), "verbs": .array(verbs),
      "path": .string("/v1/sagas?incident=\(id)"),
    ]
    members["step"] = step.map(JSON.string)
    if step != nil { members["phase"] = .string(phase) }
    members["code"] = code.map(JSON.string)
    members["outcome"] = outcome.map(JSON.string)
    return .object(members)
  }

  private static func sample(_ members: JSONObject = [:]) -> JSON {
    var sample = members
    sample["id"] = .string(Sample.id)
    sample["since"] = "2026-03-01T07:47:40.000Z"
    return .object(sample)
  }

  private static func page(
    _ incidents: [JSON], stuck: Int, paused: Int = 0, retrying: Int = 0, lag: Int = 0, next: JSON? = nil
  ) -> JSON {
    var members: JSONObject = [
      "at": .string(Golden.now.description), "incidents": .array(incidents), "needsPerson": .int(stuck + paused),
      "sagas": ["stuck": .int(stuck), "held": 0, "overdue": 0, "paused": .int(paused), "retrying": .int(retrying)],
      "lists": ["lagEvents": .int(lag), "lagSeconds": lag == 0 ? 0 : 27],
    ]
    members["next"] = next
    return .object(members)
  }

  private static let night = page(
    [
      incident(
        "stuck-0f3a5c7e9b1d2f40", "stuck", step: "allocateStorage", phase: "undo", code: "FREEZER_LOCKED", sagas: 37,
        since: "2026-03-01T07:47:40.000Z",
        samples: [sample(["title": "TUBE-0001"]), sample(["key": "ORD-2"]), sample()], verbs: ["retry", "resolve"]),
      incident(
        "stuck-3f3a5c7e9b1d2f40", "stuck", step: "release", code: "http.timeout", outcome: "unknown", sagas: 12,
        since: "2026-03-01T07:58:00.000Z", samples: [sample(["title": "TUBE-0050"])], verbs: ["resolve", "retry"]),
      incident(
        "retrying-1f3a5c7e9b1d2f40", "retrying", step: "qualityControlOfTheIncomingMaterial",
        code: "http.serviceUnavailableForALongTime", sagas: 45, since: "2026-03-01T08:15:40.000Z",
        samples: [sample(["title": .string(String(repeating: "a long title ", count: 9))])], verbs: ["run-now"]),
      incident(
        "paused-2f3a5c7e9b1d2f40", "paused", step: nil, code: nil, sagas: 1, since: "2026-03-01T08:15:40.000Z",
        samples: [sample()], verbs: ["resume"]),
    ], stuck: 49, paused: 1, retrying: 45, lag: 1_204, next: "CURSOR")

  @Test("draws each incident, with the command that previews a verb on all its sagas")
  func drawing() async throws {
    let tool = TestTool(answers: [.json(Self.night)])
    let result = await tool.run("incidents", "--kind", "stuck,retrying", "--kind", "paused", "--samples", "3")
    #expect(result.status == .success, "\(result.complaint)")
    try Golden.expect(result.output, is: "incidents")
    #expect(result.complaint == "As of 08:15:18 UTC: lists and counts are 1204 events behind.\n")
    #expect(tool.requests[0].url.hasSuffix("/v1/incidents?kind=stuck%2Cretrying&kind=paused&samples=3"))
  }

  @Test("says that nothing needs a person only when the lists have every event")
  func calm() async throws {
    let none = await TestTool(answers: [.json(Self.page([], stuck: 0))]).run("incidents")
    #expect(none.output == "No saga is stuck, held back, overdue, paused, or being tried again.\n")
    let filtered = await TestTool(answers: [.json(Self.page([], stuck: 0))]).run("incidents", "--workflow", "a")
    #expect(filtered.output == "No such incident.\n")
    let behind = await TestTool(answers: [.json(Self.page([], stuck: 0, lag: 1))]).run("incidents")
    #expect(behind.output.isEmpty)
    #expect(behind.complaint == "As of 08:15:18 UTC: lists and counts are 1 event behind.\n")
  }

  @Test("gives the engine's answer to programs")
  func json() async throws {
    let result = await TestTool(answers: [.json(Self.night)]).run("incidents", "--json")
    #expect(try JSON(parsing: Array(result.output.utf8)) == Self.night)
  }

  @Test("an incident is a filter of an operation")
  func operation() async throws {
    let tool = TestTool()
    _ = await tool.run("ops", "preview", "retry", "--incident", "stuck-0f3a5c7e9b1d2f40")
    #expect(tool.requests[0].request.json?["filter"] == ["incident": "stuck-0f3a5c7e9b1d2f40"])
  }
}
