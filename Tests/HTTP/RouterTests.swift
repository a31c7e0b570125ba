import HTTP
import JSON
import TestSupport
import Testing
import Values

/// The same expectations in process and over a socket.
enum Depth: CaseIterable, Sendable {
  case inProcess, overASocket
}

@Suite("The router", .timeLimit(.minutes(15)), .inTurn)
struct RouterTests {
  private static func router() -> Router {
    var router = Router()
    router.on("GET", "/v1/sagas/{id}") { _, path in .text("saga \(try path.value("id"))") }
    router.on("GET", "/v1/sagas/open") { _, _ in .text("open") }
    router.on("POST", "/v1/sagas/{id}/signals/{name}") { request, path in
      .json(["name": .string(try path.value("name")), "body": try request.jsonBody()], status: 201)
    }
    router.on("GET", "/") { _, _ in .text("root") }
    router.on("GET", "/fails") { _, _ in throw HTTPClientError(code: "a.b", message: "secret", sent: true) }
    return router
  }

  private func answer(
    at depth: Depth, _ method: String, _ target: String, headers: HTTPHeaders = [:], body: String = ""
  ) async throws -> HTTPClientResponse {
    let router = Self.router()
    switch depth {
    case .inProcess:
      let response: HTTPServerResponse
      do {
        let request = try HTTPServerRequest(method, target, headers: headers, body: Array(body.utf8))
        response = await router.handle(request)
      } catch let problem {
        response = .problem(problem)
      }
      return HTTPClientResponse(status: response.status, headers: response.headers, body: response.body.bytes ?? [])
    case .overASocket:
      return try await withServer {
        await router.handle($0)
      } body: { port in
        try await withClient {
          try await $0.send(
            HTTPClientRequest(
              method: method, url: "http://127.0.0.1:\(port)\(target)", headers: headers, body: Array(body.utf8)))
        }
      }
    }
  }

  @Test(
    arguments: Depth.allCases,
    [
      ("/v1/sagas/open", "open"), ("/v1/sagas/a%2Fb", "saga a/b"), ("/v1/sagas/%C3%A9?x=1", "saga é"), ("/", "root"),
    ])
  func literalBeatsParameter(_ depth: Depth, _ expected: (target: String, text: String)) async throws {
    #expect(try await answer(at: depth, "GET", expected.target).text == expected.text)
  }

  @Test(
    arguments: Depth.allCases,
    [
      ("GET", "/nowhere", "", "", 404, "http.notFound"),
      ("GET", "/v1/sagas/", "", "", 404, "http.notFound"),
      ("DELETE", "/v1/sagas/1", "", "", 405, "http.methodNotAllowed"),
      ("POST", "/v1/sagas/1/signals/x", "text/plain", "{}", 415, "http.unsupportedMediaType"),
      ("POST", "/v1/sagas/1/signals/x", "", "{}", 415, "http.unsupportedMediaType"),
      ("POST", "/v1/sagas/1/signals/x", "application/json", "", 400, "http.emptyBody"),
      ("GET", "/v1/sagas/%zz", "", "", 400, "http.badRequest"),
      ("GET", "/v1/sagas/%00", "", "", 400, "http.badRequest"),
      ("GET", "/fails", "", "", 500, "http.internal"),
    ])
  func problems(
    _ depth: Depth, _ row: (method: String, target: String, type: String, body: String, status: Int, code: String)
  ) async throws {
    let headers: HTTPHeaders = row.type.isEmpty ? [:] : ["Content-Type": row.type]
    let response = try await answer(at: depth, row.method, row.target, headers: headers, body: row.body)
    #expect(response.status == row.status)
    #expect(response.headers["content-type"] == "application/problem+json")
    #expect(response.json?["code"]?.stringValue == row.code)
    #expect(response.json?["type"]?.stringValue == "/errors/\(row.code)")
    #expect(!response.text.contains("secret"))
    if row.status == 405 { #expect(response.headers["Allow"] == "GET, HEAD") }
  }

  @Test(arguments: Depth.allCases)
  func malformedJSONIsLocated(_ depth: Depth) async throws {
    let response = try await answer(
      at: depth, "POST", "/v1/sagas/1/signals/x", headers: ["Content-Type": "application/json; charset=utf-8"],
      body: "{\n  \"a\": [1, }")
    #expect(response.status == 400)
    #expect(response.json?["line"]?.intValue == 2)
    #expect(response.json?["column"]?.intValue == 12)
    #expect(response.json?["code"]?.stringValue?.hasPrefix("json.") == true)
  }

  @Test(arguments: Depth.allCases)
  func answersJSON(_ depth: Depth) async throws {
    let response = try await answer(
      at: depth, "POST", "/v1/sagas/1/signals/scan", headers: ["Content-Type": "application/cloudevents+json"],
      body: "[1]")
    #expect(response.status == 201)
    #expect(response.json == ["name": "scan", "body": [1]])
  }

  @Test(
    "A path that a literal pattern fits takes that pattern's methods only",
    arguments: [
      ("GET", "/v1/workflows/check", "POST"), ("PUT", "/v1/workflows/check", "POST"),
      ("GET", "/v1/workflows/a/sagas", "POST"), ("DELETE", "/v1/workflows/a/1", "GET, HEAD"),
      ("POST", "/v1/workflows/a", "GET, HEAD"), ("OPTIONS", "/v1/workflows/check", "POST"),
    ])
  func allow(_ method: String, _ target: String, _ allowed: String) async throws {
    var router = Router()
    router.on("POST", "/v1/workflows/check") { _, _ in .text("") }
    router.on("GET", "/v1/workflows/{name}") { _, _ in .text("") }
    router.on("GET", "/v1/workflows/{name}/{version}") { _, _ in .text("") }
    router.on("POST", "/v1/workflows/{name}/sagas") { _, _ in .text("") }
    let response = await router.handle(try HTTPServerRequest(method, target))
    #expect(response.status == 405)
    #expect(response.headers["Allow"] == allowed)
  }

  @Test("Each answer is reported with the pattern of its route, and with none when the path or the method has none")
  func reported() async throws {
    let told = Told<String>()
    var router = Router(
      answered: { request, pattern, response, time in
        told.add("\(request.method) \(pattern ?? "none") \(response.status) \(time >= .zero)")
      })
    router.on("GET", "/v1/sagas/{id}") { _, _ in .text("") }
    router.on("GET", "/fails") { _, _ in throw HTTPClientError(code: "a.b", message: "secret", sent: true) }
    for (method, target) in [
      ("GET", "/v1/sagas/a"), ("HEAD", "/v1/sagas/b"), ("PUT", "/v1/sagas/a"), ("GET", "/x"), ("GET", "/fails"),
    ] {
      _ = await router.handle(try HTTPServerRequest(method, target))
    }
    #expect(
      told.all == [
        "GET /v1/sagas/{id} 200 true", "HEAD /v1/sagas/{id} 200 true", "PUT none 405 true", "GET none 404 true",
        "GET /fails 500 true",
      ])
  }

  @Test func headIsAnsweredByGet() async throws {
    let response = try await answer(at: .overASocket, "HEAD", "/v1/sagas/open")
    #expect(response.status == 200)
    #expect(response.body.isEmpty)
    #expect(response.headers["Content-Length"] == "4")
  }
}
