import HTTP
import JSON
import Persistence
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// Lists that lack events never look as if they had all.
@Suite("Answers say how far lists are", .timeLimit(.minutes(15)), .inTurn)
struct ListStateTests {
  private static func lists(lag: Int64, waited: Duration, hasCaughtUp: Bool = true) -> ProjectionStatus {
    ProjectionStatus(
      store: "memory", generation: 1, shards: [.init(shard: 0, position: 7 - lag, head: 7)], waited: waited,
      hasCaughtUp: hasCaughtUp)
  }

  @Test(
    "Lists are behind after five seconds, and until they have caught up once",
    arguments: [
      (lists(lag: 0, waited: .zero), false), (lists(lag: 2, waited: .seconds(5)), false),
      (lists(lag: 1, waited: .milliseconds(5_001)), true),
      (lists(lag: 1, waited: .zero, hasCaughtUp: false), true),
      (lists(lag: 0, waited: .zero, hasCaughtUp: false), false),
    ])
  func rule(lists: ProjectionStatus, isBehind: Bool) { #expect(lists.isBehind == isBehind) }

  @Test(
    "While lists are behind, answers are marked, metrics are left out, and the engine is degraded but ready",
    arguments: [lists(lag: 3, waited: .seconds(27)), lists(lag: 3, waited: .seconds(1), hasCaughtUp: false)])
  func behind(lists: ProjectionStatus) async throws {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    _ = try engine.start("store-sample")
    engine.show(lists)
    try await TestAPI.run(engine: engine) { api in
      for path in ["/v1/stats", "/v1/sagas", "/v1/incidents", "/v1/workflows/store-sample/statistics"] {
        let answer = try await api.get(path).json["lists"]
        #expect(answer?["lagEvents"] == 3 && answer?["behind"] == true, "\(path)")
      }
      var metrics = try Exposition(String(decoding: try await api.get("/metrics").bytes, as: UTF8.self))
      #expect(metrics.metrics["tracseq_sagas"] == nil && metrics.metrics["tracseq_incident_sagas"] == nil)
      #expect(metrics["tracseq_read_model_lag_events"] == 3)
      #expect(metrics["tracseq_ready"] == 1 && metrics["tracseq_degraded"] == 1)
      let ready = try await api.get("/readyz")
      #expect(ready.status == 200 && ready.json["status"] == "degraded")
      #expect(ready.json["reasons"]?[0]?["code"] == .string(ServerErrorCode.listsBehind))

      engine.show(Self.lists(lag: 0, waited: .zero))
      metrics = try Exposition(String(decoding: try await api.get("/metrics").bytes, as: UTF8.self))
      #expect(metrics.metrics["tracseq_sagas"] != nil && metrics["tracseq_degraded"] == 0)
      #expect(try await api.get("/readyz").json == ["status": "ready"])
      #expect(try await api.get("/v1/stats").json["lists"] == ["lagEvents": 0, "lagSeconds": 0])
    }
  }

  @Test("A held saga degrades the engine, in the metric as in the answer")
  func held() async throws {
    let engine = FakeEngine()
    engine.hold([HeldSaga(id: engine.environment.newID(), since: engine.environment.now(), isPaused: true)])
    try await TestAPI.run(engine: engine) { api in
      let metrics = try Exposition(String(decoding: try await api.get("/metrics").bytes, as: UTF8.self))
      #expect(metrics["tracseq_sagas_held"] == 1 && metrics["tracseq_degraded"] == 1)
      #expect(try await api.get("/readyz").json["reasons"]?[0]?["code"] == .string(EngineErrorCode.sagaHeld))
    }
  }
}
