import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Stub

@Suite("A stub on the loopback", .timeLimit(.minutes(15)), .inTurn)
struct StubServerTests {
  private func run(
    _ rules: String, environment: Runtime.Environment = .system,
    _ body: (String, HTTPClient) async throws -> Void
  ) async throws {
    let check = StubRules.check(Array(rules.utf8))
    let stub = StubServer(try #require(check.rules, "\(check.findings)"), environment: environment)
    let port = try stub.start()
    let client = HTTPClient()
    let result: Result<Void, any Error>
    do { result = .success(try await body("http://127.0.0.1:\(port)", client)) } catch { result = .failure(error) }
    await client.shutdown()
    await stub.shutdown()
    try result.get()
  }

  private func request(_ method: String, _ url: String, key: String, _ body: JSON? = nil) -> HTTPClientRequest {
    HTTPClientRequest(
      method: method, url: url, headers: ["Idempotency-Key": key, "Content-Type": "application/json"],
      body: body?.bytes() ?? [], timeout: .seconds(60))
  }

  @Test("answers, loses an answer, answers the repeat, and shows the calls")
  func story() async throws {
    let rules = """
      { "rules": [ { "name": "put", "match": { "method": "PUT", "path": "/tubes/{id}" }, "dropFirst": 1,
          "answer": { "status": 201, "body": { "id": "${request.params.id}" } } } ] }
      """
    try await run(rules) { url, client in
      let put = request("PUT", "\(url)/tubes/T%2F1", key: "k", ["barcode": "A"])
      do throws(HTTPClientError) {
        _ = try await client.send(put)
        Issue.record("the first answer was not lost")
      } catch {
        #expect(error.sent)
      }
      let answer = try await client.send(put)
      #expect(answer.status == 201)
      #expect(try JSON(parsing: answer.body) == ["id": "T/1"])
      let calls = try await client.send(HTTPClientRequest(method: "GET", url: "\(url)/_stub/calls?key=k"))
      let log = try JSON(parsing: calls.body)
      #expect(log["rules"] == [["name": "put", "calls": 2, "happened": 1, "repeated": 1]])
      #expect(log["calls"]?[0]?["path"] == "/tubes/T%2F1")
      #expect(log["calls"]?[0]?["body"] == ["barcode": "A"] && log["calls"]?[0]?["dropped"] == true)
      let unknown = try await client.send(HTTPClientRequest(method: "GET", url: "\(url)/_stub/other"))
      #expect(unknown.status == 404)
    }
  }

  @Test("the work is done before the delay, and a repeat does not wait")
  func delay() async throws {
    let clock = FakeClock()
    let rules = """
      { "rules": [ { "match": { "method": "POST", "path": "/a" }, "delay": "5m", "answer": { "body": "${request.call}" } } ] }
      """
    let stub = StubServer(
      try #require(StubRules.check(Array(rules.utf8)).rules), environment: .fake(clock: clock))
    let call = try HTTPServerRequest("POST", "/a", headers: ["Idempotency-Key": "k"])
    let first = Task { await stub.handle(call) }
    await clock.waitForSleepers { $0.count == 1 }
    let repeated = await stub.handle(call)
    #expect(repeated.body.bytes.map { String(decoding: $0, as: UTF8.self) } == "1")
    clock.advance(by: .seconds(300))
    #expect(await first.value.body.bytes.map { String(decoding: $0, as: UTF8.self) } == "1")
  }

  @Test("says once that it forgets")
  func forgets() async throws {
    let rules = """
      { "remember": 1, "rules": [ { "match": { "method": "POST", "path": "/a" } } ] }
      """
    let told = Told<String>()
    let stub = StubServer(
      try #require(StubRules.check(Array(rules.utf8)).rules), environment: .fake()
    ) { told.add("forgot") }
    for key in ["a", "b", "c"] {
      _ = await stub.handle(try HTTPServerRequest("POST", "/a", headers: ["Idempotency-Key": key]))
    }
    #expect(told.all == ["forgot"])
  }
}
