import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Notifications
@testable import SagaCore
@testable import WorkflowEngine

@Suite("One notice for one incident", .timeLimit(.minutes(15)), .inTurn)
struct IncidentNoticeTests {
  private static let start = Timestamp(milliseconds: 1_772_352_000_000)
  private static let wait = Duration.seconds(10)
  private static let again = Duration.seconds(4 * 3_600)

  @Test("The first saga opens an incident; those that come while its notice waits are left out and counted")
  func opens() {
    var book = IncidentBook()
    let due = Self.start + Self.wait
    #expect(book.note("i", id: "a/1", at: Self.start, wait: Self.wait) == .tell(notBefore: due))
    for number in 0..<36 {
      #expect(book.note("i", id: "s\(number)/1", at: Self.start, wait: Self.wait) == .leaveOut)
    }
    // The same notice comes again after a restart.
    #expect(book.note("i", id: "a/1", at: Self.start + .seconds(3), wait: Self.wait) == .tell(notBefore: due))
    #expect(book.sagas(in: "i", size: nil) == 37)
    #expect(book.sagas(in: "i", size: 20) == 37, "lists that are behind have fewer")
    #expect(book.note("other", id: "b/1", at: Self.start, wait: Self.wait) == .tell(notBefore: due))
  }

  @Test("Another notice comes when the incident is ten times as large, or still grows after a long time")
  func grows() {
    var book = IncidentBook()
    _ = book.note("i", id: "a/1", at: Self.start, wait: Self.wait)
    book.didTell("i", id: "a/1", sagas: 3, at: Self.start)
    func more(_ id: String, size: Int?, after seconds: Int) -> IncidentBook.Decision {
      let now = Self.start + .seconds(seconds)
      #expect(book.note("i", id: id, at: now, wait: Self.wait) == .ask)
      return book.stillOpen("i", id: id, size: size, at: now, wait: Self.wait, again: Self.again)
    }
    #expect(more("b/1", size: 4, after: 60) == .leaveOut)
    #expect(more("c/1", size: 29, after: 61) == .leaveOut)
    #expect(more("d/1", size: 30, after: 62) == .tell(notBefore: Self.start + .seconds(72)))
    #expect(book.sagas(in: "i", size: 31) == 31)
    book.didTell("i", id: "d/1", sagas: 31, at: Self.start + .seconds(72))
    #expect(more("e/1", size: 32, after: 4 * 3_600) == .leaveOut)
    #expect(more("f/1", size: 33, after: 4 * 3_600 + 72) == .tell(notBefore: Self.start + .seconds(4 * 3_600 + 82)))
  }

  @Test("While lists say nothing, a further saga makes a notice ten minutes after the last one")
  func unknown() async throws {
    var bench = try await NoticeBench()
    bench.configuration.incidentWait = .zero
    let asked = Told<String>()
    bench.sizes = IncidentSizes(
      hasOthers: { _, saga in
        asked.add(saga)
        return nil
      }, count: { _ in nil })
    let clock = bench.clock
    let running = try await RunningEngine(
      bench.store,
      ScriptedExecutor { _ in .failed(StepFailure(code: "FREEZER_LOCKED", message: "The freezer is locked.")) },
      environment: bench.environment)
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a", #""onFailure": "stuck""#)), by: "test")
    let pager = ScriptedDestination()
    try await bench.run(pager) { notices in
      func stick() async throws {
        let id = try await running.start().id
        try await running.engine.wait(for: id, toBe: .stuck)
      }
      try await stick()
      await pager.tried.wait(for: 1)
      try await bench.status(notices) { $0.delivered == 1 }
      try await stick()
      await asked.wait(for: 1)
      clock.advance(by: .seconds(600))
      try await stick()
      await pager.tried.wait(for: 2)
      #expect(pager.tried.all.count == 2 && asked.all.count == 2)
    }
    await running.stop()
  }

  @Test("A first notice that was given up leaves the incident to the next saga")
  func givenUp() {
    var book = IncidentBook()
    _ = book.note("i", id: "a/1", at: Self.start, wait: Self.wait)
    book.didGiveUp("i", id: "b/1")
    #expect(book.note("i", id: "c/1", at: Self.start, wait: Self.wait) == .leaveOut)
    book.didGiveUp("i", id: "a/1")
    #expect(book.note("i", id: "d/1", at: Self.start, wait: .zero) == .tell(notBefore: Self.start))
  }

