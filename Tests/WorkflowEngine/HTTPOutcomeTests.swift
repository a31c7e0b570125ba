import HTTP
import JSON
import TestSupport
import Testing
import Values

@testable import HTTPSteps
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The outcome of a step by a service's answer", .timeLimit(.minutes(15)), .inTurn)
struct HTTPOutcomeTests {
  static let service = Service(name: "lab", baseURL: "http://127.0.0.1:1/", keepsTombstones: true)
  nonisolated static let now = Timestamp(milliseconds: 784_111_777_000)  // 1994-11-06T08:49:37Z

  func read(_ status: Int, _ body: String = "", type: String? = "application/json", headers: [String: String] = [:])
    -> StepOutcome
  {
    read(status, bytes: Array(body.utf8), type: type, headers: headers)
  }

  func read(
    _ status: Int, bytes: [UInt8], type: String?, headers: [String: String] = [:], bodyError: HTTPClientError? = nil
  ) -> StepOutcome {
    var all = HTTPHeaders()
    if let type { all.add("Content-Type", type) }
    for (name, value) in headers { all.add(name, value) }
    let outcome = HTTPOutcome.read(
      HTTPClientResponse(status: status, headers: all, body: bytes, bodyError: bodyError), success: [200...299],
      service: Self.service, now: Self.now)
    // Most tests ask for the output alone.
    guard case .answered(let answer) = outcome else { return outcome }
    return answer.problem.map { .succeededUnread($0) } ?? .succeeded(answer.body ?? .null)
  }

  enum Kind { case succeeded, refused, unknown, notSent }
  func kind(_ outcome: StepOutcome) -> Kind {
    switch outcome {
    case .succeeded, .succeededUnread, .answered: .succeeded
    case .failed: .refused
    case .unknown: .unknown
    case .notSent: .notSent
    }
  }

  @Test(
    "A status says whether the step happened",
    arguments: [
      (200, Kind.succeeded), (201, .succeeded), (204, .succeeded), (301, .unknown), (302, .unknown), (303, .unknown),
      (304, .unknown), (307, .refused), (308, .refused), (400, .refused),
      (404, .refused), (409, .refused), (410, .refused), (422, .refused), (408, .unknown), (425, .unknown),
      (429, .unknown), (500, .unknown), (503, .unknown), (504, .unknown),
    ])
  func statuses(status: Int, expected: Kind) { #expect(kind(read(status)) == expected) }

  @Test("A success is the whole answer: its status, its headers in lower case, its body, and the participant's words")
  func look() throws {
    var headers = HTTPHeaders()
    headers.add("Content-Type", "application/json")
    headers.add("X-Left", "3")
    headers.add("x-left", "4")
    func look(_ status: Int, _ body: String) -> StepOutcome {
      HTTPOutcome.read(
        HTTPClientResponse(status: status, headers: headers, body: Array(body.utf8)), success: [200...299],
        service: Self.service, now: Self.now)
    }
    let body: JSON = ["state": "failed", "code": "LEAK", "message": "It leaks."]
    #expect(
      look(202, body.text())
        == .answered(
          LookAnswer(
            status: 202, headers: ["content-type": "application/json", "x-left": "3, 4"], body: body, code: "LEAK",
            words: "It leaks.")))
    guard case .answered(let unread) = look(200, "<html>") else {
      Issue.record("A success is an answer")
      return
    }
    #expect(unread.body == nil && unread.problem?.code == EngineErrorCode.answerNotJSON)
    #expect(kind(look(503, "busy")) == .unknown)
    #expect(kind(look(404, "no")) == .refused)
  }

  @Test("A request that was not sent is a clean refusal; one that may have arrived is not", arguments: [true, false])
  func transport(sent: Bool) {
    let outcome = HTTPOutcome.read(
      HTTPClientError(code: HTTPErrorCode.timeout, message: "late", sent: sent), service: Self.service)
    #expect(kind(outcome) == (sent ? .unknown : .refused))
    switch outcome {
    case .unknown(let failure), .failed(let failure):
      #expect(failure.code == EngineErrorCode.attemptTimeout && failure.isRetryable)
    case .succeeded, .succeededUnread, .answered, .notSent:
      Issue.record("a lost call neither succeeded nor was cut off by us")
    }
  }

