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

/// The workflow of these tests makes no calls.
private struct NoCalls: StepExecutor {
  func perform(_ call: StepCall) async -> StepOutcome { .succeeded(.null) }
}

@Suite("Sealed values in answers", .timeLimit(.minutes(15)), .inTurn)
struct SealedAnswerTests {
  private static let workflow: JSON = [
    "name": "consent", "version": 1,
    "inputSchema": ["properties": ["patient": ["sensitive": true], "code": [:]]],
    "steps": [["id": "word", "signal": ["name": "go"]]], "output": ["of": "${input.patient}"],
  ]

  @Test("Every answer has ••• in place of a sealed value, and forget is for ended sagas", arguments: Depth.allCases)
  func masked(at depth: Depth) async throws {
    var configuration = Engine.Configuration()
    configuration.sealKeys = SealKeys(.system)
    let engine = Engine(
      store: MemoryStore(environment: .system), executor: NoCalls(), configuration: configuration,
      environment: .system)
    let running = Task { try await engine.run() }
    try await eventually("the engine is ready") { engine.isReady }
    try await TestAPI.run(depth, over: engine, environment: .system) { api in
      #expect(try await api.post("/v1/workflows", Self.workflow).status == 201)
      let input: JSON = ["patient": "Nora Sensitive", "code": "C-1"]
      let started = try await api.post("/v1/workflows/consent/sagas", ["input": input])
      let id = try #require(started.json["id"]?.stringValue)
      #expect(started.json["input"] == ["patient": "•••", "code": "C-1"])
      let early = try await api.post("/v1/sagas/\(id)/forget", ["reason": "consent withdrawn"])
      #expect(early.status == 409 && early.code == EngineErrorCode.sagaNotEnded)
      #expect(try await api.post("/v1/sagas/\(id)/signals/go", ["said": "by Nora Sensitive"]).status == 200)
      try await eventually("the saga is completed") {
        try await api.get("/v1/sagas/\(id)").json["status"] == "completed"
      }
      for path in ["", "/events", "/timeline", "/calls", "/document"] {
        let text = String(decoding: try await api.get("/v1/sagas/\(id)\(path)").bytes, as: UTF8.self)
        #expect(!text.contains("Nora") && !text.contains("sealed:1:"), "\(path): \(text)")
      }
      #expect(try await api.get("/v1/sagas/\(id)").json["output"] == ["of": "•••"])
      let forgotten = try await api.post("/v1/sagas/\(id)/forget", ["reason": "consent withdrawn"])
      #expect(forgotten.json["forgotten"]?["reason"] == "consent withdrawn")
      #expect(forgotten.json["input"] == ["patient": "•••", "code": "C-1"])
    }
    running.cancel()
    _ = await running.result
  }
}
