import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct StartTests {
  private let body: JSON = ["input": ["barcode": "TUBE-0001"], "tags": ["plate-96", "urgent"]]
  private let target = "/v1/workflows/store-sample/sagas"

  private func engine() throws -> FakeEngine {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    return engine
  }

  @Test(arguments: Depth.allCases) func aSagaStarts(at depth: Depth) async throws {
    try await TestAPI.run(depth, engine: engine()) { api in
      let answer = try await api.post(target, body, headers: ["Saga-User": "lims"])
      #expect(answer.status == 201)
      let id = try #require(answer.json["id"]?.stringValue)
      #expect(answer.headers["Location"] == "/v1/sagas/\(id)")
      #expect(answer.json["status"] == "running")
      #expect(answer.json["input"] == body["input"])
      #expect(answer.json["tags"] == body["tags"])
      #expect(answer.json["startedBy"] == "lims")
      #expect(answer.json["steps"]?[0]?["status"] == "running")
      #expect(try await api.get("/v1/sagas/\(id)").status == 200)
    }
  }

  @Test(arguments: Depth.allCases) func startingTwiceIsStartingOnce(at depth: Depth) async throws {
    try await TestAPI.run(depth, engine: engine()) { api in
      let headers: HTTPHeaders = ["Idempotency-Key": "ORD-1/TUBE-0001"]
      let first = try await api.post(target, body, headers: headers)
      let second = try await api.post(target, body, headers: headers)
      #expect(first.status == 201)
      #expect(second.status == 200)
      #expect(first.json["id"] == second.json["id"])
      #expect(first.headers["Location"] == second.headers["Location"])
      #expect(second.json["key"] == "ORD-1/TUBE-0001")
      #expect(second.json["idempotencyKey"] == "ORD-1/TUBE-0001")

      let other = try await api.post(target, ["input": ["barcode": "TUBE-0002"]], headers: headers)
      #expect(other.status == 409)
      #expect(other.code == EngineErrorCode.sagaStartKeyReused)
      #expect(try await api.get("/v1/sagas").json["sagas"]?.arrayValue?.count == 1)
    }
  }

  @Test func aKeyIsOfAllThatAStartAsksFor() async throws {
    let engine = try engine()
    try engine.register(Samples.storage.replacing(#""version": 1"#, with: #""version": 2"#))
    try await TestAPI.run(engine: engine) { api in
      let headers: HTTPHeaders = ["Idempotency-Key": "ORD-1"]
      let input: JSON = ["n": 1, "list": [["a": 1.5, "b": "x"]]]
      let first = try await api.post(target, ["input": input, "version": 1, "tags": ["a", "b"]], headers: headers)
      #expect(first.status == 201 && first.json["version"] == 1)
      let same: [String] = [
        #"{"input": {"n": 1, "list": [{"a": 1.5, "b": "x"}]}, "version": 1, "tags": ["a", "b"]}"#,
        #"{"input": {"list": [{"b": "x", "a": 15e-1}], "n": 1.0}, "version": 1, "tags": ["b", "a"]}"#,
        #"{"input": {"n": 1, "list": [{"a": 1.5, "b": "x"}]}}"#,
      ]
      for text in same {
        let answer = try await api.post(target, JSON(parsing: text), headers: headers)
        #expect(answer.status == 200, "\(text)")
        #expect(answer.json["id"] == first.json["id"] && answer.json["version"] == 1)
      }
      let others: [(String, String)] = [
        (#"{"input": {"n": 1, "list": [{"a": 1.5, "b": "x"}]}, "version": 2}"#, "version 1, not version 2"),
        (#"{"input": {"n": 1, "list": [{"a": 1.5, "b": "x"}]}, "version": 3}"#, "version 1, not version 3"),
        (#"{"input": {"n": 1, "list": [{"a": 1.5, "b": "x"}]}, "tags": ["c"]}"#, "the tags a, b, not the tags c"),
        (#"{"input": {"n": 1, "list": [{"a": 1.5, "b": "x"}]}, "tags": []}"#, "the tags a, b, not no tags"),
        (#"{"input": {"n": 1, "list": [{"a": 1.5, "b": "y"}, 2]}, "tags": ["a", "b"]}"#, "/list/0/b, /list/1"),
        (#"{"input": {"n": "1", "list": [{"a": 1.5, "b": "x"}]}}"#, "/n"),
        (#"{"input": null}"#, "the whole"),
      ]
      for (text, difference) in others {
        let answer = try await api.post(target, JSON(parsing: text), headers: headers)
        #expect(answer.status == 409 && answer.code == EngineErrorCode.sagaStartKeyReused, "\(text)")
        let detail = answer.json["detail"]?.stringValue ?? ""
        #expect(detail.contains(difference), "\(text): \(detail)")
      }
      #expect(try await api.get("/v1/sagas").json["sagas"]?.arrayValue?.count == 1)
    }
  }

  @Test func withoutAKeyEachStartIsItsOwn() async throws {
    try await TestAPI.run(engine: engine()) { api in
      let first = try await api.post(target, body)
      let second = try await api.post(target, body)
      #expect(first.json["id"] != second.json["id"])
      #expect(first.json["idempotencyKey"] == nil)
    }
  }

  @Test func waitingAnswersTheEnd() async throws {
    let engine = try engine()
    engine.whileWaiting { engine, id in
      try engine.tell(id, .cancel(by: "test", reason: "test"))
      try engine.settle(id, "create", .failed(Samples.refused))
    }
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post(target + "?wait=10s", body)
      #expect(answer.status == 201)
      #expect(answer.json["status"] == "compensated")
      #expect(engine.waits == [.seconds(10)])
    }
  }

  @Test func aRepeatWaitsToo() async throws {
    let engine = try engine()
    try await TestAPI.run(engine: engine) { api in
      let headers: HTTPHeaders = ["Idempotency-Key": "k"]
      _ = try await api.post(target, body, headers: headers)
      let answer = try await api.post(target + "?wait=60s", body, headers: headers)
      #expect(answer.status == 200)
      #expect(answer.json["status"] == "running")
      #expect(engine.waits == [.seconds(60)])
    }
  }

  @Test func notWaitingAnswersAtOnce() async throws {
    let engine = try engine()
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post(target + "?wait=0s", body)
      #expect(answer.status == 201)
      #expect(engine.waits.isEmpty)
    }
  }

  @Test func aVersionMayBeChosen() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.pause("a", version: 1))
    try engine.register(Samples.pause("a", version: 2))
    try await TestAPI.run(engine: engine) { api in
      #expect(try await api.post("/v1/workflows/a/sagas", ["input": [:]]).json["version"] == 2)
      #expect(try await api.post("/v1/workflows/a/sagas", ["input": [:], "version": 1]).json["version"] == 1)
      let none = try await api.post("/v1/workflows/a/sagas", ["input": [:], "version": 3])
      #expect(none.code == EngineErrorCode.workflowNotFound)
    }
  }

  @Test(arguments: [JSON.null, 5, "text", [], [:], ["deep": [1, 2, ["x": .null]]]])
  func anInputIsAnyJSON(_ input: JSON) async throws {
    try await TestAPI.run(engine: engine()) { api in
      let answer = try await api.post(target, ["input": input])
      #expect(answer.status == 201)
      #expect(answer.json["input"] == input)
    }
  }

  @Test func numbersStayExact() async throws {
    try await TestAPI.run(engine: engine()) { api in
      let answer = try await api.post(target, text: #"{"input": {"count": 9007199254740993, "volume": 0.10}}"#)
      #expect(String(decoding: answer.bytes, as: UTF8.self).contains(#"{"count":9007199254740993,"volume":0.10}"#))
    }
  }

  @Test func contentTypesThatAreJSON() async throws {
    try await TestAPI.run(engine: engine()) { api in
      for type in ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.lims+json"] {
        let answer = try await api.send(
          "POST", target, headers: ["Content-Type": type], bytes: body.bytes())
        #expect(answer.status == 201, "\(type)")
      }
    }
  }
}
