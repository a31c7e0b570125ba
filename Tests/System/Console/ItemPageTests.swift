import Foundation
import JSON
import Testing

/// The items of a step with `forEach`, in the console.
extension ConsoleTests {
  /// Looks up the tube of each well. Wells whose tube is unknown to the laboratory fail.
  private static let plate: JSON = [
    "name": "look-up", "version": 1, "timeout": "1h",
    "steps": [
      [
        "id": "lookUp", "onFailure": "stuck", "retry": ["maxAttempts": 1],
        "forEach": [
          "items": "${input.wells[*]}", "as": "well", "key": "${well.id}", "maxParallel": 8, "toleratedFailures": "1%",
        ],
        "http": ["service": "samples", "method": "GET", "path": "/barcodes/${well.barcode}"],
      ]
    ],
  ]

  /// A hundred wells with a known tube, but for the last two.
  private static var wells: JSON {
    .array(
      (1...100).map { number in
        let tube = number == 99 ? 777 : number == 100 ? 888 : 1
        return ["id": .string("W\(number)"), "barcode": .string("TS-\(100_000 + tube)")]
      })
  }

  private static let list = "details[data-items=lookUp]"

  /// Records the addresses that the page requests.
  private static let watch = """
    (() => {
      window.asked = [];
      const real = window.fetch;
      window.fetch = (path, options) => { asked.push(String(path)); return real(path, options); };
    })()
    """

  @Test("The page of a saga folds the items of a step, lists failed ones first, page by page, and retries one")
  func items() async throws {
    try await ConsoleSite.run { site in
      try await site.saga(1, until: "completed")
      let url = site.engine.url
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: Self.plate).status == 201)
      let started = try await site.site.call(
        "POST", "\(url)/v1/workflows/look-up/sagas", body: ["input": ["wells": Self.wells]])
      let id = try #require(started.body["id"]?.stringValue)
      try await site.wait(for: id, "stuck")
      let page = try await site.page("#/", as: "nora")
      try await page.run(Self.watch)
      try await page.run("location.hash = '#/saga/\(id)'")

      // 1. One row counts the items, and the graph has one box for them. Nothing is read before the row is unfolded.
      try await page.waitForText("100 items: 2 failed, 98 succeeded", in: "\(Self.list) summary")
      let label = try await page.run("document.querySelector('[data-key=\"node lookUp\"]').getAttribute('aria-label')")
      #expect(label == "lookUp: failed, for each well (at most 8 at once), 100 items: 2 failed, 98 succeeded")
      #expect(try await page.run("document.querySelector('.is-stack .node-more').textContent") == "98 of 100, 2 failed")
      #expect(try await page.run("document.querySelectorAll('.is-stack rect.box').length") == 3)
      #expect(try await page.run("asked.filter((one) => one.includes('/items?')).length") == 0)
      #expect(try await page.run("asked.filter((one) => one.includes('/timeline?items=false')).length > 0") == true)

