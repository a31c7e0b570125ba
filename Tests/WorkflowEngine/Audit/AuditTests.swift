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

@Suite("The list of what people did", .timeLimit(.minutes(15)), .inTurn)
struct AuditTests {
  private static let refused = StepFailure(code: "freezer.off", message: "The freezer is off.")

  /// A saga that waits for a signal, whose second step then fails and whose undo fails too.
  private func stuck(_ store: MemoryStore) async throws -> (RunningEngine, UniqueID) {
    let executor = ScriptedExecutor { call in
      if call.phase == .undo { return .failed(Self.refused) }
      return call.step == "b" ? .failed(Self.refused) : .succeeded(["ok": true])
    }
    let running = try await RunningEngine(store, executor)
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a"), #"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b")), by: "author")
    let id = try await running.start().id
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    _ = try await running.engine.signal(id, name: "go", body: 1, signalID: nil, by: "scanner")
    try await running.engine.wait(for: id, toBe: .stuck)
    return (running, id)
  }

  private func all(_ engine: Engine, _ filter: AuditFilter = AuditFilter(), page: Int = 2) async throws -> [AuditEntry]
  {
    try await engine.waitUntilAudited()
    var entries: [AuditEntry] = []
    var after: DocumentCursor?
    repeat {
      let page = try await engine.audit(filter, after: after, limit: page)
      entries += page.entries
      after = page.next
    } while after != nil
    return entries
  }

  @Test("The list has each act once, with person, verb, reason, and the statuses before and after")
  func acts() async throws {
    let store = MemoryStore(environment: .system)
    let (running, id) = try await stuck(store)
    _ = try await running.engine.operate(
      id, OperatorRequest(.resolve(step: "a", .undone), by: OperatorAct(by: "anna", reason: "done by hand")))
    _ = try await running.end(of: id)
    let entries = try await all(running.engine)
    #expect(entries.map(\.verb) == ["register", "start", "signal", "resolve"])
    #expect(entries.map(\.actor) == ["author", "test", "scanner", "anna"])
    #expect(entries.map(\.kind) == [.registration, .start, .signal, .verb])
    #expect(entries.map(\.saga) == [nil, id, id, id])
    let resolve = try #require(entries.last)
    #expect(resolve.reason == "done by hand")
    #expect(resolve.step == "a")
    #expect(resolve.before == AuditEntry.Standing(saga: "stuck", step: "undoFailed"))
    #expect(resolve.after == AuditEntry.Standing(saga: "compensated", step: "undone"))
    #expect(resolve.workflow == "spec")
    #expect(entries[1].workflow == "spec")
    #expect(entries[1].before == nil)
    #expect(entries[1].after == AuditEntry.Standing(saga: "running", step: nil))
    #expect(entries[2].before?.saga == "running")

    // Found by saga, person and verb, and between two timestamps.
    #expect(try await all(running.engine, AuditFilter(saga: id)).count == 3)
    #expect(try await all(running.engine, AuditFilter(actor: "anna")) == [resolve])
    #expect(try await all(running.engine, AuditFilter(verb: "register")) == [entries[0]])
    #expect(try await all(running.engine, AuditFilter(actor: "ann")).isEmpty)
    #expect(try await all(running.engine, AuditFilter(from: resolve.at + .milliseconds(1))).isEmpty)
    #expect(try await all(running.engine, AuditFilter(to: entries[0].at)).isEmpty)
    #expect(try await all(running.engine, AuditFilter(from: entries[0].at)).count == 4)
    #expect(try await all(running.engine, AuditFilter(isNewestFirst: true)) == entries.reversed())
    #expect(try await all(running.engine, AuditFilter(isNewestFirst: true), page: 1) == entries.reversed())
    await running.stop()
  }

