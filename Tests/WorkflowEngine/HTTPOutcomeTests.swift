import HTTP
import JSON
import Runtime
import Testing

@testable import WorkflowEngine

@Suite("What a service's answer says about a step")
struct HTTPOutcomeTests {
  static let service = Service(name: "lab", baseURL: "http://127.0.0.1:1/", keepsTombstones: true)
  static let now = Timestamp(milliseconds: 784_111_777_000)  // 1994-11-06T08:49:37Z

  func read(_ status: Int, _ body: String = "", type: String? = "application/json", headers: [String: String] = [:])
    -> StepOutcome
  {
    var all = HTTPHeaders()
    if let type { all.add("Content-Type", type) }
    for (name, value) in headers { all.add(name, value) }
    return HTTPOutcome.read(
      HTTPClientResponse(status: status, headers: all, body: Array(body.utf8)), success: [200...299],
      service: Self.service, now: Self.now)
  }

  enum Kind { case succeeded, refused, unknown, notMade }
  func kind(_ outcome: StepOutcome) -> Kind {
    switch outcome {
    case .succeeded: .succeeded
    case .failed: .refused
    case .unknown: .unknown
    case .notMade: .notMade
    }
  }

  @Test(
    "A status says whether the step happened",
    arguments: [
      (200, Kind.succeeded), (201, .succeeded), (204, .succeeded), (302, .unknown), (303, .unknown), (400, .refused),
      (404, .refused), (409, .refused), (410, .refused), (422, .refused), (408, .unknown), (425, .unknown),
      (429, .unknown), (500, .unknown), (503, .unknown), (504, .unknown),
    ])
  func statuses(status: Int, expected: Kind) { #expect(kind(read(status)) == expected) }

  @Test("A request that never left is a clean refusal; one that may have arrived is not", arguments: [true, false])
  func transport(sent: Bool) {
    let outcome = HTTPOutcome.read(
      HTTPClientError(code: HTTPErrorCode.timeout, message: "late", sent: sent), service: Self.service)
    #expect(kind(outcome) == (sent ? .unknown : .refused))
    switch outcome {
    case .unknown(let failure), .failed(let failure):
      #expect(failure.code == EngineErrorCode.attemptTimeout && failure.isRetryable)
    case .succeeded, .notMade:
      Issue.record("a lost call neither succeeded nor was cut off by us")
    }
  }

  @Test(
    "What the engine itself cut off before it was sent was not made; after that it is unknown",
    arguments: [true, false])
  func cutOff(sent: Bool) {
    let outcome = HTTPOutcome.read(
      HTTPClientError(code: HTTPErrorCode.cancelled, message: "cut off", sent: sent), service: Self.service)
    #expect(kind(outcome) == (sent ? .unknown : .notMade))
  }

  @Test("A participant's own code and words are kept, beside the classes of its status")
  func participantsCode() throws {
    guard case .failed(let failure) = read(422, #"{"code": "QC_FAILED", "detail": "below 20 ng/µl"}"#) else {
      Issue.record("a 422 is a clean refusal")
      return
    }
    #expect(failure.codes == ["QC_FAILED", "http.422", "http.4xx"])
    #expect(failure.message == "below 20 ng/µl")
    #expect(!failure.isRetryable && !failure.isGone && failure.keepsTombstones)
    // What is none, as lists and people have to find it, is left for the status.
    for code in [#""""#, #""a\u0000b""#, "\"\(String(repeating: "x", count: 201))\"", "7"] {
      guard case .failed(let failure) = read(422, "{\"code\": \(code)}") else {
        Issue.record("a 422 is a clean refusal")
        continue
      }
      #expect(failure.code == "http.422")
    }
  }

  @Test(
    "Retry-After is read as seconds and as a date",
    arguments: [
      ("7", Duration.seconds(7)), ("Sun, 06 Nov 1994 08:50:37 GMT", .seconds(60)),
      ("Sun, 06 Nov 1994 08:00:00 GMT", .zero),
    ])
  func retryAfter(value: String, wait: Duration) {
    guard case .unknown(let failure) = read(503, headers: ["Retry-After": value]) else {
      Issue.record("a 503 leaves the outcome unknown")
      return
    }
    #expect(failure.retryAfter == wait)
    #expect(RetryAfter.parse("soon", now: Self.now) == nil && RetryAfter.parse("-1", now: Self.now) == nil)
  }

  @Test("An answer: JSON as it is, nothing as null, text as text, and what claims to be JSON and is none as unknown")
  func answers() {
    #expect(read(200, #"{"id": 9007199254740993}"#) == .succeeded(["id": 9_007_199_254_740_993]))
    #expect(read(204) == .succeeded(.null))
    #expect(read(200, "stored", type: "text/plain") == .succeeded("stored"))
    #expect(kind(read(200, "{")) == .unknown)
  }

  @Test("404 and 410 say that there is nothing by that name", arguments: [404, 410])
  func gone(status: Int) {
    guard case .failed(let failure) = read(status) else {
      Issue.record("a \(status) is a clean refusal")
      return
    }
    #expect(failure.isGone)
  }
}
