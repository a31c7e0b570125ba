import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import HTTPSteps
@testable import SagaCore
@testable import WorkflowEngine

@Suite("A store that is unavailable for a while", .timeLimit(.minutes(15)), .inTurn)
struct TroubleTests {
  @Test("A timer that is due during the outage fires after it")
  func timer() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MoodyStore(MemoryStore(environment: environment))
    let running = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await running.engine.register(
      Workflow.of(#"{"id": "d", "delay": {"for": "2h"}}"#, members: #""timeout": "1d","#), by: "test")
    let id = try await running.start().id
    let due = clock.now() + .seconds(7_200)
    try await running.engine.waitUntilAsleep(id)
    await clock.waitForSleepers { $0.contains(due) }

    store.refuseReads(1)
    clock.advance(to: due)
    // Not lost, but set again a second later.
    await clock.waitForSleepers { $0.contains(due + .seconds(1)) }
    #expect(store.refusedReads == 1)
    clock.advance(by: .seconds(1))
    #expect(try await running.end(of: id).status == .completed)
    await running.stop()
  }

  @Test("A signal that the store did not take is withdrawn: its caller gets the error, and it never takes effect")
  func withdrawn() async throws {
    let store = MoodyStore(MemoryStore(environment: .system))
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b")), by: "test")
    let id = try await running.start().id
    let before = try await running.engine.saga(id).state.version
    store.withdrawAppends(1)
    let error = await #expect(throws: StoreError.self) {
      try await running.engine.signal(id, name: "go", body: 1, signalID: nil, by: "qa")
    }
    #expect(error?.kind == .unavailable)
    let reason = OperatorAct(by: "qa", reason: "a look at what was stored", from: nil, commandID: nil)
    let after = try await running.engine.operate(id, OperatorRequest(.pause, by: reason))
    #expect(after.signals.isEmpty && after.version == before + 1, "nothing but the pause was stored")
    await running.stop()
  }

  @Test("A start that the store did not take never takes effect, with and without a key", arguments: [nil, "k"])
  func withdrawnStart(key: String?) async throws {
    let memory = MemoryStore(environment: .system)
    let store = MoodyStore(memory)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    store.withdrawAppends(1)
    let request = StartRequest(workflow: "spec", input: .null, idempotencyKey: key, by: "qa")
    let error = await #expect(throws: StoreError.self) { try await running.engine.start(request) }
    #expect(error?.kind == .unavailable)
    try await running.engine.waitUntilAllAsleep()
    let started = try await running.engine.start(request)
    #expect(started.isNew)
    #expect(try await memory.openStreams(shard: nil, after: nil, limit: 10).map(\.stream) == [started.id])
    await running.stop()
  }

