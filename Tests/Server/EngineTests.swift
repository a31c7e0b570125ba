import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import WorkflowEngine

@testable import Server

/// The API over the engine itself.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct EngineTests {
  @Test func aSagaToItsEnd() async throws {
    try await LiveEngine.run { api, engine in
      try await LiveEngine.register(Samples.storage, api)
      let started = try await api.post(
        "/v1/workflows/store-sample/sagas", ["input": Samples.input], headers: ["Idempotency-Key": "k"])
      #expect(started.status == 201)
      let target = try #require(started.headers["Location"])
      _ = try await api.post(target + "/signals/approval", ["approved": true])
      let ended = try await api.get(target + "?wait=30s")
      #expect(ended.json["status"] == "completed")
      #expect(ended.json["output"] == ["position": "F2-B17-A3"])

      let again = try await api.post(
        "/v1/workflows/store-sample/sagas?wait=30s", ["input": Samples.input], headers: ["Idempotency-Key": "k"])
      #expect(again.status == 200)
      #expect(again.json == ended.json)

      let history = try await api.get(target + "/events?limit=1000")
      #expect(history.json["events"]?.arrayValue?.count == ended.json["lastEvent"]?.intValue)
      try await engine.waitUntilListed()
      #expect(try await api.get("/v1/stats").json["sagas"]?["completed"] == 1)
    }
  }

  @Test func aSchemaRefusesAStartAndASignal() async throws {
    try await LiveEngine.run { api, _ in
      try await LiveEngine.register(
        """
        {"name": "w", "version": 1, "inputSchema": {"type": "object", "required": ["barcode"],
          "properties": {"volumeUl": {"maximum": 1000}}},
         "steps": [{"id": "a", "timeout": "1m", "signal": {"name": "go", "schema": {"required": ["ok"]}}}]}
        """, api)
      let refused = try await api.post("/v1/workflows/w/sagas", ["input": ["volumeUl": 1200]])
      #expect(refused.status == 422)
      #expect(refused.code == EngineErrorCode.inputInvalid)
      #expect(
        refused.json["errors"] == [
          [
            "code": "input.invalid", "pointer": "/input", "schema": "/required",
            "message": "barcode is missing; the schema requires it",
          ],
          [
            "code": "input.invalid", "pointer": "/input/volumeUl", "schema": "/properties/volumeUl/maximum",
            "message": "volumeUl is 1200; the schema allows at most 1000",
          ],
        ])
      let text = try await api.post("/v1/workflows/w/sagas", ["input": "text"])
      #expect(text.status == 422)
      let long = try await api.post(
        "/v1/workflows/w/sagas", ["input": ["barcode": "T-1", "volumeUl": 1_000]])
      #expect(long.status == 201)
      let target = try #require(long.headers["Location"])
      for _ in 0..<2 {
        let signal = try await api.post(target + "/signals/go", [:], headers: ["Idempotency-Key": "1"])
        #expect(signal.status == 422)
        #expect(signal.code == EngineErrorCode.signalInvalid)
        #expect(signal.json["errors"]?[0]?["pointer"] == "")
        #expect(signal.json["errors"]?[0]?["schema"] == "/required")
      }
      let events = try await api.get(target + "/events")
      #expect(events.json["events"]?.arrayValue?.filter { $0["type"] == "signalRefused" }.count == 1)
      #expect(try await api.post(target + "/signals/go", ["ok": 1]).json["answer"] == "taken")
    }
  }

  /// Input with the greatest allowed depth is stored a few levels deeper, and must be readable again.
  @Test func theDeepestBodiesComeBack() async throws {
    @Sendable func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    try await LiveEngine.run { api, _ in
      try await LiveEngine.register(
        #"{"name": "deep", "version": 1, "steps": [{"id": "a", "timeout": "1m", "signal": {"name": "go"}}]}"#, api)
      let started = try await api.post("/v1/workflows/deep/sagas", text: #"{"input": \#(nested(255))}"#)
      #expect(started.status == 201)
      let target = try #require(started.headers["Location"])
      #expect(try await api.post(target + "/signals/go", text: nested(257)).status == 400)
      #expect(try await api.post(target + "/signals/go", text: nested(256)).json["answer"] == "taken")
      let ended = try await api.get(target + "?wait=30s")
      #expect(ended.json["status"] == "completed")
      let output = try JSON(parsing: nested(256))
      #expect(ended.json["steps"]?[0]?["output"] == output)
      #expect(try await api.get(target + "/events").status == 200)
    }
  }

  @Test func aStuckUndoIsResolved() async throws {
    try await LiveEngine.run(refusing: "store", refusingUndo: "create") { api, engine in
      try await LiveEngine.register(Samples.storage, api)
      let started = try await api.post("/v1/workflows/store-sample/sagas", ["input": 1])
      let target = try #require(started.headers["Location"])
      _ = try await api.post(target + "/signals/approval", ["approved": true])
      // Until the undo has failed there is nothing to resolve.
      let request: JSON = ["reason": "voided by hand", "step": "create", "outcome": "undone"]
      var resolved = try await api.post(target + "/resolve", request)
      while resolved.code == EngineErrorCode.stepNotResolvable {
        resolved = try await api.post(target + "/resolve", request)
      }
      #expect(resolved.json["steps"]?[0]?["undo"]?["how"] == "resolved")
      #expect(try await api.get(target + "?wait=30s").json["status"] == "compensated")
      try await engine.waitUntilListed()
      // The list says why it turned back, no longer what it was stuck on.
      let line = try await api.get("/v1/sagas?status=compensated").json["sagas"]?[0]
      #expect(line?["failedStep"] == "store")
    }
  }

  @Test func listsAndCounts() async throws {
    try await LiveEngine.run(refusing: "store") { api, engine in
      try await LiveEngine.register(Samples.storage, api)
      for index in 0..<5 {
        let started = try await api.post("/v1/workflows/store-sample/sagas", ["input": .int(index)])
        let target = try #require(started.headers["Location"])
        guard index < 3 else { continue }
        _ = try await api.post(target + "/signals/approval", ["approved": true])
        #expect(try await api.get(target + "?wait=30s").json["status"] == "compensated")
      }
      try await engine.waitUntilListed()
      let counts = try await api.get("/v1/stats").json["sagas"]
      #expect(counts?["compensated"] == 3)
      #expect(counts?["running"] == 2)
      #expect(counts?["compensating"] == 0)

      let first = try await api.get("/v1/sagas?status=compensated&limit=2").json
      #expect(first["sagas"]?[0]?["failedStep"] == "store")
      #expect(first["sagas"]?[0]?["failureCode"] == "QC_FAILED")
      let cursor = try #require(first["next"]?.stringValue)
      let second = try await api.get("/v1/sagas?status=compensated&limit=2&cursor=\(cursor)").json
      #expect(second["sagas"]?.arrayValue?.count == 1)
      #expect(second["next"] == nil)
      let inputs = [first, second].flatMap { $0["sagas"]?.arrayValue ?? [] }.compactMap { $0["id"] }
      #expect(Set(inputs).count == 3)
    }
  }
}
