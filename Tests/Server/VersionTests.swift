import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite("Versions and drafts over REST", .timeLimit(.minutes(15)), .inTurn)
struct VersionTests {
  private static func file(_ version: Int, _ more: String = "") -> JSON {
    var steps: [JSON] = [["id": "w", "signal": ["name": "go"]]]
    if !more.isEmpty { steps.append(["id": .string(more), "delay": ["for": "1s"]]) }
    return ["name": "trial", "version": .int(version), "steps": .array(steps)]
  }

  /// An engine with two versions, and a saga of the first one.
  private func engine() throws -> (FakeEngine, UniqueID) {
    let engine = FakeEngine()
    try engine.register(Self.file(1).text())
    let id = try engine.start("trial")
    try engine.register(Self.file(2, "pause").text())
    return (engine, id)
  }

  @Test("A saga moves to another version, and a refusal says why it does not", arguments: Depth.allCases)
  func migrate(at depth: Depth) async throws {
    let (engine, id) = try engine()
    try engine.register(#"{"name": "trial", "version": 3, "steps": [{"id": "x", "delay": {"for": "1s"}}]}"#)
    try await TestAPI.run(depth, engine: engine) { api in
      let target = "/v1/sagas/\(id)/migrate"
      let answer = try await api.post(target, ["reason": "a new address", "to": 2], headers: ["Saga-User": "anna"])
      #expect(answer.status == 200 && answer.json["version"] == 2 && answer.json["draft"] == nil)
      #expect(answer.json["steps"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == ["w", "pause"])
      let same = try await api.post(target, ["reason": "again", "to": 2])
      #expect(same.status == 409 && same.code == EngineErrorCode.sagaAlreadyOnVersion)
      let refused = try await api.post(target, ["reason": "again", "to": 3])
      #expect(refused.status == 409 && refused.code == EngineErrorCode.sagaNotMovable)
      #expect(
        refused.json["detail"]?.stringValue?.contains("it has begun step w, and there: the step is removed") == true)
      #expect(try await api.post(target, ["reason": "again", "to": 9]).code == EngineErrorCode.workflowNotFound)
      #expect(try await api.post(target, ["reason": "again", "to": -1]).code == EngineErrorCode.workflowDraftsOff)
      for to: JSON in [0, "2", 1.5] {
        #expect(try await api.post(target, ["reason": "again", "to": to]).code == "request.memberInvalid")
      }
      #expect(try await api.post(target, ["reason": "again"]).code == "request.memberMissing")
      #expect(try await api.post(target, ["to": 1]).code == EngineErrorCode.sagaReasonMissing)
      let events = try await api.get("/v1/sagas/\(id)/events").json["events"]?.arrayValue ?? []
      #expect(events.last?["type"] == "sagaMoved" && events.last?["data"]?["by"] == "anna")
      #expect(events.count(where: { $0["type"] == "sagaMoved" }) == 1)
    }
  }

