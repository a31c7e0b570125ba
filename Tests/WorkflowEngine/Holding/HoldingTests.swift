import Foundation
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Sagas that killed the engine", .timeLimit(.minutes(15)), .inTurn)
struct HoldingTests {
  static let id = UniqueID.version7(at: Timestamp(milliseconds: 1_772_352_000_000), random: (1, 2))

  static func path() throws -> String { try TestFolder.new("holding").appendingPathComponent("computing").path }

  /// Leaves the note of a process that died while it computed a saga.
  static func die(of id: UniqueID, _ path: String, mode: InterruptionFile.Mode = .beside) throws {
    let file = try InterruptionFile(path: path)
    file.work(on: id, mode)
    _ = file.begin(id)
  }

  @Test("a note without an end is counted by the next process")
  func counts() throws {
    let path = try Self.path()
    try Self.die(of: Self.id, path)
    #expect(try InterruptionFile(path: path).interrupted == [Self.id: 1])
    // Nothing was under way when this one ended.
    #expect(try InterruptionFile(path: path).interrupted == [Self.id: 1])
    try Self.die(of: Self.id, path)
    try Self.die(of: Self.id, path)
    #expect(try InterruptionFile(path: path).interrupted == [Self.id: 3])
    try InterruptionFile(path: path).forget(Self.id)
    #expect(try InterruptionFile(path: path).interrupted == [:])
  }

  @Test("a death while a suspect was taken up alone is certain, and one while it was put away is final")
  func modes() throws {
    let path = try Self.path()
    try Self.die(of: Self.id, path)
    try Self.die(of: Self.id, path, mode: .alone)
    #expect(try InterruptionFile(path: path).interrupted == [Self.id: InterruptionFile.certain])
    try Self.die(of: Self.id, path, mode: .putAway)
    #expect(try InterruptionFile(path: path).interrupted == [Self.id: InterruptionFile.untouchable])
  }

  @Test("work that ends leaves no note, and work over the number of notes runs without one")
  func ends() throws {
    let path = try Self.path()
    do {
      let file = try InterruptionFile(path: path)
      let entries = (0..<1_200).map { file.begin(UniqueID(high: 7, low: UInt64($0))) }
      #expect(entries.filter { $0 == nil }.count == 1_200 - 1_024)
      for entry in entries { file.end(entry) }
      #expect(file.begin(Self.id) != nil)
    }
    #expect(try InterruptionFile(path: path).interrupted == [Self.id: 1])
  }

  @Test("a second process can't have the same file")
  func locked() throws {
    let path = try Self.path()
    let first = try InterruptionFile(path: path)
    let error = #expect(throws: StoreError.self) { try InterruptionFile(path: path) }
    #expect(error?.kind == .locked)
    #expect(first.interrupted.isEmpty)
  }

  private struct Run {
    let engine: Engine
    let task: Task<Void, any Error>

    init(_ store: any EventStore, _ path: String, takesUpHeld: Bool = false) async throws {
      var configuration = Engine.Configuration()
      configuration.interruptions = try InterruptionFile(path: path)
      configuration.takesUpHeld = takesUpHeld
      let engine = Engine(
        store: store, executor: ScriptedExecutor(), configuration: configuration, environment: .system)
      self.engine = engine
      task = Task { try await engine.run() }
      try await engine.waitUntilReady()
    }

    func stop() async {
      task.cancel()
      _ = await task.result
    }
  }

  /// Returns the one incident of held sagas.
  private static func incident(_ engine: Engine) async throws -> SagaIncident {
    try await engine.waitUntilListed()
    let query = IncidentQuery(at: Timestamp(milliseconds: 1_772_352_000_000), kinds: [.held])
    let page = try await engine.incidents(query)
    #expect(page.totals == [.held: 1] && page.needsPerson == 1)
    return try #require(page.incidents.first)
  }

  @Test("the act with which an operation resumes a saga releases it")
  func releasedWithMany() async throws {
    let path = try Self.path()
    let (store, held, _) = try await Self.killed(path)
    let run = try await Run(store, path)
    #expect(run.engine.held.map(\.id) == [held])
    let act = OperatorAct(by: "qa", reason: "the cause is gone")
    _ = try await run.engine.host.operate(held, OperatorRequest(.resume, by: act))
    #expect(run.engine.held.isEmpty)
    await run.stop()
  }

  /// The store of an engine that died twice while it computed one of two waiting sagas, the second time with nothing beside.
  private static func killed(
    _ path: String
  ) async throws -> (store: MemoryStore, held: UniqueID, other: UniqueID) {
    let store = MemoryStore(environment: .system)
    let run = try await Run(store, path)
    _ = try await run.engine.register(waiting, by: "test")
    let request = StartRequest(workflow: "spec", input: 1, by: "test")
    let held = try await run.engine.start(request).id
    let other = try await run.engine.start(request).id
    await run.stop()
    try die(of: held, path)
    try die(of: held, path, mode: .alone)
    return (store, held, other)
  }

  static let waiting = Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b"))

