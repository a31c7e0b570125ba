import Foundation
import JSON
import TestSupport
import Testing

@Suite("The console, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct ConsoleTests {
  @Test("The console shows a stuck saga with its reason, takes a retry, and shows the end without a reload")
  func story() async throws {
    try await ConsoleSite.run { site in
      let first = try await site.saga(901, until: "stuck")
      let second = try await site.saga(902, until: "stuck")
      try await site.saga(1, until: "completed")
      let page = try await site.page()

      // 1. The overview begins with the sagas that need a person.
      try await page.wait("document.querySelectorAll('.needs .card').length === 1")
      try await page.waitForText("undo of storeSample", in: ".needs .card-link")
      try await page.waitForText("2", in: ".needs .count")
      #expect(try await page.run("document.title") == "(2) Sagas")
      #expect(try await page.run("document.querySelector('main section').className") == "needs")

      // 2. The saga's page says why it is stuck.
      try await page.run("window.stays = true")
      try await page.click("a[href=\"#/saga/\(first)\"]")
      try await page.waitForText("the undo of step storeSample failed for good", in: "#why")
      try await page.waitForText("cannot be undone before it", in: "#why")

      // 3. A retry without a reason is not sent.
      try await site.removeFaults()
      try await page.click("button[data-verb=retry]")
      try await page.waitForText("Who are you?", in: "dialog")
      try await page.type("Nora Nachtschicht")
      try await page.press("Enter")
      try await page.waitForText("The engine tries the undo of “storeSample” again", in: "dialog .preview")
      try await page.click("dialog button[type=submit]")
      try await page.wait("document.querySelector('dialog #reason').validity.valueMissing")
      #expect(try await site.history(of: first).allSatisfy { $0["type"] != "operatorRetried" })
      try await page.click("#reason")
      try await page.type("the robot <b>arm</b> is back")
      try await page.click("dialog button[type=submit]")

      // 4. The page shows the end of the saga.
      try await page.waitForText("compensated", in: "#status")
      try await page.waitForText("the robot <b>arm</b> is back", in: ".acts")
      #expect(try await page.run("window.stays") == true)
      let retried = try await site.history(of: first).first { $0["type"] == "operatorRetried" }
      #expect(retried?["data"]?["reason"] == "the robot <b>arm</b> is back")
      #expect(retried?["data"]?["by"] == "Nora Nachtschicht")

      // 5. The slider shows the saga after its first event.
      try await page.run("document.getElementById('when').focus()")
      try await page.press("Home")
      try await page.waitForText("As it was after event 1:", in: "#why")
      try await page.waitForText("pending", in: ".drawing")
      try await page.press("End")
      try await page.wait("!document.querySelector('#why').innerText.includes('As it was')")

      try await keyboard(page, site, second)
      #expect(page.complaints == [])
    }
  }

  /// Does the same with the keyboard alone.
  private func keyboard(_ page: ChromiumPage, _ site: ConsoleSite, _ saga: String) async throws {
    try await page.run("document.activeElement.blur()")
    try await page.press("g")
    try await page.press("o")
    try await page.wait("document.querySelectorAll('.needs .card').length === 1")
    try await page.press("j")
    try await page.wait("document.activeElement.matches('[data-row-link]')")
    try await page.press("Enter")
    try await page.waitForText("the undo of step storeSample", in: "#why")
    try await page.press("r")
    try await page.wait("document.activeElement.id === 'reason'")
    try await page.type("by keyboard alone")
    try await page.press("Tab")
    try await page.press("Tab")
    try await page.wait("document.activeElement.matches('dialog button[type=submit]')")
    try await page.press("Enter")
    try await page.waitForText("compensated", in: "#status")
    #expect(try await site.history(of: saga).contains { $0["data"]?["reason"] == "by keyboard alone" })
    // The list of keys, and a search.
    try await page.press("?", shift: true)
    try await page.waitForText("next, previous saga", in: "dialog")
    try await page.press("Escape")
    try await page.wait("!document.querySelector('dialog')")
    try await page.press("/")
    try await page.wait("document.activeElement.id === 'search-text'")
    try await page.type(saga)
    try await page.press("Enter")
    try await page.wait("location.hash === '#/saga/\(saga)'")
  }

  @Test("The console shows markup from workflows, inputs and names as text, and runs none of it")
  func hostile() async throws {
    try await ConsoleSite.run { site in
      let bad = "<img src=x onerror=\"window.owned=1\"><script>window.owned=1</script>"
      let key = "<img/src=x/onerror=window.owned=1>"
      let workflow: JSON = [
        "name": "hostile", "version": 1, "timeout": "1h", "description": .string(bad), "owner": .string(bad),
        "steps": [
          [
            "id": "approve", "description": .string(bad),
            "signal": [
              "name": "approval",
              "schema": [
                "type": "object", "required": ["approved"],
                "properties": ["approved": ["type": "boolean", "description": .string(bad), "title": .string(bad)]],
              ],
            ],
          ]
        ],
      ]
      let url = site.engine.url
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: workflow).status == 201)
      let started = try await site.site.call(
        "POST", "\(url)/v1/workflows/hostile/sagas",
        body: ["input": ["name": .string(bad)], "tags": [.string(String(bad.prefix(100)))]],
        headers: ["Idempotency-Key": key, "Saga-User": bad])
      let id = try #require(started.body["id"]?.stringValue)
      let page = try await site.page("#/saga/\(id)", as: bad)
      try await page.waitForText(key)
      try await page.waitForText(bad, in: ".acts")
      // The form of a signal comes from its schema. The page shows the effect of the signal.
      try await page.click("[data-key=\"signal approval\"]")
      try await page.waitForText(bad, in: "dialog")
      try await page.run("document.querySelector('dialog select').value = 'true'")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("completed", in: "#status")
      #expect(try await site.history(of: id).contains { $0["data"]?["body"] == ["approved": true] })
      for hash in [
        "#/", "#/sagas", "#/workflows", "#/workflow/hostile", "#/sagas?q=\(key)&workflow=\(key)", "#/saga/\(key)",
      ] {
        try await page.open("\(url)/\(hash)")
        try await page.wait("document.querySelector('main h1') && !document.querySelector('main .placeholder')")
      }
      #expect(try await page.run("window.owned ?? null") == .null)
      #expect(try await page.run("document.querySelectorAll('img, main script').length") == 0)
    }
  }

  @Test("Every page has contrast, names and width as required, in light and dark, at 1280 and at 400 pixels")
  func looks() async throws {
    try await ConsoleSite.run { site in
      let stuck = try await site.saga(901, until: "stuck")
      try await site.saga(902, until: "stuck")
      for number in 1...6 { try await site.saga(number, until: "completed") }
      let pages = [
        ("overview", "#/", ".needs .card"), ("sagas", "#/sagas", "tbody tr"),
        ("saga", "#/saga/\(stuck)", ".event"), ("workflows", "#/workflows", "tbody tr"),
        ("workflow", "#/workflow/sample-processing", ".node"),
      ]
      let page = try await site.page(as: "nora")
      for scheme in ["light", "dark"] {
        try await page.prefer(scheme)
        for width in [1_280, 400] {
          try await page.size(width, 900)
          for (name, hash, fact) in pages {
            try await page.open("about:blank")
            try await page.open("\(site.engine.url)/\(hash)")
            try await page.wait("document.querySelector(\(JSON.string(fact).text()))")
            try await page.waitForText("Live", in: "#live")
            // A colour has its contrast after its transition.
            try await page.wait("document.getAnimations().length === 0")
            for check in [PageChecks.contrast, PageChecks.names, PageChecks.width] {
              let wrong = try await page.run(check).arrayValue?.compactMap(\.stringValue)
              #expect(wrong == [], "\(name), \(scheme), \(width) wide")
            }
            try await page.picture("\(name)-\(scheme)-\(width)")
          }
          try await page.open("\(site.engine.url)/#/saga/\(stuck)")
          try await page.click("button[data-verb=resolve]")
          try await page.waitForText("Choose what you found.", in: "dialog .preview")
          try await page.choose("undone", in: "#verb-outcome")
          try await page.waitForText(
            "The engine records that you have undone “storeSample” by hand", in: "dialog .preview")
          try await page.wait("document.getAnimations().length === 0")
          #expect(try await page.run(PageChecks.contrast) == [], "the dialog, \(scheme), \(width) wide")
          #expect(try await page.run(PageChecks.names) == [], "the dialog, \(scheme), \(width) wide")
          try await page.picture("dialog-\(scheme)-\(width)")
        }
      }
      #expect(page.complaints == [])
    }
  }

  @Test("The console says that it reconnects when the engine stops, and shows new sagas when it is back")
  func reconnects() async throws {
    try await ConsoleSite.run { site in
      let page = try await site.page()
      let port = try #require(URLComponents(string: site.engine.url)?.port)
      _ = await site.engine.stop()
      try await page.waitForText("Reconnecting", in: "#live")
      let again = try await site.site.startEngine(lab: site.lab, port: port)
      try await page.waitForText("Live", in: "#live")
      let started = try await site.site.start(903, at: again)
      #expect(started.status == 201)
      try await page.wait("document.querySelectorAll('.needs .card').length === 1")
      _ = await again.stop()
    }
  }
}
