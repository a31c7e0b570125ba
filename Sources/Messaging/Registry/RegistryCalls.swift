import HTTP
import JSON
import Runtime
import Values

/// Calls the registry. It retries temporary failures, at most `attempts` times with growing backoff, and returns all other
/// answers.
struct RegistryCalls: Sendable {
  static let attempts = 5
  private static let mediaType = "application/vnd.schemaregistry.v1+json"

  let address: RegistryAddress
  let client: HTTPClient
  let environment: Environment
  let log: Log

  struct Answer: Sendable {
    let status: Int
    /// The body; null when it is not JSON.
    let json: JSON

    init(_ response: HTTPClientResponse) {
      status = response.status
      // The caller of `send` names the member that it misses, so an unreadable body needs no error of its own.
      json = (try? JSON(parsing: response.body)) ?? .null
    }

    var isSuccess: Bool { (200..<300).contains(status) }
    /// The registry's own error number; 40403 means an unknown schema.
    var errorCode: Int? { json["error_code"]?.intValue }
    /// The status and the registry's message.
    var said: String {
      let phrase = "\(status) \(HTTPStatus.phrase(status))"
      return json["message"]?.stringValue.map { "\(phrase): \($0.shortened)" } ?? phrase
    }
  }

  /// - Parameter path: the percent-encoded path, with its first slash.
  func send(_ method: String, _ path: String, _ body: JSON? = nil) async throws(RegistryError) -> Answer {
    let request = request(method, path, body)
    var attempt = 1
    while true {
      let trouble: String
      do throws(HTTPClientError) {
        let answer = Answer(try await client.send(request))
        guard Self.isTemporary(answer.status) else { return answer }
        trouble = "It answered \(answer.said)."
      } catch {
        guard Self.isTemporary(error) else {
          throw RegistryError(
            code: RegistryErrorCode.registryRefused,
            message: "The schema registry at \(address.base) can't be called. \(error.message)")
        }
        trouble = error.message
        if error.code == HTTPErrorCode.cancelled || error.code == HTTPErrorCode.shutdown { throw unavailable(trouble) }
      }
      guard attempt < Self.attempts else { throw unavailable("\(trouble) It was tried \(attempt) times.") }
      log.warning(
        "The schema registry failed; will retry", ("registry", address.base), ("attempt", "\(attempt)"),
        ("why", trouble))
      try await pause(after: attempt)
      attempt += 1
    }
  }

  /// Returns the error for an answer by which the registry refused something.
  func refusal(_ answer: Answer, of what: String) -> RegistryError {
    RegistryError(
      code: RegistryErrorCode.registryRefused,
      message: "The schema registry at \(address.base) refused \(what). It answered \(answer.said).")
  }

  /// Returns the error for a successful answer that misses what a registry sends.
  func unreadable(of what: String) -> RegistryError {
    RegistryError(
      code: RegistryErrorCode.registryRefused,
      message: "\(address.base) answered \(what) with something that no schema registry sends. Check the URL.")
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
      message: "The schema registry at \(address.base) is unavailable. \(why)")
  }

  private static func isTemporary(_ status: Int) -> Bool { status >= 500 || status == 408 || status == 429 }

  private static func isTemporary(_ error: HTTPClientError) -> Bool {
    error.code != HTTPErrorCode.invalidRequest && error.code != HTTPErrorCode.responseTooLarge
  }

  /// The jitter makes the first pause one of 100 to 200 ms, so that nodes that failed together don't retry together.
  private static let backoff = Backoff(first: .milliseconds(150), limit: .seconds(3), spread: 1 / 3)

  private func pause(after attempt: Int) async throws(RegistryError) {
    do {
      try await environment.sleep(for: Self.backoff.pause(after: attempt, jitter: environment.random()))
    } catch {
      throw unavailable("The call was cancelled.")
    }
  }
}

extension String {
  /// The text on one line, cut after 300 characters, because a registry answers with whole schemas.
  var shortened: String {
    let line = String(prefix(300).map { $0.isNewline ? " " : $0 })
    return count > 300 ? line + "…" : line
  }
}
