import HTTP
import JSON
import TestSupport
import Testing
import Values

@testable import Server

@Suite("The content type of requests that change something", .timeLimit(.minutes(15)), .inTurn)
struct ContentTypeTests {
  static let types: [HTTPHeaders] = [
    [:], ["Content-Type": ""], ["Content-Type": "text/plain"], ["Content-Type": "application/x-www-form-urlencoded"],
    ["Content-Type": "multipart/form-data; boundary=x"], ["Content-Type": "text/plain; application/json"],
  ]

  @Test("Every route that changes something refuses an undeclared body, and an empty one", arguments: types)
  func refused(_ headers: HTTPHeaders) async throws {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    let saga = try engine.start("store-sample").description
    try await TestAPI.run(engine: engine, kafka: FakeKafka(), notices: FakeNotices()) { api in
      let operations = try APIDescription().operations.filter { $0.method != "GET" }
      #expect(operations.count > 20)
      for operation in operations {
        let target = operation.pattern.replacing("{id}", with: saga).replacing("{name}", with: "approval")
        for body in ["", #"{"reason": "x", "input": {}}"#] {
          let answer = try await api.send(operation.method, target, headers: headers, bytes: Array(body.utf8))
          #expect(answer.status == 415, "\(operation.name) \(body)")
          #expect(answer.code == HTTPErrorCode.unsupportedMediaType)
        }
      }
      #expect(try await api.get("/v1/sagas/\(saga)").json["status"] == "running")
    }
  }

  @Test(
    "An id that is not of version 7 is not found",
    arguments: [
      "7b2f2f3e-2a0c-4f1e-9c3b-0123456789ab", "00000000-0000-0000-0000-000000000000",
      "ffffffff-ffff-ffff-ffff-ffffffffffff", "019C8A5E-7B1C-1D2E-8F3A-0123456789AB",
      "ffffffff-ffff-7fff-8fff-ffffffffffff",
    ])
  func otherVersions(_ id: String) async throws {
    try await LiveEngine.run(depth: .router) { api, _ in
      for target in [
        "/v1/sagas/\(id)", "/v1/sagas/\(id)?version=1", "/v1/sagas/\(id)?version=9223372036854775807",
        "/v1/sagas/\(id)?wait=1s", "/v1/sagas/\(id)/events", "/v1/sagas/\(id)/events?after=9223372036854775807",
        "/v1/sagas/\(id)/timeline", "/v1/sagas/\(id)/document", "/v1/operations/\(id)", "/v1/operations/\(id)/sagas",
      ] {
        let answer = try await api.get(target)
        #expect(answer.status == 404, "\(target): \(answer.json.text())")
      }
      for verb in ["cancel", "pause", "resume", "abandon", "compensate", "retry", "run-now"] {
        #expect(try await api.post("/v1/sagas/\(id)/\(verb)", ["reason": "x"]).status == 404, "\(verb)")
      }
      #expect(try await api.post("/v1/sagas/\(id)/signals/a", 1).status == 404)
      #expect(try await api.get("/v1/audit?saga=\(id)").json["acts"] == [])
      let preview = try await api.post(
        "/v1/operations", ["verb": "pause", "dryRun": true, "sagas": [.string(id)]])
      #expect(preview.status < 500, "\(preview.json.text())")
    }
  }
}
