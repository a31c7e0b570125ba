import Foundation
import JSON
import TestSupport
import Testing

/// Undos that a person confirms, or that another saga does, in the console.
extension ConsoleTests {
  /// A tube that a person takes out again, behind it a rack that another saga takes out, and a failure on purpose.
  private static let takeIn: JSON = [
    "name": "take-in", "version": 1, "timeout": "2h",
    "steps": [
      [
        "id": "scan", "signal": ["name": "scanned"], "timeout": "30m",
        "compensation": [
          "signal": [
            "name": "taken-out", "accept": "$.signal.barcode == $.input.barcode",
            "schema": [
              "type": "object", "required": ["barcode"],
              "properties": ["barcode": ["type": "string", "title": "Barcode of the tube"]],
            ],
          ],
          "timeout": "2h", "remind": ["after": "30m"],
        ],
      ],
      [
        "id": "rack", "signal": ["name": "racked"], "timeout": "30m",
        "compensation": ["workflow": ["name": "take-rack-out", "input": ["rack": "${input.rack}"]]],
      ],
      ["id": "refuse", "fail": ["code": "WRONG_FREEZER"]],
    ],
  ]

  private static let takeRackOut: JSON = [
    "name": "take-rack-out", "version": 1, "timeout": "1h", "title": "Rack ${input.rack}",
    "steps": [["id": "out", "signal": ["name": "rack-out"], "timeout": "30m"]],
  ]

  @Test("An operator sees which saga undoes a step and what an undo waits for, and confirms the undo by its signal")
  func undos() async throws {
    try await ConsoleSite.run { site in
      try await Self.register(Self.takeRackOut, Self.takeIn, at: site)
      let input: JSON = ["barcode": "TS-1", "rack": "R-7"]
      let saga = try await LiveSaga.start("take-in", key: "TS-1", input, site.site, site.engine)
      try await saga.waits(at: "scan")
      #expect(try await saga.signal("scanned").status == 200)
      try await saga.waits(at: "rack")
      #expect(try await saga.signal("racked").status == 200)
      try await saga.waitsToUndo("rack")
      let child = try #require(try await saga.step("rack")?["undo"]?["child"]?["id"]?.stringValue)
      let page = try await site.page("#/saga/\(saga.id)", as: "nora")

      // 1. The page names the saga that undoes the step, at the step and among the children.
      let steps = "[aria-label=Steps] .scroll"
      try await page.waitForText("waits for the saga that undoes it", in: steps)
      try await page.wait("document.querySelector('.undo-child a').hash === '#/saga/\(child)'")
      try await page.waitForText("1 child saga: 1 running", in: ".family > summary")
      try await Self.check(page)

      // 2. The page of that saga leads back to the step that it undoes.
      try await Self.press(".undo-child a", on: page)
      try await page.waitForText("undo of step rack", in: "dl.facts")
      let unload = LiveSaga(site: site.site, engine: site.engine, id: child)
      #expect(try await unload.signal("rack-out").status == 200)
      try await page.waitForText("completed", in: "#status")
      try await Self.press(##"dl.facts a[href="#/saga/\##(saga.id)"]"##, on: page)

      // 3. The undo of the scan waits for a person. The details of the step say so.
      try await page.waitForText("waits for signal taken-out to confirm the undo", in: steps)
      try await page.waitForText("compensating", in: "#status")
      let box = #"document.querySelector('[data-key="node scan"]')"#
      try await page.wait("\(box)?.dispatchEvent(new MouseEvent('click', { bubbles: true }))")
      try await page.waitForText("waits for signal taken-out to confirm the undo", in: "dialog")
      try await Self.check(page)

      #expect(page.complaints == [])

      // 4. The form comes from the schema of the undo's signal. A wrong tube is refused, and the wait goes on.
      try await Self.press(#"dialog [data-key="undo signal scan"]"#, on: page)
      try await page.waitForText("Barcode of the tube", in: "dialog")
      try await page.wait("document.querySelectorAll('dialog').length === 1")
      try await page.click("dialog input")
      try await page.type("TS-2")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("signal.refused", in: "dialog .problem")
      try await page.press("Escape")

      // 5. The same form is among what to do next. The right tube confirms the undo.
      try await Self.press(#".next [data-key="signal taken-out"]"#, on: page)
      try await page.click("dialog input")
      try await page.type("TS-1")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("compensated", in: "#status")
      try await page.wait("!document.querySelector('.undo-wait')")
      #expect(
        try await site.history(of: saga.id).contains {
          $0["type"] == "signalReceived" && $0["data"]?["step"] == "scan" && $0["data"]?["body"] == ["barcode": "TS-1"]
        })
    }
  }
}
