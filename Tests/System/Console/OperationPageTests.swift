import Foundation
import JSON
import Testing

/// A verb on many sagas, in the console.
extension ConsoleTests {
  @Test("An operation on found or selected sagas has a preview, one reason, a stop and true counts")
  func operations() async throws {
    try await ConsoleSite.run { site in
      var stuck: [String] = []
      for number in 901...903 { stuck.append(try await site.saga(number, until: "stuck")) }
      let done = try await site.saga(1, until: "completed")
      let page = try await site.page("#/sagas?status=stuck", as: "nora")

      // All sagas that the filters find. A saga that they find later stops the start.
      try await page.waitForText("Act on all 3 found …", in: ".batch")
      try await page.click("[data-key=batch-all]")
      try await page.waitForText("3 sagas take it; none refuses it.", in: "dialog")
      stuck.append(try await site.saga(904, until: "stuck"))
      try await site.removeFaults()
      try await page.click("#reason")
      try await page.type("the robot <b>arm</b> is back")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("operation.changed", in: "dialog .problem")
      try await page.waitForText("4 sagas take it; none refuses it.", in: "dialog")
      try await page.waitForText("Retry 4 sagas", in: "dialog .actions")

      // The list of the sagas, a reason, and a rate that is low enough for a stop.
      try await page.click("dialog [data-key=takes] summary")
      for saga in stuck {
        try await page.wait("document.querySelector('dialog a[href=\"#/saga/\(saga)\"]')")
      }
      try await page.run("document.getElementById('reason').value = ' '")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("Enter a reason", in: "dialog")
      try await page.run("document.getElementById('batch-rate').select()")
      try await page.type("0.01")
      try await page.run("document.getElementById('reason').select()")
      try await page.type("the robot <b>arm</b> is back")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("1 done, 0 refused, 3 left of 4 sagas.", in: "#counts")
      try await page.waitForText("running", in: "#status")
      #expect(try await page.run("document.getElementById('progress').value") == 1)
      try await page.click("[data-word=stop]")
      try await page.wait("document.activeElement.id === 'reason'")
      try await page.type("too slow")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("stopped", in: "#status")
      let first = try await operation(page, site)
      #expect(first["filter"] == ["status": "stuck"])
      #expect(first["reason"] == "the robot <b>arm</b> is back")
      #expect(first["stopped"]?["by"] == "nora")
      #expect(first["from"]?.stringValue?.hasPrefix("console ") == true)

      // Selected sagas. One refuses the verb, and the page says why.
      try await page.run("location.hash = '#/sagas'")
      try await page.wait("document.querySelectorAll('tbody tr').length === 5")
      try await page.waitForText("5 found", in: ".batch")
      for saga in stuck.dropFirst() + [done] { try await page.click("[data-key=\"choose \(saga)\"]") }
      try await page.waitForText("Act on these 4 …", in: ".batch")
      try await page.click("[data-key=batch]")
      try await page.waitForText("3 sagas take it, 1 refuses it now.", in: "dialog")
      try await page.waitForText("1 × saga.ended", in: "dialog")
      try await page.click("#reason")
      try await page.type("all are back")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("3 done, 1 refused, 0 left of 4 sagas.", in: "#counts")
      try await page.waitForText("finished", in: "#status")
      try await page.waitForText("saga.ended", in: "section[aria-label=Refused]")
      // The page shows the new statuses.
      try await page.wait("document.querySelector('.tile[aria-label=\"3 compensated\"]')")
      for saga in stuck { try await site.wait(for: saga, "compensated") }
      #expect(try await site.history(of: stuck[3]).contains { $0["data"]?["reason"] == "all are back" })
      #expect(try await site.history(of: done).allSatisfy { $0["type"] != "operatorRetried" })

      // The list has both operations, and a key opens it.
      try await page.run("document.activeElement.blur()")
      try await page.press("g")
      try await page.press("p")
      try await page.wait("document.querySelectorAll('tbody tr').length === 2")
      try await page.waitForText("3 done, 1 refused, 0 left", in: "tbody tr:first-child")
      try await page.click("[data-key=\"chip stopped\"]")
      try await page.wait("location.hash === '#/operations?status=stopped'")
      try await page.wait("document.querySelectorAll('tbody tr').length === 1")
      // The browser logs the one refusal.
      #expect(page.complaints.count == 1 && page.complaints[0].contains("409 (Conflict)"), "\(page.complaints)")
    }
  }