  @Test("the next start pauses it before it evaluates anything, others continue, and resume lets it continue")
  func heldAndResumed() async throws {
    let path = try Self.path()
    let (store, held, other) = try await Self.killed(path)
    var run = try await Run(store, path)
    #expect(run.engine.held.map(\.id) == [held])
    #expect(run.engine.held.first?.isPaused == true)
    let state = try await run.engine.saga(held).state
    #expect(state.isPaused)
    #expect(state.lastAct?.by == "engine")
    let incident = try await Self.incident(run.engine)
    #expect(incident.key.code == EngineErrorCode.sagaHeld && incident.key.verbs == [.resume, .cancel])
    #expect(incident.samples.map(\.id) == [held])
    _ = try await run.engine.signal(other, name: "go", body: 1, signalID: nil, by: "qa")
    #expect(try await run.engine.waitForEnd(of: other, atMost: .seconds(600)).state.status == .completed)
    await run.stop()

    // It is still held after another start, until an operator acts.
    run = try await Run(store, path)
    #expect(run.engine.held.map(\.id) == [held])
    _ = try await run.engine.operate(
      held, OperatorRequest(.resume, by: OperatorAct(by: "qa", reason: "the cause is gone")))
    #expect(run.engine.held.isEmpty)
    _ = try await run.engine.signal(held, name: "go", body: 1, signalID: nil, by: "qa")
    #expect(try await run.engine.waitForEnd(of: held, atMost: .seconds(600)).state.status == .completed)
    await run.stop()
    run = try await Run(store, path)
    #expect(run.engine.held.isEmpty)
    await run.stop()
  }

  @Test("one that can't be paused is not read, until an engine starts with the option to take it up")
  func untouched() async throws {
    let store = MemoryStore(environment: .system)
    let path = try Self.path()
    var run = try await Run(store, path)
    _ = try await run.engine.register(Self.waiting, by: "test")
    let held = try await run.engine.start(StartRequest(workflow: "spec", input: 1, by: "test")).id
    await run.stop()
    try Self.die(of: held, path)
    try Self.die(of: held, path, mode: .putAway)
    run = try await Run(store, path)
    #expect(run.engine.held.map(\.isPaused) == [false])
    let engine = run.engine
    let refusal = await #expect(throws: Refusal.self) { try await engine.saga(held) }
    #expect(refusal?.code == EngineErrorCode.sagaHeld)
    // No event says so, but it is an incident, in its place among the others, and has a list.
    let other = try await run.engine.start(StartRequest(workflow: "spec", input: 1, by: "test")).id
    let pause = OperatorAct(by: "mia", reason: "lunch")
    _ = try await run.engine.operate(other, OperatorRequest(.pause, by: pause))
    let incident = try await Self.incident(run.engine)
    #expect(incident.key.code == EngineErrorCode.sagaUnread && incident.key.verbs.isEmpty)
    #expect(incident.samples.map(\.id) == [held] && incident.since == engine.held.first?.since)
    let query = IncidentQuery(at: Timestamp(milliseconds: 1_772_352_000_000))
    let all = try await engine.incidents(query, limit: 50)
    #expect(all.incidents.map(\.key.kind) == [.held, .paused] && all.next == nil && all.needsPerson == 2)
    let first = try await engine.incidents(query, limit: 1)
    #expect(first.incidents.map(\.key.kind) == [.held] && first.totals == all.totals)
    let second = try await engine.incidents(query, after: first.next, limit: 1)
    #expect(second.incidents.map(\.key.kind) == [.paused] && second.next == nil)
    var wanted = SagaQuery()
    wanted.incident = IncidentAt(id: incident.key.id, at: query.at)
    let page = try await engine.list(SagaListRequest(wanted, wantsFacets: true))
    #expect(page.sagas.map(\.id) == [held] && page.facets?.workflow == ["spec": 1])
    #expect(try await engine.incidents(IncidentQuery(at: query.at, kinds: [.paused])).totals == [.paused: 1])
    await run.stop()
    run = try await Run(store, path, takesUpHeld: true)
    #expect(run.engine.held.isEmpty)
    #expect(try await run.engine.saga(held).state.isPaused == false)
    await run.stop()
  }

  @Test("a saga continues normally when only one process died in it")
  func once() async throws {
    let store = MemoryStore(environment: .system)
    let path = try Self.path()
    var run = try await Run(store, path)
    _ = try await run.engine.register(Self.waiting, by: "test")
    let saga = try await run.engine.start(StartRequest(workflow: "spec", input: 1, by: "test")).id
    await run.stop()
    try Self.die(of: saga, path)
    run = try await Run(store, path)
    #expect(run.engine.held.isEmpty)
    _ = try await run.engine.signal(saga, name: "go", body: 1, signalID: nil, by: "qa")
    #expect(try await run.engine.waitForEnd(of: saga, atMost: .seconds(600)).state.status == .completed)
    await run.stop()
    #expect(try InterruptionFile(path: path).interrupted == [:])
  }
}
