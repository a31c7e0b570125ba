import HTTP
import JSON
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite("Calls of a saga", .timeLimit(.minutes(15)), .inTurn)
struct CallRouteTests {
  @Test("No secret is in the answer, and each has a mask in its place")
  func secrets() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.secrets)
    let id = try engine.start("order", input: ["barcode": "T-1", "apiKey": "s3cret"])
    try engine.settle(
      id, "create", .answered(LookAnswer(status: 201, headers: ["location": "/7"], body: ["pin": "s3cret", "id": 1])))
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.get("/v1/sagas/\(id)/calls?step=create")
      #expect(answer.status == 200)
      #expect(!String(decoding: answer.bytes, as: UTF8.self).contains("s3cret"))
      let call = try #require(answer.json["calls"]?[0])
      #expect(call["sent"]?["path"] == "/samples/T-1?token=***&n=1")
      #expect(call["sent"]?["headers"]?[0] == ["name": "X-Api-Key", "value": "***"])
      #expect(
        call["sent"]?["body"] == ["text": #"{"barcode":"T-1","credentials":"***"}"#, "cut": false])
      #expect(call["sent"]?["key"] == .string("\(id)/create/1"))
      #expect(
        call["answered"] == [
          "status": 201, "headers": [["name": "location", "value": "/7"]],
          "body": ["text": #"{"pin":"***","id":1}"#, "cut": false],
        ])
    }
  }

  @Test("Pages have a cursor, which belongs to the saga and the step")
  func pages() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.secrets)
    let id = try engine.start("order", input: ["barcode": "T-1", "apiKey": "s3cret"])
    try engine.settle(id, "create", .unknown(Samples.lost))
    engine.clock.advance(by: .seconds(2))
    try engine.tell(id, .wake)
    try await TestAPI.run(engine: engine) { api in
      let first = try await api.get("/v1/sagas/\(id)/calls?limit=1").json
      #expect(first["calls"]?[0]?["attempt"] == 1 && first["calls"]?.arrayValue?.count == 1)
      #expect(first["calls"]?[0]?["error"] == ["code": "http.503", "message": "No answer."])
      #expect(first["calls"]?[0]?["answered"] == nil)
      let cursor = try #require(first["next"]?.stringValue)
      let second = try await api.get("/v1/sagas/\(id)/calls?limit=1&cursor=\(cursor)").json
      #expect(second["calls"]?[0]?["attempt"] == 2 && second["next"] == nil)
      #expect(second["calls"]?[0]?["outcome"] == nil && second["calls"]?[0]?["endedAt"] == nil)
      let other = try await api.get("/v1/sagas/\(id)/calls?step=create&cursor=\(cursor)")
      #expect(other.status == 400 && other.code == ServerErrorCode.cursorMalformed)
    }
  }

  @Test(
    "A wrong request is an error",
    arguments: [
      ("limit=0", "request.parameterInvalid"), ("limit=101", "request.parameterInvalid"),
      ("step=", "request.parameterInvalid"), ("step=crate", "step.unknown"), ("cursor=x", "cursor.malformed"),
      ("after=3", "request.parameterUnknown"),
    ])
  func wrong(query: String, code: String) async throws {
    let engine = FakeEngine()
    try engine.register(Samples.secrets)
    let id = try engine.start("order", input: ["barcode": "T-1", "apiKey": "s3cret"])
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.get("/v1/sagas/\(id)/calls?\(query)")
      #expect(answer.status == 400 && answer.code == code)
    }
  }

  @Test("A path and a header that are very long are cut")
  func long() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.secrets)
    let id = try engine.start(
      "order", input: ["barcode": .string(String(repeating: "x", count: 5_000)), "apiKey": "k"])
    try await TestAPI.run(engine: engine) { api in
      let call = try await api.get("/v1/sagas/\(id)/calls").json["calls"]?[0]
      let path = try #require(call?["sent"]?["path"]?.stringValue)
      #expect(path.count == 2_049 && path.hasSuffix("x…"))
      #expect(call?["sent"]?["body"]?["cut"] == true)
    }
  }
}
