import Foundation
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import Persistence
@testable import SagaCore
@testable import WorkflowEngine

/// The read model says of every saga what its events say, however they came and whatever went wrong meanwhile.
@Suite("The read model and the events agree, saga by saga", .timeLimit(.minutes(15)), .inTurn)
struct FoldedRowsTests {
  /// Fails by the saga, step and attempt, so that every kind of history comes about.
  static func participant(_ call: StepCall) -> StepOutcome {
    var random = SeededRandom(name: "\(call.saga)/\(call.step)/\(call.phase)/\(call.attempt)")
    let failure = StepFailure(code: ["QC_FAILED", "http.503", "lost"][Int(random.next() % 3)], message: "It failed.")
    switch random.next() % (call.phase == .forward ? 12 : 8) {
    case 0: return .failed(failure)
    case 1: return .unknown(failure)
    case 2: return .failed(StepFailure(code: "busy", message: "Not now.", isRetryable: true))
    default: return .succeeded(["n": .int(Int(random.next() % 100))])
    }
  }

  static let workflow = Workflow.of(
    Workflow.step("a"), Workflow.step("b"), #"{"id": "go", "signal": {"name": "go"}, "dependsOn": ["b"]}"#,
    Workflow.step("c", #""pivot": true, "dependsOn": ["go"], "# + Workflow.quick),
    Workflow.step("d", #""dependsOn": ["go"], "# + Workflow.quick),
    members: #""title": "Tube ${input.barcode}", "labels": {"order": "${saga.key}", "barcode": "${input.barcode}"},"#)

  /// Starts sagas with random outcomes and verbs, until each has ended or waits for a person.
  static func live(_ engine: Engine, sagas: Int, seed: UInt64) async throws -> [UniqueID] {
    try await withThrowingTaskGroup(of: UniqueID.self) { group in
      var ids: [UniqueID] = []
      for index in 0..<sagas {
        if index >= 32, let id = try await group.next() { ids.append(id) }
        group.addTask { try await one(engine, seed: seed &+ UInt64(index)) }
      }
      for try await id in group { ids.append(id) }
      return ids
    }
  }

  private static func one(_ engine: Engine, seed: UInt64) async throws -> UniqueID {
    var random = SeededRandom(seed: seed)
    let id = try await engine.start(
      StartRequest(
        workflow: "spec", input: ["barcode": .string("LAB-\(seed % 50)")], idempotencyKey: "k\(seed)",
        tags: seed % 3 == 0 ? ["urgent"] : [], by: "test")
    ).id
    for _ in 0..<Int(random.next() % 5) {
      // Refusals are as good as anything: what counts is what is stored.
      do {
        let act = OperatorAct(by: "op", reason: "looked")
        func operate(_ verb: OperatorVerb) async throws {
          _ = try await engine.operate(id, OperatorRequest(verb, by: act))
        }
        switch random.next() % 10 {
        case 0: try await operate(.cancel)
        case 1:
          let state = try await engine.saga(id).state
          if let blocker = state.blockers.first {
            try await operate(.retry(step: blocker.step))
          }
        case 2:
          let state = try await engine.saga(id).state
          if let blocker = state.blockers.first {
            try await operate(.resolve(step: blocker.step, blocker.phase == .undo ? .undone : .didNotHappen))
          }
        case 3: try await operate(.abandon)
        case 4:
          try await operate(.pause)
          try await operate(.resume)
        case 5: try await operate(.skip(step: try await engine.saga(id).state.steps[0].id, output: nil))
        case 6: try await operate(.rewind(step: try await engine.saga(id).state.steps[0].id))
        case 7: try await operate(.extend(step: nil, .by(.seconds(60))))
        default: _ = try await engine.signal(id, name: "go", body: 1, signalID: nil, by: "qa")
        }
      } catch is Refusal {}
    }
    return id
  }

  /// Compares every row with the fold of the saga's events, and the counters with the rows.
  static func compare(_ engine: Engine, _ ids: [UniqueID]) async throws -> [String: Int] {
    let store = engine.readModel.store
    let generation = try await store.generations().current
    let rows = Dictionary(
      uniqueKeysWithValues: try await store.rows(ids, generation: generation).map { ($0.id, $0) })
    var statuses: [String: Int] = [:]
    for id in ids {
      let row = try #require(rows[id], "saga \(id) is not listed")
      var events: [SagaEvent] = []
      for stored in try await engine.host.events.read(id, after: 0, limit: 10_000) {
        events.append(try SagaEventCoding.decode(stored))
      }
      let state = try SagaState(folding: events)
      #expect(row.lastEvent == events.count && row.status == state.status.rawValue)
      #expect(row.startedAt == state.startedAt && row.endedAt == state.end?.at && row.updatedAt == events.last?.at)
      #expect(row.steps.map(\.id) == state.steps.map(\.id))
      #expect(row.steps.map(\.status) == state.steps.map(\.status.rawValue))
      #expect(row.at.isEmpty || state.end == nil)
      #expect(row.key == state.start.idempotencyKey && row.tags == state.start.tags)
      let barcode = state.start.input["barcode"]?.stringValue ?? ""
      #expect(row.title == "Tube \(barcode)" && state.start.title == row.title)
      #expect(row.labels == [Label("order", row.key ?? ""), Label("barcode", barcode)])
      #expect(row.words.contains("tube"))
      #expect(
        row.words.contains(id.description)
          && row.words.contains(state.start.input["barcode"]?.stringValue?.lowercased() ?? "?"))
      if state.status == .stuck {
        #expect(row.failedStep == state.blockers.first?.step && row.failureCode == state.blockers.first?.failure.code)
      } else if let turnBack = state.turnBack, state.status != .abandoned {
        #expect(row.failedStep == turnBack.value.step && row.failureCode == turnBack.value.code)
      }
      // However it was folded, in one piece or with rests, it is the same row.
      let last = try #require(events.last)
      #expect(row == SagaRow(state, shard: row.shard, at: last.at, startWords: SagaRow.startWords(state.start)))
      statuses[row.status, default: 0] += 1
    }
    #expect(try await store.facets(SagaQuery()).status == statuses)
    return statuses
  }

  /// Compares the statistics with counts of the steps' outcomes in the events.
  static func compareMinutes(_ engine: Engine, _ ids: [UniqueID]) async throws {
    var started = 0
    var succeeded = 0
    for id in ids {
      for stored in try await engine.host.events.read(id, after: 0, limit: 10_000) {
        let event = try SagaEventCoding.decode(stored)
        switch event.what {
        case is StepSucceeded: succeeded += 1
        case let event as OperatorResolved: if case .happened = event.resolution { succeeded += 1 }
        case is WaitStarted: started += 1
        case let event as AttemptStarted: if event.phase == .forward, event.attempt == 1 { started += 1 }
        default: break
        }
      }
    }
    let minutes = try await engine.readModel.store.minutes(workflow: "spec", MomentRange())
    #expect(minutes.reduce(0) { $0 + $1.started } == started)
    #expect(minutes.reduce(0) { $0 + $1.succeeded } == succeeded)
    #expect(minutes.reduce(0) { $0 + $1.durations.count } <= succeeded)
  }

  @Test(
    "Rows and events agree over 2,000 histories with faults and verbs, on each read store",
    arguments: [false, true])
  func histories(sqlite: Bool) async throws {
    try await withFolder { folder in
      let events = MemoryStore(environment: .system)
      let read: any SagaReadStore =
        sqlite ? try await SQLReadStore.sqlite(path: folder + "/read.db") : MemoryReadStore()
      let running = try await RunningEngine(
        events, ScriptedExecutor(Self.participant), readStore: read, learnsExpectations: false)
      _ = try await running.engine.register(Self.workflow, by: "test")
      let ids = try await Self.live(running.engine, sagas: sqlite ? 500 : 2_000, seed: 1)
      await running.stop()
      // Attempts under way have settled. A second engine lists the sagas that the first left.
      let second = try await RunningEngine(
        events, ScriptedExecutor(Self.participant), readStore: read, learnsExpectations: false)
      try await second.engine.waitUntilQuiet(ids)
      let statuses = try await Self.compare(second.engine, ids)
      #expect(statuses.count >= 4, "\(statuses)")
      try await Self.compareMinutes(second.engine, ids)
      await second.stop()
      await read.close()
    }
  }

  @Test("Rows and events agree when the read store fails before and after writes, with memory for three sagas")
  func failures() async throws {
    let store = MemoryStore(environment: .system)
    let read = FailingReadStore(every: 3)
    let running = try await RunningEngine(
      store, ScriptedExecutor(Self.participant), readStore: read, learnsExpectations: false)
    _ = try await running.engine.register(Self.workflow, by: "test")
    let ids = try await Self.live(running.engine, sagas: 60, seed: 9_000)
    await running.stop()
    let follower = SagaFollower(generation: 1, events: store, store: read, log: .silent, keeping: 3)
    for shard in 0..<store.shardCount {
      while true {
        let from = try await follower.checkpoint(shard: shard)
        let events = try await store.tail(shard: shard, after: from, limit: 3)
        if events.isEmpty { break }
        // A failed batch is tried again from the checkpoint.
        try? await follower.apply(events, shard: shard, from: from)
      }
    }
    #expect(read.failures > 20)
    let second = try await RunningEngine(
      store, ScriptedExecutor(Self.participant), readStore: read.store, learnsExpectations: false)
    try await second.engine.waitUntilQuiet(ids)
    _ = try await Self.compare(second.engine, ids)
    try await Self.compareMinutes(second.engine, ids)
    await second.stop()
  }

  @Test("A rebuild while sagas run gives the same rows, and readers always find all sagas that ended before")
  func rebuild() async throws {
    try await withFolder { folder in
      let read = try await SQLReadStore.sqlite(path: folder + "/read.db")
      let running = try await RunningEngine(
        MemoryStore(environment: .system), ScriptedExecutor(Self.participant), readStore: read,
        learnsExpectations: false)
      let engine = running.engine
      _ = try await engine.register(Self.workflow, by: "test")
      var ids = try await Self.live(engine, sagas: 2_000, seed: 20_000)
      try await engine.waitUntilListed()
      let before = try await engine.projections().generation
      let listed = try await read.facets(SagaQuery()).status.values.reduce(0, +)
      #expect(listed == 2_000)
      _ = try await engine.rebuildProjections(by: "test")
      // Asked twice, it is the same rebuild.
      _ = try await engine.rebuildProjections(by: "test")
      let isDone = Flag()
      let more = try await withThrowingTaskGroup(of: [UniqueID].self) { group in
        group.addTask {
          // Also when the other task fails, or the test would never end.
          while !isDone.isSet, !Task.isCancelled {
            let counts = try await read.facets(SagaQuery()).status
            #expect(counts.values.reduce(0, +) >= listed)
          }
          return []
        }
        group.addTask {
          let more = try await Self.live(engine, sagas: 300, seed: 30_000)
          try await eventually("the rebuild has ended") { try await engine.projections().generation != before }
          isDone.set()
          return more
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      ids += more
      try await engine.waitUntilQuiet(ids)
      #expect(try await engine.projections().generation == before + 1)
      #expect(try await engine.projections().rebuilding == nil)
      _ = try await Self.compare(engine, ids)
      try await Self.compareMinutes(engine, ids)
      await running.stop()
      await read.close()
    }
  }

  @Test("A saga is found by its labels and by the words of its title, and a repeated start is the same saga")
  func labels() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let engine = running.engine
    _ = try await engine.register(Self.workflow, by: "test")
    let request = StartRequest(workflow: "spec", input: ["barcode": "LAB-1"], idempotencyKey: "K-1", by: "test")
    let id = try await engine.start(request).id
    let again = try await engine.start(request)
    #expect(again.id == id && !again.isNew)
    _ = try await engine.start(StartRequest(workflow: "spec", input: ["barcode": "LAB-2"], by: "test"))
    try await engine.waitUntilListed()
    func found(_ change: (inout SagaQuery) -> Void) async throws -> [UniqueID] {
      var query = SagaQuery()
      change(&query)
      return try await engine.list(SagaListRequest(query)).sagas.map(\.id)
    }
    #expect(try await found { $0.labels = [Label("barcode", "LAB-1")] } == [id])
    #expect(try await found { $0.labels = [Label("barcode", "LAB-1"), Label("order", "K-1")] } == [id])
    #expect(try await found { $0.labels = [Label("barcode", "LAB-2"), Label("order", "K-1")] } == [])
    #expect(try await found { $0.labels = [Label("order", "LAB-1")] } == [])
    #expect(try await found { $0.labels = [Label("barcode", "LAB")] } == [])
    #expect(try await found { $0.words = SagaWords.query("tube lab-1") } == [id])
    await running.stop()
  }

  @Test("A title and labels are found by their words beside a long input, and take no room for words that it has too")
  func words() {
    func start(_ input: JSON, title: String?, _ labels: [Label]) -> SagaStart {
      SagaStart(
        id: UniqueID.version7(at: Timestamp(milliseconds: 1_772_352_000_000), random: (1, 2)), workflow: "w",
        version: 1,
        definitionDigest: "d", steps: [], input: input, deadline: Timestamp(milliseconds: 1_772_352_000_001),
        idempotencyKey: nil, tags: [], by: "test", title: title, labels: labels)
    }
    let many = JSON.array((0..<200).map { .string("word\($0)") })
    let words = SagaRow.startWords(start(many, title: "Liver biopsy", [Label("patient", "Meier")]))
    #expect(words.count == SagaWords.limit)
    #expect(Array(words[1...4]) == ["liver", "meier", "biopsy", "word0"])
    let title = (0..<60).map { "t\($0)" }.joined(separator: " ")
    let both = SagaRow.startWords(start(many, title: title, []))
    #expect(both.filter { $0.hasPrefix("t") }.count == SagaWords.limit / 2)
    let same = SagaRow.startWords(start(["barcode": "TUBE-1"], title: "TUBE-1", [Label("tube", "TUBE-1")]))
    #expect(same.dropFirst() == ["tube-1"] || same.dropFirst() == ["tube-1", "1"])
  }

  @Test("A paused saga is found as paused, and its clock stops")
  func paused() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let engine = running.engine
    _ = try await engine.register(Self.workflow, by: "test")
    let id = try await engine.start(StartRequest(workflow: "spec", input: ["n": 1], by: "test")).id
    var query = SagaQuery()
    query.isPaused = true
    for (verb, isPaused) in [(OperatorVerb.pause, true), (.resume, false)] {
      _ = try await engine.operate(id, OperatorRequest(verb, by: OperatorAct(by: "op", reason: "looked")))
      try await engine.waitUntilListed()
      let row = try #require(try await engine.list(SagaListRequest()).sagas.first)
      #expect(row.isPaused == isPaused && (row.overdueAt == nil) == isPaused)
      #expect(try await engine.list(SagaListRequest(query)).sagas.count == (isPaused ? 1 : 0))
    }
    await running.stop()
  }

  @Test("A read model made from other events is built again")
  func otherEvents() async throws {
    let read = MemoryReadStore()
    let first = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(), readStore: read)
    _ = try await first.engine.register(Workflow.of(Workflow.step("a")), by: "test")
    for _ in 0..<5 { _ = try await first.end(of: first.start().id) }
    try await first.engine.waitUntilListed()
    await first.stop()
    let second = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor(), readStore: read)
    _ = try await second.engine.register(Workflow.of(Workflow.step("a")), by: "test")
    let id = try await second.start().id
    _ = try await second.end(of: id)
    try await second.engine.waitUntilListed()
    #expect(try await second.engine.list(SagaListRequest()).sagas.map(\.id) == [id])
    await second.stop()
  }

