import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("The calls of a history", .timeLimit(.minutes(15)), .inTurn)
struct CallTrailTests {
  typealias Saga = SagaSpecification

  private static let quick = #""retry": {"maxAttempts": 2, "jitter": 0}"#

  /// Reads the calls of a history whose events were appended one decision at a time.
  private static func trail(
    _ saga: Saga, step: String? = nil, after: Int = 0, limit: Int = 100, ends: Set<Int>? = nil
  ) throws -> CallTrail {
    var trail = CallTrail(step: step, after: after, limit: limit) { [definition = saga.definition] _ in definition }
    var state: SagaState?
    for (index, event) in saga.log.enumerated() where !trail.isDone {
      if let state { trail.note(event, version: index + 1, before: state) }
      try SagaState.evolve(&state, event)
      if let state { trail.noteFolded(state, isEndOfAppend: ends?.contains(index + 1) ?? true) }
    }
    return trail
  }

  /// A call in a few words.
  private static func words(_ call: PastCall) -> String {
    let number = call.attempt.map { "#\($0)" } ?? ""
    let look = call.look.map { " look \($0)" } ?? ""
    let sent =
      switch call.sent?.action {
      case .http(let http)?: "\(http.method) \(http.path.prefix(2))"
      case .kafka(let kafka)?: kafka.command
      case .task(let task)?: task.queue
      case .workflow(let workflow)?: workflow.name
      case nil: "not sent"
      }
    return "\(call.step).\(call.phase)\(number)\(look) \(sent): \(call.end?.outcome.rawValue ?? "under way")"
  }

  @Test("Each attempt is a call with what was sent, what was answered, and how it ended")
  func attempts() throws {
    var saga = try Saga("[\(Saga.http("a", Self.quick)), \(Saga.http("b", Self.quick))]")
    try saga.start()
    try saga.lose("a")
    try saga.wakeWhenDue()
    try saga.succeed("a", ["id": 7])
    try saga.refuse("b", "QC_FAILED")
    let trail = try Self.trail(saga)
    #expect(
      trail.calls.map(Self.words) == [
        "a.forward#1 PUT /a: unknown", "a.forward#2 PUT /a: succeeded", "b.forward#1 PUT /b: failed",
        "a.undo#1 DELETE /a: under way",
      ])
    #expect(!trail.hasMore)
    let calls = trail.calls
    #expect(calls[0].sent?.idempotencyKey == "\(Saga.id)/a/1" && calls[1].sent?.idempotencyKey == "\(Saga.id)/a/1")
    #expect(calls[0].end?.failure?.code == "timeout" && calls[0].end?.answer == nil)
    #expect(calls[1].end?.output == ["id": 7] && calls[1].at > calls[0].at)
    #expect(calls[2].end?.failure?.code == "QC_FAILED")
    #expect(calls[3].sent?.compensates == "\(Saga.id)/a/1" && calls[3].end == nil)
    #expect(try Self.trail(saga, step: "b").calls.map(Self.words) == ["b.forward#1 PUT /b: failed"])
  }

  @Test("Pages follow each other without a gap, and each call has its end")
  func pages() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b", #""dependsOn": []"#)), \(Saga.http("c"))]")
    try saga.start()
    try saga.succeed("b")
    try saga.succeed("a")
    try saga.succeed("c")
    var after = 0
    var words: [String] = []
    for _ in 0..<5 {
      let trail = try Self.trail(saga, after: after, limit: 1)
      words += trail.calls.map(Self.words)
      guard trail.hasMore, let last = trail.calls.last else { break }
      after = last.version
    }
    #expect(
      words == [
        "a.forward#1 PUT /a: succeeded", "b.forward#1 PUT /b: succeeded", "c.forward#1 PUT /c: succeeded",
      ])
  }

  @Test("A call is rendered from the state after its append; one that ended in that append was not sent")
  func appends() throws {
    let reader = #"""
      {"id": "b", "dependsOn": ["a"], "http": {"service": "lab", "method": "PUT", "path": "/b/${steps.a.output.id}"},
       "compensation": "none"}
      """#
    var saga = try Saga("[\(Saga.http("a")), \(reader)]")
    try saga.start()
    try saga.succeed("a", ["id": 7])
    try saga.succeed("b")
    // Versions: 1 started, 2 a 1, 3 a succeeded, 4 b 1, 5 b succeeded, 6 completed.
    #expect(saga.log.count == 6)
    #expect(
      try Self.trail(saga, ends: [2, 4, 6]).calls.map { call -> String in
        guard case .http(let http)? = call.sent?.action else { return "not sent" }
        return String(http.path.prefix(4))
      } == ["/a/" + String(try Self.uuid(of: "a").prefix(1)), "/b/7"])
    #expect(
      try Self.trail(saga, ends: [2, 6]).calls.map(Self.words) == [
        "a.forward#1 PUT /a: succeeded", "b.forward#1 not sent: succeeded",
      ])
  }

  private static func uuid(of step: String) throws -> String {
    UniqueID.derived(from: IdempotencyKey.forward(saga: Saga.id, step: step, round: 1)).description
  }

  @Test("A look is a call when the history has an event of it")
  func looks() throws {
    let step = #"""
      {"id": "run", "http": {"service": "lab", "method": "GET", "path": "/runs/7"}, "timeout": "1h",
       "poll": {"every": "1m", "until": "$.answer.body.state == 'done'"}}
      """#
    func answer(_ state: JSON) -> StepOutcome { .answered(LookAnswer(status: 200, body: ["state": state])) }
    var saga = try Saga("[\(step)]", members: #""timeout": "1d", "#)
    try saga.start()
    try saga.look("run", answer("running"), taking: 40)
    try saga.wakeWhenDue()
    try saga.look("run", answer("running"), taking: 40)
    try saga.wakeWhenDue()
    let lost = StepOutcome.unknown(StepFailure(code: "http.503", message: "busy", isRetryable: true))
    try saga.look("run", lost, taking: 40)
    try saga.wakeWhenDue()
    try saga.look("run", answer("done"), taking: 40)
    let calls = try Self.trail(saga).calls
    #expect(
      calls.map(Self.words) == [
        "run.forward look 1 GET /r: answered", "run.forward look 3 GET /r: failed",
        "run.forward look 3 GET /r: succeeded",
      ])
    #expect(calls[0].sent?.idempotencyKey == "\(Saga.id)/run/1/look/1")
    #expect(calls[0].end?.answer?.excerpt?.text == #"{"state":"running"}"#)
    #expect(calls[2].end?.output == ["state": "done"])
    #expect(calls[0].at == Saga.startedAt && calls[0].end?.at == Saga.startedAt + .milliseconds(40))
  }

  @Test("A call that the engine did not send says so, and why")
  func notSent() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b", #""dependsOn": []"#))]")
    try saga.start()
    try saga.settle("b", .notSent(StepFailure(code: "engine.draining", message: "The engine stopped.")))
    let calls = try Self.trail(saga).calls
    #expect(calls.map(Self.words) == ["a.forward#1 PUT /a: under way", "b.forward#1 PUT /b: notSent"])
    #expect(calls[1].end?.failure?.code == "engine.draining")
  }
}
