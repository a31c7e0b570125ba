import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite("Incidents over REST", .timeLimit(.minutes(15)), .inTurn)
struct IncidentRouteTests {
  private static let single = """
    {"name": "deliver", "version": 1, "steps": [
      {"id": "send", "retry": {"maxAttempts": 2, "jitter": 0}, "compensation": "none", "onFailure": "stuck",
       "http": {"service": "mail", "method": "POST", "path": "/messages"}}]}
    """
  private static let locked = StepFailure(code: "FREEZER_LOCKED", message: "The freezer is locked.")
  private static let gone = StepFailure(code: "NO_ADDRESS", message: "The address is missing.")

  /// 50 sagas: 7 stuck for one reason, 3 for another, 4 that are tried again, and 36 that wait for an answer.
  private func night() throws -> FakeEngine {
    let engine = FakeEngine()
    try engine.register(Self.single)
    for number in 0..<50 {
      let id = try engine.start("deliver", input: ["tube": .int(number)])
      engine.clock.advance(by: .seconds(1))
      switch number {
      case 0..<7: try engine.settle(id, "send", .failed(Self.locked))
      case 7..<10: try engine.settle(id, "send", .failed(Self.gone))
      case 10..<14: try engine.settle(id, "send", .unknown(Samples.lost))
      default: break
      }
    }
    return engine
  }

  @Test("A night of 50 sagas is three incidents, the oldest first, each with exactly its sagas")
  func incidents() async throws {
    try await TestAPI.run(engine: try night()) { api in
      let page = try await api.get("/v1/incidents?samples=2").json
      let incidents = try #require(page["incidents"]?.arrayValue)
      #expect(incidents.map { $0["code"] } == ["FREEZER_LOCKED", "NO_ADDRESS", "http.503"])
      #expect(incidents.map { $0["kind"] } == ["stuck", "stuck", "retrying"])
      #expect(incidents.map { $0["sagas"] } == [7, 3, 4])
      #expect(incidents.allSatisfy { $0["step"] == "send" && $0["phase"] == "forward" && $0["workflow"] == "deliver" })
      #expect(incidents.allSatisfy { $0["samples"]?.arrayValue?.count == 2 })
      #expect(page["needsPerson"] == 10)
      #expect(page["sagas"] == ["stuck": 10, "held": 0, "overdue": 0, "paused": 0, "retrying": 4])
      #expect(page["lists"]?["lagEvents"] == 2, "the answer says what the fake read model lacks")
      for incident in incidents {
        let path = try #require(incident["path"]?.stringValue)
        let list = try await api.get("\(path)&limit=200&facets=true").json
        let sagas = try #require(list["sagas"]?.arrayValue)
        #expect(sagas.count == incident["sagas"]?.intValue)
        #expect(sagas.allSatisfy { $0["incident"] == incident["id"] })
        let code = try #require(incident["code"]?.stringValue)
        let facet: JSONObject = [code: incident["sagas"] ?? 0]
        #expect(list["facets"]?["error"] == .object(facet))
      }
    }
  }

  @Test("A page ends at its limit and the next one goes on; kinds and a workflow choose")
  func pages() async throws {
    try await TestAPI.run(engine: try night()) { api in
      var codes: [JSON?] = []
      var cursor = ""
      for _ in 0..<3 {
        let page = try await api.get("/v1/incidents?limit=1\(cursor)").json
        codes += page["incidents"]?.arrayValue?.map { $0["code"] } ?? []
        #expect(page["needsPerson"] == 10, "the totals are those of all pages")
        cursor = page["next"]?.stringValue.map { "&cursor=\($0)" } ?? ""
      }
      #expect(codes == ["FREEZER_LOCKED", "NO_ADDRESS", "http.503"])
      #expect(cursor.isEmpty)
      let retrying = try await api.get("/v1/incidents?kind=retrying,paused&workflow=deliver").json
      #expect(retrying["incidents"]?.arrayValue?.map { $0["code"] } == ["http.503"])
      #expect(retrying["needsPerson"] == 0)
      #expect(try await api.get("/v1/incidents?workflow=other").json["incidents"] == [])
      for wrong in ["kind=broken", "kind=", "workflow=", "samples=21", "limit=0", "seen=x", "sort=id"] {
        #expect(try await api.get("/v1/incidents?\(wrong)").status == 400, "\(wrong)")
      }
      let first = try await api.get("/v1/incidents?limit=1").json["next"]?.stringValue ?? ""
      let other = try await api.get("/v1/incidents?kind=stuck&cursor=\(first)")
      #expect(other.status == 400 && other.code == ServerErrorCode.cursorMalformed)
    }
  }

  @Test("One verb with one reason reaches all sagas of an incident, and no other")
  func retryAll() async throws {
    try await LiveEngine.run(refusing: "send") { api, engine in
      try await LiveEngine.register(Self.single, api)
      for _ in 0..<7 { _ = try await api.post("/v1/workflows/deliver/sagas", ["input": [:]]) }
      var page = JSON.null
      try await eventually("seven sagas are stuck") {
        try await engine.waitUntilListed()
        page = try await api.get("/v1/incidents").json
        return page["sagas"]?["stuck"] == 7
      }
      let incident = try #require(page["incidents"]?[0])
      #expect(incident["sagas"] == 7 && incident["verbs"]?[0] == "retry")
      var body: JSONObject = ["verb": "retry", "filter": ["incident": incident["id"] ?? .null], "dryRun": true]
      let preview = try await api.post("/v1/operations", .object(body)).json
      #expect(preview["takes"] == 7 && preview["refuses"] == 0)
      body["dryRun"] = nil
      body["selection"] = preview["selection"]
      body["reason"] = "the freezer is open"
      let begun = try await api.post("/v1/operations", .object(body))
      #expect(begun.status == 202 && begun.json["sagas"] == 7)
    }
  }
}
