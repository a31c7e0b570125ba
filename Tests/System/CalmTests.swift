import Foundation
import HTTP
import JSON
import Persistence
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

/// After a start without a read model, the lists are filled from all events. Meanwhile every number of theirs is wrong.
@Suite("Lists that are behind claim no wrong number", .serialized, .timeLimit(.minutes(15)), .apart)
struct CalmTests {
  private static let workflow = """
    {"name": "tubes", "version": 1, "timeout": "90d", "steps": [
      {"id": "keep", "delay": {"for": "60d"}, "compensation": "none"}]}
    """
  private static let all = 2_000
  /// Every fifth saga is paused, and every fifth other one is cancelled.
  private static let paused = all / 5
  private static let cancelled = all / 5
  private static let truth: [String: Int] = [
    "running": all - cancelled, "compensating": 0, "stuck": 0, "completed": 0, "compensated": cancelled, "abandoned": 0,
  ]

  /// Calls no participant: the workflow has none.
  private struct NoCalls: StepExecutor {
    func perform(_ call: StepCall) async -> StepOutcome { .succeeded(.null) }
  }

  /// Fills a store with sagas, in this process. The lists of this engine are in memory, so nothing of them stays.
  private static func fill(_ path: String) async throws {
    let store = try await SQLiteStore.open(path: path, environment: .system)
    let engine = Engine(store: store, executor: NoCalls(), environment: .system)
    let running = Task { try await engine.run() }
    try await eventually("the engine is ready") { engine.isReady }
    _ = try await engine.register(Array(workflow.utf8), by: "test")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<all {
        if number >= 64 { try await group.next() }
        group.addTask {
          let id = try await engine.start(StartRequest(workflow: "tubes", input: [:], by: "test")).id
          let verb: OperatorVerb? = number % 5 == 0 ? .pause : number % 5 == 1 ? .cancel : nil
          guard let verb else { return }
          let act = OperatorAct(by: "test", reason: "one of five")
          _ = try await engine.operate(id, OperatorRequest(verb, by: act))
        }
      }
      try await group.waitForAll()
    }
    running.cancel()
    _ = await running.result
    await store.close()
  }

  /// What was seen of the answers.
  private struct Seen {
    var marked = 0
    var right = 0
    var withoutMetric = 0
    var isDegraded = false

    /// Counts an answer that has `lists`. An answer that is not marked must be right.
    mutating func note(_ answer: JSON, _ what: String, isRight: Bool) throws {
      let lag = try #require(answer["lists"]?["lagEvents"]?.intValue, "\(what) says how far lists are")
      if lag > 0 {
        marked += 1
        #expect(answer["lists"]?["behind"] == true, "\(what) says that its numbers are old")
      } else {
        right += 1
        #expect(isRight, "\(what) claims a wrong number: \(answer.text().prefix(600))")
      }
    }
  }

  private static func counts(_ json: JSON?) -> [String: Int] {
    var counts: [String: Int] = [:]
    for (name, value) in json?.objectValue ?? [:] { counts[name] = value.intValue }
    return counts
  }

  @Test("Each answer, metric and page is marked or right, from the start to the last event")
  func rebuild() async throws {
    let site = try await Site(.sqlite)
    let path = site.folder.appendingPathComponent("engine.db").path
    try await Self.fill(path)
    try #require(!FileManager.default.fileExists(atPath: site.folder.appendingPathComponent("read.db").path))
    let engine = try await SagaProcess.listening(
      ["serve", "--store", site.engineStore, "--port", "0"], in: site.folder,
      variables: ["SAGA_DRILL_SLOW_LISTS": "250"])
    let browser = try Chromium()
    let page = try await browser.newPage()
    try await page.open("\(engine.url)/#/")

    var seen = Seen()
    var isCurrent = false
    while !isCurrent {
      let stats = try await site.call("GET", "\(engine.url)/v1/stats")
      // The engine takes up its sagas.
      if stats.status == 503 { continue }
      try seen.note(stats.body, "/v1/stats", isRight: Self.counts(stats.body["sagas"]) == Self.truth)
      try await look(site, engine, &seen)
      try await look(page)
      isCurrent = stats.body["lists"]?["lagEvents"] == 0
    }
    #expect(seen.marked > 0, "the lists were too fast to be seen behind")
    #expect(seen.withoutMetric > 0 && seen.isDegraded)

    // Afterwards everything has the true numbers, without a mark.
    let before = seen.right
    try await look(site, engine, &seen)
    #expect(seen.right == before + 3)
    let ready = try await site.call("GET", "\(engine.url)/readyz")
    #expect(ready.body["status"] == "ready", "\(ready.body.text())")
    try await page.wait("document.title === '(\(Self.paused)) Sagas'")
    let running = Self.all - Self.cancelled
    try await page.wait("document.querySelector('.tile-number')?.innerText.replaceAll(',', '') === '\(running)'")
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }

  private func look(_ site: Site, _ engine: SagaProcess, _ seen: inout Seen) async throws {
    let list = try await site.call("GET", "\(engine.url)/v1/sagas?facets=true&limit=1").body
    let truth = Self.truth.filter { $0.value > 0 }
    try seen.note(list, "/v1/sagas", isRight: Self.counts(list["facets"]?["status"]) == truth)
    let incidents = try await site.call("GET", "\(engine.url)/v1/incidents").body
    let paused = [incidents["needsPerson"], incidents["sagas"]?["paused"]].map { $0?.intValue }
    try seen.note(incidents, "/v1/incidents", isRight: paused == [Self.paused, Self.paused])
    let statistics = try await site.call("GET", "\(engine.url)/v1/workflows/tubes/statistics").body
    let started = statistics["steps"]?[0]?["total"]?["started"]?.intValue
    try seen.note(statistics, "the statistics", isRight: started == Self.all)

    let metrics = try await site.client.send(HTTPClientRequest(url: "\(engine.url)/metrics"))
    let text = String(decoding: metrics.body, as: UTF8.self)
    if text.contains("tracseq_sagas{") {
      #expect(text.contains("tracseq_sagas{status=\"running\"} \(Self.all - Self.cancelled)\n"))
      #expect(text.contains("tracseq_sagas{status=\"compensated\"} \(Self.cancelled)\n"))
    } else {
      seen.withoutMetric += 1
    }
    if text.contains("tracseq_incident_sagas{") {
      #expect(text.contains("tracseq_incident_sagas{kind=\"paused\"} \(Self.paused)\n"))
    }
    let ready = try await site.call("GET", "\(engine.url)/readyz")
    #expect(ready.status == 200, "sagas run")
    if ready.body["reasons"]?[0]?["code"] == "lists.behind" { seen.isDegraded = true }
  }

  /// The first page shows numbers with a mark, the true ones, or none.
  private func look(_ page: ChromiumPage) async throws {
    let shown = try await page.run(
      """
      (() => ({
        title: document.title, calm: document.querySelector('.calm') !== null,
        tiles: [...document.querySelectorAll('.tile-number')].map((one) => one.innerText.replaceAll(',', '')),
      }))()
      """)
    #expect(shown["calm"] == false, "the page says that there is nothing to do")
    if let title = shown["title"]?.stringValue, title.hasPrefix("(") {
      #expect(title.contains("?") || title == "(\(Self.paused)) Sagas", "\(title)")
    }
    guard let tiles = shown["tiles"]?.arrayValue?.compactMap(\.stringValue), tiles.count > 0 else { return }
    let numbers = [Self.all - Self.cancelled, 0, 0, 0, Self.cancelled, 0].map(String.init)
    #expect(tiles.allSatisfy { $0.hasSuffix("?") } || tiles == numbers, "\(tiles)")
  }
}
