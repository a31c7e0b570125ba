import Foundation
import JSON
import Testing

/// A laboratory in which some undos fail, an engine, and a browser for its console.
final class ConsoleSite: Sendable {
  let site: Site
  let lab: SagaProcess
  let engine: SagaProcess
  let browser: Chromium

  /// - Parameters:
  ///   - approvals: verbs that wait for a second person.
  ///   - options: more options of the engine.
  static func run(
    approvals: [String] = [], options: [String] = [], _ body: (ConsoleSite) async throws -> Void
  ) async throws {
    let site = try await ConsoleSite(approvals: approvals, options: options)
    let result: Result<Void, any Error>
    do { result = .success(try await body(site)) } catch { result = .failure(error) }
    await site.browser.quit()
    _ = await site.engine.stop()
    _ = await site.lab.stop()
    await site.site.close()
    try result.get()
  }

  private init(approvals: [String], options: [String]) async throws {
    browser = try Chromium()
    site = try await Site(.sqlite)
    // The sequencing of tubes from 900 on fails, so their sagas compensate. The undo of storeSample fails always.
    lab = try await site.startLab(
      "--fault", "sequencing.schedule:fail,match=TS-1009*", "--fault", "storage.remove:fail")
    engine = try await site.startEngine(
      lab: lab, options + (approvals.isEmpty ? [] : ["--requires-approval", approvals.joined(separator: ",")]))
  }

  /// - Parameter user: the name that the browser has stored; nil for none.
  func page(_ hash: String = "#/", as user: String? = nil) async throws -> ChromiumPage {
    let page = try await browser.newPage()
    if let user { try await page.remember("saga.user", user) }
    try await page.open("\(engine.url)/\(hash)")
    try await page.waitForText("Live", in: "#live")
    return page
  }

  /// Starts a saga and waits until it has this status.
  @discardableResult
  func saga(_ number: Int, until status: String) async throws -> String {
    let started = try await site.start(number, at: engine)
    let id = try #require(started.body["id"]?.stringValue)
    try await wait(for: id, status)
    return id
  }

  func wait(for id: String, _ status: String) async throws {
    var now = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body
    while now["status"]?.stringValue != status {
      let ended = now["endedAt"] != nil
      try #require(!ended, "\(id) is \(now["status"]?.text() ?? "?") instead of \(status)")
      // The answer comes when the saga has ended, or after 100 ms.
      now = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)?wait=100ms").body
    }
  }

  /// Removes all faults from the laboratory.
  func removeFaults() async throws {
    let answer = try await site.call("PUT", "\(lab.url)/lab/faults", body: ["faults": []])
    #expect(answer.status < 300)
  }

  func history(of id: String) async throws -> [JSON] {
    try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events?limit=1000").body["events"]?.arrayValue ?? []
  }
}
