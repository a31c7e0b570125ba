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

@Suite("The engine", .timeLimit(.minutes(15)), .inTurn)
struct EngineTests {
  @Test("A saga runs to its end, and its history is in the store, chained and in order")
  func completes() async throws {
    let store = MemoryStore(environment: .system)
    let executor = ScriptedExecutor()
    let running = try await RunningEngine(store, executor)
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    let started = try await running.start()
    let state = try await running.end(of: started.id)
    #expect(state.status == .completed)
    #expect(executor.keys == ["a/1", "b/1"])
    let history = try await running.engine.history(of: started.id, after: 0, limit: 100)
    #expect(
      history.map(\.type) == [
        "sagaStarted", "attemptStarted", "stepSucceeded", "attemptStarted", "stepSucceeded", "sagaCompleted",
      ])
    #expect(try await store.verify(started.id) == .intact(version: 6))
    #expect(try await store.openStreams(shard: nil, after: nil, limit: 10).isEmpty)
    await running.stop()
    #expect(running.engine.host.countInMemory == 0)
  }

  @Test("A second start with the same key starts nothing; with other input it is refused")
  func startKey() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(Workflow.step("a")), by: "test")
    let ids = try await withThrowingTaskGroup(of: Started.self) { group in
      for _ in 0..<20 { group.addTask { try await running.start(input: ["n": 1], key: "k") } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(Set(ids.map(\.id)).count == 1)
    #expect(ids.filter(\.isNew).count == 1)
    let error = await #expect(throws: EngineError.self) { try await running.start(input: ["n": 2], key: "k") }
    #expect(error?.code == EngineErrorCode.sagaStartKeyReused)
    await running.stop()
  }

  @Test("A saga with nothing to do leaves memory, and comes back for a signal")
  func sleepsAndWakes() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b")), by: "test")
    let started = try await running.start()
    let asleep = try await store.openStreams(shard: nil, after: nil, limit: 10)
    #expect(asleep.map(\.asleep) == [true])
    try await running.engine.waitUntilAllAsleep()
    let taken = try await running.engine.signal(started.id, name: "go", body: 1, signalID: "s-1", by: "qa")
    #expect(taken.word == .taken && taken.step == "w" && !taken.isRepeat)
    #expect(try await running.end(of: started.id).status == .completed)
    let again = try await running.engine.signal(started.id, name: "go", body: 1, signalID: "s-1", by: "qa")
    #expect(again.word == .taken && again.step == "w" && again.isRepeat)
    await running.stop()
  }

  @Test("A delay ends after a restart when it is due, and not before")
  func durableTime() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    let first = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await first.engine.register(
      Workflow.of(#"{"id": "d", "delay": {"for": "2h"}}"#, Workflow.step("b"), members: #""timeout": "1d","#),
      by: "test")
    let started = try await first.start()
    await first.stop()

    let second = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    let due = clock.now() + .seconds(7_200)
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(by: .milliseconds(7_199_999))
    #expect(try await second.engine.saga(started.id).state.step("d")?.status == .waiting)
    clock.advance(by: .milliseconds(1))
    #expect(try await second.end(of: started.id).status == .completed)
    await second.stop()
  }

  @Test("The list has all sagas by status and workflow, newest first, in pages")
  func list() async throws {
    let running = try await RunningEngine(
      MemoryStore(environment: .system),
      ScriptedExecutor { call in
        call.phase == .forward && call.step == "b"
          ? .failed(StepFailure(code: "NO", message: "no")) : .succeeded(.null)
      })
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    var ids: [UniqueID] = []
    for _ in 0..<5 {
      let id = try await running.start().id
      _ = try await running.end(of: id)
      ids.append(id)
    }
    func request(_ status: SagaStatus, after: SagaCursor? = nil) -> SagaListRequest {
      var query = SagaQuery()
      query.statuses = [status.rawValue]
      return SagaListRequest(query, after: after, limit: 3)
    }
    try await running.engine.waitUntilListed()
    let page = try await running.engine.list(request(.compensated))
    #expect(page.sagas.map(\.id) == ids.sorted().reversed().prefix(3).map { $0 })
    #expect(page.sagas.first?.failedStep == "b" && page.sagas.first?.failureCode == "NO")
    let rest = try await running.engine.list(request(.compensated, after: page.next))
    #expect(rest.sagas.count == 2 && rest.next == nil)
    #expect(try await running.engine.list(request(.running)).sagas.isEmpty)
    await running.stop()
  }

  @Test(
    "A workflow with errors, or with other content under its version, is refused; the same content is accepted")
  func registering() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let broken = await #expect(throws: EngineError.self) {
      try await running.engine.register(Array(#"{"name": "x", "version": 0, "stepps": []}"#.utf8), by: "test")
    }
    #expect(broken?.code == EngineErrorCode.workflowInvalid && (broken?.findings.count ?? 0) >= 2)
    #expect(try await running.engine.register(Workflow.of(Workflow.step("a")), by: "test").isNew)
    #expect(try await !running.engine.register(Workflow.of(Workflow.step("a")), by: "test").isNew)
    let other = await #expect(throws: EngineError.self) {
      try await running.engine.register(Workflow.of(Workflow.step("b")), by: "test")
    }
    #expect(other?.code == EngineErrorCode.workflowConflict)
    await running.stop()
  }

  @Test("A fold from a snapshot gives the same state as all events; a damaged snapshot is ignored")
  func snapshots() async throws {
    let store = MemoryStore(environment: .system)
    let executor = ScriptedExecutor { call in
      call.attempt <= 150
        ? .unknown(StepFailure(code: "LOST", message: "lost", isRetryable: true))
        : .succeeded(["n": .int(call.attempt)])
    }
    let running = try await RunningEngine(store, executor)
    let retry = #""retry": {"maxAttempts": 1000, "initialInterval": "1ms", "maxInterval": "1ms"}"#
    _ = try await running.engine.register(Workflow.of(Workflow.step("a", retry)), by: "test")
    let id = try await running.start().id
    let end = try await running.end(of: id)
    await running.stop()
    #expect(end.status == .completed && end.version > 300)

    let snapshot = try #require(try await store.snapshot(of: id))
    #expect((200..<end.version).contains(snapshot.version))
    var events: [SagaEvent] = []
    for stored in try await store.read(id, after: 0, limit: 1_000) { events.append(try SagaEventCoding.decode(stored)) }
    let folded = try SagaState(folding: events)
    #expect(try await running.engine.host.load(id).state == folded)
    #expect(try await running.engine.host.load(id).eventsSinceSnapshot == end.version - snapshot.version)

    try await store.save(Snapshot(stream: id, version: end.version, data: Array(#"{"schema": 1}"#.utf8)))
    #expect(try await running.engine.host.load(id).state == folded)
  }

  @Test("A stuck saga continues after an operator's verb")
  func stuck() async throws {
    let refuses = Mutex(true)
    let running = try await RunningEngine(
      MemoryStore(environment: .system),
      ScriptedExecutor { call in
        switch (call.phase, call.step) {
        case (.forward, "b"): .failed(StepFailure(code: "NO", message: "no"))
        case (.undo, "a") where refuses.withLock { $0 }: .failed(StepFailure(code: "FREEZER", message: "locked"))
        default: .succeeded(.null)
        }
      })
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, toBe: .stuck)
    refuses.withLock { $0 = false }
    _ = try await running.engine.operate(
      id, OperatorRequest(.retry(step: "a"), by: OperatorAct(by: "mia", reason: "freezer was opened")))
    #expect(try await running.end(of: id).status == .compensated)
    await running.stop()
  }
}
