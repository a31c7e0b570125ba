import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// A request that is wrong, and what it must be answered.
struct BadInput: Sendable, CustomTestStringConvertible {
  var method = "POST"
  var target: String
  var headers: HTTPHeaders = ["Content-Type": "application/json"]
  var body = ""
  let status: Int
  let code: String
  /// A pointer, parameter or header that `errors` must name. `near` is the near name that must come with it.
  var place: String?
  var near: String?

  var testDescription: String { "\(method) \(target) \(body.prefix(60)) → \(status) \(code)" }

  static func get(_ target: String, _ status: Int, _ code: String, place: String? = nil, near: String? = nil) -> Self {
    BadInput(method: "GET", target: target, headers: [:], status: status, code: code, place: place, near: near)
  }

  static func start(
    _ body: String, _ status: Int, _ code: String, place: String? = nil, near: String? = nil,
    headers: HTTPHeaders = ["Content-Type": "application/json"], query: String = ""
  ) -> Self {
    BadInput(
      target: "/v1/workflows/store-sample/sagas" + query, headers: headers, body: body, status: status, code: code,
      place: place, near: near)
  }

  /// `ID` in a target is replaced by the id of a running saga.
  static func verb(
    _ verb: String, _ body: String, _ status: Int, _ code: String, place: String? = nil, near: String? = nil
  ) -> Self {
    BadInput(target: "/v1/sagas/ID/\(verb)", body: body, status: status, code: code, place: place, near: near)
  }

  static let queries: [BadInput] = [
    .get("/v1/sagas?stauts=stuck", 400, ServerErrorCode.parameterUnknown, place: "stauts", near: "status"),
    .get("/v1/sagas?status=stuk", 400, ServerErrorCode.parameterInvalid, place: "status", near: "stuck"),
    .get("/v1/sagas?status=", 400, ServerErrorCode.parameterInvalid, place: "status"),
    .get("/v1/sagas?workflow=a&workflow=b", 400, ServerErrorCode.parameterInvalid, place: "workflow"),
    .get("/v1/sagas?workflow=", 400, ServerErrorCode.parameterInvalid, place: "workflow"),
    .get("/v1/sagas?limit=0", 400, ServerErrorCode.parameterInvalid, place: "limit"),
    .get("/v1/sagas?limit=201", 400, ServerErrorCode.parameterInvalid, place: "limit"),
    .get("/v1/sagas?limit=-1", 400, ServerErrorCode.parameterInvalid, place: "limit"),
    .get("/v1/sagas?limit=+5", 400, ServerErrorCode.parameterInvalid, place: "limit"),
    .get("/v1/sagas?limit=1e2", 400, ServerErrorCode.parameterInvalid, place: "limit"),
    .get("/v1/sagas?limit=99999999999999999999", 400, ServerErrorCode.parameterInvalid, place: "limit"),
    .get("/v1/sagas?seen=900.1", 400, ServerErrorCode.parameterInvalid, place: "seen"),
    .get("/v1/sagas?seen=64.1", 400, ServerErrorCode.parameterInvalid, place: "seen"),
    .get("/v1/sagas?seen=1.2-64.0", 400, ServerErrorCode.parameterInvalid, place: "seen"),
    .get("/v1/sagas?seen=99999999999999999999.1", 400, ServerErrorCode.parameterInvalid, place: "seen"),
    .get("/v1/sagas?seen=0.9223372036854775808", 400, ServerErrorCode.parameterInvalid, place: "seen"),
    .get("/v1/sagas?seen=-1.2", 400, ServerErrorCode.parameterInvalid, place: "seen"),
    .get("/v1/sagas?seen=1.-2", 400, ServerErrorCode.parameterInvalid, place: "seen"),
    .get("/v1/sagas?cursor=", 400, ServerErrorCode.parameterInvalid, place: "cursor"),
    .get("/v1/sagas?cursor=abc", 400, ServerErrorCode.cursorMalformed, place: "cursor"),
    .get("/v1/sagas?limit=%zz", 400, HTTPErrorCode.badRequest),
    .get("/v1/sagas?q=%00", 400, HTTPErrorCode.badRequest),
    .get("/v1/workflows?cursor=abc", 400, ServerErrorCode.cursorMalformed, place: "cursor"),
    .get("/v1/workflows?limt=5", 400, ServerErrorCode.parameterUnknown, place: "limt", near: "limit"),
    .get("/v1/stats?workflow=x", 400, ServerErrorCode.parameterUnknown, place: "workflow"),
    .get("/healthz?x", 400, ServerErrorCode.parameterUnknown, place: "x"),
    .get("/v1/sagas/ID?wait=soon", 400, ServerErrorCode.parameterInvalid, place: "wait"),
    .get("/v1/sagas/ID?wait=61s", 400, ServerErrorCode.parameterInvalid, place: "wait"),
    .get("/v1/sagas/ID?wait=", 400, ServerErrorCode.parameterInvalid, place: "wait"),
    .get("/v1/sagas/ID/events?after=-1", 400, ServerErrorCode.parameterInvalid, place: "after"),
    .get("/v1/sagas/ID/events?limit=1001", 400, ServerErrorCode.parameterInvalid, place: "limit"),
    .get("/v1/sagas/ID/events?afer=1", 400, ServerErrorCode.parameterUnknown, place: "afer", near: "after"),
  ]

