import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import Notifications
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The engine does the items of a step", .timeLimit(.minutes(15)), .inTurn)
struct ItemShellTests {
  private static let run = #"""
    {"id": "run", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well}", "maxParallel": 20},
     "http": {"service": "lab", "method": "PUT", "path": "/wells/${well}", "body": {"well": "${well}"}}, \#(Workflow.quick),
     "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/wells/${well}"}, \#(Workflow.quick)}}
    """#

  private static func wells(_ count: Int) -> JSON { ["wells": .array((0..<count).map { .string("W\($0)") })] }

  /// Counts the snapshots that are saved.
  private final class SnapshotCounter: StoreInFront {
    let store: any EventStore
    private let saved = Mutex(0)

    init(_ store: any EventStore) { self.store = store }

    var count: Int { saved.withLock { $0 } }

    func save(_ snapshot: Snapshot) async throws(StoreError) {
      saved.withLock { $0 += 1 }
      try await store.save(snapshot)
    }
  }

  @Test("The calls of items are shown as their participants got them")
  func calls() async throws {
    let executor = ScriptedExecutor { _ in .succeeded(["ok": true]) }
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    _ = try await running.engine.register(Workflow.of(Self.run), by: "test")
    let id = try await running.start(input: Self.wells(5)).id
    #expect(try await running.end(of: id).status == .completed)
    let page = try await running.engine.calls(of: id, step: nil, after: 0, limit: 100)
    let sent = page.calls.compactMap(\.sent).sorted { $0.idempotencyKey < $1.idempotencyKey }
    #expect(sent == executor.calls.sorted { $0.idempotencyKey < $1.idempotencyKey })
    let one = try await running.engine.calls(of: id, step: "run[W3]", after: 0, limit: 100).calls
    #expect(one.count == 1)
    guard case .http(let http)? = one.first?.sent?.action else {
      Issue.record("the call of the item is not shown")
      return
    }
    #expect(http.path == "/wells/W3" && http.body == ["well": "W3"])
    await running.stop()
  }

  @Test("A saga with 600 items is saved as a snapshot a few times, and not once for each 200 events")
  func snapshots() async throws {
    let store = SnapshotCounter(MemoryStore(environment: .system))
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(Self.run, members: #""timeout": "2d", "#), by: "test")
    let id = try await running.start(input: Self.wells(600)).id
    let end = try await running.end(of: id)
    #expect(end.status == .completed && end.version == 2 * 600 + 4)
    // After 200, 400 and 800 events: each follows as many events as items have begun.
    #expect((1...4).contains(store.count), "\(store.count)")
    await running.stop()
  }

  @Test("One notice says that the undos of several items failed")
  func notices() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(
      store,
      ScriptedExecutor { call in
        switch (call.phase, call.step) {
        case (.forward, "after"): .failed(StepFailure(code: "NO", message: "no"))
        case (.undo, _): .failed(StepFailure(code: "LOCKED", message: "The plate is locked."))
        default: .succeeded(.null)
        }
      })
    _ = try await running.engine.register(Workflow.of(Self.run, Workflow.step("after")), by: "test")
    let id = try await running.start(input: Self.wells(5)).id
    try await running.engine.state(of: id, when: "five undos block the saga") { $0.blockers.count == 5 }
    let maker = NoticeMaker(store: store) { try? await running.engine.host.definitions.definition(of: $0) }
    var told: [Notice] = []
    for event in try await store.read(id, after: 0, limit: 1_000) {
      if let notice = try await maker.notice(of: event, wanted: [.sagaStuck]) { told.append(notice) }
    }
    #expect(told.count == 1)
    #expect(told.first?.details["code"] == "LOCKED" && told.first?.details["event"] == "undoFailed")
    #expect(told.first?.details["step"]?.stringValue.map(ItemID.step(of:)) == "run")
    await running.stop()
  }

  @Test("Items under way when the engine stops are settled after the next start, and each item is done once")
  func restart() async throws {
    let store = MemoryStore(environment: .system)
    let holding = Mutex(true)
    let (stuck, never) = (Told<String>(), Told<String>())
    let executor = ScriptedExecutor { call in
      guard call.step.hasSuffix("5]"), holding.withLock({ $0 }) else { return .succeeded(["ok": true]) }
      stuck.add(call.step)
      // The engine cuts it off when it stops.
      await never.wait { _ in false }
      return .unknown(StepFailure(code: "cut", message: "The engine stopped.", isRetryable: true))
    }
    let first = try await RunningEngine(store, executor, drainTime: .zero)
    let workflow = Workflow.of(Self.run, members: #""timeout": "2d", "#)
    _ = try await first.engine.register(workflow, by: "test")
    let id = try await first.start(input: Self.wells(40)).id
    await stuck.wait(for: 4)
    await first.stop()
    holding.withLock { $0 = false }
    let second = try await RunningEngine(store, executor)
    let end = try await second.end(of: id)
    #expect(end.status == .completed && end.items(of: "run")?.count(of: .succeeded) == 40)
    let keys = Dictionary(grouping: executor.calls, by: \.step).mapValues { Set($0.map(\.idempotencyKey)) }
    #expect(keys.count == 40 && keys.values.allSatisfy { $0.count == 1 })
    await second.stop()
  }
}