  @Test("What is known survives a restart, and at most a thousand incidents are known")
  func kept() {
    var record = DeliveryRecord()
    for number in 0..<1_200 {
      let now = Self.start + .seconds(number)
      _ = record.incidents.note("i\(number)", id: "s\(number)/1", at: now, wait: Self.wait)
      record.incidents.didTell("i\(number)", id: "s\(number)/1", sagas: number, at: now)
    }
    _ = record.incidents.note("waits", id: "w/1", at: Self.start, wait: Self.wait)
    #expect(record.incidents.entries.count == IncidentBook.most)
    #expect(record.incidents.entries["i0"] == nil && record.incidents.entries["i1199"]?.told == 1_199)
    #expect(DeliveryRecord(record.document(of: "pager")).incidents == record.incidents)
  }

  @Test("Seven sagas that are stuck for one reason make one notice; after a retry the next one opens it again")
  func night() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    let isLocked = Mutex(true)
    let running = try await RunningEngine(
      store,
      ScriptedExecutor { call in
        if call.step == "b" { return .failed(StepFailure(code: "NO_ADDRESS", message: "The address is missing.")) }
        return isLocked.withLock { $0 }
          ? .failed(StepFailure(code: "FREEZER_LOCKED", message: "The freezer is locked.")) : .succeeded(.null)
      }, environment: environment)
    for (name, step) in [("store", "a"), ("send", "b")] {
      let text = #"{"name": "\#(name)", "version": 1, "steps": [\#(Workflow.step(step, #""onFailure": "stuck""#))]}"#
      _ = try await running.engine.register(Array(text.utf8), by: "test")
    }
    var configuration = Notices.Configuration()
    (configuration.lookEvery, configuration.saveEvery) = (.zero, .zero)
    let pager = ScriptedDestination()
    let notices = Notices(
      engine: running.engine, store: store, destinations: [pager], configuration: configuration,
      environment: environment)
    let telling = Task { await notices.run() }
    /// The incidents that the destination's record has.
    func book() async throws -> IncidentBook {
      let kept = try await store.document(collection: DeliveryRecord.collection, id: "pager")
      return kept.map { DeliveryRecord($0).incidents } ?? IncidentBook()
    }
    func counted(_ workflow: String, _ count: Int) async throws {
      try await eventually("\(count) sagas of \(workflow) are known") {
        try await book().entries.values.contains { $0.count == count }
      }
    }
    func stick(_ workflow: String) async throws -> UniqueID {
      let id = try await running.start(workflow).id
      try await running.engine.wait(for: id, toBe: .stuck)
      return id
    }
    func told(_ count: Int) async throws -> [Notice] {
      try await eventually("\(count) notices were sent") {
        if pager.tried.all.count >= count { return true }
        clock.advance(by: .seconds(1))
        return false
      }
      return pager.tried.all
    }

    try await eventually("the destination is stored") {
      try await store.document(collection: DeliveryRecord.collection, id: "pager") != nil
    }
    var sagas: [UniqueID] = []
    for _ in 0..<7 { sagas.append(try await stick("store")) }
    try await running.engine.waitUntilListed()
    try await counted("store", 7)
    #expect(pager.tried.all.isEmpty, "it waits for others")
    let first = try #require(try await told(1).first)
    #expect(first.type == .sagaStuck && first.details["incident"]?["sagas"] == 7)
    #expect(first.summary.hasSuffix("6 more sagas have the same trouble."), "\(first.summary)")

    // 1. One more saga makes no notice; another reason does.
    sagas.append(try await stick("store"))
    try await counted("store", 8)
    _ = try await stick("send")
    let second = try await told(2)
    #expect(second.count == 2 && second[1].details["code"] == "NO_ADDRESS")
    #expect(second[1].details["incident"]?["sagas"] == 1 && !second[1].summary.contains("same trouble"))

    // 2. All are retried and complete. Then the same trouble is a new incident.
    isLocked.withLock { $0 = false }
    for id in sagas {
      _ = try await running.engine.operate(
        id, OperatorRequest(.retry(step: nil), by: OperatorAct(by: "mia", reason: "the freezer is open")))
      _ = try await running.end(of: id)
    }
    try await running.engine.waitUntilListed()
    isLocked.withLock { $0 = true }
    let last = try await stick("store")
    let third = try await told(3)
    #expect(third.count == 3 && third[2].subject == last.description)
    #expect(third[2].details["incident"]?["id"] == first.details["incident"]?["id"])
    telling.cancel()
    await telling.value
    await running.stop()
  }
}
