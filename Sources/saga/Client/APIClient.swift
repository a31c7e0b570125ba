import Foundation
import JSON
import Server
import Values
import Wire
import Workflows

/// A request to the engine's REST API.
struct APIRequest: Sendable {
  var method = "GET"
  /// The segments of the path, not percent-encoded: `["v1", "sagas", id]`.
  var path: [String]
  var query: [(name: String, value: String)] = []
  var headers: [(name: String, value: String)] = []
  var body: [UInt8]?
  var timeout: Duration = .seconds(30)
  /// A file with the certificate authorities to trust, in PEM; nil for those of this machine.
  var authorities: String?
}

extension APIRequest {
  /// A request to one of the engine's routes.
  /// - Parameter values: the values of the path's parameters, in order.
  init(
    _ endpoint: Endpoint, _ values: String..., query: [(name: String, value: String)] = [],
    headers: [(name: String, value: String)] = [], body: [UInt8]? = nil
  ) {
    let facts = endpoint.facts
    self.init(method: facts.method, path: facts.segments(values), query: query, headers: headers, body: body)
  }
}

struct APIAnswer: Sendable {
  let status: Int
  let body: [UInt8]
}

/// The JSON of an answer with a status of success.
struct EngineAnswer: Sendable {
  let status: Int
  /// The body as the engine wrote it.
  let json: JSON
  let server: String

  /// Reads the body. Control characters in its texts are replaced, so that they can't move the cursor.
  /// - Throws: `cli.answerUnexpected` for a member that is missing or has another type.
  func read<Value: WireValue>(_ type: Value.Type = Value.self) throws(CLIError) -> Value {
    try read(type, cleaning: Layout.printable)
  }

  /// Reads the body, its texts unchanged.
  func readUnchanged<Value: WireValue>(_ type: Value.Type = Value.self) throws(CLIError) -> Value {
    try read(type, cleaning: { $0 })
  }

  private func read<Value: WireValue>(
    _ type: Value.Type, cleaning: @escaping @Sendable (String) -> String
  ) throws(CLIError) -> Value {
    do throws(UnexpectedMember) {
      return try Value(json: json, cleaning: cleaning)
    } catch {
      let place = error.place.isEmpty ? "The answer of \(server)" : "\(error.place) in the answer of \(server)"
      throw CLIError(
        CLIErrorCode.answerUnexpected, "\(place) is missing or is not \(error.wanted)",
        advice: ["The engine may have another version than this command. `--json` prints its answer unchanged."])
    }
  }
}

/// The client got no answer.
struct APIUnreachable: Error {
  /// Whether the engine may have received the request.
  let mayHaveArrived: Bool
  /// Whether the engine and this machine could not agree on TLS, or its certificate is not trusted.
  var isUntrusted = false
  let why: String
}

/// Sends requests to an engine. Throws an error of the engine as an `APIRefusal`.
struct APIClient: Sendable {
  typealias Send = @Sendable (_ url: String, _ request: APIRequest) async throws(APIUnreachable) -> APIAnswer

  static let defaultServer = "http://127.0.0.1:8080"
  static let serverVariable = "SAGA_SERVER"
  static let userVariable = "SAGA_USER"
  static let keyVariable = "SAGA_KEY"
  static let keyFileVariable = "SAGA_KEY_FILE"
  static let authoritiesVariable = "SAGA_CA"

  /// Without a slash at its end.
  let server: String
  /// The address for messages. An address with a user and a password shows neither.
  var shownServer: String { Secrets.masked(text: server) }
  /// The user's name for the history; nil for the engine's default.
  let user: String?
  /// The key that the engine recognises the caller by; nil to send none.
  let key: String?
  /// A file with the certificate authorities to trust, in PEM; nil for those of this machine.
  let authorities: String?
  let send: Send

  init(server: String, user: String?, key: String? = nil, authorities: String? = nil, send: @escaping Send) {
    self.server = Self.address(server)
    self.user = user
    self.key = key
    self.authorities = authorities
    self.send = send
  }

  /// Returns the address of an engine, with a scheme and without a slash at its end.
  static func address(_ text: String) -> String {
    var address = text.contains("://") ? text : "http://" + text
    while address.hasSuffix("/") { address.removeLast() }
    return address
  }

