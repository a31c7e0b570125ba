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

@Suite("The stored histories of sagas", .timeLimit(.minutes(15)), .inTurn)
struct SagaHistoryTests {
  /// A saga that waits for a signal and was paused and resumed this many times.
  private func paused(_ times: Int, in store: MemoryStore) async throws -> (RunningEngine, UniqueID) {
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    let act = OperatorAct(by: "anna", reason: "a break", from: nil)
    for _ in 0..<times {
      _ = try await running.engine.operate(id, OperatorRequest(.pause, by: act))
      _ = try await running.engine.operate(id, OperatorRequest(.resume, by: act))
    }
    return (running, id)
  }

  @Test("A fold from the newest snapshot gives the same state as a fold of all events, at every version")
  func snapshot() async throws {
    let store = MemoryStore(environment: .system)
    let (running, id) = try await paused(110, in: store)
    await running.engine.host.idle(id)
    let history = SagaHistory(store)
    let snapshot = try #require(try await store.snapshot(of: id))
    let last = try await running.engine.saga(id).state.version
    var all = SagaFold()
    for event in try await store.read(id, after: 0, limit: 1_000) {
      try all.take(event)
      guard event.version >= snapshot.version - 2 else { continue }
      let fold = try await history.fold(id, upTo: event.version)
      #expect(fold.version == event.version && fold.state == all.state && fold.start == all.start)
      #expect(try await running.engine.saga(id, version: event.version).state == all.state)
    }
    #expect(all.version == last)
    #expect(try await history.fold(id, upTo: last + 10).version == last, "there are no more events")
    #expect(try await history.snapshot(of: id, upTo: snapshot.version - 1) == nil)
    await running.stop()
  }

  /// A follower once asked the engine's memory whether the saga had ended. There no hint came after the last commit.
  @Test("A follower gets the last event and ends, although the engine does not know yet that the event is stored")
  func followedToTheEnd() async throws {
    let store = LateAnswerStore(MemoryStore(environment: .system))
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    let followed = Told<String>()
    let following = Task {
      for try await event in running.engine.follow(id, after: 0) { followed.add(event.typeName) }
      followed.add("over")
    }
    await followed.wait(for: 2)
    store.hold()
    let signalled = Task { try await running.engine.signal(id, SignalGiven(name: "go", body: .null, by: "test")) }
    try await eventually("the follower has ended") { followed.all.last == "over" }
    #expect(followed.all == ["sagaStarted", "waitStarted", "signalReceived", "stepSucceeded", "sagaCompleted", "over"])
    #expect(try await running.engine.saga(id).state.end == nil, "the answer is still withheld")
    store.release()
    _ = try await signalled.value
    try await following.value
    #expect(try await running.engine.saga(id).state.end != nil)
    // Who begins behind the end gets nothing, and does not wait.
    for try await event in running.engine.follow(id, after: 5) { Issue.record("\(event.typeName) came again") }
    await running.stop()
  }

  @Test("A fold goes past an event that can't be read, and says that it is broken")
  func broken() async throws {
    let store = MemoryStore(environment: .system)
    let (running, id) = try await paused(2, in: store)
    await running.stop()
    let moody = MoodyStore(store)
    moody.garble(id)
    let fold = try await SagaHistory(moody).fold(id, upTo: 4)
    #expect(fold.isBroken && fold.state == nil && fold.version == 4)
  }

  @Test("The audit reads a saga with many acts a page at a time, not from its beginning for each act")
  func auditReads() async throws {
    let store = CountingStore(MemoryStore(environment: .system))
    let (running, id) = try await paused(200, in: store.memory)
    try await running.engine.waitUntilAudited()
    let before = try await running.engine.audit(AuditFilter(saga: id), after: nil, limit: 500).entries
    await running.stop()
    // Again, from the first event on.
    let again = Projector(
      store: store, projection: AuditProjection(history: SagaHistory(store)), environment: .system)
    let task = Task { try await again.run() }
    try await again.rebuild()
    try await again.waitUntilCaughtUp()
    task.cancel()
    _ = await task.result
    #expect(before.count == 401)
    #expect(store.countRead < 400 * 100, "\(store.countRead) events were read for 400 acts")
    let rows = try await store.documents(DocumentQuery(collection: AuditProjection.collection, limit: 500))
    #expect(rows.count { $0.id.hasPrefix(id.description) } == before.count)
  }
}

/// Counts the events that are read from streams.
private final class CountingStore: StoreInFront {
  let memory: MemoryStore
  private let count = Mutex(0)
  var store: any EventStore { memory }
  var countRead: Int { count.withLock { $0 } }

  init(_ memory: MemoryStore) { self.memory = memory }

  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    let page = try await memory.read(stream, after: version, limit: limit)
    count.withLock { $0 += page.count }
    return page
  }
}

/// A store whose answers to appends may come late, after the events can be read.
private final class LateAnswerStore: StoreInFront {
  let store: any EventStore
  private let held = Mutex(false)

  init(_ store: any EventStore) { self.store = store }

  func hold() { held.withLock { $0 = true } }
  func release() { held.withLock { $0 = false } }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let appended = try await store.append(append)
    try? await eventually("the answer may come") { held.withLock { !$0 } }
    return appended
  }
}
