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

/// Undos that wait for a signal or for a child, over restarts and crashes on every store.
@Suite("The engine waits for undos", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct UndoShellTests {
  private static let refusal = StepFailure(code: "QC_FAILED", message: "The volume is too low.")

  private static let binned = #"""
    {"id": "b", "http": {"service": "lab", "method": "PUT", "path": "/b"}, \#(Workflow.quick),
     "compensation": {"signal": {"name": "binned"}}}
    """#
  private static let pool = #"""
    {"id": "pool", "http": {"service": "lab", "method": "PUT", "path": "/pool"}, \#(Workflow.quick),
     "compensation": {"workflow": {"name": "unpool"}, \#(Workflow.quick)}}
    """#
  private static let unpool = Array(
    #"{"name": "unpool", "version": 1, "steps": [\#(Workflow.step("x"))]}"#.utf8)

  /// Fails the last step, so that the saga turns back.
  private static let script: ScriptedExecutor.Script = { call in
    call.step == "z" && call.phase == .forward ? .failed(refusal) : .succeeded(["ok": true])
  }

  private func children(_ engine: Engine, of id: UniqueID) async throws -> [SagaRow] {
    try await engine.waitUntilListed()
    var query = SagaQuery()
    query.parent = id.description
    return try await engine.list(SagaListRequest(query, limit: 200)).sagas
  }

  private func binned(_ engine: Engine, _ id: UniqueID, _ key: String = "s1") async throws -> SignalAnswer {
    try await engine.signal(id, name: "binned", body: [:], signalID: key, by: "anna")
  }

  static let boundaries: [(appends: Int, takesLast: Bool)] = (1...11).flatMap { [($0, true), ($0, false)] }

  // MARK: Signals

  @Test("A saga sleeps while its undo waits, lists say for what, and the signal wakes it after a restart")
  func sleeps() async throws {
    let store = MemoryStore(environment: .system)
    let first = try await RunningEngine(store, ScriptedExecutor(Self.script))
    _ = try await first.engine.register(Workflow.of(Workflow.step("a"), Self.binned, Workflow.step("z")), by: "test")
    let id = try await first.start().id
    try await first.engine.state(of: id, when: "the undo waits") { $0.step("b")?.undoWait != nil }
    try await first.engine.waitUntilAllAsleep()
    try await first.engine.waitUntilListed()
    let row = try #require(try await first.engine.list(SagaListRequest(SagaQuery(), limit: 9)).sagas.first)
    #expect(row.waitingFor == ["binned"] && row.status == "compensating")
    await first.stop()

    let executor = ScriptedExecutor(Self.script)
    let second = try await RunningEngine(store, executor)
    let answer = try await binned(second.engine, id)
    #expect(answer.word == .taken && answer.step == "b" && !answer.isRepeat)
    #expect(try await second.end(of: id).status == .compensated)
    #expect(executor.keys == ["a/1/undo"])
    #expect(try await binned(second.engine, id).isRepeat)
    let acts = try await eventualValue("the signal is among the acts") {
      let acts = try await second.engine.audit(AuditFilter(), after: nil, limit: 10).entries.filter {
        $0.kind == .signal
      }
      return acts.isEmpty ? nil : acts
    }
    #expect(acts.map(\.step) == ["b"] && acts.map(\.actor) == ["anna"])
    await second.stop()
  }

  @Test(
    "After a crash at any append one signal confirms the undo, once", arguments: EngineStoreKind.tested, boundaries)
  func signalAfterCrash(kind: EngineStoreKind, boundary: (appends: Int, takesLast: Bool)) async throws {
    try await EngineStores.run(kind) { stores in
      let before = try await stores.open()
      let mortal = MortalStore(before, appends: boundary.appends, takesLast: boundary.takesLast)
      let dying = try await RunningEngine(mortal, ScriptedExecutor(Self.script), drainTime: .zero)
      let workflow = Workflow.of(Workflow.step("a"), Self.binned, Workflow.step("z"))
      _ = try await dying.engine.register(workflow, by: "test")
      if let id = try? await dying.start(key: "k").id {
        try await eventually("the process has died, or the saga is over") {
          if mortal.isDead { return true }
          let state = try await dying.engine.saga(id).state
          // A signal that can't be stored is sent again.
          if state.step("b")?.undoWait != nil { _ = try? await binned(dying.engine, id) }
          return state.end != nil
        }
      }
      await dying.stop()
      await stores.close(before)

      let store = try await stores.open()
      let executor = ScriptedExecutor(Self.script)
      let living = try await RunningEngine(store, executor)
      let id = try await living.start(key: "k").id
      try await living.engine.state(of: id, when: "the undo waits, or is over") {
        $0.step("b")?.undoWait != nil || $0.step("b")?.status == .undone
      }
      _ = try await binned(living.engine, id)
      let state = try await living.end(of: id)
      #expect(state.status == .compensated && state.signals.count == 1)
      #expect(executor.calls.allSatisfy { $0.step != "b" || $0.phase == .forward }, "no call undoes the step")
      #expect(try await store.verify(id) == .intact(version: state.version))
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)
      await living.stop()
      await stores.close(store)
    }
  }

  // MARK: Children

  @Test("An undo starts a child that its parent names, and waits for it")
  func child() async throws {
    let executor = ScriptedExecutor(Self.script)
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    let engine = running.engine
    for content in [Workflow.of(Workflow.step("a"), Self.pool, Workflow.step("z")), Self.unpool] {
      _ = try await engine.register(content, by: "test")
    }
    let id = try await running.start().id
    let state = try await running.end(of: id)
    #expect(state.status == .compensated && state.step("pool")?.status == .undone && state.step("pool")?.child == nil)
    let link = try #require(state.step("pool")?.undoChild)
    let child = try await engine.saga(link.saga).state
    #expect(child.start.parent == ParentLink(saga: id, step: "pool", key: "\(id)/pool/1/undo", depth: 1))
    #expect(child.status == .completed && child.start.parent?.phase == .undo)
    #expect(executor.keys == ["a/1", "pool/1", "z/1", "x/1", "a/1/undo"])
    #expect(try await children(engine, of: id).map(\.id) == [link.saga])
    #expect(try await engine.saga(id).children == [link.saga: ChildNow(status: .completed)])
    await running.stop()
  }

  @Test("A child that is compensated is followed by another one, and nothing of the first remains")
  func another() async throws {
    let failures = Mutex(1)
    let script: ScriptedExecutor.Script = { call in
      if call.step == "x", call.phase == .forward,
        failures.withLock({
          $0 -= 1
          return $0 >= 0
        })
      {
        return .failed(Self.refusal)
      }
      return await Self.script(call)
    }
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(script))
    for content in [Workflow.of(Self.pool, Workflow.step("z")), Self.unpool] {
      _ = try await running.engine.register(content, by: "test")
    }
    let id = try await running.start().id
    let state = try await running.end(of: id)
    #expect(state.status == .compensated && state.step("pool")?.undo.count == 2)
    #expect(try await Set(children(running.engine, of: id).map(\.status)) == ["compensated", "completed"])
    await running.stop()
  }

  @Test("An abandoned child leaves its parent stuck, and a retry finds the same child")
  func abandoned() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(Self.script))
    let engine = running.engine
    let wait = #"{"id": "go", "signal": {"name": "go"}, "timeout": "1ms", "onFailure": "stuck"}"#
    let unpool = Array(#"{"name": "unpool", "version": 1, "steps": [\#(wait)]}"#.utf8)
    for content in [Workflow.of(Self.pool, Workflow.step("z")), unpool] {
      _ = try await engine.register(content, by: "test")
    }
    let id = try await running.start().id
    let waiting = try await engine.state(of: id, when: "the undo waits") { $0.step("pool")?.awaitedUndoChild != nil }
    let child = try #require(waiting.step("pool")?.undoChild?.saga)
    try await engine.wait(for: child, toBe: .stuck)
    let act = OperatorAct(by: "mia", reason: "done by hand")
    _ = try await engine.operate(child, OperatorRequest(.abandon, by: act))
    try await engine.wait(for: id, toBe: .stuck)
    #expect(try await engine.saga(id).state.step("pool")?.undoUnknown == true)
    _ = try await engine.operate(id, OperatorRequest(.retry(step: "pool"), by: act))
    let again = try await engine.state(of: id, when: "it is stuck again") {
      $0.status == .stuck && $0.step("pool")?.undo.count == 2
    }
    #expect(again.step("pool")?.undoChild?.saga == child)
    _ = try await engine.operate(id, OperatorRequest(.resolve(step: "pool", .undone), by: act))
    #expect(try await running.end(of: id).status == .compensated)
    #expect(try await children(engine, of: id).map(\.status) == ["abandoned"])
    await running.stop()
  }

  @Test(
    "After a crash at any append the undo has started one child, and ends with it", arguments: EngineStoreKind.tested,
    boundaries)
  func childAfterCrash(kind: EngineStoreKind, boundary: (appends: Int, takesLast: Bool)) async throws {
    try await EngineStores.run(kind) { stores in
      let before = try await stores.open()
      let mortal = MortalStore(before, appends: boundary.appends, takesLast: boundary.takesLast)
      let dying = try await RunningEngine(mortal, ScriptedExecutor(Self.script), drainTime: .zero)
      for content in [Workflow.of(Workflow.step("a"), Self.pool, Workflow.step("z")), Self.unpool] {
        _ = try await dying.engine.register(content, by: "test")
      }
      if let id = try? await dying.start(key: "k").id {
        try await eventually("the process has died, or the saga is over") {
          if mortal.isDead { return true }
          return try await dying.engine.saga(id).state.end != nil
        }
      }
      await dying.stop()
      await stores.close(before)

      let store = try await stores.open()
      let living = try await RunningEngine(store, ScriptedExecutor(Self.script))
      let id = try await living.start(key: "k").id
      let state = try await living.end(of: id)
      #expect(state.status == .compensated && state.step("pool")?.status == .undone)
      #expect(try await children(living.engine, of: id).map(\.status) == ["completed"])
      #expect(try await store.verify(id) == .intact(version: state.version))
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)
      await living.stop()
      await stores.close(store)
    }
  }
}
