import Foundation
import JSON
import TestSupport
import Testing

/// The engine stops under an open console.
@Suite("The console while the engine is away, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct AwayTests {
  private static let isGrey = "getComputedStyle(document.querySelector('main')).filter === 'grayscale(1)'"

  @Test("What was known stays, grey, with its time, in every tab; the engine comes back, and it is current again")
  func away() async throws {
    try await ConsoleSite.run { site in
      let saga = try await site.saga(901, until: "stuck")
      let profile = try await site.browser.newProfile()
      let facts = [
        ("#/", ".needs .card"), ("#/sagas", "tbody tr"), ("#/workflows", "tbody tr"), ("#/saga/\(saga)", ".event"),
      ]
      var tabs: [ChromiumPage] = []
      for (place, fact) in facts {
        let tab = try await site.browser.newPage(in: profile)
        try await tab.open("\(site.engine.url)/\(place)")
        try await tab.waitForText("Live", in: "#live")
        try await tab.wait("document.querySelector('\(fact)') && document.title === '(1) Sagas'")
        tabs.append(tab)
      }
      let port = try #require(URLComponents(string: site.engine.url)?.port)
      _ = await site.engine.stop()

      // 1. Every tab says so, and wipes nothing.
      for (tab, (_, fact)) in zip(tabs, facts) {
        try await tab.show()
        try await tab.waitForText("Reconnecting", in: "#live")
        try await tab.waitForText("the connection to the engine is lost", in: "#behind")
        try await tab.wait(
          "/As of [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} [A-Z]/.test(document.getElementById('behind').innerText)")
        #expect(try await tab.run(Self.isGrey) == true)
        #expect(try await tab.run("document.querySelectorAll('\(fact)').length > 0") == true)
        #expect(try await tab.run("document.querySelectorAll('main .problem').length") == 0)
        #expect(try await tab.run("document.title") == "(1?) Sagas")
      }
      // 2. Parts that the page has tried to read again have their own time.
      try await tabs[0].show()
      try await tabs[0].waitForText("As of ", in: "main .as-of")
      try await tabs[0].wait("document.querySelectorAll('main .as-of').length >= 3")
      #expect(try await tabs[0].run("document.querySelectorAll('.needs .card').length") == 1)
      #expect(try await tabs[0].run(PageChecks.contrast) == [])
      try await tabs[0].picture("away-overview")

      // 3. The engine is back with another saga: what is shown is current.
      let again = try await site.site.startEngine(lab: site.lab, port: port)
      let started = try await site.site.start(902, at: again)
      #expect(started.status == 201)
      for tab in tabs {
        try await tab.show()
        try await tab.waitForText("Live", in: "#live")
        try await tab.wait("document.title === '(2) Sagas'")
        try await tab.wait("!document.querySelector('.as-of, .stale, .is-away')")
        try await tab.wait("!document.getElementById('behind').innerText")
      }
      try await tabs[1].wait("document.querySelectorAll('tbody tr').length === 2")
      _ = await again.stop()
    }
  }

  @Test("One request that fails leaves the other parts alone, and keeps the last answer with its problem")
  func onePart() async throws {
    try await ConsoleSite.run { site in
      try await site.saga(901, until: "stuck")
      let page = try await site.page()
      try await page.wait("document.querySelectorAll('.tile').length === 6")
      try await page.run(
        """
        (() => {
          const real = window.fetch;
          const problem = '{"title": "Overloaded", "detail": "Try later.", "code": "http.overloaded"}';
          window.broken = true;
          window.fetch = async (path, options) => (window.broken && path === '/v1/stats'
            ? new Response(problem, { status: 503 }) : real(path, options));
        })()
        """)
      try await site.saga(902, until: "stuck")
      try await page.waitForText("Try later.", in: ".as-of")
      #expect(try await page.run("document.querySelectorAll('.tile').length") == 6)
      #expect(try await page.run("document.querySelectorAll('.stale').length") == 1)
      #expect(try await page.run(Self.isGrey) == false)
      try await page.run("window.broken = false")
      try await site.saga(903, until: "stuck")
      try await page.wait("!document.querySelector('.as-of, .stale')")
    }
  }
}
