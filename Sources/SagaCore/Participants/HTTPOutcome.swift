import JSON
import Values

/// What a service's answer, or a missing answer, says about the outcome of the step.
///
/// The HTTP status decides. The step failed cleanly after a 4xx that is not retryable, after a 307 or 308, or if the
/// request never left. Every other result without success leaves the outcome unknown: no answer in time, a connection
/// lost after the request was sent, an answer that is not HTTP, a 5xx, a 408, 425 or 429, or any other redirect. The
/// body only gives a value (`AnswerBody`) or an explanation (`ParticipantWords`).
package enum HTTPOutcome {
  /// Reads the reason why no answer came.
  /// - Parameters:
  ///   - code: one of the client's codes.
  ///   - message: what the client says about it.
  ///   - wasSent: whether the request may have reached the service.
  ///   - service: the service's name.
  package static func unanswered(
    _ code: String, _ message: String, wasSent: Bool, service: String
  ) -> StepOutcome {
    let isTimeout = code == HTTPErrorCode.timeout
    let message = isTimeout ? "\(service) did not answer in time." : "\(service): \(message)"
    let failure = StepFailure(
      code: isTimeout ? EngineErrorCode.attemptTimeout : code,
      classes: [code, wasSent ? "http.sent" : "http.notSent"], message: message, isRetryable: true)
    if wasSent { return .unknown(failure) }
    switch code {
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

  /// Reads an answer.
  /// - Parameters:
  ///   - success: the statuses that mean success.
  ///   - now: the timestamp from which a date in `Retry-After` counts.
  ///   - limit: the most bytes of a body that were read. Messages name it.
  package static func of(
    _ answer: HTTPAnswer, success: [ClosedRange<Int>], now: Timestamp, limit: Int
  ) -> StepOutcome {
    if success.contains(where: { $0.contains(answer.status) }) {
      return .answered(succeeded(answer, limit: limit))
    }
    let status = "http.\(answer.status)"
    var failure = StepFailure(
      code: code(of: answer) ?? status, classes: [status, "http.\(answer.status / 100)xx"],
      message: message(of: answer))
    failure.retryAfter = answer.retryAfter.flatMap { RetryAfter.parse($0, now: now) }
    failure.isGone = answer.status == 404 || answer.status == 410
    failure.keepsTombstones = answer.sender.keepsTombstones
    failure.answer = answer.recorded
    switch answer.status {
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

  /// Returns a successful answer.
  private static func succeeded(_ answer: HTTPAnswer, limit: Int) -> LookAnswer {
    do throws(StepFailure) {
      let body = try AnswerBody.value(of: answer, limit: limit)
      return LookAnswer(
        status: answer.status, headers: answer.headers, body: body, code: code(body["code"]),
        words: ParticipantWords.of(body))
    } catch {
      var unread = LookAnswer(status: answer.status, headers: answer.headers, body: nil, problem: error)
      unread.unread = answer.recorded.excerpt
      return unread
    }
  }

  /// Returns the participant's own code, when its body is JSON and has one.
  private static func code(of answer: HTTPAnswer) -> String? {
    let charset = MediaType(answer.contentType).charset
    let body = AnswerText.exact(answer.body, charset: charset).flatMap { try? JSON(parsing: $0) }
    return code(body?["code"])
  }

  private static func message(of answer: HTTPAnswer) -> String {
    let answered = "\(answer.sender.name) answered \(answer.status) \(HTTPStatus.phrase(answer.status))"
    if (300...399).contains(answer.status), let location = answer.location {
      return "\(answered), which leads to \(shown(location)). The engine follows no redirect."
    }
    return ParticipantWords.of(answer) ?? "\(answered)."
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
