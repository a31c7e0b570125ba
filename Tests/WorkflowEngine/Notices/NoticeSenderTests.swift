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

@Suite("Delivery of notices", .timeLimit(.minutes(15)), .inTurn)
struct NoticeSenderTests {
  @Test("A new destination gets notices of new events only")
  func oldStore() async throws {
    let bench = try await NoticeBench()
    for number in 0..<20 { try await bench.append("old-\(number)") }
    let pager = ScriptedDestination()
    try await bench.run(pager) { notices in
      try await bench.append("new")
      #expect(await pager.tried.wait(for: 1).steps == ["new"])
      let status = try await bench.status(notices) { $0.delivered == 1 }
      #expect(status.state == .current && status.pending == 0 && status.lastDeliveredAt == bench.clock.now())
    }
    // An event from the time when no sender ran is delivered.
    try await bench.append("meanwhile")
    try await bench.run(pager) { _ in
      #expect(await pager.tried.wait(for: 2).steps == ["new", "meanwhile"])
    }
    // No notice is delivered twice.
    try await bench.run(pager) { notices in
      try await bench.append("last")
      await pager.tried.wait(for: 3)
      #expect(pager.tried.all.steps == ["new", "meanwhile", "last"])
      try await bench.status(notices) { $0.delivered == 3 }
    }
  }

  @Test(
    "A destination that was down gets every notice later, in each saga's order, after retries with growing pauses")
  func downAndUp() async throws {
    let bench = try await NoticeBench()
    let pager = ScriptedDestination("pager") { _ in ScriptedDestination.failed }
    try await bench.run(pager) { notices in
      let stream = try await bench.append("one", shard: 3)
      await pager.tried.wait(for: 1)
      try await bench.append("undoFailed", NoticeBench.undoFailed("two"), to: stream, after: 1)
      for number in 0..<10 { try await bench.append("other", shard: 10 + number) }
      var pauses: [Duration] = []
      for _ in 0..<7 {
        let now = bench.clock.now()
        try await bench.nextTry(notices, pager)
        pauses.append(bench.clock.now() - now)
      }
      // One at a time, whatever waits: 12 notices and not more than 8 tries.
      #expect(pager.tried.all.count <= 9)
      #expect(pauses[0] >= .seconds(4) && pauses[0] <= .seconds(6))
      #expect(pauses.last.map { $0 >= .seconds(240) && $0 <= .seconds(360) } == true, "\(pauses)")
      let failing = try await bench.status(notices) { $0.pending == 12 }
      #expect(failing.state == .failing && failing.problem?.code == "http.connectionRefused")
      #expect(failing.failingSince != nil && failing.failures >= 7)

      pager.answer(.delivered(answer: "204"))
      try await bench.advance(notices) { $0.delivered == 12 }
      let told = pager.tried.all.filter { $0.subject == stream.description }.map { $0.details["step"]?.stringValue }
      #expect(told.last == "two" && told.dropLast().allSatisfy { $0 == "one" })
      let well = try await bench.status(notices) { $0.state == .current }
      #expect(well.failingSince == nil && well.problem == nil && well.givenUp == 0)
    }
  }

  @Test("Pending notices and the time of their first try survive a restart", arguments: ["memory", "sqlite"])
  func restart(_ kind: String) async throws {
    let clock = FakeClock()
    let file = try TemporaryStoreFile()
    let store: any EventStore =
      kind == "memory" ? MemoryStore(environment: .fake(clock: clock)) : try await file.open(.fake(clock: clock))
    var bench = try await NoticeBench(store, clock: clock)
    let pager = ScriptedDestination("pager") { _ in ScriptedDestination.failed }
    var since: Timestamp?
    try await bench.run(pager) { notices in
      try await bench.append("one", shard: 5)
      since = try await bench.status(notices) { $0.failures == 1 }.failingSince
      try await bench.advanceToNextTry(notices)
      try await bench.status(notices) { $0.failures == 2 }
    }
    if kind == "sqlite" {
      await store.close()
      bench = try await NoticeBench(try await file.open(.fake(clock: clock)), clock: clock)
    }
    clock.advance(by: .seconds(30))
    try await bench.run(pager) { notices in
      let status = try await bench.status(notices) { $0.pending == 1 }
      #expect(status.failingSince == since && status.problem != nil)
      pager.answer(.delivered(answer: "204"))
      try await bench.advance(notices) { $0.delivered == 1 }
      #expect(pager.tried.all.steps.allSatisfy { $0 == "one" })
    }
    // And delivered is delivered.
    let count = pager.tried.all.count
    try await bench.run(pager) { notices in
      try await bench.append("two", shard: 5)
      try await bench.status(notices) { $0.delivered == 2 }
      #expect(pager.tried.all.dropFirst(count).map { $0.details["step"]?.stringValue } == ["two"])
    }
    await bench.store.close()
  }

