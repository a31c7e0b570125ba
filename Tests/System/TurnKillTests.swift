import Foundation
import JSON
import TestSupport
import Testing

/// Sagas that wait for each other by a key, on an engine that is killed.
@Suite("Turns outlive a kill -9 of the engine", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct TurnKillTests {
  private static let key = "HiSeq-1"

  /// Holds its turn until a person says that the run is loaded.
  private static let load = #"""
    {"name": "load-run", "version": 1, "timeout": "2h", "steps": [
      {"id": "load", "signal": {"name": "loaded"}, "timeout": "1h", "concurrency": {"key": "${input.instrument}"}},
      {"id": "record", "http": {"service": "lab", "method": "PUT", "path": "/runs/${input.run}"},
       "compensation": "none"}]}
    """#

  /// Holds its turn during a call.
  private static let run = #"""
    {"name": "run-plate", "version": 1, "timeout": "2h", "steps": [
      {"id": "run", "http": {"service": "lab", "method": "PUT", "path": "/runs/${input.run}"}, "timeout": "5m",
       "retry": {"maxAttempts": 10, "initialInterval": "100ms", "maxInterval": "1s"},
       "concurrency": {"key": "${input.instrument}"},
       "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/runs/${input.run}"}}}]}
    """#

  /// A stub whose runs take as long as the test says, and an engine that knows it.
  private struct Place {
    let site: Site
    let stub: SagaProcess
    let workflows: URL

    init(_ store: Site.Store, taking delay: String) async throws {
      try #require(
        store != .postgres || Site.hasPostgres,
        "No Postgres: run the tests with scripts/with-postgres in front, as `make test` does")
      site = try await Site(store)
      workflows = site.folder.appendingPathComponent("wf")
      try FileManager.default.createDirectory(at: workflows, withIntermediateDirectories: true)
      for (name, text) in [("load-run", TurnKillTests.load), ("run-plate", TurnKillTests.run)] {
        try Data(text.utf8).write(to: workflows.appendingPathComponent("\(name).json"))
      }
      let rules = #"""
        {"rules": [
          {"name": "run", "match": {"method": "PUT", "path": "/runs/{run}"}, "delay": "\#(delay)"},
          {"name": "undo", "match": {"method": "DELETE", "path": "/runs/{run}"}}]}
        """#
      try Data(rules.utf8).write(to: site.folder.appendingPathComponent("rules.json"))
      stub = try await .listening(["stub", "rules.json", "--port", "0"], in: site.folder)
    }

    func start() async throws -> SagaProcess {
      try await .listening(
        [
          "serve", "--store", site.engineStore, "--port", "0", "--workflows", workflows.path, "--service",
          "lab=\(stub.url),tombstones",
        ], in: site.folder)
    }

    /// Starts sagas one after the other. Each one is in the line before the next one starts.
    func sagas(_ workflow: String, _ count: Int, _ engine: SagaProcess) async throws -> [String] {
      var ids: [String] = []
      for number in 0..<count {
        let input: JSON = ["instrument": .string(TurnKillTests.key), "run": .string("R\(number)")]
        ids.append(try await LiveSaga.start(workflow, key: "run-\(number)", input, site, engine).id)
        try await shows(engine, ids[0], Array(ids.dropFirst()))
      }
      return ids
    }

    /// Waits until the key has this holder and these waiters, in this order. More than one holder fails the test.
    func shows(_ engine: SagaProcess, _ holder: String, _ waiters: [String]) async throws {
      var last = JSON.null
      try await eventually("\(holder) holds, and \(waiters) wait: \(last.text())") {
        last = try await site.call("GET", "\(engine.url)/v1/concurrency?key=\(TurnKillTests.key)").body
        let line = last["keys"]?[0]
        let holders = line?["holders"]?.arrayValue ?? []
        #expect(holders.count <= 1, "two sagas hold a turn of one: \(last.text())")
        return holders.compactMap { $0["saga"]?.stringValue } == [holder] && holders[0]["takenAt"] != nil
          && line?["held"] == 1 && line?["waiting"] == .int(waiters.count)
          && line?["waiters"]?.arrayValue?.compactMap { $0["saga"]?.stringValue } == waiters
      }
    }

    func showsNothing(_ engine: SagaProcess) async throws {
      try await eventually("no saga holds or waits") {
        try await site.call("GET", "\(engine.url)/v1/concurrency").body == ["keys": []]
      }
    }

    /// The calls that reached the stub, in their order.
    func calls() async throws -> [JSON] {
      try await site.call("GET", "\(stub.url)/_stub/calls").body["calls"]?.arrayValue ?? []
    }

    /// The times at which a saga took a turn, and those at which it released one.
    func turn(of id: String, _ engine: SagaProcess) async throws -> (taken: [JSON], released: [JSON]) {
      let events = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events?limit=1000").body["events"]
      func all(_ type: String) -> [JSON] {
        events?.arrayValue?.filter { $0["type"]?.stringValue == type }.compactMap { $0["data"]?["at"] } ?? []
      }
      return (all("turnTaken"), all("turnReleased"))
    }

    func close(_ engine: SagaProcess) async {
      #expect(await engine.stop() == 0)
      #expect(await stub.stop() == 0)
      await site.close()
    }
  }

  @Test(
    "While one saga holds the turn and two wait, each kill leaves one holder and the order of the waiters",
    arguments: Site.Store.allCases)
  func waitsForPerson(store: Site.Store) async throws {
    let place = try await Place(store, taking: "1ms")
    var engine = try await place.start()
    let ids = try await place.sagas("load-run", 3, engine)
    for (number, id) in ids.enumerated() {
      let waiters = Array(ids.dropFirst(number + 1))
      try await place.shows(engine, id, waiters)
      try await LiveSaga(site: place.site, engine: engine, id: id).waits(at: "load")
      await engine.killNow()
      engine = try await place.start()
      try await place.shows(engine, id, waiters)
      for waiter in waiters {
        let step = try await LiveSaga(site: place.site, engine: engine, id: waiter).step("load")
        #expect(step?["waitingFor"]?["kind"] == "turn", "\(step?.text() ?? "no step")")
        #expect(step?["turn"]?["holders"]?[0]?["saga"] == .string(id))
        #expect(step?["turn"]?["ahead"] == .int(waiters.firstIndex(of: waiter) ?? -1))
      }
      let saga = LiveSaga(site: place.site, engine: engine, id: id)
      #expect(try await saga.signal("loaded").status == 200)
      try await saga.ends("completed")
    }
    try await place.showsNothing(engine)
    try await Self.oneAfterTheOther(ids, place, engine)
    // The stub saw each run once, in the order in which the sagas asked.
    #expect(
      try await place.calls().compactMap { $0["path"]?.stringValue } == ["/runs/R0", "/runs/R1", "/runs/R2"])
    await place.close(engine)
  }

  @Test(
    "A call under way keeps its turn over a kill, the other saga waits, and both complete",
    arguments: Site.Store.allCases
  )
  func duringCall(store: Site.Store) async throws {
    let place = try await Place(store, taking: "4m")
    var engine = try await place.start()
    let ids = try await place.sagas("run-plate", 2, engine)
    for number in ids.indices {
      // The call is with the stub, which answers it minutes later.
      try await eventually("the call of saga \(number) is under way", within: .seconds(120)) {
        try await place.calls().contains { $0["path"] == .string("/runs/R\(number)") && $0["result"] == "happened" }
      }
      try await place.shows(engine, ids[number], Array(ids.dropFirst(number + 1)))
      await engine.killNow()
      engine = try await place.start()
      if number == 0 {
        // The repeat of the call gets its answer at once, so the second saga may hold the turn already.
        try await eventually("one of the two holds") {
          let line = try await place.site.call("GET", "\(engine.url)/v1/concurrency?key=\(Self.key)").body["keys"]?[0]
          let holders = line?["holders"]?.arrayValue ?? []
          #expect(holders.count <= 1)
          return holders.count == 1 && holders[0]["takenAt"] != nil
        }
      }
      try await LiveSaga(site: place.site, engine: engine, id: ids[number]).ends("completed")
    }
    try await place.showsNothing(engine)
    try await Self.oneAfterTheOther(ids, place, engine)
    let calls = try await place.calls()
    // Each run happened once, and the second one began after the last call of the first.
    for number in ids.indices {
      let own = calls.filter { $0["path"] == .string("/runs/R\(number)") }
      #expect(own.compactMap { $0["result"]?.stringValue } == ["happened", "repeated"], "\(own)")
      #expect(Set(own.compactMap { $0["key"]?.stringValue }) == ["\(ids[number])/run/1"])
    }
    #expect(
      calls.compactMap { $0["path"]?.stringValue } == ["/runs/R0", "/runs/R0", "/runs/R1", "/runs/R1"])
    await place.close(engine)
  }

  /// Checks by the histories that each saga took its turn once, and after the one before it had released its own.
  private static func oneAfterTheOther(_ ids: [String], _ place: Place, _ engine: SagaProcess) async throws {
    var free = ""
    for id in ids {
      let turn = try await place.turn(of: id, engine)
      try #require(turn.taken.count == 1 && turn.released.count <= 1, "\(turn)")
      let taken = try #require(turn.taken.first?.stringValue)
      #expect(free <= taken, "saga \(id) took its turn at \(taken), before it was free at \(free)")
      let end = try await place.site.call("GET", "\(engine.url)/v1/sagas/\(id)").body["endedAt"]?.stringValue
      // The end of a saga releases its turn without an event of its own.
      free = try #require(turn.released.first?.stringValue ?? end)
    }
  }
}
