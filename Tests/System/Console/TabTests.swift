import Foundation
import JSON
import TestSupport
import Testing

/// Eight tabs of one browser, of which one is shown. A browser opens six connections to an engine.
@Suite("Many tabs of the console, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct TabTests {
  /// Counts the streams that a tab opens and the requests for the number in its title.
  private static let count = """
    (() => {
      window.streams = 0;
      window.needs = 0;
      const real = window.fetch;
      window.fetch = (path, options) => {
        if (path === '/v1/events') streams += 1;
        if (String(path).startsWith('/v1/incidents')) needs += 1;
        return real(path, options);
      };
    })()
    """

  /// Keeps the events that the tab gets, as `ID VERSION`; `null` when everything may have changed.
  private static let hear = """
    import('/console/live.js').then((live) => {
      window.heard = [];
      live.listen((event) => heard.push(event ? event.id + ' ' + event.version : 'null'), { always: true });
      return true;
    })
    """

  private static let holds = "import('/console/live.js').then((live) => live.holdsStream())"

  private func open(_ site: ConsoleSite, _ count: Int, prepare script: String = "") async throws -> [ChromiumPage] {
    let profile = try await site.browser.newProfile()
    let places = ["#/", "#/sagas", "#/workflows", "#/operations"]
    var tabs: [ChromiumPage] = []
    for index in 0..<count {
      let tab = try await site.browser.newPage(in: profile)
      try await tab.remember("saga.user", "nora")
      try await tab.prepare(Self.count + ";" + script)
      try await tab.open("\(site.engine.url)/\(places[index % places.count])")
      try await tab.waitForText("Live", in: "#live")
      tabs.append(tab)
    }
    return tabs
  }

  private func sum(_ name: String, of tabs: [ChromiumPage]) async throws -> Int {
    var sum = 0
    for tab in tabs { sum += try await tab.run(name).intValue ?? 0 }
    return sum
  }

  /// Takes the tab that holds the stream out of a list.
  private func removeHolder(from tabs: inout [ChromiumPage]) async throws -> ChromiumPage {
    var holders: [Int] = []
    for (index, tab) in tabs.enumerated() where try await tab.run(Self.holds) == true { holders.append(index) }
    try #require(holders.count == 1)
    return tabs.remove(at: holders[0])
  }

  /// Waits until every tab has heard each event of a saga, and expects that none came twice.
  private func expectAll(_ tabs: [ChromiumPage], heard saga: String, _ site: ConsoleSite) async throws {
    let versions = try await site.history(of: saga).compactMap { $0["version"]?.intValue }
    #expect(versions.count > 3)
    for tab in tabs {
      let all = JSON.array(versions.map { .string("\(saga) \($0)") }).text()
      try await tab.wait("\(all).every((one) => heard.includes(one))")
      #expect(try await tab.run("heard.filter((one) => one.startsWith('\(saga)')).length") == JSON.int(versions.count))
    }
  }

  @Test("Eight tabs share one stream and the questions; each has the true title; the next tab goes on without a gap")
  func oneStream() async throws {
    try await ConsoleSite.run { site in
      try await site.saga(901, until: "stuck")
      var tabs = try await open(site, 8)
      for tab in tabs { try await tab.wait("document.title === '(1) Sagas'") }
      #expect(try await sum("streams", of: tabs) == 1)
      for tab in tabs { try await tab.run(Self.hear) }

      // 1. A change reaches every tab, and they do not ask one by one.
      let before = try await sum("needs", of: tabs)
      let second = try await site.saga(902, until: "stuck")
      for tab in tabs { try await tab.wait("document.title === '(2) Sagas'", seconds: 20) }
      try await expectAll(tabs, heard: second, site)
      let asked = try await sum("needs", of: tabs) - before
      #expect(asked < 16, "\(asked) requests for one change")
      // The tab that is shown is read again.
      let last = try #require(tabs.last)
      try await last.run("location.hash = '#/sagas?status=stuck'")
      try await last.wait("document.querySelectorAll('tbody tr').length === 2")

      // 2. The holder closes while a saga runs.
      let holder = try await removeHolder(from: &tabs)
      async let closed: Void = holder.close()
      let third = try await site.saga(903, until: "stuck")
      try await closed
      for tab in tabs { try await tab.wait("document.title === '(3) Sagas'", seconds: 20) }
      try await expectAll(tabs, heard: third, site)
      for tab in tabs { try await tab.waitForText("Live", in: "#live") }

      // 3. The browser freezes the holder. It comes back, and has what it missed.
      let frozen = try await removeHolder(from: &tabs)
      try await frozen.send("Page.setWebLifecycleState", ["state": "frozen"])
      let fourth = try await site.saga(904, until: "stuck")
      for tab in tabs { try await tab.wait("document.title === '(4) Sagas'", seconds: 20) }
      try await expectAll(tabs, heard: fourth, site)
      try await frozen.send("Page.setWebLifecycleState", ["state": "active"])
      try await frozen.show()
      try await frozen.wait("document.title === '(4) Sagas'", seconds: 20)
      try await frozen.waitForText("Live", in: "#live")
      #expect(try await frozen.run("heard.includes('null')") == true)
      tabs.append(frozen)
      _ = try await removeHolder(from: &tabs)
      for tab in tabs { #expect(tab.complaints == []) }
    }
  }

  @Test("A holder that does not answer loses the stream to a tab that is shown")
  func hangingHolder() async throws {
    try await ConsoleSite.run { site in
      var tabs = try await open(site, 2)
      let shown = try #require(tabs.last)
      let holder = try await removeHolder(from: &tabs)
      let busy = "(() => { const end = Date.now() + 30000; while (Date.now() < end); })()"
      let hung = Task { _ = try? await holder.run(busy) }
      try await site.saga(901, until: "stuck")
      try await shown.wait("document.title === '(1) Sagas'")
      try await shown.waitForText("Live", in: "#live")
      // The title may come from the hanging one, just before it hangs.
      try await eventually("the shown tab has the stream") { try await shown.run(Self.holds) == true }
      // A page that is closed while it computes gives no answer.
      await hung.value
      try await holder.close()
    }
  }

  @Test(
    "Outside a secure context, a shared worker holds the stream, or the tab that is shown",
    arguments: ["locks", "worker"])
  func withoutLocks(kind: String) async throws {
    try await ConsoleSite.run { site in
      let script =
        "Object.defineProperty(navigator, 'locks', { value: undefined });"
        + (kind == "worker" ? "Object.defineProperty(window, 'SharedWorker', { value: undefined });" : "")
      let tabs = try await open(site, 8, prepare: script)
      try await site.saga(901, until: "stuck")
      for tab in tabs { try await tab.wait("document.title === '(1) Sagas'") }
      var holders = 0
      for tab in tabs where try await tab.run(Self.holds) == true { holders += 1 }
      #expect(holders == (kind == "worker" ? 1 : 0))
      // Another tab is shown.
      try await tabs[2].show()
      try await tabs[2].waitForText("Live", in: "#live")
      try await site.saga(902, until: "stuck")
      for tab in tabs { try await tab.wait("document.title === '(2) Sagas'") }
    }
  }

  @Test("A name that one tab enters is the name in the others, also in a form that is open")
  func names() async throws {
    try await ConsoleSite.run { site in
      let saga = try await site.saga(901, until: "stuck")
      let tabs = try await open(site, 2)
      try await tabs[1].open("\(site.engine.url)/#/saga/\(saga)")
      try await tabs[1].click("button[data-verb=retry]")
      try await tabs[1].waitForText("As nora", in: "dialog")
      try await tabs[0].show()
      try await tabs[0].click("#user")
      try await tabs[0].run("document.getElementById('user-name').select()")
      try await tabs[0].type("otto")
      try await tabs[0].press("Enter")
      try await tabs[1].wait("document.querySelector('dialog').textContent.includes('As otto')")
      #expect(try await tabs[1].run("document.getElementById('user').textContent") == "otto")
    }
  }
}
