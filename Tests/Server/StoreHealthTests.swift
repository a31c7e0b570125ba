import HTTP
import JSON
import Persistence
import Runtime
import Server
import TestSupport
import Testing
import Values
import WorkflowEngine

@Suite("The API while the store takes no writes", .timeLimit(.minutes(15)), .inTurn)
struct StoreHealthTests {
  private func read(_ api: TestAPI) async throws -> Exposition {
    try Exposition(String(decoding: try await api.get("/metrics").bytes, as: UTF8.self))
  }

  @Test("The engine is not ready and reports since when and why", arguments: Depth.allCases)
  func notReady(depth: Depth) async throws {
    let engine = FakeEngine()
    try await TestAPI.run(depth, engine: engine) { api in
      #expect(try await api.get("/readyz").json == ["status": "ready"])
      engine.storeHealth.problem = StoreHealth.Problem(
        code: StoreErrorCode.unavailable, message: "the server is a standby and takes no writes",
        since: engine.environment.now() + .seconds(-7))
      let answer = try await api.get("/readyz")
      #expect(answer.status == 503 && answer.code == StoreErrorCode.unavailable)
      #expect(answer.headers["Retry-After"] != nil)
      let reasons = answer.json["reasons"]?.arrayValue
      #expect(reasons?.count == 1 && reasons?[0]["code"] == "store.unavailable")
      #expect(reasons?[0]["message"]?.stringValue?.contains("standby") == true)
      let metrics = try await read(api)
      #expect(metrics["tracseq_ready"] == 0 && metrics["tracseq_degraded"] == 1)
      #expect(metrics["tracseq_store_writable"] == 0 && (metrics["tracseq_store_failing_seconds"] ?? 0) >= 7)
      // Stored data can still be read.
      #expect(try await api.get("/v1/stats").status == 200)
      engine.storeHealth.problem = nil
      #expect(try await api.get("/readyz").json == ["status": "ready"])
    }
  }

  @Test("Only an answer with an unknown outcome says that the command may have happened, and names the saga")
  func mayHaveHappened() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    try await TestAPI.run(engine: engine) { api in
      let start = "/v1/workflows/store-sample/sagas"
      let id = engine.environment.newID()
      engine.fail(OutcomeUnknown("Saga \(id) may have been started.", saga: id))
      let unknown = try await api.post(start, ["input": Samples.input])
      #expect(unknown.status == 503 && unknown.code == StoreErrorCode.outcomeUnknown)
      #expect(unknown.json["mayHaveHappened"] == true && unknown.json["saga"] == .string("\(id)"))
      #expect(unknown.headers["Location"] == "/v1/sagas/\(id)")
      engine.fail(StoreError(.unavailable, "The store is away."))
      let refused = try await api.post(start, ["input": Samples.input])
      #expect(refused.status == 503 && refused.code == StoreErrorCode.unavailable)
      #expect(refused.json["mayHaveHappened"] == nil)
    }
  }
}
