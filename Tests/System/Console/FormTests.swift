import Foundation
import JSON
import TestSupport
import Testing

/// Forms in which a person says what is true, and the way back to where a person was.
@Suite("The console's forms and places, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct FormTests {
  private static let workflow: JSON = [
    "name": "checked", "version": 1, "timeout": "1h",
    "inputSchema": [
      "type": "object", "required": ["barcode", "ward", "urgent"],
      "properties": [
        "barcode": ["type": "string"], "ward": ["type": "string", "enum": ["W1", "W2"], "default": "W1"],
        "urgent": ["type": "boolean"], "count": ["type": "integer", "default": 3],
        "contact": ["type": "object", "required": ["name"], "properties": ["name": ["type": "string"]]],
      ],
    ],
    "steps": [
      [
        "id": "check",
        "signal": [
          "name": "checked",
          "schema": [
            "type": "object", "required": ["isIntact"],
            "properties": ["isIntact": ["type": "boolean", "default": true, "title": "The tube is intact"]],
          ],
        ],
      ],
      ["id": "settle", "delay": ["for": "1h"]],
    ],
  ]

  private static let entered =
    "[...document.querySelectorAll('dialog input, dialog select, dialog textarea')].map((one) => one.value).join('')"

  @Test("Start, signal and resolve begin empty, say what is missing, and send only what a person entered")
  func empty() async throws {
    try await ConsoleSite.run { site in
      let url = site.engine.url
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: Self.workflow).status == 201)
      let page = try await site.page("#/workflow/checked", as: "nora")

      // 1. A start. A default is a button.
      try await page.click("[data-key=start]")
      try await page.waitForText("Use the default: W1", in: "dialog")
      #expect(try await page.run(Self.entered) == "")
      try await page.click("dialog input")
      try await page.type("T-1")
      try await page.click("dialog button[type=submit]")
      try await page.wait("document.querySelector('dialog select').validity.valueMissing")
      try await page.click("dialog .offer")
      try await page.run("document.querySelectorAll('dialog select')[1].value = 'false'")
      try await page.click("dialog button[type=submit]")
      try await page.wait("location.hash.startsWith('#/saga/')")
      let saga = try #require(try await page.run("location.hash.split('/')[2]").stringValue)
      let input = try await site.history(of: saga).first?["data"]?["saga"]?["input"]
      #expect(input == ["barcode": "T-1", "ward": "W1", "urgent": false])

      // 2. A signal states nothing by itself.
      try await page.click("[data-key=\"signal checked\"]")
      try await page.waitForText("The tube is intact", in: "dialog")
      #expect(try await page.run(Self.entered) == "")
      try await page.click("dialog button[type=submit]")
      try await page.wait("document.querySelector('dialog select').validity.valueMissing")
      #expect(try await site.history(of: saga).allSatisfy { $0["type"] != "signalReceived" })
      try await page.choose("false", in: "dialog select")
      try await page.click("dialog button[type=submit]")
      try await page.wait("!document.querySelector('dialog')")
      let sent = try await site.history(of: saga).last { $0["type"] == "signalReceived" }
      #expect(sent?["data"]?["body"] == ["isIntact": false])

      // 3. Skipping needs the output that later steps read.
      try await page.click("button[data-verb=skip]")
      try await page.waitForText("Output for later steps", in: "dialog")
      #expect(try await page.run("document.querySelector('dialog textarea.code').value") == "")
      try await page.click("#reason")
      try await page.type("settled")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("is missing. Enter {}", in: "dialog .problem")
      try await page.press("Escape")

      // 4. What was found is chosen by the person, also when there is one answer.
      let stuck = try await site.saga(901, until: "stuck")
      try await page.run("location.hash = '#/saga/\(stuck)'")
      try await page.click("button[data-verb=resolve]")
      try await page.waitForText("Choose what you found.", in: "dialog .preview")
      #expect(try await page.run("document.getElementById('verb-outcome').value") == "")
      try await page.click("#reason")
      try await page.type("looked")
      try await page.click("dialog button[type=submit]")
      try await page.wait("document.getElementById('verb-outcome').validity.valueMissing")
      #expect(try await site.history(of: stuck).allSatisfy { $0["type"] != "operatorResolved" })
      try await page.choose("undone", in: "#verb-outcome")
      try await page.click("dialog button[type=submit]")
      try await page.wait("!document.querySelector('dialog')")
      let found = try await site.history(of: stuck).last { $0["type"] == "operatorResolved" }
      #expect(found?["data"]?["resolution"] == "undone" && found?["data"]?["reason"] == "looked")
      #expect(page.complaints == [])
    }
  }

  @Test("Back and forward return to the page of the list, the selected rows, what was unfolded, the place and the past")
  func back() async throws {
    try await ConsoleSite.run { site in
      let url = site.engine.url
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: Self.workflow).status == 201)
      for number in 0..<60 {
        let input: JSON = ["barcode": .string("T-\(number)"), "ward": "W1", "urgent": false]
        let started = try await site.site.call("POST", "\(url)/v1/workflows/checked/sagas", body: ["input": input])
        #expect(started.status == 201)
      }
      let page = try await site.page("#/sagas?workflow=checked", as: "nora")
      try await page.size(1_280, 500)
      try await page.wait("document.querySelectorAll('tbody tr').length === 50")
      try await page.click("[data-key=next]")
      try await page.wait("document.querySelectorAll('tbody tr').length === 10")
      try await page.click("tbody tr:nth-child(3) [data-choose]")
      try await page.waitForText("1 saga selected", in: ".bar")
      try await page.click("details.facet-list summary")
      try await page.run("scrollTo(0, 120)")
      try await page.run("document.querySelector('tbody tr:nth-child(5) [data-row-link]').focus()")
      try await page.press("Enter")

      // 1. A link leads to the start of a page. A past state takes no verb.
      try await page.waitForText("waits at step check", in: "#why")
      #expect(try await page.run("scrollY") == 0)
      try await page.run("document.getElementById('when').focus()")
      try await page.press("Home")
      try await page.waitForText("As it was after event 1:", in: "#why")
      let shown = "[...document.querySelectorAll('[data-verb], .next button')].some((one) => one.checkVisibility())"
      #expect(try await page.run(shown) == false)

      // 2. Back.
      try await page.run("history.back()")
      try await page.waitForText("Page 2", in: ".pager")
      try await page.wait("document.querySelectorAll('tbody tr').length === 10 && Math.round(scrollY) === 120")
      #expect(try await page.run("document.querySelector('tbody tr:nth-child(3) [data-choose]').checked") == true)
      #expect(try await page.run("document.querySelector('details.facet-list').open") == true)
      #expect(
        try await page.run("document.activeElement === document.querySelector('tbody tr:nth-child(5) [data-row-link]')")
          == true)

      // 3. Forward, and a reload.
      try await page.run("history.forward()")
      try await page.waitForText("As it was after event 1:", in: "#why")
      try await page.run("location.reload()")
      try await eventually("the page is there again") {
        (try? await page.run("document.getElementById('why')?.innerText.includes('As it was after event 1:')")) == true
      }
      #expect(page.complaints == [])
    }
  }
}
