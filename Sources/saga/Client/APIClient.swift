import JSON
import Runtime
import Values

/// A request to the engine's REST API.
struct APIRequest: Sendable {
  var method = "GET"
  /// Segments of the path, each still to be percent-encoded: `["v1", "sagas", id]`.
  var path: [String]
  var query: [(name: String, value: String)] = []
  var headers: [(name: String, value: String)] = []
  var body: [UInt8]?
  var timeout: Duration = .seconds(30)
}

struct APIAnswer: Sendable {
  let status: Int
  let body: [UInt8]
}

/// Nothing came back.
struct APIUnreachable: Error {
  /// Whether the request may have arrived all the same.
  let mayHaveArrived: Bool
  let why: String
}

/// Speaks to an engine, and turns what it refuses into an `APIRefusal`.
struct APIClient: Sendable {
  typealias Send = @Sendable (_ url: String, _ request: APIRequest) async throws(APIUnreachable) -> APIAnswer

  static let defaultServer = "http://127.0.0.1:8080"
  static let serverVariable = "SAGA_SERVER"
  static let userVariable = "SAGA_USER"

  /// Without a slash at its end.
  let server: String
  /// Who asks, as the history names them; nil leaves the name to the engine.
  let user: String?
  let send: Send

  init(server: String, user: String?, send: @escaping Send) {
    var server = server
    while server.hasSuffix("/") { server.removeLast() }
    self.server = server
    self.user = user
    self.send = send
  }

  /// Sends a request and reads the answer.
  /// - Parameter again: how often to send it again when no answer comes though it may have arrived; only for a request
  ///   that a repeat does no harm to.
  func answer(to request: APIRequest, again: Int = 0) async throws -> JSON {
    var request = request
    request.headers.append(("Accept", "application/json"))
    if let user { request.headers.append(("Saga-User", user)) }
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
      throw APIRefusal(status: answer.status, problem: json, server: server)
    }
    guard let json else {
      throw CLIError(
        CLIErrorCode.answerUnexpected, "\(server) answered \(answer.status) with something that is no JSON",
        advice: ["Is there an engine behind this address? `saga status --server URL` asks it."])
    }
    return json
  }

  private func reply(to request: APIRequest, again: Int) async throws(APIUnreachable) -> APIAnswer {
    do {
      return try await send(url(of: request), request)
    } catch {
      guard error.mayHaveArrived, again > 0, !Task.isCancelled else { throw error }
      return try await reply(to: request, again: again - 1)
    }
  }

  func get(_ path: String..., query: [(name: String, value: String)] = []) async throws -> JSON {
    try await answer(to: APIRequest(path: path, query: query))
  }

  func post(_ path: [String], body: JSON, headers: [(name: String, value: String)] = []) async throws -> JSON {
    try await answer(to: APIRequest(method: "POST", path: path, headers: headers, body: body.bytes()))
  }

  private func url(of request: APIRequest) -> String {
    let path = request.path.map { "/" + Self.encoded($0) }.joined()
    let query = request.query.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
    return server + path + (query.isEmpty ? "" : "?" + query)
  }

  /// Percent-encodes all but the unreserved characters of RFC 3986.
  static func encoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".unicodeScalars)
    var encoded = String.UnicodeScalarView()
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        encoded.append(Unicode.Scalar(byte))
      default: encoded.append(contentsOf: ["%", digits[Int(byte >> 4)], digits[Int(byte & 0xF)]])
      }
    }
    return String(encoded)
  }

  private func unreachable(_ error: APIUnreachable) -> CLIError {
    if error.mayHaveArrived {
      return CLIError(
        CLIErrorCode.serverUnreachable, "no answer came from \(server): \(error.why)",
        advice: ["The request may have arrived: look before you repeat it (`saga list`, `saga show ID`)."])
    }
    return CLIError(
      CLIErrorCode.serverUnreachable, "No engine answers at \(server); start one with `saga serve`",
      advice: ["(\(error.why))", "Another address: --server URL, or the variable \(Self.serverVariable)."])
  }
}

/// The engine said no.
struct APIRefusal: CodedError {
  let status: Int
  let code: String
  let message: String
  /// Every place that something is wrong with, and what to do.
  let advice: [String]

