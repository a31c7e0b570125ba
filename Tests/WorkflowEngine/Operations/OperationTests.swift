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

@Suite("Operations on many sagas", .timeLimit(.minutes(15)), .inTurn)
struct OperationTests {
  @Test("A batch retry does what its preview showed, and its counts, the sagas and the audit agree")
  func retry() async throws {
    let bench = try await OperationBench(stuck: 12, fine: 3)
    let preview = try await bench.engine.preview(.retry(step: nil), OperationBench.stuck)
    #expect(Set(preview.items.map(\.saga)) == Set(bench.stuck))
    #expect(preview.items.allSatisfy { $0.refusal == nil && $0.status == .stuck })
    #expect(try await bench.engine.operations(status: nil, after: nil, limit: 10).operations.isEmpty)

    bench.mend()
    let begun = try await bench.begin(.retry(step: nil), selection: preview.selection)
    #expect(begun.status == .running && begun.count == 12)
    let ended = try await bench.end(of: begun.id)
    #expect((ended.status, ended.done, ended.refused, ended.left) == (.finished, 12, 0, 0))
    for id in bench.stuck {
      let state = try await bench.running.end(of: id)
      #expect(state.status == .compensated)
      #expect(state.lastAct?.by == "anna" && state.lastAct?.reason == "the freezer is back")
    }
    try await bench.engine.waitUntilAudited()
    let acts = try await bench.engine.audit(AuditFilter(actor: "anna"), after: nil, limit: 100).entries
    #expect(acts.filter { $0.verb == "retry" && $0.from == "operation \(begun.id)" }.count == 12)
    #expect(acts.filter { $0.kind == .operation && $0.operation == begun.id }.map(\.verb) == ["operation"])
    let listed = try await bench.engine.operations(status: .finished, after: nil, limit: 10).operations
    #expect(listed == [ended.json])
    try await bench.engine.waitUntilListed()
    #expect(try await bench.engine.standing(of: ended) == [.compensated: 12])
    await bench.stop()
  }

  @Test("A refused saga is counted with the reason, and the preview shows it")
  func refusals() async throws {
    let bench = try await OperationBench(stuck: 2, fine: 3)
    let all = OperationTarget.sagas(bench.stuck + bench.fine)
    let preview = try await bench.engine.preview(.retry(step: nil), all)
    #expect(preview.items.count == 5)
    #expect(preview.items.compactMap(\.refusal?.code) == Array(repeating: EngineErrorCode.sagaEnded, count: 3))
    bench.mend()
    let begun = try await bench.begin(.retry(step: nil), all)
    let ended = try await bench.end(of: begun.id)
    #expect((ended.done, ended.refused, ended.left, ended.count) == (2, 3, 0, 5))
    #expect(ended.refusals.map(\.code) == [EngineErrorCode.sagaEnded])
    #expect(ended.refusals.map(\.count) == [3])
    let refused = try #require(bench.fine.first)
    #expect(ended.results[refused]?.refusal?.code == EngineErrorCode.sagaEnded)
    await bench.stop()
  }