  @Test("A 410 stops a destination until a test arrives or the engine restarts, and no notice is lost")
  func gone() async throws {
    let bench = try await NoticeBench()
    let pager = ScriptedDestination("pager") { _ in ScriptedDestination.gone }
    try await bench.run(pager) { notices in
      try await bench.append("one")
      let gone = try await bench.status(notices) { $0.state == .gone }
      #expect(gone.problem?.code == EngineErrorCode.noticeGone && gone.nextTryAt == nil && gone.pending == 1)
      try await bench.append("two")
      bench.clock.advance(by: .seconds(2 * 86_400))
      try await bench.status(notices) { $0.pending == 2 }
      #expect(pager.tried.all.count == 1)

      // A test that fails changes nothing; one that arrives does.
      #expect(try await notices.test("pager", by: "mia").outcome == ScriptedDestination.gone)
      pager.answer(.delivered(answer: "204"))
      let test = try await notices.test("pager", by: "mia")
      #expect(test.outcome == .delivered(answer: "204"))
      try await bench.status(notices) { $0.delivered == 2 && $0.state == .current }
      #expect(Set(pager.tried.all.suffix(2).map { $0.details["step"]?.stringValue }) == ["one", "two"])
    }
    pager.answer(ScriptedDestination.gone)
    try await bench.run(pager) { notices in
      try await bench.append("three")
      try await bench.status(notices) { $0.state == .gone }
    }
    pager.answer(.delivered(answer: "204"))
    try await bench.run(pager) { notices in
      try await bench.status(notices) { $0.delivered == 3 }
    }
  }

