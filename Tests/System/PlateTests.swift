import Foundation
import JSON
import TestSupport
import Testing
import Values

/// A plate: one parent with 96 wells, each of them a saga of its own.
@Suite("A plate of 96 wells, on an engine that is killed", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct PlateTests {
  private static let wells = (1...96).map { "W" + ($0 < 10 ? "0" : "") + "\($0)" }
  private static let mostParallel = 8
  /// How long the undo of a well takes. The kill comes in the middle also on a busy machine.
  private static let undoTime = Duration.milliseconds(1_500)

  private static let retry = #""retry": {"maxAttempts": 10, "initialInterval": "100ms", "maxInterval": "1s"}"#

  private static let well = #"""
    {"name": "one-well", "version": 1, "timeout": "1h", "steps": [
      {"id": "measure", "timeout": "60s", \#(retry),
       "http": {"service": "reader", "method": "PUT", "path": "/wells/${input.well}"},
       "compensation": {"http": {"service": "reader", "method": "DELETE", "path": "/wells/${input.well}"}, \#(retry)}},
      {"id": "look", "when": "$.input.well == $.input.held", "signal": {"name": "seen"}, "timeout": "30m"}],
     "output": {"well": "${input.well}"}}
    """#

  private static let plate = #"""
    {"name": "plate", "version": 1, "timeout": "2h", "steps": [
      {"id": "wells",
       "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well}", "maxParallel": \#(mostParallel),
                   "toleratedFailures": "10%"},
       "workflow": {"name": "one-well", "input": {"well": "${well}", "held": "${input.held}"}}},
      {"id": "seal", \#(retry), "http": {"service": "reader", "method": "PUT", "path": "/plates/${input.plate}"},
       "compensation": {"http": {"service": "reader", "method": "DELETE", "path": "/plates/${input.plate}"}}}],
     "output": {"measured": "${count(steps.wells.items[?@.status == 'succeeded'])}"}}
    """#

  /// The rules of a reader. It refuses the first five wells, or the seal of the plate, or nothing.
  private enum Reader: String {
    case refusesFive, refusesSeal, refusesNothing

    var rules: String {
      func refusal(_ name: String, _ path: String, _ when: String) -> String {
        #"""
        {"name": "\#(name)", "match": {"method": "PUT", "path": "\#(path)"\#(when)},
         "answer": {"status": 409, "body": {"code": "REFUSED", "message": "The reader refuses it."}}},
        """#
      }
      let first =
        switch self {
        case .refusesFive: refusal("dry", "/wells/{well}", #", "when": "match($.request.params.well, 'W0[1-5]')""#)
        case .refusesSeal: refusal("no seal", "/plates/{plate}", "")
        case .refusesNothing: ""
        }
      // A rule that no call reaches would be a mistake in the file.
      let seal =
        self == .refusesSeal ? "" : #"{"name": "seal", "match": {"method": "PUT", "path": "/plates/{plate}"}},"#
      return #"""
        {"rules": [\#(first)
          {"name": "measure", "match": {"method": "PUT", "path": "/wells/{well}"}, "delay": "1s"},
          {"name": "clean", "match": {"method": "DELETE", "path": "/wells/{well}"}, "delay": "\#(undoTime.wholeMilliseconds)ms"},
          \#(seal)
          {"name": "unseal", "match": {"method": "DELETE", "path": "/plates/{plate}"}}]}
        """#
    }
  }

  /// A parent of 96 wells on an engine.
  private struct Place {
    let site: Site
    let workflows: URL

    init(_ store: Site.Store) async throws {
      try #require(
        store != .postgres || Site.hasPostgres,
        "No Postgres: run the tests with scripts/with-postgres in front, as `make test` does")
      site = try await Site(store)
      workflows = site.folder.appendingPathComponent("wf")
      try FileManager.default.createDirectory(at: workflows, withIntermediateDirectories: true)
      for (name, text) in [("one-well", PlateTests.well), ("plate", PlateTests.plate)] {
        try Data(text.utf8).write(to: workflows.appendingPathComponent("\(name).json"))
      }
    }

    func stub(_ reader: Reader) async throws -> SagaProcess {
      let file = "\(reader.rawValue).json"
      try Data(reader.rules.utf8).write(to: site.folder.appendingPathComponent(file))
      return try await .listening(["stub", file, "--port", "0"], in: site.folder)
    }

    func start(_ reader: SagaProcess) async throws -> SagaProcess {
      try await .listening(
        [
          "serve", "--store", site.engineStore, "--port", "0", "--workflows", workflows.path, "--service",
          "reader=\(reader.url),tombstones",
        ], in: site.folder)
    }

    /// - Parameter held: the well whose child waits for a person; nil for none.
    func begin(_ engine: SagaProcess, held: String?) async throws -> LiveSaga {
      let input: JSON = [
        "plate": "P-1", "wells": .array(PlateTests.wells.map { .string($0) }),
        "held": held.map { .string($0) } ?? .null,
      ]
      return try await LiveSaga.start("plate", key: "plate-P-1", input, site, engine)
    }

    /// What a stub has recorded.
    func record(of stub: SagaProcess) async throws -> JSON {
      try await site.call("GET", "\(stub.url)/_stub/calls").body
    }

    /// Waits until a rule has done its work this often.
    func happened(_ rule: String, atLeast count: Int, _ stub: SagaProcess) async throws {
      try await eventually("\(rule) happened \(count) times", within: .seconds(300)) {
        PlateTests.count("happened", rule, try await record(of: stub)) >= count
      }
    }

    /// The children of a saga, all of them.
    func children(of parent: LiveSaga) async throws -> [JSON] {
      let page = try await site.call("GET", "\(parent.engine.url)/v1/sagas?parent=\(parent.id)&limit=200").body
      #expect(page["next"] == nil)
      return page["sagas"]?.arrayValue ?? []
    }

    /// Waits until the children of a saga have these statuses.
    func children(of parent: LiveSaga, are statuses: [String: Int]) async throws {
      var last: [String: Int] = [:]
      try await eventually("the children are \(statuses): \(last)", within: .seconds(120)) {
        let all = try await children(of: parent)
        last = Dictionary(grouping: all) { $0["status"]?.stringValue ?? "none" }.mapValues(\.count)
        return last == statuses
      }
    }
  }

  private static func count(_ member: String, _ rule: String, _ record: JSON) -> Int {
    record["rules"]?.arrayValue?.first { $0["name"] == .string(rule) }?[member]?.intValue ?? 0
  }

  /// The paths of the calls that did their work, by their keys. A key that did it twice fails the test.
  private static func effects(_ rule: String, _ record: JSON) throws -> [String: String] {
    let calls = record["calls"]?.arrayValue ?? []
    try #require(record["total"]?.intValue == calls.count, "the stub has forgotten calls")
    var paths: [String: String] = [:]
    for call in calls where call["rule"] == .string(rule) && call["result"] == "happened" {
      let key = try #require(call["key"]?.stringValue)
      #expect(paths[key] == nil, "\(key) took effect twice")
      paths[key] = call["path"]?.stringValue ?? ""
    }
    #expect(paths.count == count("happened", rule, record))
    return paths
  }

  private static func statuses(_ saga: LiveSaga) async throws -> JSON? {
    try await saga.step("wells")?["items"]?["statuses"]
  }

  @Test(
    "Five of 96 wells fail, the engine is killed, an operator retries three, and the parent goes on",
    arguments: Site.Store.allCases)
  func fiveFail(store: Site.Store) async throws {
    let place = try await Place(store)
    let dry = try await place.stub(.refusesFive)
    var engine = try await place.start(dry)
    var parent = try await place.begin(engine, held: "W96")

    // 1. The engine dies in the middle of the plate.
    try await place.happened("measure", atLeast: 30, dry)
    await engine.killNow()
    #expect(Self.count("happened", "measure", try await place.record(of: dry)) < 91, "the kill came too late")
    engine = try await place.start(dry)
    parent = parent.on(engine)
    try await eventually("all wells but the held one are over", within: .seconds(300)) {
      try await Self.statuses(parent) == ["waiting": 1, "succeeded": 90, "failed": 5]
    }
    #expect(try await parent.now["status"] == "running", "five of 96 are tolerated")
    try await place.children(of: parent, are: ["running": 1, "completed": 90, "compensated": 5])

    // 2. Three of the wells are filled again. The operator retries them, and the engine dies again.
    #expect(await engine.stop() == 0)
    let filled = try await place.stub(.refusesNothing)
    engine = try await place.start(filled)
    parent = parent.on(engine)
    for well in Self.wells.prefix(3) {
      let answer = try await parent.operate("retry", ["step": .string("wells[\(well)]"), "reason": "filled again"])
      #expect(answer.status == 200, "\(answer.body.text())")
    }
    await engine.killNow()
    engine = try await place.start(filled)
    parent = parent.on(engine)
    try await eventually("the three wells are done", within: .seconds(120)) {
      try await Self.statuses(parent) == ["waiting": 1, "succeeded": 93, "failed": 2]
    }

    // 3. The last well is seen, and the parent goes on.
    try await place.children(of: parent, are: ["running": 1, "completed": 93, "compensated": 5])
    let open = try await place.children(of: parent).filter { $0["status"] == "running" }
    try #require(open.count == 1)
    let last = LiveSaga(site: place.site, engine: engine, id: try #require(open[0]["id"]?.stringValue))
    #expect(try await last.signal("seen").status == 200)
    try await parent.ends("completed")
    #expect(try await parent.now["output"] == ["measured": 94])
    #expect(try await Self.statuses(parent) == ["succeeded": 94, "failed": 2])
    // Each retried well has a second child.
    try await place.children(of: parent, are: ["completed": 94, "compensated": 5])

    // 4. Each well was measured once, and nothing was undone.
    let (first, second) = (try await place.record(of: dry), try await place.record(of: filled))
    let before = try Self.effects("measure", first)
    let after = try Self.effects("measure", second)
    #expect(Set(before.values) == Set(Self.wells.dropFirst(5).map { "/wells/\($0)" }) && before.count == 91)
    #expect(Set(after.values) == Set(Self.wells.prefix(3).map { "/wells/\($0)" }) && after.count == 3)
    #expect(try Self.effects("seal", second).count == 1 && Self.count("happened", "seal", first) == 0)
    for record in [first, second] {
      #expect(Self.count("happened", "clean", record) == 0 && Self.count("happened", "unseal", record) == 0)
    }
    #expect(await engine.stop() == 0)
    for stub in [dry, filled] { #expect(await stub.stop() == 0) }
    await place.site.close()
  }

  @Test(
    "When the step behind 96 wells fails, all are undone once, eight at a time, although the engine is killed meanwhile",
    arguments: Site.Store.allCases)
  func undone(store: Site.Store) async throws {
    let place = try await Place(store)
    let reader = try await place.stub(.refusesSeal)
    var engine = try await place.start(reader)
    var parent = try await place.begin(engine, held: nil)

    // The engine dies in the middle of the plate, and in the middle of the undos.
    for (rule, number) in [("measure", 30), ("clean", 30)] {
      try await place.happened(rule, atLeast: number, reader)
      await engine.killNow()
      let count = Self.count("happened", rule, try await place.record(of: reader))
      #expect(count < 96, "the kill came too late")
      engine = try await place.start(reader)
      parent = parent.on(engine)
    }
    try await eventually("the parent is compensated", within: .seconds(300)) {
      try await parent.now["status"] == "compensated"
    }
    #expect(try await parent.now["turnBack"]?["code"] == "REFUSED")
    try await place.children(of: parent, are: ["compensated": 96])

    // Each well was measured once and undone once, by the keys of its own child.
    let record = try await place.record(of: reader)
    let (done, undone) = (try Self.effects("measure", record), try Self.effects("clean", record))
    let paths = Set(Self.wells.map { "/wells/\($0)" })
    #expect(done.count == 96 && Set(done.values) == paths)
    #expect(undone.count == 96 && Set(undone.values) == paths)
    let children = Set(try await place.children(of: parent).compactMap { $0["id"]?.stringValue })
    #expect(Set(done.keys) == Set(children.map { "\($0)/measure/1" }))
    #expect(Set(undone.keys) == Set(children.map { "\($0)/measure/1/undo" }))
    #expect(Self.count("happened", "seal", record) == 0 && Self.count("happened", "unseal", record) == 0)
    try Self.fewAtOnce(record)

    // The order of the parent: no undo began before the last measurement had ended.
    let calls = record["calls"]?.arrayValue ?? []
    let lastDone = try #require(calls.lastIndex { $0["rule"] == "measure" })
    let firstUndo = try #require(calls.firstIndex { $0["rule"] == "clean" })
    #expect(lastDone < firstUndo)
    #expect(await engine.stop() == 0)
    #expect(await reader.stop() == 0)
    await place.site.close()
  }

  /// Checks that the undos under way were never more than `mostParallel`. The answer to each takes `undoTime`, so the
  /// undo that is `mostParallel` places later comes at least that much later. The restart of the engine repeats the calls
  /// that it had under way, and their answers come at once. So the undos before and after it are looked at alone.
  private static func fewAtOnce(_ record: JSON) throws {
    let undos = (record["calls"]?.arrayValue ?? []).filter { $0["rule"] == "clean" }
    let restart = try #require(undos.firstIndex { $0["result"] == "repeated" }, "no undo was under way at the kill")
    for part in [undos[..<restart], undos[restart...]] {
      let times = part.filter { $0["result"] == "happened" }
        .compactMap { $0["at"]?.stringValue.flatMap { Timestamp($0) } }
      #expect(times.count > mostParallel)
      for (earlier, later) in zip(times, times.dropFirst(mostParallel)) {
        // The stub's clock counts milliseconds.
        #expect(later - earlier >= undoTime - .milliseconds(1), "more than \(mostParallel) undos were under way")
      }
    }
  }
}
