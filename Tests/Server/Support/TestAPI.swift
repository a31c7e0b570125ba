import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// How deep a test goes: the router in process, or over a socket.
enum Depth: String, CaseIterable, Sendable { case router, live }

/// The answer to a request.
struct Answer {
  let status: Int
  let headers: HTTPHeaders
  let bytes: [UInt8]
  /// Null when the body is empty or no JSON.
  let json: JSON

  var contentType: String? { headers["Content-Type"] }
  var code: String? { json["code"]?.stringValue }
  /// The pointers, parameters and headers of `errors`.
  var places: [String] {
    (json["errors"]?.arrayValue ?? []).compactMap { ($0["pointer"] ?? $0["parameter"] ?? $0["header"])?.stringValue }
  }
}

/// The API over an engine. A certificate counts only for the router. Every answer is held against the API's description.
struct TestAPI: Sendable {
  private typealias Perform = @Sendable (String, String, HTTPHeaders, [UInt8]) async throws -> HTTPServerResponse
  private let description: APIDescription
  private let perform: Perform

  static func run(
    _ depth: Depth = .router, engine: FakeEngine = FakeEngine(), kafka: (any KafkaView)? = nil,
    notices: (any NoticesView)? = nil, authenticator: (any Authenticator)? = nil,
    certificate: ServerCertificate? = nil, log: Log = .silent, version: String = "",
    _ body: (TestAPI) async throws -> Void
  ) async throws {
    // The fake engine's clock is its own; a socket needs one that moves.
    try await run(
      depth, over: engine, kafka: kafka, notices: notices, authenticator: authenticator, certificate: certificate,
      log: log, version: version, environment: depth == .live ? .system : engine.environment, body)
  }

  static func run(
    _ depth: Depth, over engine: any SagaEngine, kafka: (any KafkaView)? = nil, notices: (any NoticesView)? = nil,
    authenticator: (any Authenticator)? = nil, certificate: ServerCertificate? = nil, log: Log = .silent,
    version: String = "",
    store: any EventStore = MemoryStore(environment: .system), environment: Environment,
    _ body: (TestAPI) async throws -> Void
  ) async throws {
    let description = try APIDescription()
    switch depth {
    case .router:
      let router = API(
        engine: engine, kafka: kafka, notices: notices, live: LiveHub(store: store, environment: environment),
        environment: environment, log: log, access: Access(authenticator), certificate: certificate, version: version
      ).router()
      try await body(
        TestAPI(description: description) { method, target, headers, bytes in
          do throws(Problem) {
            return await router.handle(try HTTPServerRequest(method, target, headers: headers, body: bytes))
          } catch {
            return .problem(error)
          }
        })
    case .live:
      let server = APIServer(
        engine: engine, events: store, kafka: kafka, notices: notices, authenticator: authenticator, version: version,
        environment: environment, log: log)
      let port = try server.start()
      let client = HTTPClient()
      let api = TestAPI(description: description) { method, target, headers, bytes in
        let response = try await client.send(
          HTTPClientRequest(method: method, url: "http://127.0.0.1:\(port)\(target)", headers: headers, body: bytes))
        return HTTPServerResponse(status: response.status, headers: response.headers, body: .bytes(response.body))
      }
      let outcome: Result<Void, any Error>
      do { outcome = .success(try await body(api)) } catch { outcome = .failure(error) }
      await client.shutdown()
      await server.shutdown(drain: .seconds(5))
      try outcome.get()
    }
  }

  /// Sends bytes as they are.
  func send(
    _ method: String, _ target: String, headers: HTTPHeaders = [:], bytes: [UInt8] = []
  ) async throws -> Answer {
    let response = try await perform(method, target, headers, bytes)
    let bytes = response.body.bytes ?? []
    let answer = Answer(
      status: response.status, headers: response.headers, bytes: bytes,
      json: (try? JSON(parsing: bytes, limits: .stored)) ?? .null)
    let path = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0]
    for violation in description.violations(method, path: String(path), answer) {
      Issue.record("\(method) \(target): \(violation)\n\(String(decoding: bytes.prefix(2_000), as: UTF8.self))")
    }
    return answer
  }

  func get(_ target: String) async throws -> Answer { try await send("GET", target) }

  /// Posts JSON.
  func post(_ target: String, _ json: JSON, headers: HTTPHeaders = [:]) async throws -> Answer {
    try await post(target, text: json.text(), headers: headers)
  }

  func post(_ target: String, text: String, headers: HTTPHeaders = [:]) async throws -> Answer {
    var headers = headers
    headers["Content-Type"] = "application/json"
    return try await send("POST", target, headers: headers, bytes: Array(text.utf8))
  }
}
