import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import TestSupport
import Testing
import Values

@testable import WorkflowEngine

@Suite("An attempt that an answer has settled before it was sent", .timeLimit(.minutes(15)), .inTurn)
struct SupersededAttemptTests {
  /// An executor whose second attempt of step `a` waits for its turn to be sent, until it is cancelled.
  private final class WaitingExecutor: StepExecutor {
    private let list = Mutex<[String]>([])
    let waits: AsyncStream<Void>
    private let waiting: AsyncStream<Void>.Continuation

    init() { (waits, waiting) = AsyncStream.makeStream(of: Void.self) }

    var notes: [String] { list.withLock { $0 } }
    private func note(_ text: String) { list.withLock { $0.append(text) } }

    func perform(_ call: StepCall) async -> StepOutcome {
      switch (call.step, call.phase, call.attempt) {
      case ("a", .forward, 1):
        return .unknown(StepFailure(code: "lost", message: "No answer came in time.", isRetryable: true))
      case ("a", .forward, 2):
        waiting.yield()
        let (never, _) = AsyncStream.makeStream(of: Void.self)
        for await _ in never {}
        note("a 2 was not sent")
        return .notSent(StepFailure(code: "busy", message: "It was cancelled before it was sent.", isRetryable: true))
      case ("a", .undo, _): note("a was undone")
      case ("b", _, _): return .failed(StepFailure(code: "QC", message: "no"))
      default: break
      }
      return .succeeded(.null)
    }
  }

  @Test("It is never sent after the undo of its step")
  func notSentAfterUndo() async throws {
    let executor = WaitingExecutor()
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    let id = try await running.start().id
    for await _ in executor.waits { break }
    // A participant answers the first attempt late.
    _ = try await running.engine.answer(
      id,
      StepAnswer(step: "a", phase: .forward, round: 1, attempt: 1, id: "m-1", content: .settled(.succeeded(.null))))
    #expect(try await running.end(of: id).status == .compensated)
    #expect(executor.notes == ["a 2 was not sent", "a was undone"])
    await running.stop()
  }
}
