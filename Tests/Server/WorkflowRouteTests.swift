import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct WorkflowRouteTests {
  @Test(arguments: Depth.allCases) func registering(at depth: Depth) async throws {
    try await TestAPI.run(depth) { api in
      let new = try await api.post("/v1/workflows", text: Samples.storage)
      #expect(new.status == 201)
      #expect(new.json["created"] == true)
      let location = try #require(new.headers["Location"])
      #expect(location == "/v1/workflows/store-sample/1")

      let again = try await api.post("/v1/workflows", text: Samples.storage)
      #expect(again.status == 200)
      #expect(again.json["created"] == false)
      #expect(again.json["digest"] == new.json["digest"])

      let other = try await api.post(
        "/v1/workflows", text: Samples.storage.replacing("Create, approve, store.", with: "Something else."))
      #expect(other.status == 409)
      #expect(other.code == EngineErrorCode.workflowConflict)

      let shown = try await api.get(location)
      #expect(shown.status == 200)
      let written = try JSON(parsing: Samples.storage)
      #expect(shown.json["definition"] == written)
      #expect(shown.json["digest"] == new.json["digest"])
    }
  }

  @Test func theUserOfARegistrationIsKept() async throws {
    try await TestAPI.run { api in
      _ = try await api.post("/v1/workflows", text: Samples.pause(), headers: ["Saga-User": "j.meier"])
      #expect(try await api.get("/v1/workflows/pause").json["registeredBy"] == "j.meier")
    }
  }

  @Test func allErrorsOfAFileComeAtOnce() async throws {
    try await TestAPI.run { api in
      let text = #"{"name": "broken", "version": 0, "steps": [{"id": "a", "delai": {"for": "1s"}}]}"#
      let answer = try await api.post("/v1/workflows", text: text)
      #expect(answer.status == 422)
      #expect(answer.code == EngineErrorCode.workflowInvalid)
      let findings = try #require(answer.json["errors"]?.arrayValue)
      #expect(findings.count > 1)
      #expect(findings.contains { $0["nearName"] == "delay" && $0["line"] == 1 })
      #expect(try await api.get("/v1/workflows").json["workflows"] == [])
    }
  }

  @Test func checkingAnswersFindingsAndChangesNothing() async throws {
    try await TestAPI.run { api in
      let good = try await api.post("/v1/workflows/check", text: Samples.storage)
      #expect(good.status == 200)
      #expect(good.json["valid"] == true)
      #expect(good.json["name"] == "store-sample")

      let bad = try await api.post("/v1/workflows/check", text: #"{"name": "broken"}"#)
      #expect(bad.status == 200)
      #expect(bad.json["valid"] == false)
      #expect(bad.json["findings"]?.arrayValue?.isEmpty == false)

      let none = try await api.post("/v1/workflows/check", text: "{")
      #expect(none.status == 200)
      #expect(none.json["valid"] == false)
      #expect(try await api.get("/v1/workflows").json["workflows"] == [])
    }
  }

  @Test func checkingKnowsTheServices() async throws {
    try await TestAPI.run(engine: FakeEngine(services: ["samples"])) { api in
      let answer = try await api.post("/v1/workflows/check", text: Samples.storage)
      #expect(answer.json["valid"] == false)
    }
  }

  @Test func listsAreByNameWithAllVersions() async throws {
    try await TestAPI.run { api in
      for (name, version) in [("b", 1), ("a", 2), ("a", 1), ("a", 10), ("c", 1)] {
        _ = try await api.post("/v1/workflows", text: Samples.pause(name, version: version))
      }
      let all = try await api.get("/v1/workflows")
      #expect(all.json["workflows"]?.arrayValue?.map { $0["name"] } == ["a", "b", "c"])
      #expect(all.json["workflows"]?[0]?["versions"] == [1, 2, 10])
      #expect(all.json["workflows"]?[0]?["version"] == 10)
      #expect(all.json["next"] == nil)

      let first = try await api.get("/v1/workflows?limit=2")
      #expect(first.json["workflows"]?.arrayValue?.map { $0["name"] } == ["a", "b"])
      let cursor = try #require(first.json["next"]?.stringValue)
      let second = try await api.get("/v1/workflows?limit=2&cursor=\(cursor)")
      #expect(second.json["workflows"]?.arrayValue?.map { $0["name"] } == ["c"])
      #expect(second.json["next"] == nil)
    }
  }

  @Test func theLatestVersionIsTheHighest() async throws {
    try await TestAPI.run { api in
      for version in [2, 10, 1] { _ = try await api.post("/v1/workflows", text: Samples.pause("a", version: version)) }
      #expect(try await api.get("/v1/workflows/a").json["version"] == 10)
      #expect(try await api.get("/v1/workflows/a/2").json["version"] == 2)
      #expect(try await api.get("/v1/workflows/a/3").code == EngineErrorCode.workflowNotFound)
      #expect(try await api.get("/v1/workflows/b").code == EngineErrorCode.workflowNotFound)
    }
  }
}
