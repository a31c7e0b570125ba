import HTTP
import JSON
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// The operator's verbs over REST: who, why and from where are kept, repeats are harmless, refusals say what is allowed.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct VerbTests {
  private func engine() throws -> FakeEngine {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    try engine.register(Samples.pivot)
    return engine
  }

  /// A saga that waits for its approval.
  private func waiting(_ engine: FakeEngine) throws -> UniqueID {
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", .succeeded(["id": "S-1"]))
    return id
  }

  /// A saga that is stuck behind its pivot.
  private func stuck(_ engine: FakeEngine) throws -> UniqueID {
    let id = try engine.start("sequence")
    try engine.settle(id, "load", .succeeded(.null))
    try engine.settle(id, "notify", .failed(Samples.refused))
    return id
  }

  @Test(arguments: Depth.allCases) func pausingAndResuming(at depth: Depth) async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(depth, engine: engine) { api in
      let paused = try await api.post(
        "/v1/sagas/\(id)/pause", ["reason": "defrosting"], headers: ["Saga-User": "mia", "Saga-Client": "cli"])
      #expect(paused.status == 200)
      #expect(paused.json["status"] == "running")
      #expect(paused.json["paused"]?["by"] == "mia")
      #expect(paused.json["paused"]?["reason"] == "defrosting")
      let again = try await api.post("/v1/sagas/\(id)/pause", ["reason": "again"])
      #expect(again.status == 409 && again.code == EngineErrorCode.sagaPaused)
      #expect(again.json["allowed"]?.arrayValue?.contains(["verb": "resume", "steps": []]) == true)
      let events = try await api.get("/v1/sagas/\(id)/events").json["events"]?.arrayValue ?? []
      #expect(events.last?["type"] == "sagaPaused")
      #expect(events.last?["data"]?["from"]?.stringValue?.hasPrefix("cli ") == true)

      engine.clock.advance(by: .seconds(3_600))
      #expect(try await api.get("/v1/sagas/\(id)").json["overdue"] == false, "its clock stands")
      let deadline = paused.json["deadline"]?.stringValue.flatMap(Timestamp.init)
      let resumed = try await api.post("/v1/sagas/\(id)/resume", ["reason": "cold again"])
      #expect(resumed.json["paused"] == nil)
      #expect(resumed.json["deadline"]?.stringValue == deadline.map { ($0 + .seconds(3_600)).description })
      #expect(try await api.post("/v1/sagas/\(id)/resume", ["reason": "x"]).code == EngineErrorCode.sagaNotPaused)
    }
  }

  @Test func skipping() async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post(
        "/v1/sagas/\(id)/skip", ["reason": "approved on paper", "step": "approve", "output": ["approved": true]])
      #expect(answer.json["steps"]?[1]?["status"] == "skipped")
      #expect(answer.json["steps"]?[1]?["output"] == ["approved": true])
      #expect(answer.json["steps"]?[2]?["status"] == "running")
      let refused = try await api.post("/v1/sagas/\(id)/skip", ["reason": "x", "step": "store"])
      #expect(refused.status == 409 && refused.code == EngineErrorCode.stepNotSkippable)
      #expect(try await api.post("/v1/sagas/\(id)/skip", ["reason": "x"]).code == ServerErrorCode.memberMissing)
      #expect(
        try await api.post("/v1/sagas/\(id)/skip", ["reason": "x", "step": "stroe"]).code == EngineErrorCode.stepUnknown
      )
    }
  }

  @Test func compensating() async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post("/v1/sagas/\(id)/compensate", ["reason": "contaminated"])
      #expect(answer.json["status"] == "compensating")
      #expect(answer.json["turnBack"]?["cause"] == "compensate")
      #expect(answer.json["turnBack"]?["reason"] == "contaminated")
    }
  }

  @Test func runningNow() async throws {
    let engine = try engine()
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", .unknown(Samples.lost))
    try await TestAPI.run(engine: engine) { api in
      #expect(try await api.get("/v1/sagas/\(id)").json["steps"]?[0]?["status"] == "backingOff")
      let answer = try await api.post("/v1/sagas/\(id)/run-now", ["reason": "it is back"])
      #expect(answer.json["steps"]?[0]?["status"] == "running")
      #expect(answer.json["steps"]?[0]?["attempt"] == 2)
      let refused = try await api.post("/v1/sagas/\(id)/run-now", ["reason": "x", "step": "create"])
      #expect(refused.status == 409 && refused.code == EngineErrorCode.stepNothingDue)
    }
  }

  @Test func extending() async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(engine: engine) { api in
      let target = "/v1/sagas/\(id)/extend"
      let before = try await api.get("/v1/sagas/\(id)").json["deadline"]?.stringValue.flatMap(Timestamp.init)
      let answer = try await api.post(target, ["reason": "late", "by": "2h"])
      #expect(answer.json["deadline"]?.stringValue == before.map { ($0 + .seconds(7_200)).description })
      let until = Timestamp(milliseconds: 1_772_352_000_000) + .seconds(3_000)
      let wait = try await api.post(
        target, ["reason": "late", "until": .string(until.description), "step": "approve"])
      #expect(wait.json["steps"]?[1]?["until"]?.stringValue == until.description)
      let wrong: [(JSON, String)] = [
        (["reason": "x", "until": "2026-01-01T00:00:00Z"], EngineErrorCode.deadlineNotLater),
        (["reason": "x", "by": "2h", "step": "store"], EngineErrorCode.stepNotWaiting),
        (["reason": "x"], ServerErrorCode.memberInvalid),
        (["reason": "x", "by": "soon"], ServerErrorCode.memberInvalid),
        (["reason": "x", "until": "noon"], ServerErrorCode.memberInvalid),
        (["reason": "x", "by": "2h", "until": "2026-03-02T00:00:00Z"], ServerErrorCode.memberInvalid),
      ]
      for (body, code) in wrong {
        #expect(try await api.post(target, body).code == code, "\(body)")
      }
    }
  }

  @Test func rewinding() async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post("/v1/sagas/\(id)/rewind", ["reason": "wrong tube", "step": "create"])
      #expect(answer.json["rewind"]?["step"] == "create")
      #expect(answer.json["rewind"]?["steps"] == ["create", "approve", "store"])
      #expect(answer.json["steps"]?[0]?["status"] == "undoing")
      let again = try await api.post("/v1/sagas/\(id)/rewind", ["reason": "x", "step": "create"])
      #expect(again.status == 409 && again.code == EngineErrorCode.sagaRewinding)
      try engine.settle(id, "create", .succeeded(.null))
      let shown = try await api.get("/v1/sagas/\(id)").json
      #expect(shown["rewind"] == nil)
      #expect(shown["steps"]?[0]?["round"] == 2)
    }
  }

  @Test func retryingWithOtherInput() async throws {
    let engine = try engine()
    let id = try stuck(engine)
    try await TestAPI.run(engine: engine) { api in
      let shown = try await api.get("/v1/sagas/\(id)").json
      #expect(shown["stuck"]?[0]?["verbs"] == ["retry", "resolve", "skip", "rewind", "abandon"])
      #expect(shown["verbs"]?.arrayValue?.contains(["verb": "skip", "steps": ["notify"]]) == true)
      let target = "/v1/sagas/\(id)/retry"
      let wrong = try await api.post(target, ["reason": "x", "step": "notify", "input": [1]])
      #expect(wrong.status == 400 && wrong.code == ServerErrorCode.memberInvalid)
      let all = try await api.post(target, ["reason": "x", "input": ["a": 1]])
      #expect(all.status == 409 && all.code == EngineErrorCode.stepInputNotTaken)
      let answer = try await api.post(
        target, ["reason": "wrong ward", "step": "notify", "input": ["ward": "W3"]])
      #expect(answer.json["steps"]?[1]?["round"] == 2)
      #expect(answer.json["steps"]?[1]?["input"] == ["ward": "W3"])
    }
  }

  @Test(arguments: Depth.allCases) func aRepeatIsHarmless(at depth: Depth) async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(depth, engine: engine) { api in
      let headers: HTTPHeaders = ["Idempotency-Key": "ticket-1"]
      let body: JSON = ["reason": "approved on paper", "step": "approve"]
      let first = try await api.post("/v1/sagas/\(id)/skip", body, headers: headers)
      let second = try await api.post("/v1/sagas/\(id)/skip", body, headers: headers)
      #expect(first.status == 200 && second.status == 200)
      #expect(first.json["lastEvent"] == second.json["lastEvent"])
      let other = try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], headers: headers)
      #expect(other.status == 409 && other.code == EngineErrorCode.commandReused)
    }
  }

  @Test func ofTwoOperatorsOneWins() async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(engine: engine) { api in
      let seen = try await api.get("/v1/sagas/\(id)").json["lastEvent"] ?? 0
      let first = try await api.post(
        "/v1/sagas/\(id)/skip", ["reason": "on paper", "step": "approve", "expectedVersion": seen],
        headers: ["Saga-User": "mia"])
      #expect(first.status == 200)
      let second = try await api.post(
        "/v1/sagas/\(id)/cancel", ["reason": "nobody approves", "expectedVersion": seen],
        headers: ["Saga-User": "tom"])
      #expect(second.status == 409 && second.code == EngineErrorCode.sagaChanged)
      let detail = second.json["detail"]?.stringValue ?? ""
      #expect(detail.contains("mia") && detail.contains("skip of step approve") && detail.contains("on paper"))
      let wrong = try await api.post("/v1/sagas/\(id)/cancel", ["reason": "x", "expectedVersion": 0])
      #expect(wrong.code == ServerErrorCode.memberInvalid)
    }
  }

  @Test(arguments: ["", "CLI", "my tool", String(repeating: "a", count: 41)])
  func aClientsNameIsPlain(_ name: String) async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], headers: ["Saga-Client": name])
      #expect(answer.status == 400 && answer.code == ServerErrorCode.headerInvalid)
    }
  }

  @Test(arguments: ["pause", "resume", "compensate", "cancel", "abandon", "retry", "run-now"])
  func everyVerbWantsAReasonAndASaga(_ verb: String) async throws {
    let engine = try engine()
    let id = try waiting(engine)
    try await TestAPI.run(engine: engine) { api in
      let silent = try await api.post("/v1/sagas/\(id)/\(verb)", [:])
      #expect(silent.status == 400 && silent.code == EngineErrorCode.sagaReasonMissing)
      let astray = try await api.post("/v1/sagas/019c8a5e-7b1c-7d2e-8f3a-0123456789ab/\(verb)", ["reason": "x"])
      #expect(astray.status == 404 && astray.code == EngineErrorCode.sagaNotFound)
    }
  }
}