  @Test("A cancel is one act, and names the start of compensation")
  func cancel() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a"), #"{"id": "w", "signal": {"name": "go"}}"#), by: "author")
    let id = try await running.start().id
    _ = try await running.engine.operate(
      id, OperatorRequest(.cancel, by: OperatorAct(by: "bert", reason: "wrong tube")))
    _ = try await running.end(of: id)
    let acts = try await all(running.engine, AuditFilter(actor: "bert"))
    #expect(acts.map(\.verb) == ["cancel"])
    #expect(acts.first?.before?.saga == "running")
    #expect(acts.first?.reason == "wrong tube")
    await running.stop()
  }

  @Test("A name with a U+0000, which no document's field takes, does not block the list of acts")
  func noName() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system, shardCount: 1), ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a"), #"{"id": "w", "signal": {"name": "go"}}"#), by: "author")
    let id = try await running.start().id
    for by in ["be\0rt", "anna"] {
      let act = OperatorAct(by: by, reason: "a\0b")
      _ = try await running.engine.operate(id, OperatorRequest(by == "anna" ? .resume : .pause, by: act))
    }
    try await running.engine.waitUntilAudited()
    #expect(try await all(running.engine, AuditFilter(actor: "be\0rt")).map(\.actor) == ["be\0rt"])
    #expect(try await all(running.engine, AuditFilter(actor: "anna")).count == 1)
    await running.stop()
  }

  @Test("The list agrees with the events, act by act, and is the same when it is built again")
  func agrees() async throws {
    let store = MemoryStore(environment: .system)
    let (running, id) = try await stuck(store)
    for person in ["anna", "bert", "cleo"] {
      _ = try await running.engine.operate(
        id, OperatorRequest(.retry(step: "a"), by: OperatorAct(by: person, reason: "once more")))
      try await running.engine.wait(for: id, toBe: .stuck)
    }
    _ = try await running.engine.operate(
      id, OperatorRequest(.abandon, by: OperatorAct(by: "dora", reason: "thrown away")))
    let entries = try await all(running.engine)
    var told: [String] = []
    for shard in 0..<store.shardCount {
      for event in try await store.tail(shard: shard, after: 0, limit: 1_000) {
        let data = try JSON(parsing: event.data)
        let by = (data["by"] ?? data["reason"]?["by"] ?? data["saga"]?["by"])?.stringValue
        if let by { told.append("\(event.stream)/\(event.version) \(by)") }
      }
    }
    let listed = entries.filter { $0.kind != .registration }.map { "\($0.id) \($0.actor)" }
    #expect(listed.sorted() == told.sorted())
    #expect(listed.count == 6)
    try await running.engine.auditor.rebuild()
    #expect(try await all(running.engine) == entries)
    await running.stop()
  }

  @Test("The list has the echo's rewinds, and the origin of each verb")
  func engineActs() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    let stream = Environment.system.newID()
    _ = try await store.append(
      Append(
        stream: stream, expectedVersion: 0,
        events: [
          NewEvent(
            type: "echoRewound",
            data: Array(
              #"{"at":"2026-03-01T08:15:30.000Z","shard":1,"to":0,"from":12,"by":"eve","reason":"new topic"}"#.utf8))
        ], appendID: Environment.system.newID()))
    let entries = try await all(running.engine)
    #expect(entries.map(\.verb) == ["echo-rewind"])
    #expect(entries.first?.actor == "eve")
    #expect(entries.first?.reason == "new topic")
    #expect(entries.first?.saga == nil)
    #expect(entries.first?.from == nil)
    #expect(entries.first?.at == Timestamp("2026-03-01T08:15:30.000Z"))

    // An event that only a later version knows is listed by its name, with what it says.
    let stored = StoredEvent(
      stream: stream, version: 2, shard: 0, position: 1, type: "operatorSkipped",
      data: Array(#"{"step":"a","by":"anna","reason":"not needed","from":"rest"}"#.utf8), meta: Array("{}".utf8),
      appendID: stream, hash: [], chain: nil, recordedAt: Timestamp(milliseconds: 0))
    let act = try #require(AuditAct(stored))
    #expect([act.verb, act.actor, act.reason, act.from, act.step] == ["skip", "anna", "not needed", "rest", "a"])
    await running.stop()
  }

  @Test("A check of the chains through the engine finds them intact; a second check at the same time is refused")
  func walk() async throws {
    let store = MemoryStore(environment: .system)
    let (running, _) = try await stuck(store)
    let head = try await running.engine.auditHead()
    let report = try await running.engine.auditVerify(against: head)
    #expect(report.isIntact)
    #expect(report.events > 5)
    running.engine.auditing.store(true, ordering: .releasing)
    let error = await #expect(throws: EngineError.self) { try await running.engine.auditVerify(against: nil) }
    #expect(error?.code == EngineErrorCode.auditRunning)
    await running.stop()
  }
}
