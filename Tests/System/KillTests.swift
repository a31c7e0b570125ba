import Foundation
import JSON
import TestSupport
import Testing

@Suite("The engine is killed in the middle of its work", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct KillTests {
  static let count = 200

  @Test(
    "After kill -9 amid 200 running sagas and a restart, all end, and every command took effect exactly once",
    arguments: Site.Store.allCases)
  func killNine(store: Site.Store) async throws {
    try #require(
      store != .postgres || Site.hasPostgres,
      "No Postgres: run the tests with scripts/with-postgres in front, as `make test` does")
    let site = try await Site(store)
    // Slow enough that there is a middle to be killed in, and with answers that get lost.
    let lab = try await site.startLab("--fault", "notification.send:drop-answer,every=17")
    var engine = try await site.startEngine(lab: lab)

    // 1. Start them all; kill the engine once some have ended and others are on their way.
    let ids = try await startAll(site, engine)
    #expect(Set(ids).count == Self.count)
    try await reached(10, site, engine)
    await engine.killNow()

    // 2. Start it again on what it left. The same starts give the same sagas, and their ends.
    engine = try await site.startEngine(lab: lab)
    let again = try await endAll(site, engine)
    #expect(again.map(\.id) == ids, "starting twice is starting once, across the crash")
    let open = again.filter { !["completed", "compensated"].contains($0.status) }
    #expect(open.isEmpty, "all end: \(open.prefix(5))")
    #expect(again.contains { $0.status == "completed" })

    // 3. What the laboratory's own store says.
    try await Self.everyCommandOnce(site, lab, sagas: again)

    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  struct Ended: CustomStringConvertible {
    let id: String
    let status: String
    var description: String { "\(id) \(status)" }
  }

  private func startAll(_ site: Site, _ engine: SagaProcess) async throws -> [String] {
    try await each { number in
      let answer = try await site.start(number, at: engine)
      #expect(answer.status == 201)
      return try #require(answer.body["id"]?.stringValue)
    }
  }

  private func endAll(_ site: Site, _ engine: SagaProcess) async throws -> [Ended] {
    try await each { number in
      let answer = try await site.start(number, at: engine, wait: "60s")
      #expect(answer.status == 200, "\(answer.body.text())")
      return Ended(
        id: try #require(answer.body["id"]?.stringValue), status: answer.body["status"]?.stringValue ?? "none")
    }
  }

  /// Does something for every tube, 32 at a time, in the order of their numbers.
  private func each<Value: Sendable>(_ body: @Sendable @escaping (Int) async throws -> Value) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
      var values = [Value?](repeating: nil, count: Self.count)
      for number in 0..<Self.count {
        if number >= 32, let (done, value) = try await group.next() { values[done] = value }
        group.addTask { (number, try await body(number)) }
      }
      for try await (done, value) in group { values[done] = value }
      return values.compactMap { $0 }
    }
  }

  /// Waits for the fact that so many have completed.
  private func reached(_ completed: Int, _ site: Site, _ engine: SagaProcess) async throws {
    for _ in 0..<10_000 {
      let stats = try await site.call("GET", "\(engine.url)/v1/stats")
      if (stats.body["sagas"]?["completed"]?.intValue ?? 0) >= completed { return }
    }
    Issue.record("\(completed) sagas did not complete")
  }

  /// Holds the sagas' ends against the laboratory's own books.
  /// - Returns: the keys that took effect.
  @discardableResult
  static func everyCommandOnce(_ site: Site, _ lab: SagaProcess, sagas: [Ended]) async throws -> Set<String> {
    let effects = try await site.call("GET", "\(lab.url)/lab/effects")
    let byKey = try #require(effects.body["effects"]?.objectValue, "\(effects.body.text().prefix(300))")
    #expect(byKey.count > sagas.count)
    for (key, count) in byKey { #expect(count.intValue == 1, "\(key) took effect \(count.text()) times") }
    // A completed saga's six commands all took effect, and none of its undos was sent.
    let steps = ["createSample", "validateSample", "allocateStorage", "storeSample", "scheduleSequencing", "notify"]
    for saga in sagas where saga.status == "completed" {
      for step in steps { #expect(byKey["\(saga.id)/\(step)/1"] != nil, "\(saga.id) completed without \(step)") }
    }
    // No position is held by a saga that was compensated, and none is missing of one that completed.
    let summary = try await site.call("GET", "\(lab.url)/lab/summary")
    let holders = Set(summary.body["positions"]?.arrayValue?.compactMap { $0["sagaId"]?.stringValue } ?? [])
    #expect(holders == Set(sagas.filter { $0.status == "completed" }.map(\.id)))
    return Set(byKey.keys)
  }
}
