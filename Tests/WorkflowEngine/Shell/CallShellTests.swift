import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import HTTPSteps
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The engine shows calls", .timeLimit(.minutes(15)), .inTurn)
struct CallShellTests {
  /// Answers over HTTP without a wire, as the executor judges it.
  private static func answer(_ call: StepCall) -> StepOutcome {
    guard case .http(let http) = call.action else { return .failed(.kafkaNotConfigured) }
    let status = call.step == "b" && call.phase == .forward ? 422 : 201
    return HTTPOutcome.of(
      HTTPAnswer(
        sender: HTTPAnswer.Sender(name: http.service, keepsTombstones: false), status: status,
        body: Array(#"{"id":"S-1","password":"s3cret"}"#.utf8),
        fields: [(name: "Content-Type", value: "application/json")]
      ), success: http.success, now: Timestamp(milliseconds: 0), limit: 1 << 20)
  }

  @Test("The calls of an ended saga are those that its participants got, page by page")
  func pages() async throws {
    let executor = ScriptedExecutor { Self.answer($0) }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    let id = try await running.start(input: ["barcode": "T-1"]).id
    #expect(try await running.end(of: id).status == .compensated)
    let engine = running.engine
    let all = try await engine.calls(of: id, step: nil, after: 0, limit: 100)
    #expect(all.next == nil)
    #expect(all.calls.map(\.sent) == executor.calls.map { $0 })
    #expect(
      all.calls.map { "\($0.step) \($0.phase) \($0.end?.outcome.rawValue ?? "–") \($0.end?.answer?.status ?? 0)" } == [
        "a forward succeeded 201", "b forward failed 422", "a undo succeeded 201",
      ])
    #expect(all.calls[1].end?.answer?.excerpt?.text == #"{"id":"S-1","password":"***"}"#)
    // One call a page.
    var paged: [PastCall] = []
    var after: Int? = 0
    while let version = after {
      let page = try await engine.calls(of: id, step: nil, after: version, limit: 1)
      #expect(page.calls.count == 1)
      paged += page.calls
      after = page.next
    }
    #expect(paged == all.calls)
    #expect(try await engine.calls(of: id, step: "b", after: 0, limit: 9).calls == [all.calls[1]])
    await #expect(throws: Refusal.self) { try await engine.calls(of: id, step: "c", after: 0, limit: 9) }
    await #expect(throws: Refusal.self) {
      try await engine.calls(of: SagaSpecification.id, step: nil, after: 0, limit: 9)
    }
    await running.stop()
  }

  @Test("A long history is read from its snapshot, and its newest calls are the same")
  func long() async throws {
    let executor = ScriptedExecutor { call in
      call.attempt < 110
        ? .unknown(StepFailure(code: "http.503", message: "busy", isRetryable: true)) : Self.answer(call)
    }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    let retry = #""retry": {"maxAttempts": 200, "initialInterval": "1ms", "maxInterval": "1ms"}"#
    let wait = #"{"id": "w", "signal": {"name": "go", "accept": "$.signal.ok == true"}}"#
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a", retry), wait, members: #""timeout": "2d", "#), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    let engine = running.engine
    let all = try await engine.calls(of: id, step: nil, after: 0, limit: 1_000)
    #expect(all.calls.compactMap(\.attempt) == Array(1...110))
    let snapshot = try await eventualValue("a snapshot is stored") { try await engine.host.history.snapshot(of: id) }
    let rest = all.calls.filter { $0.version > snapshot.version }
    #expect(!rest.isEmpty)
    #expect(try await engine.calls(of: id, step: nil, after: snapshot.version, limit: 1_000).calls == rest)
    await running.stop()
  }
}