  @Test("A list with a read-your-writes token has the command's effect, or reports that it is behind")
  func seen() async throws {
    let clock = FakeClock()
    let running = try await RunningEngine(
      MemoryStore(environment: .fake(clock: clock)), ScriptedExecutor(), environment: .fake(clock: clock))
    let engine = running.engine
    _ = try await engine.register(Workflow.of(Workflow.step("a")), by: "test")
    for _ in 0..<20 {
      let id = try await running.start().id
      let page = try await engine.list(SagaListRequest(seen: try await engine.seen(id)))
      #expect(page.sagas.contains { $0.id == id } && !page.isBehind)
    }
    let shard = engine.host.events.shard(of: try await running.start().id)
    let far = SeenToken(positions: [shard: 1_000_000])
    async let page = engine.list(SagaListRequest(seen: far))
    let deadline = clock.now() + Engine.longestLag
    await clock.waitForSleepers { $0.contains(deadline) }
    clock.advance(by: Engine.longestLag)
    #expect(try await page.isBehind)
    #expect(SeenToken("3.17-4.2") == SeenToken(positions: [3: 17, 4: 2]))
    #expect(SeenToken(far.description) == far)
    for text in ["", "3", "3.", ".4", "3.4-", "a.b", "3.-4", "99999.1", "3.4.5"] { #expect(SeenToken(text) == nil) }
    await running.stop()
  }
}

/// Runs a test with a folder of its own.
private func withFolder(_ body: @Sendable (String) async throws -> Void) async throws {
  try await body(TestFolder.new("rows").path)
}

extension Engine {
  /// Returns once no saga has anything left to do by itself, and all of it is listed.
  fileprivate func waitUntilQuiet(_ ids: [UniqueID]) async throws {
    for id in ids {
      try await state(of: id, when: "the saga has nothing left to do by itself") { state in
        // A compensating saga continues by itself to its end, or until it is stuck, also between attempts of an undo.
        let isBusy =
          state.status == .compensating
          || state.steps.contains { [.running, .backingOff].contains($0.status) || $0.inFlight?.phase == .undo }
        return state.end != nil || state.status == .stuck || state.isPaused || !isBusy
      }
    }
    try await waitUntilListed()
    // Sagas that came in between are listed too.
    try await waitUntilListed()
  }
}

extension FoldedRowsTests {
  @Test("A row that the store refuses is stored in a reduced form, and its shard continues")
  func refusedRows() async throws {
    let events = MemoryStore(environment: .system)
    let read = RefusingReadStore { $0.tags.contains("bad") || $0.tags.contains("worse") }
    let running = try await RunningEngine(events, ScriptedExecutor(Self.participant), readStore: read)
    let engine = running.engine
    _ = try await engine.register(Self.workflow, by: "test")
    var ids: [String: UniqueID] = [:]
    for tag in ["good", "bad", "fine"] {
      ids[tag] = try await engine.start(StartRequest(workflow: "spec", input: ["n": 1], tags: [tag], by: "test")).id
    }
    try await engine.waitUntilListed()
    let rows = try await read.currentRows(Array(ids.values))
    #expect(rows.count == 3)
    for row in rows {
      #expect((row.note != nil) == (row.id == ids["bad"]), "\(row)")
      #expect(row.tags == (row.id == ids["bad"] ? [] : row.tags))
    }
    // Its next events are listed, too, and another rebuild ends.
    try await engine.waitUntilListed()
    let generation = try await engine.projections().generation
    _ = try await engine.rebuildProjections(by: "anna", from: "test")
    try await eventually("the rebuild has ended") { try await engine.projections().generation != generation }
    #expect(try await read.currentRows(Array(ids.values)).count == 3)
    await running.stop()
  }
}

/// A read store in memory that refuses some rows for their values, as a database does.
private final class RefusingReadStore: ReadStoreInFront {
  let store: any SagaReadStore = MemoryReadStore()
  private let refuses: @Sendable (SagaRow) -> Bool

  init(_ refuses: @escaping @Sendable (SagaRow) -> Bool) { self.refuses = refuses }

  func apply(_ batch: ReadBatch) async throws(StoreError) {
    if batch.changes.contains(where: { refuses($0.new) }) { throw .invalid("a value is too long") }
    try await store.apply(batch)
  }
  func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String] {
    Dictionary(uniqueKeysWithValues: changes.map(\.new).filter(refuses).map { ($0.id, "a value is too long") })
  }
}

/// A read store in memory of which every third write fails, by turns before and after it has written.
private final class FailingReadStore: ReadStoreInFront {
  let store: any SagaReadStore = MemoryReadStore()
  private let every: Int
  private let count = Atomic<Int>(0)
  var failures: Int { count.load(ordering: .relaxed) / every }

  init(every: Int) { self.every = every }

  func apply(_ batch: ReadBatch) async throws(StoreError) {
    let number = count.wrappingAdd(1, ordering: .relaxed).newValue
    let fails = number % every == 0
    if fails, number % 2 == 0 { throw .unavailable("before") }
    try await store.apply(batch)
    if fails { throw .unavailable("after") }
  }
  func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String] { [:] }
}

private final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .relaxed) }
  func set() { value.store(true, ordering: .relaxed) }
}
