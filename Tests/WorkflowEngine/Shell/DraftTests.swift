import JSON
import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Drafts of workflows", .timeLimit(.minutes(15)), .inTurn)
struct DraftTests {
  private static let wait = #"{"id": "w", "signal": {"name": "go"}}"#

  private static func content(_ length: String, version: Int = 7) -> [UInt8] {
    Workflow.of(wait, #"{"id": "d", "delay": {"for": "\#(length)"}}"#, version: version)
  }

  private func trial(_ store: any EventStore = MemoryStore(environment: .system)) async throws -> RunningEngine {
    try await RunningEngine(store, ScriptedExecutor(), allowsDrafts: true)
  }

  @Test("Changed content is the next draft, and the content of the latest draft again is that draft")
  func numbers() async throws {
    let running = try await trial()
    let engine = running.engine
    let first = try await engine.register(Self.content("1ms"), isDraft: true, by: "anna")
    #expect(first.version == -1 && first.isNew)
    let same = try await engine.register(Self.content("1ms"), isDraft: true, by: "ben")
    #expect(same.version == -1 && !same.isNew && same.digest == first.digest)
    #expect(try await engine.register(Self.content("2ms"), isDraft: true, by: "anna").version == -2)
    // Back to the first content: the author goes on from here, so that it is the latest draft again.
    #expect(try await engine.register(Self.content("1ms"), isDraft: true, by: "anna").version == -3)
    #expect(engine.workflows().map(\.definition.version) == [-3, -2, -1])
    let latest = try engine.latestDraft(of: "spec")
    #expect(latest.definition.version == -3 && latest.definition.source["version"] == 7)
    await running.stop()
  }

  @Test("A released version is always the latest, and a start without a version never takes a draft")
  func released() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await trial(store)
    let engine = running.engine
    _ = try await engine.register(Self.content("1ms"), isDraft: true, by: "anna")
    _ = try await engine.register(Self.content("2ms"), isDraft: true, by: "anna")
    let only = await #expect(throws: EngineError.self) { try await running.start() }
    #expect(only?.code == EngineErrorCode.workflowOnlyDrafts)
    #expect(try engine.workflow("spec", version: nil).definition.version == -2)
    let draft = try await engine.start(StartRequest(workflow: "spec", wantsDraft: true, input: .null, by: "anna")).id
    #expect(try await engine.saga(draft).state.definition.version == -2)
    let older = try await engine.start(StartRequest(workflow: "spec", version: -1, input: .null, by: "anna")).id
    #expect(try await engine.saga(older).state.start.version == -1)
    _ = try await engine.register(Self.content("1ms", version: 1), by: "anna")
    #expect(try engine.workflow("spec", version: nil).definition.version == 1)
    let id = try await running.start().id
    #expect(try await engine.saga(id).state.definition.version == 1)
    try await engine.waitUntilListed()
    var query = SagaQuery()
    query.isDraft = true
    #expect(Set(try await engine.list(SagaListRequest(query)).sagas.map(\.id)) == [draft, older])
    query.isDraft = false
    #expect(try await engine.list(SagaListRequest(query)).sagas.map(\.id) == [id])
    #expect(throws: EngineError.self) { try engine.latestDraft(of: "other") }
    await running.stop()

    // After a restart the numbers go on, and a saga of a draft goes on without the option.
    let earnest = try await RunningEngine(store, ScriptedExecutor())
    _ = try await earnest.engine.signal(draft, name: "go", body: .null, signalID: nil, by: "anna")
    #expect(try await earnest.end(of: draft).status == .completed)
    await earnest.stop()
    let again = try await trial(store)
    #expect(try await again.engine.register(Self.content("3ms"), isDraft: true, by: "anna").version == -3)
    await again.stop()
  }

