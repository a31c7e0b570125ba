import HTTP
import JSON
import TestSupport
import Testing
import Values

@testable import Server

/// Sends valid requests after random changes. No answer is a 5xx, and the description of the API has every answer.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct FuzzTests {
  private struct Mutator {
    var random: SeededRandom
    let saga: String

    mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    private static let awkward = [
      "", "%", "%2F", "%00", "%C3%28", "..", "*", "{id}", "null", "0", "-1", "9223372036854775808", "true",
      "%F0%9F%A7%AA",
      "a%20b", "'", "\\", String(repeating: "x", count: 3_000),
    ]
    private static let values: [JSON] = [
      .null, true, 0, -1, 1.5, "", "\u{0}", "🧪", [], [:], [[[]]], ["": ["": .null]],
      "019c8a5e-7b1c-7d2e-8f3a-0123456789ab",
      .string(String(repeating: "long", count: 2_000)),
    ]

    mutating func request() -> (method: String, target: String, headers: HTTPHeaders, bytes: [UInt8]) {
      var (method, path, query, body): (String, String, [String], JSON?) = pick([
        ("GET", "/v1/workflows", ["limit=2"], nil),
        ("GET", "/v1/workflows/store-sample/1", [], nil),
        ("GET", "/v1/sagas", ["status=running", "workflow=store-sample", "limit=5", "cursor=AAAA"], nil),
        ("GET", "/v1/sagas/\(saga)", ["wait=0s"], nil),
        ("GET", "/v1/sagas/\(saga)/events", ["after=1", "limit=2"], nil),
        ("GET", "/v1/stats", [], nil),
        ("POST", "/v1/workflows", [], Self.workflow),
        ("POST", "/v1/workflows/check", [], Self.workflow),
        ("POST", "/v1/workflows/store-sample/sagas", ["wait=0s"], ["input": ["a": 1], "version": 1, "tags": ["t"]]),
        ("POST", "/v1/sagas/\(saga)/signals/approval", [], ["approved": true]),
        ("POST", "/v1/sagas/\(saga)/pause", [], ["reason": "x", "expectedVersion": 3]),
        ("POST", "/v1/sagas/\(saga)/resume", [], ["reason": "x"]),
        ("POST", "/v1/sagas/\(saga)/skip", [], ["reason": "x", "step": "approve", "output": ["a": 1]]),
        ("POST", "/v1/sagas/\(saga)/run-now", [], ["reason": "x", "step": "create"]),
        ("POST", "/v1/sagas/\(saga)/extend", [], ["reason": "x", "by": "2h", "step": "approve"]),
        ("POST", "/v1/sagas/\(saga)/rewind", [], ["reason": "x", "step": "create"]),
        ("POST", "/v1/sagas/\(saga)/cancel", [], ["reason": "x"]),
        ("POST", "/v1/sagas/\(saga)/retry", [], ["reason": "x", "step": "create"]),
        ("POST", "/v1/sagas/\(saga)/resolve", [], ["reason": "x", "step": "create", "outcome": "undone"]),
        ("POST", "/v1/sagas/\(saga)/abandon", [], ["reason": "x"]),
        ("GET", "/v1/echo", [], nil),
        ("POST", "/v1/echo/rewind", [], ["shard": 1, "to": 2, "reason": "x"]),
        ("GET", "/metrics", [], nil),
      ])
      var headers: HTTPHeaders = ["Content-Type": "application/json", "Idempotency-Key": "k\(below(5))"]
      for _ in 0...below(2) {
        switch below(8) {
        case 0: method = pick(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
        case 1:
          var segments = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
          segments[1 + below(segments.count - 1)] = pick(Self.awkward.filter { $0 != "\\" })
          path = segments.joined(separator: "/")
        case 2: query.append("\(pick(["limit", "wait", "x", "status", "after"]))=\(pick(Self.awkward))")
        case 3:
          headers[pick(["Content-Type", "Idempotency-Key", "Saga-User", "Accept"])] = pick([
            "", "é", "a b", "text/html",
          ])
        case 4, 5: body = body.map { mutate($0) }
        default: break
        }
      }
      var bytes = body?.bytes() ?? []
      if !bytes.isEmpty, below(4) == 0 {
        for _ in 0...below(3) { bytes[below(bytes.count)] = UInt8(below(256)) }
      }
      if below(12) == 0 { bytes = Array(bytes.prefix(below(bytes.count + 1))) }
      return (method, path + (query.isEmpty ? "" : "?" + query.joined(separator: "&")), headers, bytes)
    }

    /// Puts something else in one place of it.
    private mutating func mutate(_ json: JSON) -> JSON {
      switch json {
      case .object(var members) where !members.isEmpty && below(5) > 0:
        let member = members[below(members.count)]
        switch below(4) {
        case 0: members[member.name] = nil
        case 1: members[member.name + pick(["s", "", "é", "/"])] = pick(Self.values)
        default: members[member.name] = mutate(member.value)
        }
        return .object(members)
      case .array(var elements) where !elements.isEmpty && below(5) > 0:
        let index = below(elements.count)
        elements[index] = mutate(elements[index])
        return .array(elements)
      default: return pick(Self.values)
      }
    }

    private static let workflow: JSON = [
      "name": "fuzz", "version": 1, "timeout": "1h",
      "steps": [
        ["id": "wait", "delay": ["for": "1s"]],
        [
          "id": "call", "dependsOn": ["wait"], "when": "$.input.a == 1", "retry": ["maxAttempts": 2],
          "http": ["service": "s", "method": "POST", "path": "/x/${input.a}", "body": ["a": "${steps.wait.output}"]],
          "compensation": "none",
        ],
        [
          "id": "command",
          "kafka": ["service": "s", "command": "c", "headers": ["h": "${input.a}"], "body": "${steps.call.output}"],
          "when": "$.steps.call.output", "compensation": ["kafka": ["service": "s", "command": "undo"]],
        ],
      ],
      "output": ["a": "${steps.call.output}"],
    ]
  }

  private func run(_ depth: Depth, seed: UInt64, count: Int) async throws {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    let saga = try engine.start("store-sample").description
    try await TestAPI.run(depth, engine: engine, kafka: FakeKafka()) {
      try await send(count, to: $0, saga: saga, seed: seed)
    }
  }

  private func send(_ count: Int, to api: TestAPI, saga: String, seed: UInt64) async throws {
    var mutator = Mutator(random: SeededRandom(seed: seed), saga: saga)
    for number in 0..<count {
      let (method, target, headers, bytes) = mutator.request()
      let answer = try await api.send(method, target, headers: headers, bytes: bytes)
      let shown =
        "seed \(seed), request \(number): \(method) \(target) \(String(decoding: bytes.prefix(500), as: UTF8.self))"
      #expect(answer.status < 500, "\(shown)")
      if answer.status >= 400 {
        #expect(answer.contentType == "application/problem+json", "\(shown)")
        #expect(answer.code?.isEmpty == false, "\(shown)")
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func inProcess(seed: UInt64) async throws {
    try await run(.router, seed: seed, count: 1_000)
  }

  @Test func overASocket() async throws { try await run(.live, seed: 5, count: 500) }

  @Test(arguments: [6, 7] as [UInt64]) func overTheEngine(seed: UInt64) async throws {
    try await LiveEngine.run(depth: .router) { api, _ in
      try await LiveEngine.register(Samples.storage, api)
      let started = try await api.post("/v1/workflows/store-sample/sagas", ["input": Samples.input])
      let saga = try #require(started.json["id"]?.stringValue)
      try await send(500, to: api, saga: saga, seed: seed)
    }
  }
}