      // 2. The failed items come first, each with its error and with what helps.
      try await page.click("\(Self.list) summary")
      try await page.wait("document.querySelectorAll('.item').length === 2")
      let first = "[data-item=\"lookUp[W99]\"]"
      try await page.waitForText("attempts 1", in: first)
      try await page.waitForText("lab.unknown There is no", in: first)
      let offered = "[...document.querySelectorAll('\(first) .actions button')].map((one) => one.textContent)"
      #expect(try await page.run(offered) == ["Retry …", "Resolve …", "Skip …"])
      #expect(
        try await page.run("asked.find((one) => one.includes('/items?'))")
          == .string("/v1/sagas/\(id)/steps/lookUp/items?status=failed&limit=96"))

      // 3. Other items come page by page.
      try await page.click("[data-key=\"items lookUp succeeded\"]")
      try await page.wait("document.querySelectorAll('.item').length === 96")
      try await page.waitForText("TS-100001", in: "[data-item=\"lookUp[W1]\"] .item-output")
      try await page.click("[data-key=\"items lookUp after\"]")
      try await page.wait("document.querySelectorAll('.item').length === 2")
      try await page.waitForText("page 2", in: "\(Self.list) .pager")
      #expect(
        try await page.run("[...document.querySelectorAll('.item-key')].map((one) => one.textContent)")
          == ["W97", "W98"])

      // 4. The details of an item have its calls.
      try await page.click("[data-key=\"items lookUp failed\"]")
      try await page.click("[data-key=\"item lookUp[W100]\"]")
      try await page.waitForText("GET /barcodes/TS-100888 to samples", in: "dialog details.call[open]")
      try await page.waitForText("404 · failed after", in: "dialog details.call[open]")
      try await page.click("dialog .dialog-head button")
      try await page.wait("!document.querySelector('dialog')")
      try await page.wait("document.getAnimations().length === 0")
      #expect(try await page.run(PageChecks.contrast) == [])
      #expect(try await page.run(PageChecks.names) == [])
      #expect(try await page.run(PageChecks.width) == [])

      // 5. A tube is registered, and its well is tried again. One failure of a hundred is tolerated.
      try await site.saga(777, until: "completed")
      try await page.click("[data-key=\"item lookUp[W99] retry\"]")
      try await page.waitForText("Item lookUp[W99]", in: "dialog")
      try await page.waitForText("The engine tries “lookUp[W99]” again.", in: "dialog .preview")
      try await page.click("#reason")
      try await page.type("the tube is registered now")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("completed", in: "#status")
      try await page.waitForText("100 items: 1 failed, 99 succeeded", in: "\(Self.list) summary")
      try await page.wait("document.querySelectorAll('.item').length === 1")
      let retried = try await site.history(of: id).first { $0["type"] == "operatorRetried" }
      #expect(retried?["data"]?["step"] == "lookUp[W99]")
      #expect(retried?["data"]?["reason"] == "the tube is registered now")

      // 6. Every request for items was for one page.
      #expect(
        try await page.run("asked.filter((one) => one.includes('/items?')).every((one) => one.includes('limit=96'))")
          == true)
      #expect(try await page.run("asked.filter((one) => one.includes('/items?')).length < 20") == true)
      #expect(page.complaints == [])
    }
  }

  @Test("An item is skipped or resolved with what later steps read as its output")
  func skipAndResolve() async throws {
    try await ConsoleSite.run { site in
      try await site.saga(1, until: "completed")
      let url = site.engine.url
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: Self.plate).status == 201)
      let wells: JSON = [["id": "A1", "barcode": "TS-100777"], ["id": "A2", "barcode": "TS-100888"]]
      let started = try await site.site.call(
        "POST", "\(url)/v1/workflows/look-up/sagas", body: ["input": ["wells": wells]])
      let id = try #require(started.body["id"]?.stringValue)
      try await site.wait(for: id, "stuck")
      let page = try await site.page("#/saga/\(id)", as: "nora")
      try await page.click("\(Self.list) summary")
      // The laboratory has refused the item, so it is known not to have happened.
      try await page.click("[data-key=\"item lookUp[A1] resolve\"]")
      try await page.choose("happened", in: "#verb-outcome")
      try await page.waitForText("happened, and continues with this output", in: "dialog .preview")
      try await page.run("document.querySelector('dialog textarea.code').value = '{\"found\": true}'")
      try await page.click("#reason")
      try await page.type("seen in the rack")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("2 items: 1 failed, 1 succeeded", in: "\(Self.list) summary")
      try await page.wait("document.querySelectorAll('.item').length === 1")
      try await page.click("[data-key=\"item lookUp[A2] skip\"]")
      try await page.waitForText("A skipped item does not count as failed.", in: "dialog .preview")
      try await page.run("document.querySelector('dialog textarea.code').value = '{}'")
      try await page.click("#reason")
      try await page.type("the well is empty")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("completed", in: "#status")
      let document = try await site.site.call("GET", "\(url)/v1/sagas/\(id)/document").body
      let items = document["steps"]?["lookUp"]?["items"]?.arrayValue ?? []
      #expect(items.map { $0["status"] } == ["succeeded", "skipped"])
      #expect(items.first?["output"] == ["found": true])
      #expect(page.complaints == [])
    }
  }
}