  @Test(
    "A request that the engine cancels is not sent when it was still unsent, and unknown otherwise",
    arguments: [true, false])
  func cutOff(sent: Bool) {
    let outcome = HTTPOutcome.read(
      HTTPClientError(code: HTTPErrorCode.cancelled, message: "cut off", sent: sent), service: Self.service)
    #expect(kind(outcome) == (sent ? .unknown : .notSent))
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
    // A text that is not usable as a code in lists is ignored, and the status gives the code.
    for code in [#""""#, #""a\u0000b""#, "\"\(String(repeating: "x", count: 201))\"", "7"] {
      guard case .failed(let failure) = read(422, "{\"code\": \(code)}") else {
        Issue.record("a 422 is a clean refusal")
        continue
      }
      #expect(failure.code == "http.422")
    }
  }

  @Test(
    "Retry-After is read as seconds and as a date in each form of RFC 9110",
    arguments: [
      ("7", Duration.seconds(7)), (" 7 ", .seconds(7)), ("99999999999999999999", .seconds(1_000_000_000)),
      ("Sun, 06 Nov 1994 08:50:37 GMT", .seconds(60)), ("Sun, 06 Nov 1994 08:00:00 GMT", .zero),
      ("Sunday, 06-Nov-94 08:50:37 GMT", .seconds(60)), ("Sun Nov  6 08:50:37 1994", .seconds(60)),
      ("Wed Nov 16 08:49:37 1994", .seconds(864_000)), ("Monday, 07-Nov-94 08:49:37 GMT", .seconds(86_400)),
      ("Monday, 01-Jan-01 00:00:00 GMT", Timestamp("2001-01-01T00:00:00Z")! - now),
      // A year that would be more than 50 years ahead has passed.
      ("Tuesday, 07-Nov-45 08:49:37 GMT", .zero),
    ])
  func retryAfter(value: String, wait: Duration) {
    guard case .unknown(let failure) = read(503, headers: ["Retry-After": value]) else {
      Issue.record("a 503 leaves the outcome unknown")
      return
    }
    #expect(failure.retryAfter == wait)
  }

