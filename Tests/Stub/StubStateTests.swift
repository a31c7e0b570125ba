import HTTP
import JSON
import TestSupport
import Testing
import Values

@testable import Stub

@Suite("What a stub remembers and answers", .timeLimit(.minutes(15)), .inTurn)
struct StubStateTests {
  /// A stub with the rules of a text, called without a network.
  private final class Bench {
    var state: StubState

    init(_ rules: String) throws {
      let check = StubRules.check(Array(rules.utf8))
      state = StubState(try #require(check.rules, "\(check.findings)"))
    }

    @discardableResult
    func call(
      _ method: String, _ target: String, key: String? = nil, undoes: String? = nil, _ body: JSON? = nil,
      headers: HTTPHeaders = [:]
    ) throws -> StubState.Reply {
      var headers = headers
      headers["Idempotency-Key"] = key
      headers["Compensates"] = undoes
      let request = try HTTPServerRequest(method, target, headers: headers, body: body?.bytes() ?? [])
      return state.take(StubCall(request), at: Timestamp(milliseconds: 1_772_352_000_000))
    }

    var log: JSON { state.log.json(key: nil, rule: nil, memory: state.memory) }
    func happened(_ rule: Int) -> JSON? { log["rules"]?[rule]?["happened"] }
  }

  private static let tubes = """
    { "rules": [
      { "name": "put", "match": { "method": "PUT", "path": "/tubes/{id}", "when": "$.request.body.barcode != 'BAD'" },
        "answer": { "status": 201, "headers": { "Location": "/tubes/${request.params.id}" },
                    "body": { "id": "${request.params.id}", "barcode": "${request.body.barcode}", "call": "${request.call}" } } },
      { "name": "bad", "match": { "method": "PUT", "path": "/tubes/{id}" },
        "answer": { "status": 422, "body": { "code": "BAD_BARCODE", "message": "${request.body.barcode} is bad" } } },
      { "name": "delete", "match": { "method": "DELETE", "path": "/tubes/{id}" } }
    ] }
    """

  private func body(_ reply: StubState.Reply) throws -> JSON { try JSON(parsing: reply.answer.body) }