  @Test("A start whose answer was lost has an unknown outcome that names the saga")
  func unknownStart() async throws {
    let store = MoodyStore(MemoryStore(environment: .system))
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    store.refuseAppends(1)
    let error = await #expect(throws: OutcomeUnknown.self) {
      try await running.engine.start(StartRequest(workflow: "spec", input: .null, by: "qa"))
    }
    let id = try #require(error?.saga)
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    await running.stop()
  }

  @Test("While the store can't write, the engine keeps its own events and withdraws a caller's")
  func mixed() async throws {
    let store = MoodyStore(MemoryStore(environment: .system))
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { _ in
      for await _ in gate { break }
      return .succeeded(.null)
    }
    let running = try await RunningEngine(store, executor)
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a"), #"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    await executor.waitForCalls()
    store.withdrawAppends(.max)
    open.yield()
    for _ in 0..<20 {
      let error = await #expect(throws: StoreError.self) {
        try await running.engine.operate(
          id, OperatorRequest(.pause, by: OperatorAct(by: "qa", reason: "now", from: nil, commandID: nil)))
      }
      #expect(error?.kind == .unavailable)
    }
    store.withdrawAppends(0)
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    #expect(executor.calls.count == 1, "the outcome was not lost, and the call was not made again")
    #expect(try await !running.engine.saga(id).state.isPaused)
    await running.stop()
  }

  @Test("An append whose answer was lost is repeated under its id; the caller gets an unknown outcome")
  func append() async throws {
    let store = MoodyStore(MemoryStore(environment: .system))
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b")), by: "test")
    let id = try await running.start().id
    store.refuseAppends(1)
    let error = await #expect(throws: StoreError.self) {
      try await running.engine.signal(id, name: "go", body: 1, signalID: nil, by: "qa")
    }
    #expect(error?.kind == .outcomeUnknown)
    // The signal was not lost with the answer: it is stored, and once only.
    let state = try await running.end(of: id)
    #expect(state.status == .completed && state.signals.count == 1)
    #expect(try await store.verify(id) == .intact(version: state.version))
    await running.stop()
  }

  @Test("An attempt of an earlier process is settled and not sent again, also when another writer is met first")
  func anotherWriter() async throws {
    let memory = MemoryStore(environment: .system)
    let dying = try await RunningEngine(
      MortalStore(memory, appends: 1, takesLast: true), ScriptedExecutor(), drainTime: .zero)
    _ = try await dying.engine.register(Workflow.of(Workflow.step("a")), by: "test")
    await #expect(throws: StoreError.self) { try await dying.start(key: "k") }
    await dying.stop()

    let event = SagaEvent(
      at: Timestamp(milliseconds: 0),
      AnswerIgnored(
        step: "a", phase: .forward, attempt: 1,
        answer: IgnoredAnswer(round: 1, id: "x", outcome: "succeeded", code: nil, why: .late)))
    let store = MeddledStore(memory, with: NewEvent(type: event.typeName, data: event.data.bytes()))
    let executor = ScriptedExecutor()
    let living = try await RunningEngine(store, executor)
    let id = try await living.start(key: "k").id
    #expect(try await living.end(of: id).status == .completed)
    #expect(executor.calls.map(\.attempt) == [2], "attempt 1 was sent before the process died, or may have been")
    await living.stop()
  }

  @Test("An outcome that came before the engine stopped is stored before the store is closed")
  func drainWaitsForTheStore() async throws {
    let memory = MemoryStore(environment: .system)
    let store = MoodyStore(memory)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { call in
      for await _ in gate { break }
      return .succeeded(.null)
    }
    let running = try await RunningEngine(store, executor, drainTime: .seconds(600))
    _ = try await running.engine.register(Workflow.of(Workflow.step("a", #""retry": {"maxAttempts": 1}"#)), by: "test")
    let id = try await running.start().id
    await executor.waitForCalls()
    store.refuseAppends(2)
    async let stopped: Void = running.stop()
    try await running.engine.waitUntilDraining()
    open.yield()
    await stopped
    #expect(try await memory.read(id, after: 0, limit: 9).last?.type == "stepSucceeded")
  }
}

@Suite("The gate before a service", .timeLimit(.minutes(15)), .inTurn)
struct ServiceGateTests {
  @Test("The gate admits a limited number of calls in order; a call that waits too long leaves and uses no place")
  func gate() async {
    let clock = FakeClock()
    let gate = ServiceGate(limit: 1)
    #expect(await gate.enter(within: .seconds(1), clock: clock))
    let impatient = Task { await gate.enter(within: .seconds(1), clock: clock) }
    await clock.waitForSleepers { $0.count == 1 }
    clock.advance(by: .seconds(1))
    #expect(await impatient.value == false)
    gate.leave()
    #expect(await gate.enter(within: .seconds(1), clock: clock), "the place was not lost")
    let patient = Task { await gate.enter(within: .seconds(60), clock: clock) }
    await clock.waitForSleepers { $0.count == 1 }
    gate.leave()
    #expect(await patient.value)
  }
}