  /// - Parameter problem: the body, when it was JSON: RFC 9457.
  init(status: Int, problem: JSON?, server: String) {
    self.status = status
    code = problem?["code"]?.stringValue ?? CLIErrorCode.answerUnexpected
    let detail = problem?["detail"]?.stringValue ?? problem?["title"]?.stringValue
    message = Layout.printable(detail ?? "\(server) answered \(status)")
    let errors = problem?["errors"]?.arrayValue ?? []
    // A single error is the detail already, and where it is in a request that the command made tells nobody anything.
    let isSaid = errors.count == 1 && errors[0]["nearName"] == nil && errors[0]["message"]?.stringValue == detail
    let places = isSaid ? [] : errors.map(Self.place)
    advice = (places + Self.allowed(problem)).map(Layout.printable) + Self.next(status, code: code)
  }

  private init(status: Int, code: String, message: String, advice: [String]) {
    self.status = status
    self.code = code
    self.message = message
    self.advice = advice
  }

  /// The same refusal, with the file it is about.
  func about(_ file: String) -> APIRefusal {
    APIRefusal(status: status, code: code, message: "\(file): \(message)", advice: advice)
  }

  private static func place(_ error: JSON) -> String {
    var start = error["severity"] == "warning" ? "warning: " : ""
    if let line = error["line"]?.intValue, let column = error["column"]?.intValue {
      start = "\(line):\(column): " + start
    }
    if let header = error["header"]?.stringValue { start += "header \(header): " }
    if let parameter = error["parameter"]?.stringValue { start += "parameter \(parameter): " }
    let pointer = error["pointer"]?.stringValue.map { $0.isEmpty ? "" : " at \($0)" } ?? ""
    let near = error["nearName"]?.stringValue.map { " (did you mean \"\($0)\"?)" } ?? ""
    return start + (error["message"]?.stringValue ?? "wrong") + near + pointer
  }

  /// What a saga takes instead of the verb that it refused.
  private static func allowed(_ problem: JSON?) -> [String] {
    let verbs = (problem?["allowed"]?.arrayValue ?? []).compactMap { allowed -> String? in
      guard let verb = allowed["verb"]?.stringValue else { return nil }
      let steps = (allowed["steps"]?.arrayValue ?? []).compactMap(\.stringValue)
      let named = steps.prefix(3).joined(separator: ", ") + (steps.count > 3 ? ", …" : "")
      return named.isEmpty ? verb : "\(verb) (\(named))"
    }
    return verbs.isEmpty ? [] : ["It takes now: \(verbs.joined(separator: ", "))."]
  }

  private static func next(_ status: Int, code: String) -> [String] {
    switch status {
    case 404 where code.hasPrefix("echo."): []
    case 404 where code.hasPrefix("notice."): ["Who is told: `saga notices`."]
    case 404: ["What there is: `saga list`, `saga workflows list`."]
    case 409 where code.hasPrefix("saga."): ["Look at how it stands now: `saga show ID`."]
    case 503: ["The engine is starting or its store is away: ask again in a moment (`saga status`)."]
    case 500...: ["This is the engine's fault, not yours; its log says more."]
    default: []
    }
  }
}

extension Invocation {
  /// The engine that `--server`, the environment, or the default names.
  var client: APIClient {
    let server = arguments.value("server") ?? variables[APIClient.serverVariable] ?? APIClient.defaultServer
    return APIClient(server: server.contains("://") ? server : "http://" + server, user: user, send: send)
  }

  private var user: String? {
    let named = arguments.value("user") ?? variables[APIClient.userVariable] ?? variables["USER"] ?? ""
    // It goes into a header, which carries no control characters.
    return named.isEmpty || named.unicodeScalars.contains { $0.value < 32 || $0.value == 127 } ? nil : named
  }
}

extension OptionSpec {
  static let json = OptionSpec("json", help: "print the engine's JSON as it is, for programs")
  static let server = OptionSpec(
    "server", value: "URL", help: "the engine; else SAGA_SERVER, else \(APIClient.defaultServer)")
  static let user = OptionSpec("user", value: "NAME", help: "who asks, for the history; else SAGA_USER, else USER")
  static let reason = OptionSpec("reason", value: "TEXT", help: "why; kept in the history for the auditor")
}
