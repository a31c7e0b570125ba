import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("The engine moves sagas between versions", .timeLimit(.minutes(15)), .inTurn)
struct MigrateShellTests {
  private static let wait = #"{"id": "w", "signal": {"name": "go"}}"#

  private static func act(_ key: String? = nil) -> OperatorAct {
    OperatorAct(by: "anna", reason: "a new address", from: "rest 10.0.0.7", commandID: key)
  }

  private func request(_ version: Int, key: String? = nil) -> OperatorRequest {
    OperatorRequest(.migrate(to: version), by: Self.act(key))
  }

  @Test("A moved saga goes on by the new version, also after a restart, and lists show that version")
  func moved() async throws {
    let store = MemoryStore(environment: .system)
    let executor = ScriptedExecutor()
    let running = try await RunningEngine(store, executor)
    _ = try await running.engine.register(Workflow.of(Self.wait), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    // A step of the new version comes first in the file.
    let second = Workflow.of(
      Workflow.step("z", #""dependsOn": []"#), Self.wait.replacing("}}", with: #"}, "dependsOn": []}"#),
      Workflow.step("b"), version: 2)
    let digest = try await running.engine.register(second, by: "test").digest
    let state = try await running.engine.operate(id, request(2, key: "k"))
    #expect(state.definition == SagaDefinition(workflow: "spec", version: 2, digest: digest, steps: ["z", "w", "b"]))
    try await running.engine.wait(for: id, step: "z", toBe: .succeeded)
    #expect(try await running.engine.saga(id).definition.version == 2)
    // The same request again changes nothing.
    let version = try await running.engine.saga(id).state.version
    #expect(try await running.engine.operate(id, request(2, key: "k")).version == version)
    try await running.engine.waitUntilListed()
    var query = SagaQuery()
    query.workflow = "spec"
    query.version = 2
    #expect(try await running.engine.list(SagaListRequest(query)).sagas.map(\.id) == [id])
    query.version = 1
    #expect(try await running.engine.list(SagaListRequest(query)).sagas.isEmpty)
    await running.stop()

    let again = try await RunningEngine(store, executor)
    #expect(try await again.engine.saga(id).definition.version == 2)
    _ = try await again.engine.signal(id, name: "go", body: .null, signalID: nil, by: "qa")
    #expect(try await again.end(of: id).status == .completed)
    #expect(Set(executor.keys) == ["z/1", "b/1"])
    // What it was before, by the definition of that time.
    #expect(try await again.engine.saga(id, version: 2).definition.version == 1)
    let moved = try await again.engine.history(of: id, after: 0, limit: 100).first { $0.type == "sagaMoved" }
    #expect(moved?.data["toVersion"] == 2 && moved?.data["by"] == "anna" && moved?.data["reason"] == "a new address")
    await again.stop()
  }

  @Test("An attempt that is under way while the saga moves ends by the new version")
  func underWay() async throws {
    let gate = Once<Void>()
    let executor = ScriptedExecutor { call in
      if call.step == "a" { await gate.value() }
      return .succeeded(["step": .string(call.step)])
    }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("old")), by: "test")
    let id = try await running.start().id
    await executor.waitForCalls()
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("new"), version: 2), by: "test")
    _ = try await running.engine.operate(id, request(2))
    gate.give(())
    #expect(try await running.end(of: id).status == .completed)
    #expect(executor.keys == ["a/1", "new/1"])
    let calls = try await running.engine.calls(of: id, step: nil, after: 0, limit: 10).calls
    #expect(calls.map(\.step) == ["a", "new"] && calls.allSatisfy { $0.sent != nil })
    await running.stop()
  }

  @Test("A bulk move says which sagas can't move and why, moves the others, and leaves a row in the audit")
  func bulk() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let engine = running.engine
    let first = Workflow.of(Self.wait, #"{"id": "v", "signal": {"name": "stop"}}"#)
    _ = try await engine.register(first, by: "test")
    var ids: [UniqueID] = []
    for _ in 0..<3 { ids.append(try await running.start().id) }
    for id in ids { try await engine.wait(for: id, step: "w", toBe: .waiting) }
    _ = try await engine.signal(ids[2], name: "go", body: .null, signalID: nil, by: "qa")
    try await engine.wait(for: ids[2], step: "v", toBe: .waiting)
    _ = try await engine.register(Workflow.of(Self.wait, Workflow.step("b"), version: 2), by: "test")
    try await engine.waitUntilListed()
    var query = SagaQuery()
    query.workflow = "spec"
    query.version = 1
    let target = OperationTarget.filter(query, asked: ["workflow": "spec", "version": 1])
    let preview = try await engine.preview(.migrate(to: 2), target)
    #expect(preview.items.filter { $0.refusal == nil }.map(\.saga).sorted() == [ids[0], ids[1]].sorted())
    let refused = preview.items.first { $0.refusal != nil }
    #expect(refused?.saga == ids[2] && refused?.refusal?.code == EngineErrorCode.sagaNotMovable)
    #expect(
      refused?.refusal?.message
        == "The saga can't move to version 2: it has begun step v, and there: the step is removed.")
    let begun = try await engine.begin(
      OperationRequest(
        .migrate(to: 2), target, selection: preview.selection, pace: OperationPace(rate: 1_000), by: Self.act()),
      key: nil)
    let ended = try await engine.end(of: begun.operation.id)
    #expect((ended.done, ended.refused, ended.left) == (2, 1, 0))
    #expect(ended.refusals.map(\.code) == [EngineErrorCode.sagaNotMovable])
    for (id, version) in zip(ids, [2, 2, 1]) {
      #expect(try await engine.saga(id).state.definition.version == version)
    }
    try await engine.waitUntilAudited()
    var filter = AuditFilter()
    filter.verb = "migrate"
    let acts = try await engine.audit(filter, after: nil, limit: 10).entries
    #expect(acts.count == 2 && acts.allSatisfy { $0.actor == "anna" && $0.reason == "a new address" })
    #expect(acts.allSatisfy { $0.content["toVersion"] == 2 })
    // An unknown version is refused, saga by saga.
    let unknown = try await engine.preview(.migrate(to: 9), .sagas([ids[0]]))
    #expect(unknown.items.map(\.refusal?.code) == [EngineErrorCode.workflowNotFound])
    await running.stop()
  }

  @Test("A guarded move waits for a second person")
  func guarded() async throws {
    let running = try await RunningEngine(
      MemoryStore(environment: .system), ScriptedExecutor(), approvals: [.migrate])
    let engine = running.engine
    _ = try await engine.register(Workflow.of(Self.wait), by: "test")
    _ = try await engine.register(Workflow.of(Self.wait, Workflow.step("b"), version: 2), by: "test")
    let id = try await engine.start(StartRequest(workflow: "spec", version: 1, input: .null, by: "test")).id
    try await engine.wait(for: id, step: "w", toBe: .waiting)
    #expect(try await engine.needsApproval(.migrate(to: 2), of: id))
    let asked = try await engine.ask(id, request(2))
    #expect(asked.status == .waiting)
    #expect(try await engine.saga(id).state.definition.version == 1)
    _ = try await engine.approve(asked.id, OperatorAct(by: "ben", reason: "looked at the difference"))
    try await engine.end(of: asked.id)
    #expect(try await engine.saga(id).state.definition.version == 2)
    await running.stop()
  }

  @Test("A snapshot of a moved saga has the version that it follows")
  func snapshot() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(Self.wait), by: "test")
    _ = try await running.engine.register(Workflow.of(Self.wait, Workflow.step("b"), version: 2), by: "test")
    let id = try await running.engine.start(
      StartRequest(workflow: "spec", version: 1, input: .null, by: "test")
    ).id
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    let state = try await running.engine.operate(id, request(2))
    try await store.save(Snapshot(stream: id, version: state.version, data: state.snapshotText))
    await running.stop()
    let again = try await RunningEngine(store, ScriptedExecutor())
    #expect(try await again.engine.saga(id).state == state)
    _ = try await again.engine.signal(id, name: "go", body: .null, signalID: nil, by: "qa")
    #expect(try await again.end(of: id).steps.map(\.id) == ["w", "b"])
    await again.stop()
  }
}
