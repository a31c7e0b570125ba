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

@Suite("The engine runs children", .timeLimit(.minutes(15)), .inTurn)
struct ChildShellTests {
  static let child = #"{"id": "deliver", "workflow": {"name": "child", "input": {"run": "${input.run}"}}}"#

  static func workflow(_ name: String, _ steps: String..., members: String = "") -> [UInt8] {
    Array(#"{"name": "\#(name)", "version": 1, \#(members) "steps": [\#(steps.joined(separator: ","))]}"#.utf8)
  }

  /// Registers a parent `spec` and its child.
  private func register(_ engine: Engine, parent: [UInt8]? = nil, child: [UInt8]? = nil) async throws {
    let usual = Self.workflow("spec", Workflow.step("a"), Self.child, Workflow.step("z"))
    for content in [
      parent ?? usual,
      child ?? Self.workflow("child", Workflow.step("x"), members: #""output": {"run": "${input.run}"},"#),
    ] {
      _ = try await engine.register(content, by: "test")
    }
  }

  private func children(_ engine: Engine, of id: UniqueID) async throws -> [SagaRow] {
    try await engine.waitUntilListed()
    var query = SagaQuery()
    query.parent = id.description
    return try await engine.list(SagaListRequest(query, limit: 200)).sagas
  }

  private func types(_ engine: Engine, _ id: UniqueID) async throws -> [String] {
    try await engine.history(of: id, after: 0, limit: 200).map(\.type)
  }

  private func childID(_ state: SagaState, _ step: String = "deliver") throws -> UniqueID {
    try #require(state.step(step)?.child?.saga)
  }

  private static let input: JSON = ["run": "R7"]
  private static let refusal = StepFailure(code: "QC_FAILED", message: "The concentration is too low.")

  private static func failing(_ step: String) -> ScriptedExecutor.Script {
    { call in call.step == step && call.phase == .forward ? .failed(refusal) : .succeeded(["ok": true]) }
  }

  // MARK: Forward

  @Test("A parent waits for its child and gets its output, and each names the other")
  func completes() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let engine = running.engine
    try await register(engine)
    let id = try await running.start(input: Self.input).id
    let state = try await running.end(of: id)
    #expect(state.status == .completed && state.step("deliver")?.output == ["run": "R7"])
    let childID = try childID(state)
    let child = try await engine.saga(childID).state
    #expect(child.status == .completed && child.start.by == "test" && child.start.from == "saga \(id)")
    #expect(child.start.parent == ParentLink(saga: id, step: "deliver", key: "\(id)/deliver/1", depth: 1))
    #expect(
      try await types(engine, id) == [
        "sagaStarted", "attemptStarted", "stepSucceeded", "attemptStarted", "childStarted", "stepSucceeded",
        "attemptStarted", "stepSucceeded", "sagaCompleted",
      ])
    #expect(try await children(engine, of: id).map(\.id) == [childID])
    #expect(try await engine.saga(id).children == [childID: ChildNow(status: .completed)])
    let starts = try await eventualValue("the start is among the acts") {
      let acts = try await engine.audit(AuditFilter(), after: nil, limit: 10).entries.filter { $0.kind == .start }
      return acts.isEmpty ? nil : acts
    }
    #expect(starts.map(\.saga) == [id], "the engine started the child, not a person")
    await running.stop()
  }

  @Test("A child that turns back fails its step cleanly, with the child's code")
  func fails() async throws {
    let executor = ScriptedExecutor(Self.failing("x"))
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    try await register(running.engine)
    let state = try await running.end(of: try await running.start(input: Self.input).id)
    #expect(state.status == .compensated && state.turnBack?.value.code == "QC_FAILED")
    #expect(state.step("deliver")?.outcome == .failed)
    #expect(executor.keys == ["a/1", "x/1", "a/1/undo"])
    await running.stop()
  }