  @Test("A bulk move needs the workflow in its filter, and its preview says why a saga stays")
  func bulk() async throws {
    let (engine, id) = try engine()
    try await TestAPI.run(engine: engine) { api in
      let nameless: JSON = ["verb": "migrate", "to": 2, "filter": ["status": "running"], "dryRun": true]
      let refused = try await api.post("/v1/operations", nameless)
      #expect(refused.status == 400 && refused.code == "request.memberInvalid")
      let asked: JSON = ["verb": "migrate", "to": 2, "filter": ["workflow": "trial", "version": 1], "dryRun": true]
      let preview = try await api.post("/v1/operations", asked)
      #expect(
        preview.status == 200 && preview.json["takes"] == 1 && preview.json["request"] == ["verb": "migrate", "to": 2])
      let unknown = try await api.post(
        "/v1/operations", ["verb": "migrate", "to": 1, "sagas": [.string("\(id)")], "dryRun": true])
      #expect(unknown.json["items"]?[0]?["code"] == .string(EngineErrorCode.sagaAlreadyOnVersion))
    }
  }

  @Test("Drafts are refused unless the engine takes them", arguments: Depth.allCases)
  func off(at depth: Depth) async throws {
    let (engine, _) = try engine()
    try await TestAPI.run(depth, engine: engine) { api in
      let registered = try await api.post("/v1/workflows?draft=true", Self.file(3))
      #expect(registered.status == 409 && registered.code == EngineErrorCode.workflowDraftsOff)
      let started = try await api.post("/v1/workflows/trial/sagas", ["input": 1, "version": "draft"])
      #expect(started.status == 409 && started.code == EngineErrorCode.workflowDraftsOff)
      #expect(try await api.get("/v1/workflows/trial/draft").status == 404)
    }
  }

  @Test("A draft is registered, started, shown and listed as one", arguments: Depth.allCases)
  func drafts(at depth: Depth) async throws {
    let engine = FakeEngine()
    engine.allowDrafts()
    try await TestAPI.run(depth, engine: engine) { api in
      let first = try await api.post("/v1/workflows?draft=true", Self.file(5))
      #expect(first.status == 201 && first.json["version"] == -1 && first.json["draft"] == true)
      #expect(first.headers["Location"] == "/v1/workflows/trial/-1")
      #expect(try await api.post("/v1/workflows?draft=true", Self.file(5)).status == 200)
      #expect(try await api.post("/v1/workflows?draft=true", Self.file(5, "pause")).json["version"] == -2)
      let only = try await api.post("/v1/workflows/trial/sagas", ["input": 1])
      #expect(only.status == 409 && only.code == EngineErrorCode.workflowOnlyDrafts)
      let latest = try await api.get("/v1/workflows/trial/draft")
      #expect(latest.json["version"] == -2 && latest.json["draft"] == true)
      #expect(latest.json["versions"] == [-2, -1] && latest.json["definition"]?["version"] == 5)
      #expect(try await api.get("/v1/workflows/trial/-1").json["version"] == -1)
      for wrong in ["0", "-0", "draft-1", "+1"] {
        #expect(try await api.get("/v1/workflows/trial/\(wrong)").status == 400, "\(wrong)")
      }
      let saga = try await api.post("/v1/workflows/trial/sagas", ["input": 1, "version": "draft"])
      #expect(saga.status == 201 && saga.json["version"] == -2 && saga.json["draft"] == true)
      let older = try await api.post("/v1/workflows/trial/sagas", ["input": 1, "version": -1])
      #expect(older.json["version"] == -1)
      #expect(
        try await api.post("/v1/workflows/trial/sagas", ["input": 1, "version": 0]).code == "request.memberInvalid")
      _ = try await api.post("/v1/workflows", Self.file(1))
      let released = try await api.post("/v1/workflows/trial/sagas", ["input": 1])
      #expect(released.json["version"] == 1 && released.json["draft"] == nil)
      func listed(_ query: String) async throws -> [Int] {
        let sagas = try await api.get("/v1/sagas?\(query)").json["sagas"]?.arrayValue ?? []
        return sagas.compactMap { $0["version"]?.intValue }.sorted()
      }
      #expect(try await listed("draft=true") == [-2, -1])
      #expect(try await listed("draft=false") == [1])
      #expect(try await listed("version=-1") == [-1])
      #expect(try await api.get("/v1/sagas?version=0").code == "request.parameterInvalid")
      let workflows = try await api.get("/v1/workflows")
      #expect(workflows.json["workflows"]?[0]?["version"] == 1)
      #expect(workflows.json["workflows"]?[0]?["versions"] == [-2, -1, 1])
      // A trial moves to the latest draft.
      let id = try #require(older.json["id"]?.stringValue)
      let moved = try await api.post("/v1/sagas/\(id)/migrate", ["reason": "corrected", "to": -2])
      #expect(moved.json["version"] == -2)
    }
  }
}
