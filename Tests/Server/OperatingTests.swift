import HTTP
import JSON
import Persistence
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct OperatingTests {
  private func engine() throws -> FakeEngine {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    try engine.register(Samples.pivot)
    return engine
  }

  /// A saga whose undo of `create` has failed for good.
  private func stuckUndo(_ engine: FakeEngine) throws -> UniqueID {
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", .succeeded(["id": "S-1"]))
    try engine.tell(id, .cancel(by: "test", reason: "test"))
    try engine.settle(id, "create", .failed(Samples.refused))
    return id
  }

  /// Starts a saga whose pivot has an unknown outcome.
  private func stuckPivot(_ engine: FakeEngine) throws -> UniqueID {
    let id = try engine.start("sequence")
    try engine.settle(id, "load", .unknown(Samples.lost))
    return id
  }

  @Test(arguments: Depth.allCases) func cancelling(at depth: Depth) async throws {
    let engine = try engine()
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", .succeeded(["id": "S-1"]))
    try await TestAPI.run(depth, engine: engine) { api in
      let target = "/v1/sagas/\(id)/cancel"
      let answer = try await api.post(target, ["reason": "consent withdrawn"], headers: ["Saga-User": "j.meier"])
      #expect(answer.status == 200)
      #expect(answer.json["status"] == "compensating")
      #expect(answer.json["turnBack"]?["cause"] == "cancelled")
      #expect(answer.json["turnBack"]?["by"] == "j.meier")
      #expect(answer.json["turnBack"]?["reason"] == "consent withdrawn")

      let again = try await api.post(target, ["reason": "again"])
      #expect(again.status == 409)
      #expect(again.code == EngineErrorCode.sagaTurningBack)

      try engine.settle(id, "create", .succeeded(.null))
      #expect(try await api.post(target, ["reason": "again"]).code == EngineErrorCode.sagaEnded)
    }
  }

  @Test func cancellingPastThePivotIsRefused() async throws {
    let engine = try engine()
    let id = try engine.start("sequence")
    try engine.settle(id, "load", .succeeded(.null))
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post("/v1/sagas/\(id)/cancel", ["reason": "too late"])
      #expect(answer.status == 409)
      #expect(answer.code == EngineErrorCode.sagaPivotPassed)
    }
  }

  @Test func aStuckSagaSaysWhatWouldHelp() async throws {
    let engine = try engine()
    let id = try stuckUndo(engine)
    try await TestAPI.run(engine: engine) { api in
      let shown = try await api.get("/v1/sagas/\(id)").json
      #expect(shown["status"] == "stuck")
      #expect(shown["stuck"]?[0]?["step"] == "create")
      #expect(shown["stuck"]?[0]?["phase"] == "undo")
      #expect(shown["stuck"]?[0]?["code"] == "QC_FAILED")
      #expect(shown["stuck"]?[0]?["verbs"] == ["retry", "resolve", "abandon"])
      #expect(shown["steps"]?[0]?["undo"]?["status"] == "failed")
    }
  }

  @Test func retrying() async throws {
    let engine = try engine()
    let id = try stuckUndo(engine)
    try await TestAPI.run(engine: engine) { api in
      let target = "/v1/sagas/\(id)/retry"
      let other = try await api.post(target, ["reason": "try", "step": "store"])
      #expect(other.status == 409)
      #expect(other.code == EngineErrorCode.stepNotRetryable)
      let unknown = try await api.post(target, ["reason": "try", "step": "craete"])
      #expect(unknown.status == 400)
      #expect(unknown.code == EngineErrorCode.stepUnknown)
      let answer = try await api.post(target, ["reason": "the service is back", "step": "create"])
      #expect(answer.status == 200)
      #expect(answer.json["status"] == "compensating")
    }
  }

  @Test func retryingAllThatIsStuck() async throws {
    let engine = try engine()
    let id = try stuckUndo(engine)
    try await TestAPI.run(engine: engine) { api in
      let target = "/v1/sagas/\(id)/retry"
      #expect(try await api.post(target, ["reason": "the service is back"]).json["status"] == "compensating")
      let again = try await api.post(target, ["reason": "once more"])
      #expect(again.status == 409)
      #expect(again.code == EngineErrorCode.sagaNotStuck)
    }
  }

  @Test func resolvingAnUndo() async throws {
    let engine = try engine()
    let id = try stuckUndo(engine)
    try await TestAPI.run(engine: engine) { api in
      let target = "/v1/sagas/\(id)/resolve"
      let wrong = try await api.post(target, ["reason": "seen", "step": "create", "outcome": "happened"])
      #expect(wrong.status == 409)
      #expect(wrong.code == EngineErrorCode.stepNotResolvable)
      let answer = try await api.post(target, ["reason": "voided by hand", "step": "create", "outcome": "undone"])
      #expect(answer.json["status"] == "compensated")
      #expect(answer.json["steps"]?[0]?["undo"]?["how"] == "resolved")
    }
  }

  @Test func resolvingAPivot() async throws {
    let engine = try engine()
    let id = try stuckPivot(engine)
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post(
        "/v1/sagas/\(id)/resolve",
        ["reason": "seen on the instrument", "step": "load", "outcome": "happened", "output": ["run": 7]])
      #expect(answer.json["pivotPassed"] == true)
      #expect(answer.json["steps"]?[0]?["status"] == "succeeded")
      #expect(answer.json["steps"]?[0]?["output"] == ["run": 7])
    }
  }

  @Test func abandoning() async throws {
    let engine = try engine()
    let id = try stuckPivot(engine)
    let running = try engine.start("store-sample")
    try await TestAPI.run(engine: engine) { api in
      let refused = try await api.post("/v1/sagas/\(running)/abandon", ["reason": "tired of it"])
      #expect(refused.code == EngineErrorCode.sagaNotStuck)
      let answer = try await api.post(
        "/v1/sagas/\(id)/abandon", ["reason": "flow cell broken"], headers: ["Saga-User": "j.meier"])
      #expect(answer.json["status"] == "abandoned")
      #expect(answer.json["abandoned"]?["by"] == "j.meier")
      #expect(answer.json["abandoned"]?["reason"] == "flow cell broken")
      #expect(answer.json["stuck"] == [], "an abandoned saga waits for nobody")
    }
  }

  @Test(arguments: Depth.allCases) func stats(at depth: Depth) async throws {
    let engine = try engine()
    _ = try engine.start("store-sample")
    _ = try engine.start("store-sample")
    _ = try stuckPivot(engine)
    try await TestAPI.run(depth, engine: engine) { api in
      let sagas = try await api.get("/v1/stats").json["sagas"]
      #expect(sagas?["running"] == 2)
      #expect(sagas?["stuck"] == 1)
      #expect(sagas?["completed"] == 0)
    }
  }

  @Test(arguments: Depth.allCases) func aliveAndReady(at depth: Depth) async throws {
    let engine = try engine()
    engine.isReady = false
    try await TestAPI.run(depth, engine: engine) { api in
      #expect(try await api.get("/healthz").json == ["status": "alive"])
      for target in ["/readyz", "/v1/sagas", "/v1/stats"] {
        let answer = try await api.get(target)
        #expect(answer.status == 503)
        #expect(answer.code == EngineErrorCode.engineNotReady)
        #expect(answer.headers["Retry-After"] == "1")
      }
      engine.isReady = true
      #expect(try await api.get("/readyz").json == ["status": "ready"])
    }
  }

  private struct Fault: Error {}

  @Test func aFaultInsideIsNoStory() async throws {
    let engine = try engine()
    engine.fail(Fault())
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.get("/v1/sagas")
      #expect(answer.status == 500)
      #expect(answer.code == HTTPErrorCode.internalError)
      #expect(!String(decoding: answer.bytes, as: UTF8.self).contains("Fault"))
    }
  }
}
