import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("A pause survives a restart of the engine, and its clocks stop", .timeLimit(.minutes(15)), .inTurn)
struct PauseShellTests {
  private func operate(_ engine: Engine, _ id: UniqueID, _ verb: OperatorVerb) async throws -> SagaState {
    try await engine.operate(
      id, OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "defrosting", from: "cli 127.0.0.1")))
  }

  @Test("A paused saga starts nothing over a restart days later, and its delay has all its time left")
  func restart() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    let executor = ScriptedExecutor()
    let first = try await RunningEngine(store, executor, environment: environment)
    _ = try await first.engine.register(
      Workflow.of(#"{"id": "d", "delay": {"for": "2m"}}"#, Workflow.step("a")), by: "test")
    let id = try await first.start().id
    let began = clock.now()
    await clock.waitForSleepers { $0.contains(began + .seconds(120)) }
    _ = try await operate(first.engine, id, .pause)
    await first.stop()

    clock.advance(by: .seconds(7 * 86_400))
    let second = try await RunningEngine(store, executor, environment: environment)
    let paused = try await second.engine.saga(id).state
    #expect(paused.isPaused && paused.status == .running && paused.turnBack == nil)
    #expect(executor.calls.isEmpty)
    clock.advance(by: .seconds(3_600))
    let resumedAt = clock.now()
    let resumed = try await operate(second.engine, id, .resume)
    #expect(resumed.step("d")?.wait?.until == resumedAt + .seconds(120))
    #expect(resumed.deadline == resumedAt + .seconds(300))
    await clock.waitForSleepers { $0.contains(resumedAt + .seconds(120)) }
    #expect(executor.calls.isEmpty)
    clock.advance(by: .seconds(120))
    try await second.engine.wait(for: id, toBe: .completed)
    #expect(executor.keys == ["a/1"])
    await second.stop()
  }

  @Test("A rewind over the engine makes its calls under new keys")
  func rewind() async throws {
    let store = MemoryStore(environment: .system)
    let executor = ScriptedExecutor()
    let running = try await RunningEngine(store, executor)
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a"), Workflow.step("b"), #"{"id": "s", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, step: "s", toBe: .waiting)
    _ = try await operate(running.engine, id, .rewind(step: "b"))
    try await running.engine.state(of: id, when: "step b is in round 2") { $0.step("b")?.round == 2 }
    try await running.engine.wait(for: id, step: "s", toBe: .waiting)
    _ = try await running.engine.signal(id, name: "go", body: .null, signalID: nil, by: "mia")
    #expect(try await running.end(of: id).status == .completed)
    #expect(executor.keys == ["a/1", "b/1", "b/1/undo", "b/2"])
    let types = try await running.engine.history(of: id, after: 0, limit: 100).map(\.type)
    #expect(types.contains("rewindStarted") && types.contains("rewindFinished"))
    await running.stop()
  }
}