  @Test("A verb that needs two people waits for the approval of another person than the requester")
  func approvals() async throws {
    try await ConsoleSite.run(approvals: ["retry"]) { site in
      let saga = try await site.saga(901, until: "stuck")
      try await site.removeFaults()
      let nora = try await site.page("#/saga/\(saga)", as: "nora")
      try await nora.click("button[data-verb=retry]")
      try await nora.click("#reason")
      try await nora.type("back again")
      try await nora.click("dialog button[type=submit]")
      try await nora.waitForText("A second person must approve it.", in: "dialog")
      try await nora.press("Enter")
      try await nora.waitForText("You requested it, nora, so you cannot approve it.")
      try await nora.wait("document.querySelector('[data-word=approve]').disabled")
      #expect(try await site.history(of: saga).allSatisfy { $0["type"] != "operatorRetried" })
      try await nora.open("\(site.engine.url)/#/saga/\(saga)")
      try await nora.waitForText("Retry, requested by nora, waits for a second person")

      let otto = try await site.page(as: "otto")
      try await otto.waitForText("Waits for a second person", in: ".needs")
      try await otto.waitForText("nora requests it", in: ".needs")
      try await otto.click(".needs a[href^=\"#/operation/\"]")
      try await otto.click("[data-word=approve]")
      try await otto.waitForText("It begins at once", in: "dialog")
      try await otto.type("looks right")
      try await otto.click("dialog button[type=submit]")
      try await otto.waitForText("finished", in: "#status")
      try await otto.waitForText("1 done, 0 refused, 0 left of 1 saga.", in: "#counts")
      let operation = try await operation(otto, site)
      #expect(operation["by"] == "nora")
      #expect(operation["approved"]?["by"] == "otto")
      #expect(operation["approved"]?["reason"] == "looks right")
      try await site.wait(for: saga, "compensated")
      // The open page of the saga follows.
      try await nora.waitForText("compensated", in: "#status")
      try await nora.wait("!document.body.innerText.includes('waits for a second person')")
      #expect(nora.complaints == [] && otto.complaints == [])
    }
  }

  @Test("The pages of operations have contrast, names and width as required")
  func operationLooks() async throws {
    try await ConsoleSite.run(approvals: ["abandon"]) { site in
      var sagas: [String] = []
      for number in 901...905 { sagas.append(try await site.saga(number, until: "stuck")) }
      for number in 1...2 { sagas.append(try await site.saga(number, until: "completed")) }
      let finished = try await begin(site, "retry", sagas, "The freezer's door was open; it is shut again", rate: 100)
      let running = try await begin(site, "retry", sagas, "Slowly, while the robot warms up", rate: 0.01)
      let waiting = try await begin(site, "abandon", Array(sagas.prefix(3)), "Those tubes are lost", rate: 10)
      let pages = [
        ("operation", "#/operation/\(finished)", "section[aria-label=Refused] tbody tr"),
        ("operation-running", "#/operation/\(running)", "[data-word=stop]"),
        ("operation-waiting", "#/operation/\(waiting)", "[data-word=approve]"),
        ("operations", "#/operations", "tbody tr"), ("overview-operations", "#/", ".running-line"),
        ("sagas-found", "#/sagas?status=stuck,completed", "[data-key=batch-all]"),
      ]
      let page = try await site.page(as: "otto")
      for scheme in ["light", "dark"] {
        try await page.prefer(scheme)
        for width in [1_280, 400] {
          try await page.size(width, 900)
          for (name, hash, fact) in pages {
            try await page.open("about:blank")
            try await page.open("\(site.engine.url)/\(hash)")
            try await page.wait("document.querySelector(\(JSON.string(fact).text()))")
            try await page.waitForText("Live", in: "#live")
            try await look(page, name, scheme, width)
          }
          try await page.click("[data-key=batch-all]")
          try await page.waitForText("refuse it now", in: "dialog")
          try await page.click("dialog .refusals summary")
          try await look(page, "batch", scheme, width)
          // A verb that needs a step asks for it first.
          try await page.choose("resolve", in: "#batch-verb")
          try await page.waitForText("Enter a step.", in: "dialog")
          try await page.choose("undone", in: "#batch-outcome")
          try await page.click("#batch-step")
          try await page.type("storeSample")
          try await page.waitForText("Resolve 5 sagas", in: "dialog .actions")
          try await look(page, "batch-resolve", scheme, width)
        }
      }
      #expect(page.complaints == [])
    }
  }

  private func look(_ page: ChromiumPage, _ name: String, _ scheme: String, _ width: Int) async throws {
    // A colour has its contrast after its transition.
    try await page.wait("document.getAnimations().length === 0")
    for check in [PageChecks.contrast, PageChecks.names, PageChecks.width] {
      let wrong = try await page.run(check).arrayValue?.compactMap(\.stringValue)
      #expect(wrong == [], "\(name), \(scheme), \(width) wide")
    }
    try await page.picture("\(name)-\(scheme)-\(width)")
  }

  /// Returns the operation of the open page, from the API.
  private func operation(_ page: ChromiumPage, _ site: ConsoleSite) async throws -> JSON {
    let id = try #require(try await page.run("location.hash.split('/')[2]").stringValue)
    return try await site.site.call("GET", "\(site.engine.url)/v1/operations/\(id)").body
  }

  private func begin(
    _ site: ConsoleSite, _ verb: String, _ sagas: [String], _ reason: String, rate: Double
  ) async throws -> String {
    let answer = try await site.site.call(
      "POST", "\(site.engine.url)/v1/operations",
      body: [
        "verb": .string(verb), "sagas": .array(sagas.map(JSON.string)), "reason": .string(reason),
        "rate": .number(JSONNumber(rate)),
      ], headers: ["Saga-User": "nora"])
    #expect(answer.status == 202)
    return try #require(answer.body["id"]?.stringValue)
  }
}
