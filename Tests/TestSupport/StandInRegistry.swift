import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import Values

/// A schema registry on the wire, for tests: as much of Confluent's REST API as the project uses, with subjects, versions
/// and ids that it really keeps, and errors in Confluent's form. It checks the levels `NONE` and `BACKWARD`, and refuses
/// to be set to another.
public final class StandInRegistry: Sendable {
  public static let mediaType = "application/vnd.schemaregistry.v1+json"

  struct State {
    /// By id, from 1.
    var schemas: [(type: String, text: String)] = []
    /// The ids of a subject's versions, from version 1.
    var subjects: [String: [Int]] = [:]
    var levels: [String: String] = [:]
    var requests: [String] = []
    /// The answers that are given instead, each once.
    var failures: [HTTPServerResponse] = []
    var server: (server: HTTPServer, port: Int)?
    var isHeld = false
    var held: [CheckedContinuation<Void, Never>] = []
  }
  let state = Mutex(State())
  private let authorization: String?

  /// - Parameter user: `name:password` that every request must bring.
  public init(user: String? = nil) {
    authorization = user.map { "Basic " + Data($0.utf8).base64EncodedString() }
  }

  // MARK: Coming and going

  /// Listens on the port that it had before, or on a free one. The system never assigns such a port by itself, so that
  /// it is still free when the stand-in comes back.
  @discardableResult
  public func start() throws -> Int {
    if let port = state.withLock({ $0.server?.port }) { return try start(on: port) }
    var tries = 0
    while true {
      tries += 1
      do {
        return try start(on: 20_000 + Int(Environment.system.random() % 12_000))
      } catch {
        guard tries < 50 else { throw error }
      }
    }
  }

  private func start(on port: Int) throws -> Int {
    let server = HTTPServer(HTTPServerConfiguration(port: port), environment: .system) { [self] in await answer($0) }
    let started = try server.start()
    state.withLock { $0.server = (server, started) }
    return started
  }

  /// Stops listening. The stored schemas remain.
  public func stop() async {
    release()
    await state.withLock { $0.server?.server }?.shutdown(drain: .zero)
  }

  public var port: Int { state.withLock { $0.server?.port ?? 0 } }
  public var url: String { "http://127.0.0.1:\(port)" }

  // MARK: Seeing and meddling

  /// Every request so far: method and path.
  public var requests: [String] { state.withLock { $0.requests } }

  /// The ids of a subject's versions.
  public func versions(of subject: String) -> [Int] { state.withLock { $0.subjects[subject] ?? [] } }

  public func level(of subject: String) -> String? { state.withLock { $0.levels[subject] } }

  /// Keeps a schema without any check.
  @discardableResult
  public func put(_ schema: String, type: String = "JSON", under subject: String = "elsewhere") -> Int {
    state.withLock { $0.put(schema, type, under: subject) }
  }

  /// Answers the next requests like this instead.
  public func fail(_ answers: HTTPServerResponse...) { state.withLock { $0.failures += answers } }

  /// Holds back all answers until `release`.
  public func hold() { state.withLock { $0.isHeld = true } }

  public func release() {
    let held = state.withLock { state in
      state.isHeld = false
      defer { state.held = [] }
      return state.held
    }
    for continuation in held { continuation.resume() }
  }

  public static func error(_ code: Int, _ message: String, status: Int? = nil) -> HTTPServerResponse {
    .bytes(
      JSON.object(["error_code": .int(code), "message": .string(message)]).bytes(), type: mediaType,
      status: status ?? (code < 1_000 ? code : code / 100))
  }

  // MARK: Answering

  private func answer(_ request: HTTPServerRequest) async -> HTTPServerResponse {
    let failure = state.withLock { state -> HTTPServerResponse? in
      state.requests.append("\(request.method) \(request.path)")
      return state.failures.isEmpty ? nil : state.failures.removeFirst()
    }
    await waitWhileHeld()
    if let failure { return failure }
    guard authorization == nil || request.headers["Authorization"] == authorization else {
      return Self.error(401, "Unauthorized")
    }
    guard request.headers.all("Accept").contains(where: { $0.contains(Self.mediaType) }) else {
      return Self.error(406, "HTTP 406 Not Acceptable")
    }
    guard request.body.isEmpty || request.headers["Content-Type"] == Self.mediaType else {
      return Self.error(415, "HTTP 415 Unsupported Media Type")
    }
    return state.withLock { $0.answer(request) }
  }

  private func waitWhileHeld() async {
    await withCheckedContinuation { continuation in
      let goesOn = state.withLock { state in
        if state.isHeld { state.held.append(continuation) }
        return !state.isHeld
      }
      if goesOn { continuation.resume() }
    }
  }
}