  @Test("A notice that is never accepted blocks only its shard, for a day, and is then a dead letter")
  func poison() async throws {
    let bench = try await NoticeBench()
    let pager = ScriptedDestination("pager") { notice in
      notice.details["step"] == "poison"
        ? .failed(NoticeFailure(code: EngineErrorCode.noticeRefused, message: "The receiver answered 400: no"))
        : .delivered(answer: "204")
    }
    try await bench.run(pager) { notices in
      let poison = try await bench.append("poison", shard: 1)
      try await bench.status(notices) { $0.failures == 1 }
      try await bench.append("behind", shard: 1)
      try await bench.append("beside", shard: 2)
      // Another shard's delivery continues with the next try at the latest.
      try await bench.advanceToNextTry(notices)
      try await bench.status(notices) { $0.delivered == 1 }
      #expect(pager.tried.all.steps.contains("beside") && !pager.tried.all.steps.contains("behind"))
      let waiting = try await bench.status(notices) { $0.pending == 2 }
      #expect(waiting.state == .failing && waiting.failingSince != nil, "it is seen, though others are delivered")

      var tries = 0
      while try await notices.status()[0].givenUp == 0 {
        try await bench.nextTry(notices, pager)
        tries += 1
        try #require(tries < 60)
      }
      #expect((20...50).contains(tries), "\(tries) tries in a day")
      let given = try await bench.status(notices) { $0.delivered == 2 && $0.givenUp == 1 }
      #expect(pager.tried.all.steps.last == "behind")
      #expect(given.state == .current && given.lastGivenUpAt != nil)
      let deadNotice = try #require(given.deadNotices.first)
      #expect(
        deadNotice.id == "\(poison)/1" && deadNotice.code == EngineErrorCode.noticeRefused && deadNotice.attempts >= 20)
      #expect(deadNotice.summary.contains("step poison failed for good: no [E]"))
      #expect(deadNotice.givenUpAt - given.deadNotices[0].at >= .seconds(86_400))
    }
    // It isn't tried again, and is still to be seen.
    let count = pager.tried.all.count
    try await bench.run(pager) { notices in
      try await bench.append("after", shard: 1)
      let status = try await bench.status(notices) { $0.delivered == 3 }
      #expect(status.givenUp == 1 && status.deadNotices.count == 1)
      #expect(pager.tried.all.count == count + 1)
    }
  }

  @Test("A dead notice is sent again unchanged on request, and is then removed")
  func resend() async throws {
    var bench = try await NoticeBench()
    bench.configuration.giveUpAfter = .seconds(60)
    let refused = NoticeFailure(code: EngineErrorCode.noticeRefused, message: "The receiver answered 400: no")
    let pager = ScriptedDestination { _ in .failed(refused) }
    try await bench.run(pager, ScriptedDestination("other")) { notices in
      var ids: [String] = []
      for number in 0..<5 {
        ids.append("\(try await bench.append("s\(number)", shard: number))/1")
        try await bench.advance(notices) { $0.givenUp > number }
      }
      let firsts = Dictionary(pager.tried.all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })

      // 1. Three failures in a row: it is the destination. Nothing is lost.
      let count = pager.tried.all.count
      let failed = try await notices.resend("pager", only: nil, by: "mia")
      #expect(failed.delivered.isEmpty && failed.left == 5 && failed.failed.map(\.id) == Array(ids.prefix(3)))
      #expect(failed.failed.allSatisfy { $0.failure == refused })
      #expect(pager.tried.all.count == count + 3)

      // 2. One that isn't there, a destination that isn't there; one alone.
      for id in ["x/1", "other/\(ids[0])", ""] {
        await #expect(throws: EngineError.self) { try await notices.resend("pager", only: id, by: "mia") }
      }
      await #expect(throws: EngineError.self) { try await notices.resend("nobody", only: nil, by: "mia") }
      pager.answer(.delivered(answer: "204"))
      let one = try await notices.resend("pager", only: ids[3], by: "mia")
      #expect(one.delivered == [ids[3]] && one.failed.isEmpty && one.left == 4)
      #expect(pager.tried.all.last == firsts[ids[3]], "it is the notice that it was")
      await #expect(throws: EngineError.self) { try await notices.resend("pager", only: ids[3], by: "mia") }

      // 3. All; one that is refused for itself stays.
      pager.answer { [bad = ids[1]] in $0.id == bad ? .failed(refused) : .delivered(answer: "204") }
      let rest = try await notices.resend("pager", only: nil, by: "mia")
      #expect(rest.delivered == [ids[0], ids[2], ids[4]] && rest.failed.map(\.id) == [ids[1]] && rest.left == 1)
      let status = try await notices.status()[0]
      #expect(status.deadNotices.map(\.id) == [ids[1]] && status.givenUp == 5)
      let nothing = try await notices.resend("other", only: nil, by: "mia")
      #expect(nothing.delivered.isEmpty && nothing.failed.isEmpty && nothing.left == 0)
    }
  }

  @Test("A destination that is down blocks no other destination, and each has its own types")
  func independent() async throws {
    let bench = try await NoticeBench()
    let dead = ScriptedDestination("dead") { _ in ScriptedDestination.failed }
    let well = ScriptedDestination("well")
    let only = ScriptedDestination("only", types: [.approvalNeeded])
    try await bench.run(dead, well, only) { notices in
      for number in 0..<30 { try await bench.append("s\(number)") }
      let operation = try await bench.append(
        "operationStarted",
        ["needsApproval": true, "verb": "compensate", "by": "bob", "reason": "bad lot", "sagas": 120])
      await well.tried.wait(for: 31)
      let told = await only.tried.wait(for: 1)
      #expect(told.map(\.type) == [.approvalNeeded])
      #expect(
        told[0].summary
          == "bob wants to compensate 120 sagas: “bad lot”. A second person must approve operation \(operation)."
      )
      #expect(dead.tried.all.count <= bench.configuration.width)
      #expect(try await notices.status().map(\.name) == ["dead", "well", "only"])
      let failing = try await bench.status(notices) { $0.pending == 31 }
      #expect(failing.state == .failing)
    }
  }

  @Test("Retry-After is honoured, up to an hour")
  func retryAfter() async throws {
    let bench = try await NoticeBench()
    let asked = Mutex(Duration.seconds(600))
    let pager = ScriptedDestination("pager") { _ in
      .failed(NoticeFailure(code: "notice.refused", message: "503", retryAfter: asked.withLock { $0 }))
    }
    try await bench.run(pager) { notices in
      try await bench.append("one")
      let first = try await bench.status(notices) { $0.failures == 1 }
      #expect(first.nextTryAt == bench.clock.now() + .seconds(600))
      asked.withLock { $0 = .seconds(1_000_000) }
      try await bench.advanceToNextTry(notices)
      let second = try await bench.status(notices) { $0.failures == 2 }
      #expect(second.nextTryAt == bench.clock.now() + .seconds(3_600))
    }
  }

  @Test("The day after which a notice is given up includes a restart")
  func dayOverARestart() async throws {
    let bench = try await NoticeBench()
    let pager = ScriptedDestination("pager") { _ in ScriptedDestination.failed }
    try await bench.run(pager) { notices in
      try await bench.append("one")
      try await bench.status(notices) { $0.failures == 1 }
    }
    bench.clock.advance(by: .seconds(25 * 3_600))
    try await bench.run(pager) { notices in
      let given = try await bench.status(notices) { $0.failures == 2 }
      #expect(given.givenUp == 1 && given.deadNotices.first?.attempts == 2)
    }
  }

  @Test("A destination with given-up notices is failing until a delivery succeeds, also a test")
  func givenUpAlone() async throws {
    var bench = try await NoticeBench()
    bench.configuration.giveUpAfter = .zero
    let pager = ScriptedDestination("pager") { _ in ScriptedDestination.failed }
    try await bench.run(pager) { notices in
      try await bench.append("one")
      let given = try await bench.status(notices) { $0.givenUp == 1 }
      #expect(given.state == .failing && given.pending == 0 && given.deadNotices.count == 1)
      pager.answer(.delivered(answer: "204"))
      _ = try await notices.test("pager", by: "mia")
      let well = try await bench.status(notices) { $0.state == .current }
      #expect(well.problem == nil && well.givenUp == 1)
    }
  }

  @Test("The sender waits for an unavailable store, and its status names the problem")
  func storeAway() async throws {
    let clock = FakeClock()
    let moody = TailMood(MemoryStore(environment: .fake(clock: clock)))
    let bench = try await NoticeBench(moody, clock: clock)
    let pager = ScriptedDestination()
    try await bench.run(pager) { notices in
      moody.isAway.withLock { $0 = true }
      try await bench.append("one")
      let away = try await bench.status(notices) { $0.problem != nil }
      #expect(away.state == .failing && away.problem?.code == StoreErrorCode.unavailable)
      moody.isAway.withLock { $0 = false }
      while pager.tried.all.isEmpty { clock.advance(by: .seconds(1)) }
      let well = try await bench.status(notices) { $0.delivered == 1 }
      #expect(well.state == .current && well.problem == nil)
    }
  }

  @Test("The pauses triple, plus or minus a fifth, up to an hour")
  func backoff() {
    let backoff = Notices.Configuration().backoff
    #expect((1...3).map { backoff.pause(after: $0) } == [.seconds(5), .seconds(15), .seconds(45)])
    #expect(backoff.pause(after: 7) == .seconds(3_600))
    #expect(backoff.pause(after: 1, jitter: 0) == .seconds(4))
    let longest = backoff.pause(after: 1_000, jitter: .max)
    #expect(longest > .seconds(4_319) && longest <= .seconds(4_320))
  }

  @Test("A destination of an unknown name is refused")
  func unknown() async throws {
    let bench = try await NoticeBench()
    let none = await #expect(throws: EngineError.self) { try await bench.notices().test("x", by: "mia") }
    #expect(none?.message.contains("--webhook") == true)
    let other = await #expect(throws: EngineError.self) {
      try await bench.notices(ScriptedDestination("pager")).test("x", by: "mia")
    }
    #expect(other?.code == EngineErrorCode.noticeDestinationUnknown && other?.message.contains("pager") == true)
  }
}

/// A store whose tail can't be read for a while.
private final class TailMood: StoreInFront {
  let store: any EventStore
  let isAway = Mutex(false)

  init(_ store: any EventStore) { self.store = store }

  func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    if isAway.withLock({ $0 }) { throw StoreError.unavailable("a test said so") }
    return try await store.tail(shard: shard, after: position, limit: limit)
  }
}