  @Test("A workflow that isn't registered, and an input that doesn't meet its schema, fail the step")
  func refused() async throws {
    for (child, code) in [
      (nil, EngineErrorCode.workflowNotFound),
      (
        Self.workflow("child", Workflow.step("x"), members: #""inputSchema": {"required": ["tube"]},"#),
        EngineErrorCode.inputInvalid
      ),
    ] as [([UInt8]?, String)] {
      let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
      _ = try await running.engine.register(Self.workflow("spec", Self.child), by: "test")
      if let child { _ = try await running.engine.register(child, by: "test") }
      let id = try await running.start(input: Self.input).id
      let state = try await running.end(of: id)
      #expect(state.status == .compensated && state.step("deliver")?.failure?.code == code)
      #expect(try await children(running.engine, of: id).isEmpty)
      await running.stop()
    }
  }

  @Test("A workflow that starts itself ends at the deepest child, and every saga above turns back")
  func startsItself() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let parent = Self.workflow("spec", #"{"id": "again", "workflow": {"name": "spec"}}"#)
    _ = try await running.engine.register(parent, by: "test")
    let id = try await running.start().id
    let state = try await running.end(of: id)
    #expect(state.status == .compensated && state.turnBack?.value.code == EngineErrorCode.childTooDeep)
    try await running.engine.waitUntilListed()
    #expect(try await running.engine.counts()[.compensated] == 1 + ParentLink.deepest)
    await running.stop()
  }

  @Test("A child is found by its key, and a key that is taken fails the step")
  func key() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system, shardCount: 16), ScriptedExecutor())
    let step = #"{"id": "deliver", "workflow": {"name": "child", "key": "run ${input.run}"}}"#
    try await register(
      running.engine, parent: Self.workflow("spec", step), child: Self.workflow("child", Workflow.step("x")))
    let first = try await running.end(of: try await running.start(input: Self.input).id)
    #expect(first.status == .completed)
    #expect(try await running.engine.saga(of: "child", startedBy: "run R7") == childID(first))
    let second = try await running.end(of: try await running.start(input: Self.input).id)
    #expect(second.status == .compensated && second.turnBack?.value.code == EngineErrorCode.sagaStartKeyReused)
    await running.stop()
  }

  // MARK: Back

  @Test("A completed child opens again with its parent's undo: lists, waits, snapshots and open sagas follow")
  func reopens() async throws {
    let store = MemoryStore(environment: .system)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { call in
      if call.step == "x", call.phase == .undo { for await _ in gate { break } }
      return await Self.failing("z")(call)
    }
    let running = try await RunningEngine(store, executor)
    let engine = running.engine
    try await register(engine)
    let id = try await running.start(input: Self.input).id
    await executor.waitForCalls(4)
    let childID = try childID(try await engine.saga(id).state)
    // Its undo is under way.
    let open1 = try await engine.saga(childID).state
    #expect(open1.status == .compensating && open1.end == nil && open1.turnBack?.value.cause == .parent)
    let row = try #require(try await children(engine, of: id).first)
    #expect(row.status == "compensating" && row.endedAt == nil)
    #expect(try await engine.counts()[.completed] == 0)
    let rows = try await store.openStreams(shard: nil, after: nil, limit: 9)
    #expect(rows.first { $0.stream == childID }?.asleep == false, "a start of the engine takes it up")
    #expect(try await engine.waitForEnd(of: childID, atMost: .milliseconds(1)).state.end == nil, "its end is to come")
    #expect(try SagaState(snapshotText: open1.snapshotText) == open1)
    let parent = try await engine.saga(id)
    #expect(parent.state.step("deliver")?.status == .undoing)
    let why = Explanation(parent.state, parent.definition, now: .init(milliseconds: 0), children: parent.children)
    #expect(why.sentence.contains("its child saga \(childID) turns back, which is compensating"))
    open.yield()
    #expect(try await running.end(of: id).status == .compensated)
    #expect(
      try await types(engine, childID) == [
        "sagaStarted", "attemptStarted", "stepSucceeded", "sagaCompleted", "sagaReopened", "attemptStarted",
        "undoSucceeded", "sagaCompensated",
      ])
    var followed: [String] = []
    for try await event in engine.follow(childID, after: 0) { followed.append(event.typeName) }
    #expect(followed.count == 8 && followed.last == "sagaCompensated", "the first end is not the last event")
    #expect(executor.keys == ["a/1", "x/1", "z/1", "x/1/undo", "a/1/undo"])
    #expect(try await children(engine, of: id).first?.endedAt != nil)
    #expect(try await engine.counts()[.compensated] == 2)
    #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)
    #expect(try await store.verify(childID) == .intact(version: 8))
    #expect(try await engine.timeline(of: childID).spans.map(\.phase) == [.forward, .undo])
    await running.stop()
  }

  @Test("A cancelled parent turns its running child back before its own steps")
  func cancels() async throws {
    let executor = ScriptedExecutor()
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    let wait = #"{"id": "go", "signal": {"name": "go"}}"#
    try await register(running.engine, child: Self.workflow("child", Workflow.step("x"), wait))
    let id = try await running.start(input: Self.input).id
    let waiting = try await running.engine.state(of: id, when: "it waits") { $0.step("deliver")?.awaitedChild != nil }
    let childID = try childID(waiting)
    try await running.engine.wait(for: childID, step: "go", toBe: .waiting)
    _ = try await running.engine.cancel(id, by: "mia", reason: "wrong tube")
    #expect(try await running.end(of: id).status == .compensated)
    let child = try await running.engine.saga(childID).state
    #expect(child.status == .compensated && child.turnBack?.value.cause == .parent)
    #expect(executor.keys == ["a/1", "x/1", "x/1/undo", "a/1/undo"])
    await running.stop()
  }

  @Test("A child that has passed its pivot is not undone, and its parent waits for an operator")
  func pivotPassed() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(Self.failing("z")))
    let pivot = Workflow.step("x", #""pivot": true"#)
    try await register(running.engine, child: Self.workflow("child", pivot))
    let id = try await running.start(input: Self.input).id
    try await running.engine.wait(for: id, toBe: .stuck)
    let state = try await running.engine.saga(id).state
    #expect(state.blockers.map(\.failure.code) == [EngineErrorCode.childPivotPassed])
    #expect(try await running.engine.saga(childID(state)).state.status == .completed)
    await running.stop()
  }

  // MARK: Restarts

  @Test("A waiting parent leaves memory, and a start of the engine finds the child that has ended without it")
  func sleeps() async throws {
    let store = MemoryStore(environment: .system)
    let wait = #"{"id": "go", "signal": {"name": "go"}}"#
    let first = try await RunningEngine(store, ScriptedExecutor())
    let parent = Self.workflow("spec", Self.child, members: #""timeout": "2d","#)
    try await register(first.engine, parent: parent, child: Self.workflow("child", wait, members: #""timeout": "2d","#))
    let id = try await first.start(input: Self.input).id
    let waiting = try await first.engine.state(of: id, when: "it waits") { $0.step("deliver")?.awaitedChild != nil }
    let childID = try childID(waiting)
    try await first.engine.waitUntilAllAsleep()
    let rows = try await store.openStreams(shard: nil, after: nil, limit: 9)
    #expect(rows.first { $0.stream == id }?.asleep == false, "the next start looks at its child")
    #expect(rows.first { $0.stream == childID }?.asleep == true)
    await first.stop()

    let second = try await RunningEngine(store, ScriptedExecutor())
    try await second.engine.waitUntilAllAsleep()
    let why = try await second.engine.saga(id)
    let sentence = Explanation(why.state, why.definition, now: .init(milliseconds: 0), children: why.children).sentence
    #expect(sentence.contains("waits at step deliver for its child saga \(childID) (child), which is running"))
    _ = try await second.engine.signal(childID, name: "go", body: [:], signalID: nil, by: "mia")
    #expect(try await second.end(of: id).status == .completed)
    await second.stop()
  }

  /// A participant that remembers which keys have an effect.
  private final class Lab: Sendable {
    private let keys = Mutex<Set<String>>([])

    func take(_ call: StepCall) -> StepOutcome {
      keys.withLock { keys in
        if let forward = call.compensates {
          _ = keys.remove(forward)
        } else {
          _ = keys.insert(call.idempotencyKey)
        }
      }
      return .succeeded(["ok": true])
    }

    /// The keys without the sagas' ids.
    var done: Set<String> { keys.withLock { Set($0.map { String($0.dropFirst(37)) }) } }
  }

  static let boundaries: [(appends: Int, takesLast: Bool)] = (1...12).flatMap { [($0, true), ($0, false)] }

  @Test(
    "After a crash at any append, parent and child end together, and there is one child", arguments: boundaries,
    [true, false])
  func everyBoundary(boundary: (appends: Int, takesLast: Bool), succeeds: Bool) async throws {
    let store = MemoryStore(environment: .system)
    let lab = Lab()
    let script: ScriptedExecutor.Script = { call in
      if !succeeds, call.step == "z", call.phase == .forward { return .failed(Self.refusal) }
      return lab.take(call)
    }
    let mortal = MortalStore(store, appends: boundary.appends, takesLast: boundary.takesLast)
    let dying = try await RunningEngine(mortal, ScriptedExecutor(script), drainTime: .zero)
    try await register(dying.engine)
    if let id = try? await dying.start(input: Self.input, key: "k").id {
      try await eventually("the process has died, or the saga is over") {
        if mortal.isDead { return true }
        return try await dying.engine.saga(id).state.end != nil
      }
    }
    await dying.stop()

    let living = try await RunningEngine(store, ScriptedExecutor(script))
    let id = try await living.start(input: Self.input, key: "k").id
    let state = try await living.end(of: id)
    #expect(state.status == (succeeds ? .completed : .compensated))
    #expect(lab.done == (succeeds ? ["a/1", "x/1", "z/1"] : []))
    let children = try await children(living.engine, of: id)
    #expect(children.map(\.status) == [succeeds ? "completed" : "compensated"])
    #expect(try await store.verify(id) == .intact(version: state.version))
    #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)
    await living.stop()
  }

  @Test(
    "A child that ended while its parent's report was lost is found when the parent comes back",
    arguments: [true, false])
  func lostReport(childFirst: Bool) async throws {
    let store = MemoryStore(environment: .system)
    let wait = #"{"id": "go", "signal": {"name": "go"}}"#
    let first = try await RunningEngine(store, ScriptedExecutor())
    try await register(
      first.engine, parent: Self.workflow("spec", Self.child), child: Self.workflow("child", wait))
    let id = try await first.start(input: Self.input).id
    let waiting = try await first.engine.state(of: id, when: "it waits") { $0.step("deliver")?.awaitedChild != nil }
    let childID = try childID(waiting)
    try await first.engine.waitUntilAllAsleep()
    await first.stop()

    // The next process dies between the two appends: the child's end is written, and the parent's answer is not.
    let mortal = MortalStore(store, appends: childFirst ? 2 : 1, takesLast: !childFirst)
    let dying = try await RunningEngine(mortal, ScriptedExecutor(), drainTime: .zero)
    _ = try? await dying.engine.signal(childID, name: "go", body: [:], signalID: nil, by: "mia")
    try await dying.engine.waitUntilAllAsleep()
    await dying.stop()
    #expect(try await store.read(childID, after: 0, limit: 9).last?.type == "sagaCompleted")
    #expect(try await store.read(id, after: 0, limit: 9).last?.type == "childStarted")

    let living = try await RunningEngine(store, ScriptedExecutor())
    #expect(try await living.end(of: id).status == .completed)
    await living.stop()
  }

  @Test(
    "A child that the engine does not read may be there, so its parent waits for an operator and is not undone around it"
  )
  func held() async throws {
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { call in
      if call.step == "a", call.phase == .forward { for await _ in gate { break } }
      return .succeeded(["ok": true])
    }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    let host = running.engine.host
    try await register(running.engine)
    let id = try await running.start(input: Self.input).id
    await executor.waitForCalls()
    let child = ChildID.of("\(id)/deliver/1", parent: id, startKey: nil, in: host.events)
    await host.held.hold(
      HeldSaga(id: child, since: host.environment.now(), isPaused: false))
    open.yield()
    try await running.engine.wait(for: id, toBe: .stuck)
    let state = try await running.engine.saga(id).state
    #expect(state.turnBack?.value.code == EngineErrorCode.sagaHeld)
    #expect(state.blockers.map(\.step) == ["deliver"])
    #expect(state.blockers.map(\.failure.code) == [EngineErrorCode.sagaHeld])
    #expect(executor.keys == ["a/1"], "a is undone only after the child")
    await running.stop()
  }

  // MARK: A plate

  /// Counts what is under way at the same time.
  private final class Gauge: Sendable {
    private let state = Mutex((now: 0, most: 0))
    /// Returns how many are inside now.
    @discardableResult func enter() -> Int {
      state.withLock { state in
        state = (state.now + 1, max(state.most, state.now + 1))
        return state.now
      }
    }

    func leave() { state.withLock { $0.now -= 1 } }
    var most: Int { state.withLock { $0.most } }
  }

  private static let wells: JSON = ["wells": .array((0..<96).map { .string("W\($0)") })]

  private func registerPlate(_ engine: Engine) async throws {
    let wells = #"""
      {"id": "wells", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well}", "maxParallel": 8, "toleratedFailures": "10%"},
       "workflow": {"name": "child", "input": {"well": "${well}"}}}
      """#
    let measure = #"""
      {"id": "measure", "http": {"service": "lab", "method": "PUT", "path": "/wells/${input.well}"}, "retry": {"maxAttempts": 1},
       "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/wells/${input.well}"}}}
      """#
    try await register(
      engine, parent: Self.workflow("spec", wells, Workflow.step("after")), child: Self.workflow("child", measure))
  }

  private static func well(of call: StepCall) -> String {
    guard case .http(let http) = call.action else { return "" }
    return String(http.path.dropFirst("/wells/".count))
  }

  @Test("A plate of 96 children: five fail, an operator retries three, and the parent goes on")
  func plate() async throws {
    let failing = Mutex<Set<String>>(["W0", "W1", "W2", "W3", "W4"])
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let gauge = Gauge()
    let executor = ScriptedExecutor { call in
      let well = Self.well(of: call)
      gauge.enter()
      defer { gauge.leave() }
      if well == "W95" { for await _ in gate { break } }
      return failing.withLock { $0.contains(well) } ? .failed(Self.refusal) : .succeeded(.null)
    }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    let engine = running.engine
    try await registerPlate(engine)
    let id = try await running.start(input: Self.wells).id
    try await engine.state(of: id, when: "all wells but one are over") { state in
      state.items(of: "wells").map { $0.count(of: .succeeded) == 90 && $0.failures == 5 } ?? false
    }
    failing.withLock { $0 = ["W3", "W4"] }
    for well in ["W0", "W1", "W2"] {
      _ = try await engine.operate(
        id, OperatorRequest(.retry(step: "wells[\(well)]"), by: OperatorAct(by: "mia", reason: "pipetted again")))
    }
    try await engine.state(of: id, when: "the retried wells are done") { state in
      state.items(of: "wells").map { $0.count(of: .succeeded) == 93 } ?? false
    }
    open.yield()
    let state = try await running.end(of: id)
    let items = try #require(state.items(of: "wells"))
    #expect(state.status == .completed && items.count(of: .succeeded) == 94 && items.failures == 2)
    #expect(gauge.most <= 8)
    let all = try await children(engine, of: id)
    #expect(all.count == 99, "each retried well has a second child")
    #expect(all.count { $0.status == "completed" } == 94 && all.count { $0.status == "compensated" } == 5)
    await running.stop()
  }

  @Test("When a step behind a plate fails, its 96 children are undone, eight at a time")
  func plateUndone() async throws {
    let gauge = Gauge()
    let (begun, gate) = (Told<String>(), Once<Void>())
    let executor = ScriptedExecutor { call in
      if call.phase == .undo {
        gauge.enter()
        begun.add(call.idempotencyKey)
        await gate.value()
        gauge.leave()
      }
      return await Self.failing("after")(call)
    }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    try await registerPlate(running.engine)
    let id = try await running.start(input: Self.wells).id
    await begun.wait(for: 8)
    #expect(try await running.engine.saga(id).state.items(of: "wells")?.count(of: .undoing) == 8)
    gate.give()
    #expect(try await running.end(of: id).status == .compensated)
    let all = try await children(running.engine, of: id)
    #expect(all.count == 96 && all.allSatisfy { $0.status == "compensated" })
    #expect(executor.calls.count { $0.phase == .undo } == 96 && gauge.most == 8)
    await running.stop()
  }
}