  @Test("An operation runs only for exactly the sagas that were previewed")
  func selection() async throws {
    let bench = try await OperationBench(stuck: 3)
    let preview = try await bench.engine.preview(.retry(step: nil), OperationBench.stuck)
    try await bench.breakOne()
    let error = await #expect(throws: EngineError.self) {
      try await bench.begin(.retry(step: nil), selection: preview.selection)
    }
    #expect(error?.code == EngineErrorCode.operationChanged)
    #expect(try await bench.engine.operations(status: nil, after: nil, limit: 10).operations.isEmpty)
    await bench.stop()
  }

  @Test("A filter that finds nothing is refused")
  func empty() async throws {
    let bench = try await OperationBench(stuck: 0, fine: 1)
    let error = await #expect(throws: EngineError.self) { try await bench.begin(.retry(step: nil)) }
    #expect(error?.code == EngineErrorCode.operationEmpty)
    await bench.stop()
  }

  @Test("The same key is the same operation; with another request it is refused")
  func key() async throws {
    let bench = try await OperationBench(stuck: 2)
    let first = try await bench.begin(.retry(step: nil), key: "k-1")
    let again = try await bench.engine.begin(bench.request(.retry(step: nil)), key: "k-1")
    #expect(again.operation.id == first.id && !again.isNew)
    let error = await #expect(throws: EngineError.self) {
      try await bench.engine.begin(bench.request(.abandon), key: "k-1")
    }
    #expect(error?.code == EngineErrorCode.commandReused)
    await bench.stop()
  }

  @Test("An operation keeps its rate; a stopped one leaves the other sagas unchanged and counts them")
  func rateAndStop() async throws {
    let clock = FakeClock()
    let bench = try await OperationBench(stuck: 5, environment: .fake(clock: clock))
    let begun = try await bench.begin(.pause, pace: OperationPace(rate: 1))
    for done in 1...3 {
      // It sleeps until the next one's turn.
      let turn = begun.startedAt + .seconds(done)
      await clock.waitForSleepers { $0.contains(turn) }
      #expect(try await bench.engine.operation(begun.id).done == done)
      if done < 3 { clock.advance(to: turn) }
    }
    let stopped = try await bench.engine.stop(begun.id, OperatorAct(by: "ben", reason: "enough"))
    #expect((stopped.status, stopped.done, stopped.left) == (.stopped, 3, 2))
    clock.advance(by: .seconds(60))
    var left: [UniqueID] = []
    for id in bench.stuck where try await !bench.engine.saga(id).state.isPaused { left.append(id) }
    #expect(left.count == 2)
    // They are free for another operation. No other operation gets ahead of it.
    let next = try await bench.begin(.pause, .sagas(left))
    let ended = try await bench.engine.end(of: next.id) { clock.advance(by: .seconds(1)) }
    #expect((ended.done, ended.refused) == (2, 0))
    #expect(try await bench.engine.operation(begun.id).done == 3)
    let error = await #expect(throws: EngineError.self) {
      try await bench.engine.stop(begun.id, OperatorAct(by: "ben", reason: "again"))
    }
    #expect(error?.code == EngineErrorCode.operationEnded)
    await bench.stop()
  }

  @Test("An operation continues after a restart, and runs once for every saga")
  func restart() async throws {
    let clock = FakeClock()
    let bench = try await OperationBench(stuck: 4, environment: .fake(clock: clock))
    let begun = try await bench.begin(.pause, pace: OperationPace(rate: 1))
    await clock.waitForSleepers { $0.contains(begun.startedAt + .seconds(1)) }
    await bench.stop()
    let after = try await OperationBench(over: bench)
    let ended = try await after.engine.end(of: begun.id) { clock.advance(by: .seconds(1)) }
    #expect((ended.status, ended.done, ended.refused) == (.finished, 4, 0))
    for id in bench.stuck {
      let history = try await after.engine.history(of: id, after: 0, limit: 100)
      #expect(history.filter { $0.type == "sagaPaused" }.count == 1)
    }
    // No saga with a known result was asked again.
    try await after.engine.waitUntilAudited()
    let listed = try await after.engine.operations(status: .finished, after: nil, limit: 9).operations
    #expect(listed == [ended.json])
    await after.stop()
  }

  @Test("An operation whose answer was lost runs, and the same key finds it")
  func lostAnswer() async throws {
    let bench = try await OperationBench(stuck: 3)
    bench.store.refuseAppends(1)
    let error = await #expect(throws: OutcomeUnknown.self) { try await bench.begin(.pause, key: "k-1") }
    #expect(error?.operation != nil)
    for id in bench.stuck { try await bench.engine.state(of: id, when: "the saga is paused") { $0.isPaused } }
    let again = try await bench.engine.begin(bench.request(.pause), key: "k-1")
    #expect(!again.isNew)
    let ended = try await bench.end(of: again.operation.id)
    #expect((ended.status, ended.done) == (.finished, 3))
    await bench.stop()
  }

  @Test("An operation that was stored but can't be read back runs, although its caller gets an unknown outcome")
  func lostLook() async throws {
    let bench = try await OperationBench(stuck: 3)
    bench.store.refuseReads(1)
    await #expect(throws: OutcomeUnknown.self) { try await bench.begin(.pause, .sagas(bench.stuck)) }
    #expect(bench.store.refusedReads == 1)
    for id in bench.stuck { try await bench.engine.state(of: id, when: "the saga is paused") { $0.isPaused } }
    await bench.stop()
  }

  @Test("At the start the engine asks the store for open operations until the store answers")
  func startInTrouble() async throws {
    let clock = FakeClock()
    let bench = try await OperationBench(stuck: 2, environment: .fake(clock: clock))
    let begun = try await bench.begin(.pause, pace: OperationPace(rate: 1))
    await clock.waitForSleepers { $0.contains(begun.startedAt + .seconds(1)) }
    await bench.stop()
    bench.store.refuseLists(of: OperationDocuments.collection, 3)
    let after = try await OperationBench(over: bench)
    let ended = try await after.engine.end(of: begun.id) { clock.advance(by: .seconds(1)) }
    #expect((ended.status, ended.done) == (.finished, 2))
    await after.stop()
  }

  @Test("An operation loses nothing when the store is unavailable for a while")
  func troubledStore() async throws {
    let bench = try await OperationBench(stuck: 3)
    let begun = try await bench.begin(.pause, pace: OperationPace(rate: 20))
    bench.store.refuseAppends(2)
    bench.store.refuseReads(2)
    let ended = try await bench.end(of: begun.id)
    #expect((ended.status, ended.done, ended.refused) == (.finished, 3, 0))
    for id in bench.stuck {
      let history = try await bench.engine.history(of: id, after: 0, limit: 100)
      #expect(history.filter { $0.type == "sagaPaused" }.count == 1)
    }
    await bench.stop()
  }

  @Test("A saga's id is refused as an operation's, and an operation's id as a saga's")
  func strangers() async throws {
    let bench = try await OperationBench(stuck: 1)
    let begun = try await bench.begin(.pause)
    let saga = try #require(bench.stuck.first)
    await #expect(throws: EngineError.self) { try await bench.engine.operation(saga) }
    let error = await #expect(throws: Refusal.self) { try await bench.engine.saga(begun.id) }
    #expect(error?.code == EngineErrorCode.sagaNotFound)
    await #expect(throws: Refusal.self) { try await bench.engine.history(of: begun.id, after: 0, limit: 10) }
    await bench.stop()
  }

  @Test("A saga whose history is not JSON counts as refused, in the preview too, and the operation continues")
  func unreadable() async throws {
    let bench = try await OperationBench(stuck: 3)
    let garbled = try #require(bench.stuck.first)
    try await bench.engine.waitUntilAsleep(garbled)
    bench.store.garble(garbled)
    let preview = try await bench.engine.preview(.pause, .sagas(bench.stuck))
    #expect(preview.items.map(\.refusal?.code) == [EngineErrorCode.eventUnreadable, nil, nil])
    let ended = try await bench.end(of: try await bench.begin(.pause, .sagas(bench.stuck)).id)
    #expect((ended.status, ended.done, ended.refused, ended.left) == (.finished, 2, 1, 0))
    #expect(ended.results[garbled]?.refusal?.code == EngineErrorCode.eventUnreadable)
    await bench.stop()
  }

  @Test("An operation that ended while it was read is not cached in its older state")
  func readAcrossItsEnd() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.pause])
    let asked = try await bench.ask(.pause, try #require(bench.stuck.first))
    await bench.stop()
    let after = try await OperationBench(over: bench)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    after.store.hold(asked.id, until: gate)
    async let early = after.engine.operation(asked.id)
    try await eventually("the read is held") { !after.store.isHeld(asked.id) }
    _ = try await after.engine.decline(asked.id, OperatorAct(by: "ben", reason: "no"))
    open.yield()
    _ = try await early
    #expect(try await after.engine.operation(asked.id).status == .declined)
    await after.stop()
  }
}
