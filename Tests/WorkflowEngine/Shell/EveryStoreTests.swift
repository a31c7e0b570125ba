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

/// What the engine promises of turns, children and tasks over a restart holds on every store. Each restart opens the store
/// again, except the one in memory.
@Suite("Turns, children and tasks on every store", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct EveryStoreTests {
  private static let refusal = StepFailure(code: "QC_FAILED", message: "The concentration is too low.")
  private static let act = OperatorAct(by: "mia", reason: "filled again")

  /// A participant that remembers which keys have an effect.
  private final class Lab: Sendable {
    private let keys = Mutex<[String: Bool]>([:])
    private let undos = Told<String>()
    private let gate = Once<Void>()

    /// - Parameter holdsUndos: whether undos wait until `openGate`.
    init(holdsUndos: Bool = false) { if !holdsUndos { gate.give() } }

    func take(_ call: StepCall) async -> StepOutcome {
      keys.withLock { keys in
        if let forward = call.compensates {
          if keys[forward] != nil { keys[forward] = false }
        } else {
          keys[call.idempotencyKey] = true
        }
      }
      if call.phase == .undo {
        undos.add(call.idempotencyKey)
        await gate.value()
      }
      return .succeeded(["ok": true])
    }

    func waitForUndos(_ count: Int) async { await undos.wait(for: count) }
    func openGate() { gate.give() }

    /// The keys whose effect is there, without the sagas' ids.
    var done: [String] {
      keys.withLock { $0.filter { $0.value }.map { String($0.key.dropFirst(37)) }.sorted() }
    }
    /// The number of keys that came, whether undone or not.
    var count: Int { keys.withLock { $0.count } }
  }

  private static func workflow(_ name: String, _ steps: String..., members: String = "") -> [UInt8] {
    Array(#"{"name": "\#(name)", "version": 1, \#(members) "steps": [\#(steps.joined(separator: ","))]}"#.utf8)
  }

  private func children(_ engine: Engine, of id: UniqueID) async throws -> [SagaRow] {
    try await engine.waitUntilListed()
    var query = SagaQuery()
    query.parent = id.description
    return try await engine.list(SagaListRequest(query, limit: 200)).sagas
  }

  /// The places at which a process dies. Half of the sagas complete, half turn back.
  static let boundaries: [(appends: Int, takesLast: Bool)] = (1...12).flatMap { [($0, true), ($0, false)] }

  // MARK: Turns

  private static let turn = #""concurrency": {"key": "HiSeq-1"}"#

  @Test("After a restart the holder holds, and the waiters come in their order", arguments: EngineStoreKind.tested)
  func turns(kind: EngineStoreKind) async throws {
    try await EngineStores.run(kind) { stores in
      var store = try await stores.open()
      var running = try await RunningEngine(store, ScriptedExecutor(), drainTime: .zero)
      let waiting = #"{"id": "s", "signal": {"name": "go"}, \#(Self.turn)}"#
      _ = try await running.engine.register(
        Self.workflow("spec", waiting, members: #""timeout": "1h","#), by: "test")
      for number in 0..<6 {
        _ = try await running.start()
        try await eventually("the table knows \(number + 1)") {
          running.engine.turnCounts == TurnCounts(keys: 1, held: 1, waiting: number)
        }
      }
      let line = try #require(running.engine.turns(of: "HiSeq-1"))
      let order = (line.holders + line.waiters).map(\.saga)
      #expect(line.holders.count == 1 && Set(order).count == 6)
      #expect(line.waiters.map(\.askedAt) == line.waiters.map(\.askedAt).sorted())
      for (number, id) in order.enumerated() {
        try await running.engine.state(of: id, when: "its turn has come") { $0.step("s")?.wait != nil }
        await running.stop()
        await stores.close(store)
        store = try await stores.open()
        running = try await RunningEngine(store, ScriptedExecutor(), drainTime: .zero)
        let now = try #require(running.engine.turns(of: "HiSeq-1"))
        #expect(now.holders.map(\.saga) == [id] && now.holders.first?.takenAt != nil)
        #expect(now.waiters.map(\.saga) == Array(order.dropFirst(number + 1)))
        _ = try await running.engine.signal(id, name: "go", body: .null, signalID: nil, by: "mia")
        #expect(try await running.end(of: id).status == .completed)
      }
      #expect(running.engine.turnCounts == TurnCounts(keys: 0, held: 0, waiting: 0))
      await running.stop()
      await stores.close(store)
    }
  }

  /// The times during which a saga held its turns, by its history.
  private func turns(of id: UniqueID, _ engine: Engine) async throws -> [ClosedRange<Timestamp>] {
    var (turns, taken): ([ClosedRange<Timestamp>], Timestamp?) = ([], nil)
    for event in try await engine.events(of: id, after: 0, limit: 1_000) {
      switch event.what {
      case is TurnTaken:
        #expect(taken == nil)
        taken = event.at
      case is TurnReleased, is SagaCompleted, is SagaCompensated:
        if let from = taken { turns.append(from...event.at) }
        taken = nil
      default: break
      }
    }
    #expect(taken == nil, "saga \(id) has ended and holds its turn")
    return turns
  }

  @Test(
    "After a crash at any append no turn is held twice or lost", arguments: EngineStoreKind.tested, boundaries)
  func turnsAfterCrash(kind: EngineStoreKind, boundary: (appends: Int, takesLast: Bool)) async throws {
    let succeeds = boundary.appends.isMultiple(of: 2)
    let script: ScriptedExecutor.Script = { call in
      if !succeeds, call.step == "b", call.phase == .forward { return .failed(Self.refusal) }
      return .succeeded(.null)
    }
    try await EngineStores.run(kind) { stores in
      let before = try await stores.open()
      let mortal = MortalStore(before, appends: boundary.appends, takesLast: boundary.takesLast)
      let dying = try await RunningEngine(mortal, ScriptedExecutor(script), drainTime: .zero)
      let steps = ["a", "b"].map { Workflow.step($0, Workflow.quick + ", " + Self.turn) }
      _ = try await dying.engine.register(Workflow.of(steps[0], steps[1]), by: "test")
      for number in 0..<3 { _ = try? await dying.start(key: "k\(number)") }
      try await dying.engine.waitUntilAllAsleep()
      await dying.stop()
      await stores.close(before)

      let store = try await stores.open()
      let living = try await RunningEngine(store, ScriptedExecutor(script))
      var held: [ClosedRange<Timestamp>] = []
      for number in 0..<3 {
        let id = try await living.start(key: "k\(number)").id
        #expect(try await living.end(of: id).status == (succeeds ? .completed : .compensated))
      }
      for number in 0..<3 { held += try await turns(of: try await living.start(key: "k\(number)").id, living.engine) }
      // Each saga took a turn for each step, and one for the undo of the first.
      #expect(held.count >= 6)
      held.sort { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }
      for (earlier, later) in zip(held, held.dropFirst()) {
        #expect(earlier.upperBound <= later.lowerBound, "two sagas held the turn at once")
      }
      try await eventually("all turns are free") {
        living.engine.turnCounts == TurnCounts(keys: 0, held: 0, waiting: 0)
      }
      await living.stop()
      await stores.close(store)
    }
  }

  // MARK: Children

  @Test(
    "After a crash at any append, parent and child end together, and there is one child",
    arguments: EngineStoreKind.tested, boundaries)
  func childAfterCrash(kind: EngineStoreKind, boundary: (appends: Int, takesLast: Bool)) async throws {
    let succeeds = boundary.appends.isMultiple(of: 2)
    let lab = Lab()
    let script: ScriptedExecutor.Script = { call in
      if !succeeds, call.step == "z", call.phase == .forward { return .failed(Self.refusal) }
      return await lab.take(call)
    }
    try await EngineStores.run(kind) { stores in
      let before = try await stores.open()
      let mortal = MortalStore(before, appends: boundary.appends, takesLast: boundary.takesLast)
      let dying = try await RunningEngine(mortal, ScriptedExecutor(script), drainTime: .zero)
      let child = #"{"id": "deliver", "workflow": {"name": "child"}}"#
      for content in [
        Self.workflow("spec", Workflow.step("a"), child, Workflow.step("z")),
        Self.workflow("child", Workflow.step("x")),
      ] {
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
      let living = try await RunningEngine(store, ScriptedExecutor(script))
      let id = try await living.start(key: "k").id
      let state = try await living.end(of: id)
      #expect(state.status == (succeeds ? .completed : .compensated))
      #expect(lab.done == (succeeds ? ["a/1", "x/1", "z/1"] : []))
      #expect(try await children(living.engine, of: id).map(\.status) == [succeeds ? "completed" : "compensated"])
      #expect(try await store.verify(id) == .intact(version: state.version))
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)
      await living.stop()
      await stores.close(store)
    }
  }

  private static let wells = (0..<24).map { "W\($0)" }

  /// Registers a parent of 24 wells, of which two may fail.
  private func registerPlate(_ engine: Engine) async throws {
    let wells = #"""
      {"id": "wells", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well}", "maxParallel": 4, "toleratedFailures": "10%"},
       "workflow": {"name": "child", "input": {"well": "${well}"}}}
      """#
    let measure = #"""
      {"id": "measure", "http": {"service": "lab", "method": "PUT", "path": "/wells/${input.well}"}, \#(Workflow.quick),
       "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/wells/${input.well}"}, \#(Workflow.quick)}}
      """#
    let wait = #"{"id": "look", "when": "$.input.well == 'W23'", "signal": {"name": "seen"}}"#
    for content in [
      Self.workflow("spec", wells, Workflow.step("after"), members: #""timeout": "2h","#),
      Self.workflow("child", measure, wait, members: #""timeout": "1h","#),
    ] {
      _ = try await engine.register(content, by: "test")
    }
  }

  private static func well(of call: StepCall) -> String {
    guard case .http(let http) = call.action, http.path.hasPrefix("/wells/") else { return "" }
    return String(http.path.dropFirst("/wells/".count))
  }

  @Test(
    "A plate goes on over a restart: wells fail, an operator retries one, and all are undone when a later step fails",
    arguments: EngineStoreKind.tested, [true, false])
  func plate(kind: EngineStoreKind, succeeds: Bool) async throws {
    let lab = Lab(holdsUndos: true)
    let failing = Mutex<Set<String>>(["W0", "W1"])
    let script: ScriptedExecutor.Script = { call in
      if call.phase == .forward, failing.withLock({ $0.contains(Self.well(of: call)) }) { return .failed(Self.refusal) }
      if !succeeds, call.step == "after", call.phase == .forward { return .failed(Self.refusal) }
      return await lab.take(call)
    }
    try await EngineStores.run(kind) { stores in
      let before = try await stores.open()
      let first = try await RunningEngine(before, ScriptedExecutor(script), drainTime: .zero)
      try await registerPlate(first.engine)
      let id = try await first.start(input: ["wells": .array(Self.wells.map { .string($0) })], key: "plate").id
      try await first.engine.state(of: id, when: "some wells are done") { state in
        state.items(of: "wells").map { $0.count(of: .succeeded) >= 5 && $0.failures == 2 } ?? false
      }
      await first.stop()
      await stores.close(before)

      let store = try await stores.open()
      let second = try await RunningEngine(store, ScriptedExecutor(script))
      try await second.engine.state(of: id, when: "all wells but the last are over") { state in
        state.items(of: "wells").map { $0.count(of: .succeeded) == 21 && $0.failures == 2 } ?? false
      }
      failing.withLock { $0 = ["W1"] }
      _ = try await second.engine.operate(id, OperatorRequest(.retry(step: "wells[W0]"), by: Self.act))
      try await second.engine.state(of: id, when: "the retried well is done") { state in
        state.items(of: "wells").map { $0.count(of: .succeeded) == 22 && $0.failures == 1 } ?? false
      }
      let open = try await children(second.engine, of: id).filter { $0.endedAt == nil }
      let last = try #require(open.first, "the last well waits for a person")
      #expect(open.count == 1)
      _ = try await second.engine.signal(last.id, name: "seen", body: .null, signalID: nil, by: "mia")
      if !succeeds {
        await lab.waitForUndos(4)
        let undoing = try await second.engine.saga(id).state.items(of: "wells")?.count(of: .undoing)
        #expect(undoing == 4, "as many as maxParallel says")
        lab.openGate()
      }
      #expect(try await second.end(of: id).status == (succeeds ? .completed : .compensated))

      let all = try await children(second.engine, of: id)
      #expect(all.count == 25, "the retried well has a second child")
      #expect(all.count { $0.status == "completed" } == (succeeds ? 23 : 0))
      #expect(all.count { $0.status == "compensated" } == (succeeds ? 2 : 25))
      // Each of the 23 wells that did not fail in the end was measured once. A failed step after them adds no effect.
      #expect(lab.count == (succeeds ? 24 : 23))
      #expect(lab.done.count == (succeeds ? 24 : 0))
      await second.stop()
      await stores.close(store)
    }
  }

  // MARK: Tasks

  @Test(
    "A lease outlives a restart, no other worker gets the task, and its end is stored once",
    arguments: EngineStoreKind.tested)
  func lease(kind: EngineStoreKind) async throws {
    try await EngineStores.run(kind) { stores in
      let before = try await stores.open()
      let first = try await RunningEngine(before, ScriptedExecutor(), drainTime: .zero)
      let load = #"""
        {"id": "load", "task": {"queue": "robot", "heartbeatTimeout": "10m"}, "timeout": "30m", "compensation": "none"}
        """#
      _ = try await first.engine.register(Self.workflow("spec", load, members: #""timeout": "1h","#), by: "test")
      let id = try await first.start().id
      let poll = TaskPoll(queue: "robot", worker: "robot-1", wait: .seconds(60))
      let given = try #require(try await first.engine.poll(poll).first)
      await first.stop()
      await stores.close(before)

      let store = try await stores.open()
      let second = try await RunningEngine(store, ScriptedExecutor())
      #expect(try await second.engine.poll(TaskPoll(queue: "robot", worker: "robot-2")).isEmpty)
      let listed = try #require(second.engine.tasks(of: "robot", limit: 10).tasks.first)
      #expect(listed.id == given.id && listed.status == .taken && listed.worker == "robot-1")
      await #expect(throws: Refusal.self) {
        try await second.engine.answer(given.id, lease: "another", .succeeded(.null))
      }
      for _ in 0..<2 { try await second.engine.answer(given.id, lease: given.lease, .succeeded(["run": 7])) }
      let state = try await second.end(of: id)
      #expect(state.status == .completed && state.step("load")?.output == ["run": 7])
      #expect(
        try await second.engine.history(of: id, after: 0, limit: 100).map(\.type) == [
          "sagaStarted", "attemptStarted", "taskTaken", "stepSucceeded", "sagaCompleted",
        ])
      await second.stop()
      await stores.close(store)
    }
  }
}
