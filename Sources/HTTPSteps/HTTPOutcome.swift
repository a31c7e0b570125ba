import HTTP
import JSON
import SagaCore
import Values
import WorkflowEngine

/// What a service's answer, or a missing answer, says about the outcome of the step.
///
/// The HTTP status decides. The step failed cleanly after a 4xx that is not retryable, after a 307 or 308, or if the
/// request never left. Every other result without success leaves the outcome unknown: no answer in time, a connection
/// lost after the request was sent, an answer that is not HTTP, a 5xx, a 408, 425 or 429, or any other redirect. The
/// body only gives a value (`AnswerBody`) or an explanation (`ParticipantWords`).
enum HTTPOutcome {
  static func read(_ error: HTTPClientError, service: Service) -> StepOutcome {
    let isTimeout = error.code == HTTPErrorCode.timeout
    // The message names the service, because a laboratory knows the names of its services and not their addresses.
    let message = isTimeout ? "\(service.name) did not answer in time." : "\(service.name): \(error.message)"
    let failure = StepFailure(
      code: isTimeout ? EngineErrorCode.attemptTimeout : error.code,
      classes: [error.code, error.sent ? "http.sent" : "http.notSent"], message: message, isRetryable: true)
    if error.sent { return .unknown(failure) }
    switch error.code {
    // The engine itself cancelled the call before anything was sent.
    case HTTPErrorCode.cancelled, HTTPErrorCode.shutdown: return .notSent(failure)
    default: return .failed(failure)
    }
  }

  /// Returns a participant's code if it is valid. Lists are searched by it, so it must be short and printable.
  private static func code(_ value: JSON?) -> String? {
    guard let code = value?.stringValue, (1...200).contains(code.unicodeScalars.count),
      code.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    else { return nil }
    return code
  }

  /// - Parameter limit: the most bytes of a body that were read. Messages name it.
  static func read(
    _ response: HTTPClientResponse, success: [ClosedRange<Int>], service: Service, now: Timestamp,
    limit: Int = HTTPStepExecutor.maxResponseBytes
  ) -> StepOutcome {
    if success.contains(where: { $0.contains(response.status) }) {
      return AnswerBody.outcome(of: response, limit: limit, service: service)
    }
    let status = "http.\(response.status)"
    var failure = StepFailure(
      code: code(of: response) ?? status, classes: [status, "http.\(response.status / 100)xx"],
      message: message(of: response, service: service))
    failure.retryAfter = response.headers["Retry-After"].flatMap { RetryAfter.parse($0, now: now) }
    failure.isGone = response.status == 404 || response.status == 410
    failure.keepsTombstones = service.keepsTombstones
    switch response.status {
    case 408, 425, 429, 500...599:
      failure.isRetryable = true
      return .unknown(failure)
    // These two redirect the same request elsewhere (RFC 9110 §15.4.8), so nothing was done here. Other redirects may
    // come after the work: a 303 leads to its result.
    case 307, 308, 400...499:
      return .failed(failure)
    default:
      return .unknown(failure)
    }
  }

  /// Returns the participant's own code, when its body is JSON and has one.
  private static func code(of response: HTTPClientResponse) -> String? {
    let charset = MediaType(response.headers["Content-Type"]).charset
    let body = AnswerText.exact(response.body, charset: charset).flatMap { try? JSON(parsing: $0) }
    return code(body?["code"])
  }

  private static func message(of response: HTTPClientResponse, service: Service) -> String {
    let answered = "\(service.name) answered \(response.status) \(HTTPStatus.phrase(response.status))"
    if (300...399).contains(response.status), let location = response.headers["Location"] {
      return "\(answered), which leads to \(shown(location)). The engine follows no redirect."
    }
    return ParticipantWords.of(response) ?? "\(answered)."
  }

  /// Returns an address without possible secrets: user and password, query and fragment.
  private static func shown(_ location: String) -> String {
    var address = location.prefix { $0 != "?" && $0 != "#" }
    if let slashes = address.firstRange(of: "//") {
      let authority = address[slashes.upperBound...].prefix { $0 != "/" }
      if let at = authority.lastIndex(of: "@") {
        address = address[..<slashes.upperBound] + address[address.index(after: at)...]
      }
    }
    return ParticipantText.oneLine(String(address), most: 300)
  }
}