  /// Sends a request and parses the answer.
  /// - Parameter again: how often to send the request again when it may have arrived but no answer came. Only for a
  ///   request that can be repeated without harm.
  func answer(to request: APIRequest, again: Int = 0) async throws -> EngineAnswer {
    var request = request
    request.authorities = authorities
    request.headers.append(("Accept", "application/json"))
    if let user { request.headers.append(("Saga-User", user)) }
    if let key { request.headers.append(("Authorization", "Bearer \(key)")) }
    // The history says from where each act came.
    if request.method != "GET", !request.headers.contains(where: { $0.name == "Saga-Client" }) {
      request.headers.append(("Saga-Client", "cli"))
    }
    if request.body != nil { request.headers.append(("Content-Type", "application/json")) }
    let answer: APIAnswer
    do {
      answer = try await reply(to: request, again: again)
    } catch {
      throw unreachable(error)
    }
    let json = try? JSON(parsing: answer.body)
    guard (200...299).contains(answer.status) else {
      throw APIRefusal(status: answer.status, problem: json, server: shownServer)
    }
    guard let json else {
      throw CLIError(
        CLIErrorCode.answerUnexpected, "\(shownServer) answered \(answer.status) with a body that is not JSON",
        advice: ["Is there an engine behind this address? `saga status --server URL` asks it."])
    }
    return EngineAnswer(status: answer.status, json: json, server: shownServer)
  }

  private func reply(to request: APIRequest, again: Int) async throws(APIUnreachable) -> APIAnswer {
    do {
      return try await send(url(of: request), request)
    } catch {
      guard error.mayHaveArrived, again > 0, !Task.isCancelled else { throw error }
      return try await reply(to: request, again: again - 1)
    }
  }

  func get(
    _ endpoint: Endpoint, _ values: String..., query: [(name: String, value: String)] = []
  ) async throws -> EngineAnswer {
    try await answer(to: APIRequest(path: endpoint.facts.segments(values), query: query))
  }

  func post(_ endpoint: Endpoint, _ values: String..., body: JSON) async throws -> EngineAnswer {
    try await answer(to: APIRequest(method: "POST", path: endpoint.facts.segments(values), body: body.bytes()))
  }

  private func url(of request: APIRequest) -> String {
    let path = request.path.map { "/" + $0.percentEncoded }.joined()
    let query = request.query.map { "\($0.name.percentEncoded)=\($0.value.percentEncoded)" }.joined(separator: "&")
    return server + path + (query.isEmpty ? "" : "?" + query)
  }

  private func unreachable(_ error: APIUnreachable) -> CLIError {
    if error.mayHaveArrived {
      return CLIError(
        CLIErrorCode.serverUnreachable, "The engine at \(shownServer) did not answer: \(error.why)",
        advice: ["It may have received the request. Check with `saga list` or `saga show ID` before you repeat it."])
    }
    if error.isUntrusted {
      return CLIError(
        CLIErrorCode.serverUnreachable, "The engine at \(server) can't be trusted: \(error.why)",
        advice: [
          "If an authority of your own issued its certificate, name the authority's file with --ca FILE or the "
            + "variable \(Self.authoritiesVariable)."
        ])
    }
    return CLIError(
      CLIErrorCode.serverUnreachable, "No engine answers at \(shownServer); start one with `saga serve`",
      advice: ["(\(error.why))", "For another address use --server URL or the variable \(Self.serverVariable)."])
  }
}

/// The engine answered with an error.
struct APIRefusal: CodedError {
  let status: Int
  let code: String
  let message: String
  /// Each mistake in the request, and what to do, a line each.
  let advice: [String]
  /// The body of the answer, when it was JSON.
  let problem: JSON?
  /// Whether the message begins with the name of a file.
  let isAboutFile: Bool

  /// - Parameter problem: the body, when it was JSON: RFC 9457.
  init(status: Int, problem: JSON?, server: String) {
    self.status = status
    self.problem = problem
    isAboutFile = false
    let problem = problem.flatMap { try? ProblemResponse(json: $0, cleaning: Layout.printable) }
    code = problem?.code ?? CLIErrorCode.answerUnexpected
    message = problem?.detail ?? problem?.title ?? "\(server) answered \(status)"
    let errors = problem?.errors ?? []
    // A single error is in the detail already, and its place in the request means nothing to the user of a command.
    let isSaid = errors.count == 1 && errors[0].nearName == nil && errors[0].message == problem?.detail
    let places = isSaid ? [] : errors.map(Self.line(of:))
    advice = places + Self.accepted(problem?.allowed ?? []) + Self.next(status, code: code)
  }

  private init(_ refusal: APIRefusal, about file: String) {
    status = refusal.status
    code = refusal.code
    message = "\(file): \(refusal.message)"
    advice = refusal.advice
    problem = refusal.problem
    isAboutFile = true
  }

  /// Returns the same error with the name of the file that it is about.
  func about(_ file: String) -> APIRefusal {
    APIRefusal(self, about: file)
  }

  private static func line(of error: ProblemResponse.Place) -> String {
    var start = error.severity == "warning" ? "warning: " : ""
    if let line = error.line, let column = error.column { start = "\(line):\(column): " + start }
    if let header = error.header { start += "header \(header): " }
    if let parameter = error.parameter { start += "parameter \(parameter): " }
    let pointer = error.pointer.map { $0.isEmpty ? "" : " at \($0)" } ?? ""
    let near = error.nearName.map { " (did you mean \"\($0)\"?)" } ?? ""
    return start + (error.message ?? "wrong") + near + pointer
  }

