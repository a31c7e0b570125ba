import HTTP
import JSON
import Runtime
import Values

/// Calls to the registry. What may pass is tried again, a few times and later and later; whatever else it answers is
/// handed back.
struct RegistryCalls: Sendable {
  static let attempts = 5
  private static let mediaType = "application/vnd.schemaregistry.v1+json"

  let address: RegistryAddress
  let client: HTTPClient
  let environment: Environment
  let log: Log

  struct Answer: Sendable {
    let status: Int
    /// Null when it was no JSON.
    let json: JSON

    init(_ response: HTTPClientResponse) {
      status = response.status
      // A body that can't be read has nothing to say; what it should have said is then missed by name.
      json = (try? JSON(parsing: response.body)) ?? .null
    }

    var isSuccess: Bool { (200..<300).contains(status) }
    /// The registry's own number for what went wrong: 40403 is a schema that it doesn't know.
    var errorCode: Int? { json["error_code"]?.intValue }
    /// The status and what the registry says to it.
    var said: String {
      let phrase = "\(status) \(HTTPStatus.phrase(status))"
      return json["message"]?.stringValue.map { "\(phrase): \($0.shortened)" } ?? phrase
    }
  }

  /// - Parameter path: percent-encoded, from its slash on.
  func send(_ method: String, _ path: String, _ body: JSON? = nil) async throws(RegistryError) -> Answer {
    let request = request(method, path, body)
    var attempt = 1
    while true {
      let trouble: String
      do throws(HTTPClientError) {
        let answer = Answer(try await client.send(request))
        guard Self.mayPass(answer.status) else { return answer }
        trouble = "It answered \(answer.said)."
      } catch {
        guard Self.mayPass(error) else {
          throw RegistryError(
            code: RegistryErrorCode.registryRefused,
            message: "The schema registry at \(address.base) can't be asked. \(error.message)")
        }
        trouble = error.message
        if error.code == HTTPErrorCode.cancelled || error.code == HTTPErrorCode.shutdown { throw unavailable(trouble) }
      }
      guard attempt < Self.attempts else { throw unavailable("\(trouble) It was tried \(attempt) times.") }
      log.warning(
        "The schema registry failed; it is tried again", ("registry", address.base), ("attempt", "\(attempt)"),
        ("why", trouble))
      try await pause(after: attempt)
      attempt += 1
    }
  }

  /// What the registry refused, and with which words.
  func refusal(_ answer: Answer, of what: String) -> RegistryError {
    RegistryError(
      code: RegistryErrorCode.registryRefused,
      message: "The schema registry at \(address.base) refused \(what). It answered \(answer.said).")
  }

  /// Success, but not with what a registry answers.
  func unreadable(of what: String) -> RegistryError {
    RegistryError(
      code: RegistryErrorCode.registryRefused,
      message: "\(address.base) answered \(what) with something that no schema registry says. Is it one?")
  }

  private func request(_ method: String, _ path: String, _ body: JSON?) -> HTTPClientRequest {
    var headers: HTTPHeaders = ["Accept": "\(Self.mediaType), application/json"]
    headers["Authorization"] = address.authorization
    if body != nil { headers["Content-Type"] = Self.mediaType }
    return HTTPClientRequest(
      method: method, url: address.base + path, headers: headers, body: body?.bytes() ?? [], timeout: .seconds(10))
  }

  private func unavailable(_ why: String) -> RegistryError {
    RegistryError(
      code: RegistryErrorCode.registryUnavailable,
      message: "The schema registry at \(address.base) is out of reach. \(why)")
  }

  private static func mayPass(_ status: Int) -> Bool { status >= 500 || status == 408 || status == 429 }

  private static func mayPass(_ error: HTTPClientError) -> Bool {
    error.code != HTTPErrorCode.invalidRequest && error.code != HTTPErrorCode.responseTooLarge
  }

  /// A fifth of a second, doubled with every attempt, and up to half of that less, so that nodes that failed together
  /// don't come back together.
  private func pause(after attempt: Int) async throws(RegistryError) {
    let longest = 200 << (attempt - 1)
    let less = Int(environment.random() % UInt64(longest / 2))
    do {
      try await environment.clock.sleep(until: environment.now() + .milliseconds(longest - less))
    } catch {
      throw unavailable("The call was cancelled.")
    }
  }
}

extension String {
  /// One line, and not too long: a registry answers with whole schemas, and a message needs their beginning.
  var shortened: String {
    let line = String(prefix(300).map { $0.isNewline ? " " : $0 })
    return count > 300 ? line + "…" : line
  }
}
