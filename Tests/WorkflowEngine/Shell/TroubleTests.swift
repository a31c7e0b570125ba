import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Workflows

@testable import WorkflowEngine

@Suite("A store that is out of reach for a while")
struct TroubleTests {
  @Test("A timer that meets it fires all the same, once it is back")
  func timer() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MoodyStore(MemoryStore(environment: environment))
    let running = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await running.engine.register(
      Workflow.of(#"{"id": "d", "delay": {"for": "2h"}}"#, members: #""timeout": "1d","#), by: "test")
    let id = try await running.start().id
    let due = clock.now() + .seconds(7_200)
    while running.engine.host.isInMemory(id) { await Task.yield() }
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

  @Test("An append is repeated under its id until it is taken; who waits is told, and who asks meanwhile too")
  func append() async throws {
    let store = MoodyStore(MemoryStore(environment: .system))
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b")), by: "test")
    let id = try await running.start().id
    store.refuseAppends(3)
    let error = await #expect(throws: StoreError.self) {
      try await running.engine.signal(id, name: "go", body: 1, signalID: nil, by: "qa")
    }
    #expect(error?.kind == .unavailable)
    // The signal was not lost with the answer: it is stored once the store is back, and once only.
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
      .answerIgnored(
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

  @Test("What came back before the engine stopped is stored before the store is closed")
  func drainWaitsForTheStore() async throws {
    let memory = MemoryStore(environment: .system)
    let store = MoodyStore(memory)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { call in
      for await _ in gate { break }
      return .succeeded(.null)
    }
    let running = try await RunningEngine(store, executor)
    _ = try await running.engine.register(Workflow.of(Workflow.step("a", #""retry": {"maxAttempts": 1}"#)), by: "test")
    let id = try await running.start().id
    while executor.calls.isEmpty { await Task.yield() }
    store.refuseAppends(2)
    async let stopped: Void = running.stop()
    while !running.engine.host.isHolding { await Task.yield() }
    open.yield()
    await stopped
    #expect(try await memory.read(id, after: 0, limit: 9).last?.type == "stepSucceeded")
  }
}

@Suite("The gate before a service")
struct ServiceGateTests {
  @Test("So many at once, first come first served; who waits too long goes without a place, and takes none along")
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
