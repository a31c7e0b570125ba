import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Answers in the history", .timeLimit(.minutes(15)), .inTurn)
struct CallAnswerTests {
  typealias Saga = SagaSpecification

  private static func answer(
    _ status: Int, _ body: String = "", type: String = "application/json", headers: [String: String] = [:]
  ) -> StepOutcome {
    HTTPOutcome.of(
      HTTPAnswer(
        sender: HTTPAnswer.Sender(name: "lab", keepsTombstones: false), status: status, body: Array(body.utf8),
        fields: [(name: "Content-Type", value: type)]
          + headers.sorted { $0.key < $1.key }.map {
            (name: $0.key, value: $0.value)
          }), success: [200...299], now: Saga.startedAt, limit: 1 << 20)
  }

  private static let once = #""retry": {"maxAttempts": 2, "jitter": 0}"#

  @Test("A success has its status and its chosen headers; the output has the body, so the answer has none")
  func success() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    let outcome = Self.answer(
      201, #"{"id":"S-1"}"#,
      headers: [
        "Location": "/samples/S-1", "X-Request-Id": "R-1", "Set-Cookie": "session=abc", "Authorization": "Bearer abc",
        "Server": "lab/1",
      ])
    #expect(try saga.settle("a", outcome) == ["a succeeded", "sagaCompleted"])
    let event = try #require(saga.log.compactMap { $0.what as? StepSucceeded }.first)
    #expect(
      event.output.answer
        == CallAnswer(
          status: 201,
          headers: ["content-type": "application/json", "location": "/samples/S-1", "x-request-id": "R-1"]))
    #expect(event.output.value == ["id": "S-1"])
    #expect(!SagaEvent(at: Saga.startedAt, event).data.text().contains("abc"))
    let step = try #require(saga.state?.step("a"))
    #expect(step.answer == event.output.answer)
    #expect(
      saga.state?.document["steps"]?["a"]?["answer"] == [
        "status": 201,
        "headers": ["content-type": "application/json", "location": "/samples/S-1", "x-request-id": "R-1"],
      ])
  }

  @Test("A failure has the beginning of the body, masked before it is stored; states have the status and headers alone")
  func failure() throws {
    var saga = try Saga("[\(Saga.http("a", Self.once))]")
    try saga.start()
    let body = #"{"code":"BUSY","token":"s3cret","detail":"later"}"#
    try saga.settle("a", Self.answer(503, body, headers: ["Retry-After": "7"]))
    let failed = try #require(saga.log.compactMap { $0.what as? AttemptFailed }.first)
    #expect(
      failed.failure.answer
        == CallAnswer(
          status: 503, headers: ["content-type": "application/json", "retry-after": "7"],
          excerpt: CallExcerpt(text: #"{"code":"BUSY","token":"***","detail":"later"}"#, isCut: false)))
    #expect(saga.state?.step("a")?.failure?.answer == nil)
    #expect(saga.state?.step("a")?.answer?.status == 503 && saga.state?.step("a")?.answer?.excerpt == nil)
    // The second attempt gets no answer, so the answer to the first one no longer counts.
    try saga.wakeWhenDue()
    try saga.lose("a")
    #expect(saga.state?.step("a")?.status == .undoing && saga.state?.step("a")?.answer == nil)
    // The undo: refused, then done.
    try saga.settle("a", Self.answer(500, "<p>Out of order</p>", type: "text/html"))
    try saga.wakeWhenDue()
    #expect(try saga.settle("a", Self.answer(204)).first == "a undone answered")
    let undone = try #require(saga.log.compactMap { $0.what as? UndoSucceeded }.first)
    #expect(undone.answer == CallAnswer(status: 204, headers: ["content-type": "application/json"]))
    let refused = try #require(saga.log.compactMap { $0.what as? AttemptFailed }.last)
    #expect(refused.phase == .undo && refused.failure.answer?.excerpt?.text == "<p>Out of order</p>")
  }

  @Test("A body that can't be read has an excerpt, because the output does not have it")
  func unread() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.settle("a", Self.answer(200, #"{"id": "#))
    let event = try #require(saga.log.compactMap { $0.what as? StepSucceeded }.first)
    #expect(event.output.problem?.code == EngineErrorCode.answerNotJSON)
    #expect(event.output.answer?.excerpt == CallExcerpt(text: #"{"id": "#, isCut: false))
  }

  @Test("An excerpt has at most 2,048 bytes, and never a part of a character")
  func cut() throws {
    let long = try #require(CallExcerpt(of: .string(String(repeating: "é", count: 3_000))))
    #expect(long.isCut && long.text.utf8.count == 2_047)
    #expect(long.text.dropFirst().allSatisfy { $0 == "é" })
    let exact = try #require(CallExcerpt(of: Array(repeating: UInt8(ascii: "a"), count: 2_048), charset: nil))
    #expect(!exact.isCut && exact.text.count == 2_048)
    let more = try #require(CallExcerpt(of: Array(repeating: UInt8(ascii: "a"), count: 2_049), charset: nil))
    #expect(more.isCut && more.text.count == 2_048)
    #expect(CallExcerpt(of: JSON.null) == nil)
    #expect(CallExcerpt(of: [], charset: nil) == nil)
    #expect(CallExcerpt(of: Array(repeating: 0, count: 100), charset: nil) == nil, "no text")
  }

  @Test("A secret on both sides of the cut is masked")
  func cutSecret() throws {
    let text = String(repeating: "x", count: 2_030) + " password=" + String(repeating: "s", count: 100)
    let excerpt = try #require(CallExcerpt(of: Array(text.utf8), charset: nil))
    #expect(excerpt.text.hasSuffix(" password=***") && !excerpt.isCut)
  }

  @Test("A location keeps its query without secrets, and a header that is too long is left out")
  func headers() {
    guard
      case .answered(let answer) = Self.answer(
        202,
        headers: [
          "Location": "https://mia:pw@lab.example/runs/7?token=abc&n=1", "Link": String(repeating: "x", count: 2_049),
        ])
    else {
      Issue.record("A success is an answer")
      return
    }
    #expect(
      answer.recorded(withBody: false).headers
        == ["content-type": "application/json", "location": "https://***@lab.example/runs/7?token=***&n=1"])
  }

  @Test("A later step reads the answer of an earlier one")
  func expression() throws {
    let reader = #"""
      {"id": "b", "when": "$.steps.a.answer.status == 202",
       "http": {"service": "lab", "method": "PUT", "path": "/b", "body": {"at": "${steps.a.answer.headers.location}"}}}
      """#
    var saga = try Saga("[\(Saga.http("a")), \(reader)]")
    try saga.start()
    #expect(try saga.settle("a", Self.answer(202, headers: ["Location": "/runs/7"])) == ["a succeeded", "b 1"])
    guard case .call(let call)? = Decider.effects(of: try #require(saga.state), definition: saga.definition).first,
      case .http(let http) = call.action
    else {
      Issue.record("b is called")
      return
    }
    #expect(http.body == ["at": "/runs/7"])
    var other = try Saga("[\(Saga.http("a")), \(reader)]")
    try other.start()
    #expect(try other.settle("a", Self.answer(201)).prefix(2) == ["a succeeded", "b skipped"])
  }

  @Test("A poll's answers are in its events with the look that they answer")
  func poll() throws {
    let step = #"""
      {"id": "run", "http": {"service": "lab", "method": "GET", "path": "/runs/7"}, "timeout": "1h",
       "poll": {"every": "1m", "until": "$.answer.body.state == 'done'"}}
      """#
    var saga = try Saga("[\(step)]", members: #""timeout": "1d", "#)
    try saga.start()
    try saga.look("run", Self.answer(200, #"{"state":"running","token":"abc"}"#), taking: 40)
    let answered = try #require(saga.log.last?.what as? PollAnswered)
    #expect(answered.reply?.excerpt == CallExcerpt(text: #"{"state":"running","token":"***"}"#, isCut: false))
    try saga.wakeWhenDue()
    try saga.look("run", Self.answer(503), taking: 40)
    let failed = try #require(saga.log.last?.what as? AttemptFailed)
    let second = CallAnswer.AnsweredLook(number: 2, at: Saga.startedAt + .seconds(60))
    #expect(failed.look == 2 && failed.failure.answer?.look == second && failed.failure.answer?.status == 503)
    try saga.wakeWhenDue()
    try saga.look("run", Self.answer(200, #"{"state":"done"}"#), taking: 40)
    let done = try #require(saga.log.compactMap { $0.what as? StepSucceeded }.first)
    #expect(done.output.answer?.look?.number == 2 && done.output.answer?.excerpt == nil)
    #expect(saga.state?.step("run")?.answer == CallAnswer(status: 200, headers: ["content-type": "application/json"]))
  }
}