  /// The verbs that the saga accepts instead.
  private static func accepted(_ verbs: [AcceptedVerb]) -> [String] {
    let verbs = verbs.map { accepted -> String in
      let named = accepted.steps.prefix(3).joined(separator: ", ") + (accepted.steps.count > 3 ? ", …" : "")
      return named.isEmpty ? accepted.verb : "\(accepted.verb) (\(named))"
    }
    return verbs.isEmpty ? [] : ["The saga accepts now: \(verbs.joined(separator: ", "))."]
  }

  private static func next(_ status: Int, code: String) -> [String] {
    switch status {
    case 401:
      [
        "Give your key or token in a file with --key-file FILE or the variable \(APIClient.keyFileVariable), or in the variable "
          + "\(APIClient.keyVariable)."
      ]
    case 404 where code.hasPrefix("echo."): []
    case 404 where code.hasPrefix("notice."): ["`saga notices` lists the destinations."]
    case 404: ["`saga list` lists the sagas, `saga workflows list` the workflows."]
    case 409 where code.hasPrefix("saga."): ["`saga show ID` shows the saga as it is now."]
    case 503 where code.hasPrefix("access."): ["A key of `saga key create` counts while the provider is away."]
    case 503: ["The engine is starting, or its store is not available. `saga status` says which. Try again later."]
    case 500...: ["This is an error of the engine. Its log says more."]
    default: []
    }
  }
}

extension Invocation {
  /// A client of the engine that `--server`, the environment, or the default names.
  /// - Throws: `cli.fileUnreadable` or `cli.accessKeyInvalid` for the file of the key.
  var client: APIClient {
    get throws { try makeClient() }
  }

  private func makeClient() throws -> APIClient {
    let server = arguments.value("server") ?? variables[APIClient.serverVariable] ?? APIClient.defaultServer
    let key = try accessKey()
    return APIClient(
      server: server, user: user(with: key), key: key, authorities: try authorities(), send: send)
  }

  /// The file of `--ca`, or of the environment; nil to trust the authorities of this machine.
  /// - Throws: `cli.fileUnreadable`.
  func authorities() throws(CLIError) -> String? {
    let path = arguments.value("ca") ?? variables[APIClient.authoritiesVariable] ?? ""
    guard !path.isEmpty else { return nil }
    guard FileManager.default.isReadableFile(atPath: path) else {
      throw CLIError(CLIErrorCode.fileUnreadable, "can't read \(path), which has the certificate authorities to trust")
    }
    return path
  }

  /// The key of `--key-file`, or of the environment. No option takes the key itself: other users of the machine can read
  /// a command line.
  func accessKey() throws -> String? {
    let path = arguments.value("key-file")
    if path == nil, let text = variables[APIClient.keyVariable], !text.isEmpty {
      return try Self.accessKey(text, from: APIClient.keyVariable)
    }
    guard let path = path ?? variables[APIClient.keyFileVariable], !path.isEmpty else { return nil }
    return try Self.accessKey(String(decoding: bytes(of: path), as: UTF8.self), from: path)
  }

  private static func accessKey(_ text: String, from place: String) throws(CLIError) -> String {
    var text = text[...]
    while let last = text.unicodeScalars.last, last.properties.isWhitespace { text.unicodeScalars.removeLast() }
    // It goes into a header.
    guard (1...16_384).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw CLIError(CLIErrorCode.accessKeyInvalid, "\(place) must have one key, and nothing else")
    }
    return String(text)
  }

  /// With a key the engine knows the caller's name. Then the login name of the machine says nothing.
  private func user(with key: String?) -> String? {
    let login = key == nil ? variables["USER"] : nil
    let named = arguments.value("user") ?? variables[APIClient.userVariable] ?? login ?? ""
    // It goes into a header, which carries no control characters.
    return named.isEmpty || named.unicodeScalars.contains { $0.value < 32 || $0.value == 127 } ? nil : named
  }
}

extension OptionSpec {
  static let json = OptionSpec("json", help: "print the engine's JSON unchanged, for programs")
  static let server = OptionSpec(
    "server", value: "URL", help: "the engine's address; else SAGA_SERVER, else \(APIClient.defaultServer)")
  static let user = OptionSpec("user", value: "NAME", help: "your name for the history; else SAGA_USER, else USER")
  static let keyFile = OptionSpec(
    "key-file", value: "FILE", help: "a file with the key for the engine; else SAGA_KEY, else SAGA_KEY_FILE")
  static let authorities = OptionSpec(
    "ca", value: "FILE",
    help: "the certificate authorities that the engine's certificate must come from, in PEM; else SAGA_CA, else those "
      + "of this machine")
  static let reason = OptionSpec("reason", value: "TEXT", help: "why; the history keeps it for the auditor")
}
