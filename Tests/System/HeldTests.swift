import Foundation
import HTTP
import JSON
import TestSupport
import Testing

@Suite("A saga that kills the engine", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct HeldTests {
  static let workflow = #"""
    {"name": "wait", "version": 1, "steps": [
      {"id": "a", "delay": {"for": "50s"}, "compensation": "none"}]}
    """#

  private static func start(_ site: Site, _ variables: [String: String] = [:], _ more: String...) async throws
    -> SagaProcess
  {
    let workflows = site.folder.appendingPathComponent("wf")
    try FileManager.default.createDirectory(at: workflows, withIntermediateDirectories: true)
    try Data(workflow.utf8).write(to: workflows.appendingPathComponent("wait.json"))
    return try await .listening(
      ["serve", "--store", site.engineStore, "--port", "0", "--workflows", workflows.path] + more, in: site.folder,
      variables: variables)
  }

  /// An engine that dies before it says where it listens.
  private static func dies(_ site: Site, of saga: String) async throws {
    await #expect(throws: SagaProcess.DidNotListen.self) {
      _ = try await start(site, ["SAGA_DRILL_DIE_OF": saga])
    }
  }

  private static func begin(_ site: Site, _ engine: SagaProcess) async throws -> String {
    let answer = try await site.call("POST", "\(engine.url)/v1/workflows/wait/sagas", body: ["input": 1])
    return try #require(answer.body["id"]?.stringValue)
  }

  /// Returns the one incident of held sagas, once lists have it.
  private static func incident(_ site: Site, _ engine: SagaProcess) async throws -> JSON {
    try await eventualValue("lists have the held saga") {
      let page = try await site.call("GET", "\(engine.url)/v1/incidents?kind=held").body
      guard page["lists"]?["lagEvents"] == 0, page["incidents"]?.arrayValue?.count == 1 else { return nil }
      #expect(page["sagas"]?["held"] == 1 && page["needsPerson"] == 1)
      return page["incidents"]?[0]
    }
  }

  private static func stores() -> [Site.Store] { Site.hasPostgres ? Site.Store.allCases : [.sqlite] }

  @Test("is paused at the third start, other sagas continue, and resume lets it continue", arguments: stores())
  func paused(store: Site.Store) async throws {
    let site = try await Site(store)
    var engine = try await Self.start(site)
    let poison = try await Self.begin(site, engine)
    let other = try await Self.begin(site, engine)
    await engine.killNow()
    // It dies once beside the others, and once alone.
    try await Self.dies(site, of: poison)
    try await Self.dies(site, of: poison)

    engine = try await Self.start(site)
    let stats = try await site.call("GET", "\(engine.url)/v1/stats")
    #expect(stats.body["held"]?[0]?["id"]?.stringValue == poison, "\(stats.body.text())")
    #expect(stats.body["held"]?.arrayValue?.count == 1)
    let ready = try await site.call("GET", "\(engine.url)/readyz")
    #expect(ready.status == 200)
    #expect(ready.body["reasons"]?[0]?["code"] == "saga.held", "\(ready.body.text())")
    // It is an incident of its own, and a verb on all its sagas releases it.
    let incident = try await Self.incident(site, engine)
    #expect(incident["code"] == "saga.held" && incident["verbs"]?[0] == "resume", "\(incident.text())")
    #expect(incident["samples"]?[0]?["id"]?.stringValue == poison)
    let held = try await site.call("GET", "\(engine.url)/v1/sagas/\(poison)")
    #expect(held.body["paused"] != nil, "\(held.body.text())")
    #expect(try await site.call("GET", "\(engine.url)/v1/sagas/\(other)").body["paused"] == nil)

    let resumed = try await site.call(
      "POST", "\(engine.url)/v1/sagas/\(poison)/resume", body: ["reason": "the cause is gone"])
    #expect(resumed.status == 200, "\(resumed.body.text())")
    let after = try await site.call("GET", "\(engine.url)/v1/stats")
    #expect(after.body["held"]?.arrayValue?.isEmpty == true)
    #expect(await engine.stop() == 0)
    await site.close()
  }

  @Test("is not read at all when pausing it kills the engine too")
  func untouched() async throws {
    let site = try await Site(.sqlite)
    var engine = try await Self.start(site)
    let poison = try await Self.begin(site, engine)
    await engine.killNow()
    for _ in 0..<3 { try await Self.dies(site, of: poison) }
    engine = try await Self.start(site, ["SAGA_DRILL_DIE_OF": poison])
    let stats = try await site.call("GET", "\(engine.url)/v1/stats")
    #expect(stats.body["held"]?[0]?["paused"] == false, "\(stats.body.text())")
    let incident = try await Self.incident(site, engine)
    #expect(incident["code"] == "saga.unread" && incident["verbs"] == [], "\(incident.text())")
    let path = try #require(incident["path"]?.stringValue)
    let list = try await site.call("GET", "\(engine.url)\(path)&facets=true")
    #expect(list.body["sagas"]?.arrayValue?.map { $0["id"]?.stringValue } == [poison], "\(list.body.text())")
    let metrics = try await site.client.send(HTTPClientRequest(url: "\(engine.url)/metrics"))
    #expect(String(decoding: metrics.body, as: UTF8.self).contains(#"tracseq_incident_sagas{kind="held"} 1"#))
    let answer = try await site.call("GET", "\(engine.url)/v1/sagas/\(poison)")
    #expect(answer.status == 409)
    #expect(answer.body["code"] == "saga.held")
    _ = try await Self.begin(site, engine)
    #expect(await engine.stop() == 0)
    engine = try await Self.start(site, [:], "--take-up-held")
    #expect(try await site.call("GET", "\(engine.url)/v1/sagas/\(poison)").status == 200)
    #expect(await engine.stop() == 0)
    await site.close()
  }
}