  @Test(
    "A Retry-After in another form is ignored",
    arguments: [
      "soon", "-1", "+1", "1.5", "", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
      "Sun, 06 Now 1994 08:49:37 GMT", "Sunday, 06-Nov-194 08:49:37 GMT", "Sun Nov 6 25:00:00 1994",
      "1994-11-06T08:49:37Z",
    ])
  func noRetryAfter(value: String) { #expect(RetryAfter.parse(value, now: Self.now) == nil) }

  @Test("A redirect is not followed, and its failure names the target without secrets")
  func redirect() {
    for (location, shown) in [
      ("https://lims.example/new/1", "https://lims.example/new/1"), ("/elsewhere", "/elsewhere"),
      ("https://u:p@lims.example/x?token=secret#f", "https://lims.example/x"),
    ] {
      guard case .failed(let failure) = read(308, headers: ["Location": location]) else {
        Issue.record("a 308 did nothing here")
        continue
      }
      #expect(failure.code == "http.308")
      #expect(failure.message.contains(" leads to \(shown)."), "\(failure.message)")
    }
    guard case .unknown(let failure) = read(303, headers: ["Location": "/result"]) else {
      Issue.record("a 303 may come after the work")
      return
    }
    #expect(failure.message.contains("/result"))
  }

  @Test("A JSON body is read as it is, an empty body as null, and text as text")
  func answers() {
    #expect(read(200, #"{"id": 9007199254740993}"#) == .succeeded(["id": 9_007_199_254_740_993]))
    #expect(read(204) == .succeeded(.null))
    #expect(read(200, " \r\n", type: nil) == .succeeded(.null))
    #expect(read(200, "stored", type: "text/plain") == .succeeded("stored"))
    #expect(read(200, "OK", type: nil) == .succeeded("OK"))
    #expect(read(200, #"{"id":1}"#, type: nil) == .succeeded(["id": 1]))
    #expect(read(200, #"{"id":1}"#, type: "json") == .succeeded(["id": 1]))
    #expect(read(200, "\u{FEFF}{\"id\":1}") == .succeeded(["id": 1]))
    #expect(read(200, "\u{FEFF}") == .succeeded(.null))
    #expect(read(200, #"{"id":1}"#, type: "application/vnd.lab+json; charset=utf-8") == .succeeded(["id": 1]))
    let lines = "{\"a\":1}\n{\"a\":2}\n"
    #expect(read(200, lines, type: "application/x-ndjson") == .succeeded(.string(lines)))
    let latin1: [UInt8] = Array(#"{"name":"M"#.utf8) + [0xFC] + Array(#"ller"}"#.utf8)
    #expect(
      read(200, bytes: latin1, type: "application/json; charset=\"ISO-8859-1\"") == .succeeded(["name": "Müller"]))
    let utf16: [UInt8] = [0xFF, 0xFE] + "{\"a\":\"ü\"}".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    #expect(read(200, bytes: utf16, type: "application/json") == .succeeded(["a": "ü"]))
  }

  @Test(
    "A success whose body can't be read is a success, with the reason",
    arguments: [
      (Array("{".utf8), "application/json", "http.answerNotJSON"),
      (Array("OK".utf8), "application/json", "http.answerNotJSON"),
      (Array(#"{"a":1,"a":2}"#.utf8), "application/json", "http.answerNotJSON"),
      (Array("<html>".utf8), "application/problem+json", "http.answerNotJSON"),
      ([0x89, 0x50, 0x4E, 0x47, 0, 1, 2], "image/png", "http.answerNotText"),
      ([0x1F, 0x8B, 8, 0], nil, "http.answerNotText"),
      ([0x4D, 0xFC], "text/plain", "http.answerNotText"), ([0x41, 0], "text/plain", "http.answerNotText"),
    ] as [([UInt8], String?, String)])
  func unread(body: [UInt8], type: String?, code: String) {
    guard case .succeededUnread(let problem) = read(200, bytes: body, type: type) else {
      Issue.record("\(read(200, bytes: body, type: type))")
      return
    }
    #expect(problem.code == code)
    #expect(problem.message.hasPrefix("lab answered 200"), "\(problem.message)")
  }

  @Test("A truncated or too long body gives no value, unless it is a complete object or array")
  func cut() {
    let lost = HTTPClientError(code: HTTPErrorCode.connectionLost, message: "It broke.", sent: true)
    let long = HTTPClientError(code: HTTPErrorCode.responseTooLarge, message: "It is long.", sent: true)
    for (body, error, code) in [
      (#"{"id":"#, lost, EngineErrorCode.answerCut), ("12", lost, EngineErrorCode.answerCut),
      ("", lost, EngineErrorCode.answerCut),
      ("[1]", long, HTTPErrorCode.responseTooLarge),
    ] {
      guard case .succeededUnread(let problem) = read(200, bytes: Array(body.utf8), type: nil, bodyError: error) else {
        Issue.record("\(body) is not whole")
        continue
      }
      #expect(problem.code == code)
    }
    #expect(read(200, bytes: Array(#"{"id":1}"#.utf8), type: nil, bodyError: lost) == .succeeded(["id": 1]))
    guard case .failed(let failure) = read(409, bytes: Array("Freezer F2 is fu".utf8), type: nil, bodyError: lost)
    else {
      Issue.record("the status decides")
      return
    }
    #expect(failure.message == "Freezer F2 is fu")
  }

  @Test("404 and 410 mean that the resource does not exist", arguments: [404, 410])
  func gone(status: Int) {
    guard case .failed(let failure) = read(status) else {
      Issue.record("a \(status) is a clean refusal")
      return
    }
    #expect(failure.isGone)
  }
}
