import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("Postgres fails over to its standby under an engine", .serialized, .timeLimit(.minutes(15)), .apart)
struct FailoverTests {
  static let workflow: JSON = [
    "name": "w", "version": 1, "timeout": "1h",
    "steps": [["id": "a", "signal": ["name": "go"], "compensation": "none"]],
  ]

  /// The engine's answers over time.
  private final class Watched: Sendable {
    let seen = Mutex(Seen())
    let over = Mutex(false)
    var isOver: Bool { over.withLock { $0 } }
  }

  private struct Seen: Sendable {
    var ready: [(ContinuousClock.Instant, Int, String)] = []
    var starts:
      [(began: ContinuousClock.Instant, ended: ContinuousClock.Instant, status: Int, body: JSON, key: String)] =
        []
  }

  @Test(
    "Writes continue within 10 s of the standby's promotion, and readiness and every answer are true all the time"
  )
  func promoted() async throws {
    try #require(Site.hasPostgres, "No Postgres: run the tests with scripts/with-postgres in front")
    let site = try await Site(.sqlite)
    let primary = try await PostgresCluster.primary(in: site.folder)
    let standby = try await primary.standby(in: site.folder)
    // What the engine has answered is on the standby: a failover that loses events is another test.
    try await primary.confirmWithStandby()
    let proxy = try TCPProxy(to: primary.port)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "postgres:" + primary.url(port: proxy.port), "--port", "0"], in: site.folder)
    _ = try await site.call("POST", "\(engine.url)/v1/workflows", body: Self.workflow)

    // 1. Starts, one after the other, and looks at the readiness, from here to the end.
    let watched = Watched()
    let starting = Task {
      var number = 0
      try await eventually("the test is over", within: .seconds(240), every: .milliseconds(50)) {
        if watched.isOver { return true }
        number += 1
        let (began, key) = (ContinuousClock.now, "k\(number)")
        let answer = try await site.call(
          "POST", "\(engine.url)/v1/workflows/w/sagas", body: ["input": [:]], headers: ["Idempotency-Key": key])
        watched.seen.withLock { $0.starts.append((began, .now, answer.status, answer.body, key)) }
        return false
      }
    }
    let looking = Task {
      try await eventually("the test is over", within: .seconds(240), every: .milliseconds(50)) {
        if watched.isOver { return true }
        let answer = try await site.call("GET", "\(engine.url)/readyz")
        watched.seen.withLock { $0.ready.append((.now, answer.status, answer.body.text())) }
        return false
      }
    }
    try await eventually("some have been started") { watched.seen.withLock { $0.starts.count } > 20 }

    // 2. The primary is gone, and its name leads to a server that is a standby still.
    await primary.stopAtOnce()
    let gone = ContinuousClock.now
    proxy.lead(to: standby.port)
    try await eventually("it is not ready", within: .seconds(8)) { watched.seen.withLock { $0.ready.last?.1 } == 503 }
    try await eventually("it has been so for a while") { ContinuousClock.now - gone > .seconds(12) }
    let metrics = try await site.client.send(.init(method: "GET", url: "\(engine.url)/metrics", timeout: .seconds(10)))
    let text = String(decoding: metrics.body, as: UTF8.self)
    #expect(text.contains("tracseq_degraded 1") && text.contains("tracseq_ready 0"))
    #expect(text.contains("tracseq_store_writable 0"))

    // 3. The standby becomes the primary.
    try await standby.promote()
    let back = ContinuousClock.now
    try await eventually("writes go on", within: .seconds(10)) {
      watched.seen.withLock { $0.starts.last { $0.began > back }?.status } == 201
    }
    try await eventually("it is ready", within: .seconds(5)) { watched.seen.withLock { $0.ready.last?.1 } == 200 }
    let went = ContinuousClock.now
    try await eventually("it has gone on for a while") { ContinuousClock.now - went > .seconds(2) }
    watched.over.withLock { $0 = true }
    try await starting.value
    try await looking.value

    // 4. Was it true? No start took long. None was refused while the engine said that it was ready, except in the short
    // time in which the engine could not know.
    let all = watched.seen.withLock { $0 }
    for start in all.starts {
      #expect(start.ended - start.began < .seconds(12), "\(start)")
      let isTrouble = start.ended > gone && start.began < back + .seconds(10)
      if !isTrouble { #expect(start.status == 201, "\(start)") }
    }
    let untrue = all.ready.filter { $0.1 == 200 && $0.0 > gone + .seconds(5) && $0.0 < back }
    #expect(untrue.isEmpty, "it said that it was ready: \(untrue.prefix(3))")
    let reasons = all.ready.filter { $0.1 == 503 }.map(\.2)
    #expect(reasons.contains { $0.contains("standby") }, "it says why: \(Set(reasons).prefix(5))")
    for start in all.starts where start.status == 503 && start.body["mayHaveHappened"] != true {
      let found = try await site.call("GET", "\(engine.url)/v1/sagas?key=\(start.key)")
      #expect(found.body["sagas"]?.arrayValue?.isEmpty == true, "refused, and yet done: \(start)")
    }
    #expect(engine.said.contains("The store can't be written"))
    #expect(engine.said.contains("The store can be written again"))
    #expect(await engine.stop() == 0)
    proxy.close()
    await standby.stopAtOnce()
    await site.close()
  }

  @Test("A standby that lacks the last commits: the engine says what is lost, and begins again from what is left")
  func losesEvents() async throws {
    try #require(Site.hasPostgres, "No Postgres: run the tests with scripts/with-postgres in front")
    let site = try await Site(.sqlite)
    let primary = try await PostgresCluster.primary(in: site.folder)
    let replication = try TCPProxy(to: primary.port)
    let standby = try await primary.standby(in: site.folder, through: replication.port)
    try await primary.confirmWithStandby()
    let proxy = try TCPProxy(to: primary.port)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "postgres:" + primary.url(port: proxy.port), "--port", "0"], in: site.folder)
    func start(_ key: String) async throws -> Int {
      try await site.call(
        "POST", "\(engine.url)/v1/workflows/w/sagas", body: ["input": [:]], headers: ["Idempotency-Key": key]
      ).status
    }
    func sagas(_ key: String) async throws -> Int? {
      try await site.call("GET", "\(engine.url)/v1/sagas?key=\(key)").body["sagas"]?.arrayValue?.count
    }

    // 1. One saga is on both servers. The other is only on the primary, which confirms it all the same.
    _ = try await site.call("POST", "\(engine.url)/v1/workflows", body: Self.workflow)
    #expect(try await start("kept") == 201)
    replication.refuse()
    try await primary.confirmAlone()
    #expect(try await start("lost") == 201)
    try await eventually("the list has it") { try await sagas("lost") == 1 }

    // 2. The standby becomes the primary.
    await primary.stopAtOnce()
    try await standby.promote()
    proxy.lead(to: standby.port)
    try await eventually("the engine says what is lost") {
      engine.said.contains("The store has lost events that it had confirmed")
    }
    try await eventually("the engine is ready again, on the same port") {
      (try? await site.call("GET", "\(engine.url)/readyz").status) == 200
    }
    #expect(!engine.said.contains("Another process has taken over the store"))

    // 3. The engine knows what the new primary knows. A request that is sent again is carried out.
    try await eventually("the list has what is left") { try await sagas("kept") == 1 }
    #expect(try await sagas("lost") == 0)
    #expect(try await start("lost") == 201)
    try await eventually("the list has it again") { try await sagas("lost") == 1 }
    #expect(await engine.stop() == 0)
    proxy.close()
    replication.close()
    await standby.stopAtOnce()
    await site.close()
  }
}
