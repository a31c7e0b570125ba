import HTTP
import JSON
import Runtime

/// What a service's answer, or the lack of one, says about whether the step happened.
///
/// A clean refusal says that it has not: a 4xx that is not retryable, or a request that never left. Everything else that
/// is no success leaves it unknown: no answer in time, a connection lost after the request was sent, a 5xx, a 408, 425 or
/// 429, a redirect, or an answer that can't be read.
enum HTTPOutcome {
  static func read(_ error: HTTPClientError, service: Service) -> StepOutcome {
    let isTimeout = error.code == HTTPErrorCode.timeout
    // A lab knows its services by their names, not by their addresses.
    let message = isTimeout ? "\(service.name) did not answer in time." : "\(service.name): \(error.message)"
    let failure = StepFailure(
      code: isTimeout ? EngineErrorCode.attemptTimeout : error.code,
      classes: [error.code, error.sent ? "http.sent" : "http.notSent"], message: message, isRetryable: true)
    if error.sent { return .unknown(failure) }
    switch error.code {
    // Cut off by the engine itself, before anything was sent.
    case HTTPErrorCode.cancelled, HTTPErrorCode.shutdown: return .notMade(failure)
    default: return .failed(failure)
    }
  }

  /// A participant's code, if it is one: lists are found by it, so it is short, and can be shown.
  private static func code(_ value: JSON?) -> String? {
    guard let code = value?.stringValue, (1...200).contains(code.unicodeScalars.count),
      code.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    else { return nil }
    return code
  }

  static func read(
    _ response: HTTPClientResponse, success: [ClosedRange<Int>], service: Service, now: Timestamp
  ) -> StepOutcome {
    if success.contains(where: { $0.contains(response.status) }) { return readSuccess(response, service: service) }
    let body = try? JSON(parsing: response.body)
    let status = "http.\(response.status)"
    var failure = StepFailure(
      code: code(body?["code"]) ?? status, classes: [status, "http.\(response.status / 100)xx"],
      message: message(of: response, body: body, service: service))
    failure.retryAfter = response.headers["Retry-After"].flatMap { RetryAfter.parse($0, now: now) }
    failure.isGone = response.status == 404 || response.status == 410
    failure.keepsTombstones = service.keepsTombstones
    switch response.status {
    case 408, 425, 429, 500...599:
      failure.isRetryable = true
      return .unknown(failure)
    case 400...499:
      return .failed(failure)
    default:
      return .unknown(failure)
    }
  }

  private static func readSuccess(_ response: HTTPClientResponse, service: Service) -> StepOutcome {
    if response.body.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) { return .succeeded(.null) }
    let type = response.headers["Content-Type"]?.lowercased() ?? ""
    guard type.isEmpty || type.contains("json") else {
      // Text is kept as text; a step that needs no answer need not care what kind it was.
      return .succeeded(.string(String(decoding: response.body, as: UTF8.self)))
    }
    do {
      return .succeeded(try JSON(parsing: response.body))
    } catch {
      // It happened, but what it gave can't be read: ask again, under the same key.
      return .unknown(
        StepFailure(
          code: EngineErrorCode.answerNotJSON,
          message: "\(service.name) answered \(response.status) with a body that is no JSON: \(error.message)",
          isRetryable: true))
    }
  }

  private static func message(of response: HTTPClientResponse, body: JSON?, service: Service) -> String {
    let said = body?["detail"]?.stringValue ?? body?["message"]?.stringValue ?? body?["title"]?.stringValue
    // A participant's words are shown to operators for years: long enough to help, bounded all the same.
    return said.map { String($0.prefix(1_000)) } ?? "\(service.name) answered \(response.status)."
  }
}
