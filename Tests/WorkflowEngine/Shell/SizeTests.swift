import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Limits on the size of a saga's events", .timeLimit(.minutes(15)), .inTurn)
struct SizeTests {
  static func text(_ mebibytes: Int) -> JSON { text(kibibytes: mebibytes << 10) }
  static func text(kibibytes: Int) -> JSON { .string(String(repeating: "x", count: kibibytes << 10)) }

  /// Limits at a scale that a busy machine writes quickly.
  static var small: SagaSizes {
    var sizes = SagaSizes()
    sizes.mostEvent = 128 << 10
    sizes.mostKept = 256 << 10
    return sizes
  }

  @Test("the limits are 24 MiB for an event and 64 MiB for a saga")
  func limits() {
    #expect(SagaSizes().mostEvent == 24 << 20)
    #expect(SagaSizes().mostKept == 64 << 20)
  }

  @Test("a signal that is too large for an event is refused, and nothing of it is stored")
  func event() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(), sizes: Self.small)
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    let refusal = await #expect(throws: Refusal.self) {
      try await running.engine.signal(id, name: "go", body: Self.text(kibibytes: 129), signalID: nil, by: "qa")
    }
    #expect(refusal?.code == EngineErrorCode.eventTooLarge)
    #expect(try await running.engine.history(of: id, after: 0, limit: 10).count == 2)
    await running.stop()
  }

  @Test("an answer beyond what a saga may keep succeeds without an output")
  func kept() async throws {
    let steps = (0..<4).map { Workflow.step("s\($0)", "\"retry\": {\"maxAttempts\": 1}") }
    let executor = ScriptedExecutor { call in
      call.phase == .forward ? .succeeded(Self.text(kibibytes: 80)) : .succeeded(.null)
    }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor, sizes: Self.small)
    _ = try await running.engine.register(Workflow.of(steps[0], steps[1], steps[2], steps[3]), by: "test")
    let state = try await running.end(of: try await running.start().id)
    #expect(state.status == .completed, "the status of an answer says that the step happened")
    #expect(state.step("s2")?.outputProblem == nil)
    #expect(state.step("s3")?.outputProblem?.code == EngineErrorCode.sagaTooLarge)
    await running.stop()
  }

  @Test("a page of large events is cut")
  func pages() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let steps = (0..<3).map { #"{"id": "w\#($0)", "signal": {"name": "g\#($0)"}}"# }
    _ = try await running.engine.register(Workflow.of(steps[0], steps[1], steps[2]), by: "test")
    let id = try await running.start().id
    for number in 0..<3 {
      _ = try await running.engine.signal(id, name: "g\(number)", body: Self.text(6), signalID: nil, by: "qa")
    }
    _ = try await running.end(of: id)
    let events = try await running.engine.host.events.read(id, after: 0, limit: 100)
    #expect(try await running.engine.history(of: id, after: 0, limit: 1_000).count <= events.count)
    await running.stop()
  }
}