  @Test("An engine without the option takes no draft: not registered, not started, not moved to")
  func off() async throws {
    let store = MemoryStore(environment: .system)
    let trial = try await trial(store)
    _ = try await trial.engine.register(Self.content("1ms"), isDraft: true, by: "anna")
    await trial.stop()
    let running = try await RunningEngine(store, ScriptedExecutor())
    let engine = running.engine
    _ = try await engine.register(Self.content("1ms", version: 1), by: "anna")
    let id = try await running.start().id
    try await engine.wait(for: id, step: "w", toBe: .waiting)
    var codes: [String?] = []
    codes.append(
      await #expect(throws: EngineError.self) {
        try await engine.register(Self.content("2ms"), isDraft: true, by: "anna")
      }?.code)
    for request in [
      StartRequest(workflow: "spec", wantsDraft: true, input: .null, by: "anna"),
      StartRequest(workflow: "spec", version: -1, input: .null, by: "anna"),
    ] {
      codes.append(await #expect(throws: EngineError.self) { try await engine.start(request) }?.code)
    }
    codes.append(
      await #expect(throws: EngineError.self) {
        try await engine.operate(
          id, OperatorRequest(.migrate(to: -1), by: OperatorAct(by: "anna", reason: "try it")))
      }?.code)
    #expect(codes == Array(repeating: EngineErrorCode.workflowDraftsOff, count: 4))
    #expect(engine.workflows().map(\.definition.version) == [-1, 1])
    await running.stop()
  }

  @Test("A trial moves to the latest draft, and a draft's saga moves to the released version")
  func moves() async throws {
    let running = try await trial()
    let engine = running.engine
    _ = try await engine.register(Self.content("1ms"), isDraft: true, by: "anna")
    let id = try await engine.start(StartRequest(workflow: "spec", wantsDraft: true, input: .null, by: "anna")).id
    try await engine.wait(for: id, step: "w", toBe: .waiting)
    _ = try await engine.register(Self.content("2ms"), isDraft: true, by: "anna")
    func move(_ version: Int) async throws -> SagaState {
      try await engine.operate(
        id, OperatorRequest(.migrate(to: version), by: OperatorAct(by: "anna", reason: "corrected")))
    }
    #expect(try await move(-2).definition.version == -2)
    _ = try await engine.register(Self.content("2ms"), by: "anna")
    #expect(try await move(7).definition.version == 7)
    await running.stop()
  }

  @Test("A name has a limited number of drafts")
  func bound() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await trial(store)
    let source = try JSON(parsing: Self.content("1ms"))
    _ = try await store.put(
      StoredDefinition(
        name: "spec", version: -DefinitionCache.mostDrafts, digest: Digest.sha256(source.bytes(.canonical)),
        data: source.bytes(), registeredBy: "anna", registeredAt: Environment.system.now()))
    try await running.engine.host.definitions.load()
    let error = await #expect(throws: EngineError.self) {
      try await running.engine.register(Self.content("2ms"), isDraft: true, by: "anna")
    }
    #expect(error?.code == EngineErrorCode.workflowTooManyDrafts)
    await running.stop()
  }

  @Test("A start over Kafka of a workflow that has only drafts is poison, and does not stop its partition")
  func overKafka() async throws {
    let running = try await trial()
    _ = try await running.engine.register(Self.content("1ms"), isDraft: true, by: "anna")
    let found = await poison(
      CommandTests.handlers(running), Form.plain.command("start", ["workflow": "spec", "input": [:]]))
    #expect(found?.code == EngineErrorCode.workflowOnlyDrafts)
    await running.stop()
  }

  @Test("A key that started a draft is the same start again, and not one of a released version")
  func keys() async throws {
    let running = try await trial()
    _ = try await running.engine.register(Self.content("1ms"), isDraft: true, by: "anna")
    func start(_ version: Int?, wantsDraft: Bool) async throws -> Started {
      try await running.engine.start(
        StartRequest(
          workflow: "spec", version: version, wantsDraft: wantsDraft, input: .null, idempotencyKey: "k", by: "anna"))
    }
    let first = try await start(nil, wantsDraft: true)
    _ = try await running.engine.register(Self.content("2ms"), isDraft: true, by: "anna")
    let again = try await start(nil, wantsDraft: true)
    #expect(again.id == first.id && !again.isNew)
    let other = await #expect(throws: EngineError.self) { try await start(1, wantsDraft: false) }
    #expect(other?.code == EngineErrorCode.sagaStartKeyReused)
    #expect(other?.message.contains("draft 1, not version 1") == true)
    await running.stop()
  }
}