  @Test("a key gets its first answer again, and its work counts once")
  func keys() throws {
    let bench = try Bench(Self.tubes)
    let first = try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "A"])
    #expect(first.result == .happened && first.answer.status == 201)
    #expect(try body(first) == ["id": "T-1", "barcode": "A", "call": 1])
    #expect(
      first.answer.headers.map { "\($0.name): \($0.value)" } == [
        "Location: /tubes/T-1", "Content-Type: application/json",
      ])
    let again = try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "A"])
    #expect(again.result == .repeated && again.answer == first.answer)
    let other = try bench.call("PUT", "/tubes/T-1", key: "k2", ["barcode": "A"])
    #expect(other.result == .happened)
    #expect(bench.happened(0) == 2)
    #expect(bench.log["rules"]?[0]?["repeated"] == 1 && bench.log["total"] == 3)
  }

  @Test("a key belongs to one request", arguments: ["/tubes/T-2 A", "/tubes/T-1 B", "/tubes/T-1?x=1 A"])
  func keyReused(_ words: String) throws {
    let parts = words.split(separator: " ").map(String.init)
    let bench = try Bench(Self.tubes)
    try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "A"])
    let reply = try bench.call("PUT", parts[0], key: "k", ["barcode": .string(parts[1])])
    #expect(reply.result == .keyReused && reply.answer.status == 422)
    #expect(try body(reply)["code"] == "stub.keyReused")
  }

  @Test("a refusal is remembered too, and its undo has nothing to do")
  func refusals() throws {
    let bench = try Bench(Self.tubes)
    let refused = try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "BAD"])
    #expect(refused.result == .refused && refused.answer.status == 422)
    #expect(try body(refused)["message"] == "BAD is bad")
    #expect(try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "BAD"]).result == .repeated)
    let undo = try bench.call("DELETE", "/tubes/T-1", key: "k/undo", undoes: "k")
    #expect(undo.result == .nothingToUndo && undo.answer.status == 404)
    // It came, so it is not refused as a late command.
    #expect(try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "BAD"]).result == .repeated)
  }

  @Test("an undo undoes once, and a repeat of the command does nothing more")
  func undo() throws {
    let bench = try Bench(Self.tubes)
    try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "A"])
    #expect(try bench.call("DELETE", "/tubes/T-1", key: "k/undo", undoes: "k").result == .happened)
    #expect(try bench.call("DELETE", "/tubes/T-1", key: "k/undo", undoes: "k").result == .repeated)
    #expect(try bench.call("DELETE", "/tubes/T-1", key: "k/undo2", undoes: "k").result == .nothingToUndo)
    #expect(try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "A"]).result == .repeated)
    #expect(bench.happened(0) == 1 && bench.happened(2) == 1)
  }

  @Test("an undo that comes first makes the late command refuse")
  func tombstones() throws {
    let bench = try Bench(Self.tubes)
    let undo = try bench.call("DELETE", "/tubes/T-1", key: "k/undo", undoes: "k")
    #expect(undo.result == .nothingToUndo && undo.answer.status == 404)
    #expect(try body(undo)["code"] == "stub.nothingToUndo")
    for _ in 0..<2 {
      let late = try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": "A"])
      #expect(late.result == .undoneBefore && late.answer.status == 409)
    }
    #expect(try bench.call("DELETE", "/tubes/T-1", key: "k/undo", undoes: "k").answer == undo.answer)
    #expect(bench.happened(0) == 0)
  }

  @Test("the first calls with a key fail, and nothing has happened after them")
  func failFirst() throws {
    let bench = try Bench(
      """
      { "rules": [ { "match": { "method": "POST", "path": "/a" }, "answer": { "body": "${request.call}" },
          "failFirst": { "times": 2, "status": 429, "retryAfter": "2500ms", "body": { "code": "BUSY" } } },
        { "match": { "method": "DELETE", "path": "/a" } } ] }
      """)
    for key in ["k1", "k2"] {
      for _ in 0..<2 {
        let failed = try bench.call("POST", "/a", key: key)
        #expect(failed.result == .failed && failed.answer.status == 429)
        #expect(failed.answer.headers.contains(StubAnswer.Field(name: "Retry-After", value: "3")))
        #expect(try body(failed) == ["code": "BUSY"])
      }
    }
    #expect(bench.happened(0) == 0)
    #expect(try body(try bench.call("POST", "/a", key: "k1")) == 3)
    #expect(try body(try bench.call("POST", "/a", key: "k1")) == 3)
    #expect(bench.happened(0) == 1)
    // A command that only failed may still come: its undo leaves a tombstone.
    #expect(try bench.call("DELETE", "/a", key: "k2/undo", undoes: "k2").result == .nothingToUndo)
    #expect(try bench.call("POST", "/a", key: "k2").result == .undoneBefore)
  }

  @Test("an answer is lost after the work was done")
  func dropFirst() throws {
    let bench = try Bench(
      """
      { "rules": [ { "match": { "method": "POST", "path": "/a" }, "delay": "2s", "dropFirst": 2 } ] }
      """)
    let lost = try bench.call("POST", "/a", key: "k")
    #expect(lost.isDropped && lost.result == .happened && lost.delay == .seconds(2))
    let second = try bench.call("POST", "/a", key: "k")
    #expect(second.isDropped && second.result == .repeated && second.delay == nil)
    #expect(try bench.call("POST", "/a", key: "k").isDropped == false)
    #expect(bench.happened(0) == 1)
    #expect(bench.log["calls"]?.arrayValue?.map { $0["dropped"] ?? false } == [true, true, false])
  }

  @Test("a retryable answer is not remembered, and a call without a key counts each time")
  func polls() throws {
    let bench = try Bench(
      """
      { "rules": [
        { "match": { "method": "GET", "path": "/runs/{id}", "when": "$.request.call < 3" },
          "answer": { "body": { "state": "running" } } },
        { "match": { "method": "GET", "path": "/runs/{id}" }, "answer": { "body": { "state": "done" } } },
        { "match": { "method": "POST", "path": "/busy", "when": "$.request.call == 1" }, "answer": { "status": 503 } },
        { "match": { "method": "POST", "path": "/busy" } } ] }
      """)
    let states = try (1...4).map { _ in try body(try bench.call("GET", "/runs/7"))["state"] }
    #expect(states == ["running", "running", "done", "done"])
    #expect(try body(try bench.call("GET", "/runs/8"))["state"] == "running")
    #expect(bench.happened(0) == 3 && bench.happened(1) == 2)
    #expect(try bench.call("POST", "/busy", key: "k").answer.status == 503)
    #expect(try bench.call("POST", "/busy", key: "k").result == .happened)
  }

  @Test("conditions read the header, the query and the body of a request")
  func conditions() throws {
    let bench = try Bench(
      """
      { "rules": [
        { "name": "header", "match": { "method": "POST", "path": "/a", "when": "$.request.headers['x-lab'] == '7'" } },
        { "name": "query", "match": { "method": "POST", "path": "/a", "when": "$.request.query.limit == '1'" } },
        { "name": "body", "match": { "method": "POST", "path": "/a", "when": "sum($.request.body.ml[*]) > 5" } },
        { "name": "text", "match": { "method": "POST", "path": "/a", "when": "$.request.body == 'plain'" },
          "answer": { "headers": { "Content-Type": "text/csv" }, "body": "a;${request.method}" } } ] }
      """)
    try bench.call("POST", "/a", headers: ["X-Lab": "7"])
    try bench.call("POST", "/a?limit=1")
    try bench.call("POST", "/a", ["ml": [2, 4]])
    let request = try HTTPServerRequest(
      "POST", "/a", headers: ["Content-Type": "text/plain"], body: Array("plain".utf8))
    let text = bench.state.take(StubCall(request), at: Timestamp(milliseconds: 0))
    #expect(String(decoding: text.answer.body, as: UTF8.self) == "a;POST")
    #expect(bench.log["calls"]?.arrayValue?.map { $0["rule"] } == ["header", "query", "body", "text"])
  }

  @Test("a request without a rule, or whose rule has no value, is a failure that shows")
  func failures() throws {
    let bench = try Bench(Self.tubes)
    let none = try bench.call("GET", "/tubes/T-1", key: "k")
    #expect(none.result == .noRule && none.answer.status == 501)
    #expect(try body(none)["detail"] == "No rule takes GET /tubes/T-1. Rules for this path take DELETE, PUT.")
    let missing = try bench.call("PUT", "/tubes/T-1", key: "k2", ["ward": 1])
    #expect(missing.result == .ruleFailed && missing.answer.status == 500)
    #expect(try body(missing)["detail"]?.stringValue?.contains("[expression.empty]") == true)
    // Nothing was remembered: a correct request with the key happens.
    #expect(try bench.call("PUT", "/tubes/T-1", key: "k2", ["barcode": "A"]).result == .happened)
  }

  @Test("memory is bounded by keys and by bytes, and the oldest key is forgotten")
  func memory() throws {
    let bench = try Bench(
      """
      { "remember": 3, "rules": [ { "match": { "method": "POST", "path": "/a" } } ] }
      """)
    for number in 1...5 { try bench.call("POST", "/a", key: "k\(number)") }
    #expect(bench.log["remembered"] == 3 && bench.log["forgotten"] == 2)
    #expect(try bench.call("POST", "/a", key: "k5").result == .repeated)
    #expect(try bench.call("POST", "/a", key: "k1").result == .happened)

    var memory = StubMemory(mostKeys: 1_000, mostBytes: 3_000)
    for number in 1...10 {
      memory.update(.key("k\(number)")) {
        $0.answer = StubAnswer(status: 200, headers: [], body: Array(repeating: 0, count: 700))
      }
    }
    #expect(memory.count == 3 && memory.forgotten == 7)
    #expect(memory[.key("k10")] != nil && memory[.key("k7")] == nil)
  }

  @Test("the log keeps the last calls, with small bodies, and can be filtered")
  func log() throws {
    let bench = try Bench(Self.tubes)
    for number in 0..<(2 * CallLog.most + 1) { try bench.call("DELETE", "/tubes/\(number)") }
    try bench.call("PUT", "/tubes/T-1", key: "k", ["barcode": .string(String(repeating: "A", count: 3_000))])
    let log = bench.log
    #expect(log["total"] == 2_002 && log["calls"]?.arrayValue?.count == CallLog.most)
    let last = log["calls"]?.arrayValue?.last
    #expect(last?["bodyBytes"] == 3_014 && last?["body"] == nil)
    let one = bench.state.log.json(key: "k", rule: nil, memory: bench.state.memory)
    #expect(one["calls"]?.arrayValue?.count == 1)
    let rule = bench.state.log.json(key: nil, rule: "put", memory: bench.state.memory)
    #expect(rule["calls"]?[0]?["key"] == "k" && rule["calls"]?[0]?["result"] == "happened")
  }
}
