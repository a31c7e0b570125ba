import Foundation
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

@Suite("The engine gives turns", .timeLimit(.minutes(15)), .inTurn)
struct TurnShellTests {
  private static func turn(_ limit: Int = 1) -> String { #""concurrency": {"key": "HiSeq-1", "limit": \#(limit)}"# }

  private static func step(_ id: String = "a", limit: Int = 1) -> String {
    Workflow.step(id, Workflow.quick + ", " + turn(limit))
  }

  /// A saga that holds its turn while it waits for a signal.
  private static let waiting = #"{"id": "s", "signal": {"name": "go"}, \#(turn())}"#

  /// An instrument that counts how many calls are with it at once. The first call waits until the gate opens.
  private final class Instrument: Sendable {
    private let state = Mutex<(now: Int, most: Int)>((0, 0))
    private let gate = Once<Void>()

    var most: Int { state.withLock { $0.most } }
    func open() { gate.give() }

    var script: ScriptedExecutor.Script {
      { [self] _ in
        state.withLock { state in
          state.now += 1
          state.most = max(state.most, state.now)
        }
        await gate.value()
        state.withLock { $0.now -= 1 }
        return .succeeded(.null)
      }
    }
  }

  /// One turn in a history: when it was asked for, taken and free again.
  private struct Held {
    let saga: UniqueID
    let askedAt: Timestamp
    let takenAt: Timestamp
    let freeAt: Timestamp
  }

  private func held(_ ids: [UniqueID], _ engine: Engine) async throws -> [Held] {
    var all: [Held] = []
    for id in ids {
      var asked: [String?: Timestamp] = [:]
      var taken: [String?: Timestamp] = [:]
      for event in try await engine.events(of: id, after: 0, limit: 1_000) {
        func free(_ step: String?) throws {
          guard let from = taken.removeValue(forKey: step) else { return }
          all.append(Held(saga: id, askedAt: try #require(asked[step]), takenAt: from, freeAt: event.at))
        }
        switch event.what {
        case let turn as TurnAsked: asked[turn.step] = event.at
        case let turn as TurnTaken: taken[turn.step] = event.at
        case let turn as TurnReleased: try free(turn.step)
        case is SagaCompleted, is SagaCompensated, is SagaAbandoned: for step in taken.keys { try free(step) }
        default: break
        }
      }
    }
    return all
  }

  private func mostAtOnce(_ all: [Held]) -> Int {
    all.indices.map { one in
      1
        + all.indices.count { other in
          other != one && all[other].takenAt <= all[one].takenAt && all[other].freeAt > all[one].takenAt
        }
    }.max() ?? 0
  }

  /// Starts sagas of `waiting` one after the other. The first one holds the turn, and waits for its signal.
  private func startInOrder(_ count: Int, _ running: RunningEngine, _ clock: FakeClock) async throws -> [UniqueID] {
    var ids: [UniqueID] = []
    for number in 0..<count {
      ids.append(try await running.start().id)
      try await eventually("the table knows \(number + 1)") {
        running.engine.turnCounts == TurnCounts(keys: 1, held: 1, waiting: number)
      }
      clock.advance(by: .seconds(1))
    }
    try await running.engine.state(of: ids[0], when: "it waits for its signal") { $0.step("s")?.wait != nil }
    return ids
  }

  private func isWaiting(_ engine: Engine, _ count: Int) async throws {
    try await eventually("\(count) wait") { engine.turnCounts.waiting == count }
  }

  @Test("A hundred sagas take the turns of one key in the order in which they asked")
  func fair() async throws {
    let instrument = Instrument()
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(instrument.script))
    _ = try await running.engine.register(Workflow.of(Self.step(), members: #""timeout": "1h","#), by: "test")
    var ids: [UniqueID] = []
    for _ in 0..<100 { ids.append(try await running.start().id) }
    try await isWaiting(running.engine, 99)
    instrument.open()
    for id in ids { #expect(try await running.end(of: id).status == .completed) }
    #expect(instrument.most == 1)
    let all = try await held(ids, running.engine)
    #expect(all.count == 100)
    #expect(mostAtOnce(all) == 1)
    let asked = all.sorted { ($0.askedAt, $0.saga) < ($1.askedAt, $1.saga) }.map(\.saga)
    let taken = all.sorted {
      ($0.takenAt, $0.freeAt, $0.askedAt, $0.saga) < ($1.takenAt, $1.freeAt, $1.askedAt, $1.saga)
    }
    // The first one asked when nothing was held.
    let first = try #require(taken.first?.saga)
    #expect(taken.dropFirst().map(\.saga) == asked.filter { $0 != first })
    #expect(running.engine.turnCounts == TurnCounts(keys: 0, held: 0, waiting: 0))
    await running.stop()
  }

  @Test("As many steps run at once as the limit says", arguments: [1, 3])
  func limits(limit: Int) async throws {
    let instrument = Instrument()
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(instrument.script))
    _ = try await running.engine.register(Workflow.of(Self.step(limit: limit)), by: "test")
    var ids: [UniqueID] = []
    for _ in 0..<8 { ids.append(try await running.start().id) }
    try await isWaiting(running.engine, 8 - limit)
    instrument.open()
    for id in ids { #expect(try await running.end(of: id).status == .completed) }
    #expect(instrument.most == limit)
    #expect(mostAtOnce(try await held(ids, running.engine)) == limit)
    await running.stop()
  }

  @Test("A saga with a turn of its own holds it from its start to its end")
  func ownTurn() async throws {
    let instrument = Instrument()
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(instrument.script))
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a"), Workflow.step("b"), members: Self.turn() + ","), by: "test")
    var ids: [UniqueID] = []
    for _ in 0..<3 { ids.append(try await running.start().id) }
    try await isWaiting(running.engine, 2)
    instrument.open()
    for id in ids { #expect(try await running.end(of: id).status == .completed) }
    #expect(instrument.most == 1)
    await running.stop()
  }

  @Test("A saga that holds its turn or waits for it leaves memory, and comes back for its turn")
  func sleeps() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(Self.waiting, members: #""timeout": "1h","#), by: "test")
    let holder = try await running.start().id
    try await running.engine.state(of: holder, when: "it waits for its signal") { $0.step("s")?.wait != nil }
    let waiter = try await running.start().id
    try await running.engine.waitUntilAllAsleep()
    #expect(running.engine.turnCounts == TurnCounts(keys: 1, held: 1, waiting: 1))
    _ = try await running.engine.signal(holder, name: "go", body: .null, signalID: nil, by: "mia")
    try await running.engine.state(of: waiter, when: "it waits for its signal") { $0.step("s")?.wait != nil }
    _ = try await running.engine.signal(waiter, name: "go", body: .null, signalID: nil, by: "mia")
    #expect(try await running.end(of: waiter).status == .completed)
    await running.stop()
  }

  @Test("The saga says who holds the turn, and how many wait before it")
  func shown() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), ScriptedExecutor(), environment: environment)
    _ = try await running.engine.register(Workflow.of(Self.waiting, members: #""timeout": "1h","#), by: "test")
    let ids = try await startInOrder(3, running, clock)
    let now = try await running.engine.saga(ids[2])
    let place = try #require(now.turns.first)
    #expect(place.ahead == 1 && place.held == 1 && place.holders.map(\.saga) == [ids[0]])
    let why = Explanation(now.state, now.definition, now: running.engine.host.environment.now(), turns: now.turns)
    #expect(why.kind == .queued && why.step == "s")
    #expect(why.sentence.contains("waits at step s for its turn: HiSeq-1, held by saga \(ids[0]), step s, since "))
    #expect(why.sentence.contains("; 1 before it"))
    #expect(running.engine.turns(of: "HiSeq-1")?.waiters.map(\.saga) == [ids[1], ids[2]])
    #expect(running.engine.turns(after: nil, limit: 10).map(\.key) == ["HiSeq-1"])
    await running.stop()
  }

  @Test("A cancelled holder frees its turn, and a cancelled waiter its place")
  func cancelled() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), ScriptedExecutor(), environment: environment)
    _ = try await running.engine.register(Workflow.of(Self.waiting, members: #""timeout": "1h","#), by: "test")
    let ids = try await startInOrder(3, running, clock)
    _ = try await running.engine.cancel(ids[1], by: "mia", reason: "no tube")
    try await isWaiting(running.engine, 1)
    _ = try await running.engine.cancel(ids[0], by: "mia", reason: "no tube")
    try await running.engine.state(of: ids[2], when: "its turn has come") { $0.step("s")?.wait != nil }
    await running.stop()
  }

  @Test("A paused waiter is passed over, and gets the next turn after it was resumed")
  func paused() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), ScriptedExecutor(), environment: environment)
    _ = try await running.engine.register(Workflow.of(Self.waiting, members: #""timeout": "1h","#), by: "test")
    let ids = try await startInOrder(3, running, clock)
    let act = OperatorAct(by: "mia", reason: "a look")
    _ = try await running.engine.operate(ids[1], OperatorRequest(.pause, by: act))
    try await running.engine.state(of: ids[0], when: "it waits for its signal") { $0.step("s")?.wait != nil }
    _ = try await running.engine.signal(ids[0], name: "go", body: .null, signalID: nil, by: "mia")
    try await running.engine.state(of: ids[2], when: "its turn has come") { $0.step("s")?.wait != nil }
    _ = try await running.engine.operate(ids[1], OperatorRequest(.resume, by: act))
    #expect(try await running.engine.saga(ids[1]).state.step("s")?.isQueued == true)
    _ = try await running.engine.signal(ids[2], name: "go", body: .null, signalID: nil, by: "mia")
    try await running.engine.state(of: ids[1], when: "its turn has come") { $0.step("s")?.wait != nil }
    await running.stop()
  }

  @Test("A waiter that can't be read is passed over when its turn comes, and keeps its place")
  func unreadable() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MoodyStore(MemoryStore(environment: environment))
    let running = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await running.engine.register(Workflow.of(Self.waiting, members: #""timeout": "1h","#), by: "test")
    let ids = try await startInOrder(3, running, clock)
    try await running.engine.waitUntilAllAsleep()
    store.garble(ids[1])
    _ = try await running.engine.signal(ids[0], name: "go", body: .null, signalID: nil, by: "mia")
    try await running.engine.state(of: ids[2], when: "its turn has come") { $0.step("s")?.wait != nil }
    let line = try #require(running.engine.turns(of: "HiSeq-1"))
    #expect(line.holders.map(\.saga) == [ids[2]])
    #expect(line.waiters.map(\.saga) == [ids[1]] && line.waiters.map(\.isPaused) == [true])
    await running.stop()
  }

  // MARK: Restarts

  enum StoreKind: String, CaseIterable { case memory, sqlite }

  private func open(_ kind: StoreKind, _ folder: URL, _ environment: Environment) async throws -> any EventStore {
    switch kind {
    case .memory: MemoryStore(environment: environment)
    case .sqlite: try await SQLiteStore.open(path: folder.appending(path: "engine.db").path, environment: environment)
    }
  }

  @Test("After a restart the holder still holds, and the waiters come in their order", arguments: StoreKind.allCases)
  func restart(kind: StoreKind) async throws {
    let folder = try TestFolder.new("turns")
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = try await open(kind, folder, environment)
    let first = try await RunningEngine(store, ScriptedExecutor(), environment: environment, drainTime: .zero)
    _ = try await first.engine.register(Workflow.of(Self.waiting, members: #""timeout": "1h","#), by: "test")
    let ids = try await startInOrder(4, first, clock)
    await first.stop()
    let second = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    #expect(second.engine.turns(of: "HiSeq-1")?.holders.map(\.saga) == [ids[0]])
    #expect(second.engine.turns(of: "HiSeq-1")?.waiters.map(\.saga) == Array(ids.dropFirst()))
    for id in ids {
      try await second.engine.state(of: id, when: "its turn has come") { $0.step("s")?.wait != nil }
      _ = try await second.engine.signal(id, name: "go", body: .null, signalID: nil, by: "mia")
      #expect(try await second.end(of: id).status == .completed)
    }
    #expect(mostAtOnce(try await held(ids, second.engine)) == 1)
    await second.stop()
    await store.close()
  }

  static let boundaries: [(appends: Int, takesLast: Bool)] = (1...16).flatMap { [($0, true), ($0, false)] }

  @Test("After a crash at any append no turn is held twice or lost", arguments: boundaries, [true, false])
  func everyBoundary(boundary: (appends: Int, takesLast: Bool), succeeds: Bool) async throws {
    let store = MemoryStore(environment: .system)
    let script: ScriptedExecutor.Script = { call in
      if !succeeds, call.step == "b", call.phase == .forward { return .failed(StepFailure(code: "NO", message: "no")) }
      return .succeeded(.null)
    }
    let mortal = MortalStore(store, appends: boundary.appends, takesLast: boundary.takesLast)
    let dying = try await RunningEngine(mortal, ScriptedExecutor(script), drainTime: .zero)
    _ = try await dying.engine.register(Workflow.of(Self.step("a"), Self.step("b")), by: "test")
    for number in 0..<3 { _ = try? await dying.start(key: "k\(number)") }
    try await dying.engine.waitUntilAllAsleep()
    await dying.stop()

    let living = try await RunningEngine(store, ScriptedExecutor(script))
    var ids: [UniqueID] = []
    for number in 0..<3 { ids.append(try await living.start(key: "k\(number)").id) }
    for id in ids { #expect(try await living.end(of: id).status == (succeeds ? .completed : .compensated)) }
    #expect(mostAtOnce(try await held(ids, living.engine)) == 1)
    try await eventually("all turns are free") {
      living.engine.turnCounts == TurnCounts(keys: 0, held: 0, waiting: 0)
    }
    await living.stop()
  }

  @Test("A saga that can't be brought into memory keeps its turn")
  func unread() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(Self.waiting, members: #""timeout": "1h","#), by: "test")
    let id = try await running.start().id
    try await running.engine.state(of: id, when: "it waits for its signal") { $0.step("s")?.wait != nil }
    try await running.engine.waitUntilAsleep(id)
    let host = running.engine.host
    host.turns.clear()
    await host.noteTurnsOfUnread(id)
    host.openTurns()
    let line = try #require(running.engine.turns(of: "HiSeq-1"))
    #expect(line.holders.map(\.saga) == [id] && line.holders.first?.workflow == "spec")
    let other = try await running.start().id
    try await isWaiting(running.engine, 1)
    #expect(try await running.engine.saga(other).state.step("s")?.isQueued == true)
    await running.stop()
  }
}
