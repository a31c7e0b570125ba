import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Crashes", .timeLimit(.minutes(15)), .inTurn)
struct CrashTests {
  /// Which keys the participants have made true: an effect is made once however often its key comes.
  final class Participants: Sendable {
    private let state = Mutex<(made: [String: Int], undone: [String: Int])>(([:], [:]))

    func take(_ call: StepCall) -> StepOutcome {
      state.withLock { state in
        if let forward = call.compensates {
          state.undone[forward] = 1
        } else if state.made[call.idempotencyKey] == nil {
          state.made[call.idempotencyKey] = 1
        }
      }
      return .succeeded(["ok": true])
    }
    /// The effects that are made and not undone.
    var standing: Set<String> {
      state.withLock { state in Set(state.made.keys.filter { state.undone[$0] == nil }.map { String($0.dropFirst(37)) })
      }
    }
  }

  static let boundaries: [(appends: Int, takesLast: Bool)] = (1...9).flatMap { [($0, true), ($0, false)] }

  @Test(
    "After a crash at any append a saga continues where its history ends, and nothing is lost or left behind",
    arguments: boundaries, [true, false])
  func everyBoundary(boundary: (appends: Int, takesLast: Bool), succeeds: Bool) async throws {
    let store = MemoryStore(environment: .system)
    let participants = Participants()
    let script: ScriptedExecutor.Script = { call in
      if !succeeds, call.step == "c", call.phase == .forward { return .failed(StepFailure(code: "NO", message: "no")) }
      return participants.take(call)
    }
    let definition = Workflow.of(Workflow.step("a"), Workflow.step("b"), Workflow.step("c"))

    let mortal = MortalStore(store, appends: boundary.appends, takesLast: boundary.takesLast)
    let dying = try await RunningEngine(mortal, ScriptedExecutor(script), drainTime: .zero)
    _ = try await dying.engine.register(definition, by: "test")
    let id = try? await dying.start(key: "k").id
    if let id { try await dying.engine.waitUntilAsleep(id) }
    await dying.stop()

    // The LIMS, which got no answer or lost it, asks again with its key.
    let living = try await RunningEngine(store, ScriptedExecutor(script))
    let started = try await living.start(key: "k")
    if let id { #expect(started.id == id, "the key gives the same saga") }
    let state = try await living.end(of: started.id)
    #expect(state.status == (succeeds ? .completed : .compensated))
    #expect(participants.standing == (succeeds ? ["a/1", "b/1", "c/1"] : []))
    #expect(try await store.verify(started.id) == .intact(version: state.version))
    await living.stop()
  }

  @Test("A drain records the outcomes of attempts under way, and starts nothing new")
  func drain() async throws {
    let store = MemoryStore(environment: .system)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { call in
      if call.step == "a" { for await _ in gate { break } }
      return .succeeded(.null)
    }
    let first = try await RunningEngine(store, executor)
    _ = try await first.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    let id = try await first.start().id
    await executor.waitForCalls()
    async let stopped: Void = first.stop()
    try await first.engine.waitUntilDraining()
    open.yield()
    await stopped
    #expect(executor.keys == ["a/1"])
    #expect(try await store.read(id, after: 0, limit: 10).map(\.type).last == "stepSucceeded")

    let second = try await RunningEngine(store, ScriptedExecutor())
    #expect(try await second.end(of: id).status == .completed)
    await second.stop()
  }
}