  static let paths: [BadInput] = [
    .get("/v1/saga", 404, HTTPErrorCode.notFound),
    .get("/v1/sagas/ID/", 404, HTTPErrorCode.notFound),
    .get("/v1/sagas/42", 400, ServerErrorCode.sagaIDMalformed, place: "id"),
    .get("/v1/sagas/42/events", 400, ServerErrorCode.sagaIDMalformed, place: "id"),
    .get("/v1/sagas/ID0", 400, ServerErrorCode.sagaIDMalformed, place: "id"),
    .get("/v1/sagas/019c8a5e-7b1c-7d2e-8f3a-00000000000g", 400, ServerErrorCode.sagaIDMalformed, place: "id"),
    .get("/v1/sagas/019c8a5e-7b1c-7d2e-8f3a-0123456789ab", 404, EngineErrorCode.sagaNotFound),
    .get("/v1/sagas/019c8a5e-7b1c-7d2e-8f3a-0123456789ab?wait=1s", 404, EngineErrorCode.sagaNotFound),
    .get("/v1/sagas/019c8a5e-7b1c-7d2e-8f3a-0123456789ab/events", 404, EngineErrorCode.sagaNotFound),
    .get("/v1/workflows/none", 404, EngineErrorCode.workflowNotFound),
    .get("/v1/workflows/%F0%9F%A7%AA", 404, EngineErrorCode.workflowNotFound),
    .get("/v1/workflows/store-sample/9", 404, EngineErrorCode.workflowNotFound),
    .get("/v1/workflows/store-sample/0", 400, ServerErrorCode.parameterInvalid, place: "version"),
    .get("/v1/workflows/store-sample/latest", 400, ServerErrorCode.parameterInvalid, place: "version"),
    .get("/v1/workflows/%FF", 400, HTTPErrorCode.badRequest),
    BadInput(method: "DELETE", target: "/v1/sagas/ID", headers: [:], status: 405, code: HTTPErrorCode.methodNotAllowed),
    BadInput(method: "PUT", target: "/v1/workflows", body: "{}", status: 405, code: HTTPErrorCode.methodNotAllowed),
    BadInput(
      target: "/v1/sagas/019c8a5e-7b1c-7d2e-8f3a-0123456789ab/cancel", body: #"{"reason": "x"}"#, status: 404,
      code: EngineErrorCode.sagaNotFound),
    BadInput(
      target: "/v1/sagas/42/cancel", body: #"{"reason": "x"}"#, status: 400, code: ServerErrorCode.sagaIDMalformed),
    BadInput(target: "/v1/sagas/42/signals/approval", body: "1", status: 400, code: ServerErrorCode.sagaIDMalformed),
    BadInput(target: "/v1/sagas/ID/signals/none", body: "1", status: 404, code: EngineErrorCode.signalUnknown),
    BadInput(
      target: "/v1/workflows/none/sagas", body: #"{"input": 1}"#, status: 404, code: EngineErrorCode.workflowNotFound),
  ]

  static let bodies: [BadInput] = [
    .start("", 400, HTTPErrorCode.emptyBody),
    .start("{", 400, ServerErrorCode.bodyMalformed),
    .start("nonsense", 400, ServerErrorCode.bodyMalformed),
    .start(#"{"input": 1, "input": 2}"#, 400, ServerErrorCode.bodyMalformed, place: "/input"),
    .start(#"{"input": 1} {}"#, 400, ServerErrorCode.bodyMalformed),
    .start("\u{FEFF}{}", 400, ServerErrorCode.bodyMalformed),
    .start(#"{"input": "\ud800"}"#, 400, ServerErrorCode.bodyMalformed),
    .start(
      #"{"input": "# + String(repeating: "[", count: 5_000) + String(repeating: "]", count: 5_000) + "}", 400,
      ServerErrorCode.bodyMalformed),
    .start("[]", 400, ServerErrorCode.memberInvalid, place: ""),
    .start("null", 400, ServerErrorCode.memberInvalid, place: ""),
    .start("{}", 400, ServerErrorCode.memberMissing, place: "/input"),
    .start(#"{"inptu": {}}"#, 400, ServerErrorCode.memberUnknown, place: "/inptu", near: "input"),
    .start(#"{"input": {}, "a/b": 1}"#, 400, ServerErrorCode.memberUnknown, place: "/a~1b"),
    .start(#"{"input": {}, "version": "1"}"#, 400, ServerErrorCode.memberInvalid, place: "/version"),
    .start(#"{"input": {}, "version": 0}"#, 400, ServerErrorCode.memberInvalid, place: "/version"),
    .start(#"{"input": {}, "version": 1.5}"#, 400, ServerErrorCode.memberInvalid, place: "/version"),
    .start(#"{"input": {}, "version": 1e400}"#, 400, ServerErrorCode.bodyMalformed),
    .start(#"{"input": {}, "version": null}"#, 400, ServerErrorCode.memberInvalid, place: "/version"),
    .start(#"{"input": {}, "version": 7}"#, 404, EngineErrorCode.workflowNotFound),
    .start(#"{"input": {}, "tags": "a"}"#, 400, ServerErrorCode.memberInvalid, place: "/tags"),
    .start(#"{"input": {}, "tags": ["a", 5]}"#, 400, ServerErrorCode.memberInvalid, place: "/tags/1"),
    .start(#"{"input": {}, "tags": [""]}"#, 400, ServerErrorCode.memberInvalid, place: "/tags/0"),
    .start(
      #"{"input": {}, "tags": ["# + Array(repeating: "1", count: 17).joined(separator: ",") + "]}", 400,
      ServerErrorCode.memberInvalid, place: "/tags"),
    .start(#"{"input": {}}"#, 400, ServerErrorCode.parameterInvalid, place: "wait", query: "?wait=2m"),
    .start(#"{"input": {}}"#, 400, ServerErrorCode.parameterUnknown, place: "wiat", near: "wait", query: "?wiat=2s"),
    BadInput(target: "/v1/workflows", body: "{", status: 400, code: ServerErrorCode.bodyMalformed),
    BadInput(target: "/v1/workflows", body: "[]", status: 422, code: EngineErrorCode.workflowInvalid),
    BadInput(target: "/v1/workflows", body: "{}", status: 422, code: EngineErrorCode.workflowInvalid),
    BadInput(
      target: "/v1/workflows", body: #"{"name": "a", "version": 1, "steps": []}"#, status: 422,
      code: EngineErrorCode.workflowInvalid),
    BadInput(target: "/v1/sagas/ID/signals/approval", body: "{", status: 400, code: ServerErrorCode.bodyMalformed),
  ]

  static let verbs: [BadInput] =
    ["cancel", "retry", "resolve", "abandon"].flatMap { verb in
      [
        .verb(verb, "{}", 400, EngineErrorCode.sagaReasonMissing, place: "/reason"),
        .verb(verb, #"{"reason": ""}"#, 400, EngineErrorCode.sagaReasonMissing, place: "/reason"),
        .verb(verb, #"{"reason": " \t\n"}"#, 400, EngineErrorCode.sagaReasonMissing, place: "/reason"),
        .verb(verb, #"{"reason": 5}"#, 400, ServerErrorCode.memberInvalid, place: "/reason"),
        .verb(
          verb, #"{"reason": ""# + String(repeating: "x", count: 1_001) + #""}"#, 400, ServerErrorCode.memberInvalid,
          place: "/reason"),
        .verb(verb, #"{"raeson": "x"}"#, 400, ServerErrorCode.memberUnknown, place: "/raeson", near: "reason"),
        .verb(verb, "", 400, HTTPErrorCode.emptyBody),
      ]
    } + [
      .verb("retry", #"{"reason": "x", "step": 1}"#, 400, ServerErrorCode.memberInvalid, place: "/step"),
      .verb("retry", #"{"reason": "x", "step": "none"}"#, 400, EngineErrorCode.stepUnknown),
      .verb("retry", #"{"reason": "x"}"#, 409, EngineErrorCode.sagaNotStuck),
      .verb("resolve", #"{"reason": "x"}"#, 400, ServerErrorCode.memberMissing, place: "/step"),
      .verb("resolve", #"{"reason": "x", "step": "create"}"#, 400, ServerErrorCode.memberMissing, place: "/outcome"),
      .verb(
        "resolve", #"{"reason": "x", "step": "create", "outcome": "hapened"}"#, 400, ServerErrorCode.memberInvalid,
        place: "/outcome", near: "happened"),
      .verb(
        "resolve", #"{"reason": "x", "step": "create", "outcome": "undone", "output": 1}"#, 400,
        ServerErrorCode.memberInvalid, place: "/output"),
      .verb(
        "resolve", #"{"reason": "x", "step": "create", "outcome": "undone"}"#, 409, EngineErrorCode.stepNotResolvable),
      .verb("abandon", #"{"reason": "x"}"#, 409, EngineErrorCode.sagaNotStuck),
    ]

  static let headers: [BadInput] = [
    .start(#"{"input": {}}"#, 415, HTTPErrorCode.unsupportedMediaType, headers: [:]),
    .start(
      #"{"input": {}}"#, 415, HTTPErrorCode.unsupportedMediaType,
      headers: ["Content-Type": "application/x-www-form-urlencoded"]),
    .start(
      #"{"input": {}}"#, 415, HTTPErrorCode.unsupportedMediaType,
      headers: ["Content-Type": "text/json"]),
    .start(
      #"{"input": {}}"#, 400, ServerErrorCode.headerInvalid, place: "Idempotency-Key",
      headers: ["Content-Type": "application/json", "Idempotency-Key": String(repeating: "k", count: 256)]),
    .start(
      #"{"input": {}}"#, 400, ServerErrorCode.headerInvalid, place: "Idempotency-Key",
      headers: ["Content-Type": "application/json", "Idempotency-Key": "two words"]),
    .start(
      #"{"input": {}}"#, 400, ServerErrorCode.headerInvalid, place: "Idempotency-Key",
      headers: ["Content-Type": "application/json", "Idempotency-Key": "a", "Idempotency-Key": "b"]),
    .start(
      #"{"input": {}}"#, 400, ServerErrorCode.headerInvalid, place: "Saga-User",
      headers: ["Content-Type": "application/json", "Saga-User": String(repeating: "u", count: 201)]),
    BadInput(
      target: "/v1/workflows", headers: ["Content-Type": "text/plain"], body: "{}", status: 415,
      code: HTTPErrorCode.unsupportedMediaType),
    BadInput(
      target: "/v1/workflows/check", headers: [:], body: "{}", status: 415,
      code: HTTPErrorCode.unsupportedMediaType),
    BadInput(
      target: "/v1/sagas/ID/signals/approval", headers: ["Content-Type": "text/plain"], body: "1", status: 415,
      code: HTTPErrorCode.unsupportedMediaType),
    BadInput(
      target: "/v1/sagas/ID/cancel", headers: ["Content-Type": "text/plain"], body: #"{"reason": "x"}"#, status: 415,
      code: HTTPErrorCode.unsupportedMediaType),
  ]
}

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct BadInputTests {
  private func engine() throws -> (FakeEngine, String) {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    return (engine, try engine.start("store-sample").description)
  }

  private func check(_ bad: BadInput, _ api: TestAPI, saga id: String) async throws {
    let target = bad.target.replacing("/ID", with: "/\(id)")
    let answer = try await api.send(bad.method, target, headers: bad.headers, bytes: Array(bad.body.utf8))
    let shown = "\(bad.testDescription): \(answer.json.text())"
    #expect(answer.status == bad.status, "\(shown)")
    #expect(answer.code == bad.code, "\(shown)")
    #expect(answer.contentType == "application/problem+json", "\(shown)")
    #expect(answer.json["instance"] != nil || answer.status == 400, "\(shown)")
    if let place = bad.place { #expect(answer.places.contains(place), "\(shown)") }
    if let near = bad.near { #expect(answer.json["errors"]?[0]?["nearName"] == .string(near), "\(shown)") }
  }

  @Test(arguments: BadInput.queries + BadInput.paths + BadInput.bodies + BadInput.verbs + BadInput.headers)
  func isRefusedInProcess(_ bad: BadInput) async throws {
    let (engine, id) = try engine()
    try await TestAPI.run(engine: engine) { try await check(bad, $0, saga: id) }
  }

  @Test func isRefusedOverASocket() async throws {
    let (engine, id) = try engine()
    try await TestAPI.run(.live, engine: engine) { api in
      for bad in BadInput.queries + BadInput.paths + BadInput.bodies + BadInput.verbs + BadInput.headers {
        try await check(bad, api, saga: id)
      }
    }
  }

  @Test func faultsHaveTheirPlaces() async throws {
    let (engine, _) = try engine()
    try await TestAPI.run(engine: engine) { api in
      let text = """
        {
          "input": {},
          "verison": 1,
          "tags": ["a",
            7]
        }
        """
      let answer = try await api.post("/v1/workflows/store-sample/sagas", text: text)
      let errors = try #require(answer.json["errors"]?.arrayValue)
      #expect(errors.map { $0["pointer"] } == ["/verison", "/tags/1"])
      #expect(errors.map { $0["line"] } == [3, 5])
      #expect(errors.map { $0["column"] } == [3, 5])
      #expect(errors[0]["nearName"] == "version")
    }
  }

  @Test func manyFaultsAreAHundredAndACount() async throws {
    let (engine, _) = try engine()
    try await TestAPI.run(engine: engine) { api in
      let members = (0..<5_000).map { "\"k\($0)\": \($0)" }.joined(separator: ", ")
      let answer = try await api.post("/v1/workflows/store-sample/sagas", text: "{\(members)}")
      #expect(answer.status == 400)
      #expect(answer.json["errors"]?.arrayValue?.count == BodyReader.mostFaults)
      // Besides the unknown members, the input is missing.
      #expect(answer.json["more"] == 4_901)
      #expect(answer.json["errors"]?[99]?["column"]?.intValue ?? 0 > 1)
      #expect(answer.json.bytes().count < 64 << 10)

      let long = String(repeating: "n", count: 100_000)
      let named = try await api.post("/v1/workflows/store-sample/sagas", text: "{\"input\": 1, \"\(long)\": 2}")
      #expect(named.code == ServerErrorCode.memberUnknown)
      #expect(named.json.bytes().count < 4_000)

      let tags = Array(repeating: "7", count: 16).joined(separator: ",")
      let typed = try await api.post("/v1/workflows/store-sample/sagas", text: "{\"input\": 1, \"tags\": [\(tags)]}")
      #expect(typed.json["errors"]?.arrayValue?.count == 16)
      #expect(typed.json["more"] == nil)
    }
  }

  @Test func anOversizeBodyIsRefused() async throws {
    let (engine, _) = try engine()
    try await TestAPI.run(.live, engine: engine) { api in
      let answer = try await api.post(
        "/v1/workflows/store-sample/sagas", ["input": .string(String(repeating: "x", count: 9 << 20))])
      #expect(answer.status == 413)
      #expect(answer.code == HTTPErrorCode.bodyTooLarge)
    }
  }

  @Test func nothingHasChanged() async throws {
    let (engine, id) = try engine()
    try await TestAPI.run(engine: engine) { api in
      let before = try await api.get("/v1/sagas/\(id)").json
      for bad in BadInput.bodies + BadInput.verbs + BadInput.headers { try await check(bad, api, saga: id) }
      #expect(try await api.get("/v1/sagas/\(id)").json == before)
      #expect(try await api.get("/v1/sagas").json["sagas"]?.arrayValue?.count == 1)
    }
  }
}
