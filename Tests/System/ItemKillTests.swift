import Foundation
import JSON
import TestSupport
import Testing

/// A step with many items on the real program, which is killed while the items are done and while they are undone.
@Suite("The engine is killed in the middle of many items", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct ItemKillTests {
  private static let count = 1_000
  private static let parallel = 20

  private static let workflow = #"""
    {"name": "plate", "version": 1, "timeout": "1d", "steps": [
      {"id": "run",
       "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well.id}", "maxParallel": \#(parallel)},
       "http": {"service": "robot", "method": "PUT", "path": "/wells/${steps.run.uuid}", "body": {"well": "${well.id}"}},
       "compensation": {"http": {"service": "robot", "method": "DELETE", "path": "/wells/${steps.run.uuid}"}}},
      {"id": "approve", "signal": {"name": "approval"}},
      {"id": "refuse", "fail": {"code": "REFUSED"}}
    ]}
    """#

  /// The answers take so long that all the items take 25 seconds, however fast the engine is.
  private static let rules = #"""
    {"rules": [
      {"name": "fill", "match": {"method": "PUT", "path": "/wells/{id}"},
       "delay": "500ms", "answer": {"status": 201, "body": {"well": "${request.body.well}"}}},
      {"name": "empty", "match": {"method": "DELETE", "path": "/wells/{id}"}, "delay": "500ms"}
    ]}
    """#

  @Test("After kill -9 amid the items, and amid their undos, each item is done once and undone once, by its key")
  func killed() async throws {
    let site = try await Site(.sqlite)
    let workflows = site.folder.appendingPathComponent("wf")
    try FileManager.default.createDirectory(at: workflows, withIntermediateDirectories: true)
    try Data(Self.workflow.utf8).write(to: workflows.appendingPathComponent("plate.json"))
    try Data(Self.rules.utf8).write(to: site.folder.appendingPathComponent("rules.json"))
    let robot = try await SagaProcess.listening(["stub", "rules.json", "--port", "0"], in: site.folder)
    func startEngine() async throws -> SagaProcess {
      try await .listening(
        ["serve", "--store", site.engineStore, "--port", "0", "--workflows", workflows.path]
          + ["--service", "robot=\(robot.url),tombstones"], in: site.folder)
    }

    // 1. Kill the engine while the items are done.
    var engine = try await startEngine()
    let wells = JSON.array((0..<Self.count).map { ["id": .string("W-\($0)")] })
    var saga = try await LiveSaga.start("plate", key: "plate-1", ["wells": wells], site, engine)
    let atKill = try await reached(Self.count / 4, "fill", site, robot)
    await engine.killNow()
    #expect(atKill < Self.count, "the kill is in the middle")

    // 2. Started again, it does the items that are left. Only calls that were under way come again, under their keys.
    engine = try await startEngine()
    saga = saga.on(engine)
    try await eventually("all items are done", within: .seconds(300)) {
      try await saga.step("approve")?["status"] == "waiting"
    }
    try await everyItemOnce("fill", site, robot)
    #expect(try await count(of: "succeeded", saga) == Self.count)

    // 3. The last step fails. Kill the engine again while the items are undone.
    #expect(try await saga.signal("approval").status == 200)
    let undoneAtKill = try await reached(Self.count / 4, "empty", site, robot)
    await engine.killNow()
    #expect(undoneAtKill < Self.count, "the kill is in the middle")

    // 4. Started again, it undoes those that are left.
    engine = try await startEngine()
    saga = saga.on(engine)
    try await eventually("all items are undone", within: .seconds(300)) {
      try await saga.now["status"] == "compensated"
    }
    try await everyItemOnce("empty", site, robot)
    #expect(try await count(of: "undone", saga) == Self.count)
    #expect(await engine.stop() == 0)
    #expect(await robot.stop() == 0)
    await site.close()
  }

  /// Waits until a rule has done its work a number of times.
  /// - Returns: how often it has.
  private func reached(_ least: Int, _ rule: String, _ site: Site, _ robot: SagaProcess) async throws -> Int {
    try await eventualValue("\(rule) happened \(least) times", within: .seconds(300)) {
      let happened = try await works(of: rule, site, robot)["happened"]?.intValue ?? 0
      return happened >= least ? happened : nil
    }
  }

  /// Returns what the participant counted of a rule.
  private func works(of rule: String, _ site: Site, _ robot: SagaProcess) async throws -> JSON {
    // No call has this key, so the answer has the counts alone.
    let answer = try await site.call("GET", "\(robot.url)/_stub/calls?key=none")
    return try #require(answer.body["rules"]?.arrayValue?.first { $0["name"]?.stringValue == rule })
  }

  /// Compares the participant's counts with the items. A key that comes again does no work.
  private func everyItemOnce(_ rule: String, _ site: Site, _ robot: SagaProcess) async throws {
    let counts = try await works(of: rule, site, robot)
    let (calls, repeated) = (counts["calls"]?.intValue, try #require(counts["repeated"]?.intValue))
    #expect(counts["happened"]?.intValue == Self.count)
    #expect(calls == Self.count + repeated)
    #expect(repeated <= Self.parallel, "only calls that were under way come again")
  }

  /// Returns the number of items with a status, as the engine counts them.
  private func count(of status: String, _ saga: LiveSaga) async throws -> Int? {
    try await saga.step("run")?["items"]?["statuses"]?[status]?.intValue
  }
}
