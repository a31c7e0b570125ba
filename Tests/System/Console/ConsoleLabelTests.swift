import Foundation
import JSON
import TestSupport
import Testing

@Suite("Titles and labels on the console", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct ConsoleLabelTests {
  private static let rows = "[...document.querySelectorAll('tbody tr')].map((row) => row.dataset.row)"

  @Test("The console shows titles and labels, and a label leads to the sagas that have it")
  func labels() async throws {
    try await ConsoleSite.run { site in
      let first = try await site.saga(1, until: "completed")
      let second = try await site.saga(2, until: "completed")
      let page = try await site.page("#/sagas")

      // 1. The list shows each title first, with the id beside it.
      try await page.wait("\(Self.rows).length === 2")
      let link = "a[data-row-link][href=\"#/saga/\(first)\"]"
      #expect(try await page.run("document.querySelector('\(link) .saga-title').innerText") == "TS-100001")
      // Of the id so much that it is not the other's.
      let shown = try await page.run("document.querySelector('\(link) code').innerText").stringValue ?? ""
      #expect(shown.hasSuffix("…") && shown.count > 8 && first.hasPrefix(shown.dropLast()), "\(shown)")
      #expect(!second.hasPrefix(shown.dropLast()), "\(shown)")
      try await page.picture("labels-list")

      // 2. A label leads to the list of the sagas that have it.
      try await page.click("tr[data-row=\"\(first)\"] a[href=\"#/sagas?label=patient%3AP-1\"]")
      try await page.wait("JSON.stringify(\(Self.rows)) === '[\"\(first)\"]'")

      // 3. The field adds a label, and a filter is removed by its button.
      try await page.click("#filter-label")
      try await page.type("priority:routine")
      try await page.press("Enter")
      try await page.wait("location.hash === '#/sagas?label=patient%3AP-1&label=priority%3Aroutine'")
      try await page.wait("JSON.stringify(\(Self.rows)) === '[\"\(first)\"]'")
      try await page.picture("labels-filtered")
      try await page.click("button[aria-label=\"Remove the filter patient:P-1\"]")
      try await page.wait("location.hash === '#/sagas?label=priority%3Aroutine'")
      try await page.wait("\(Self.rows).length === 2")

      // 4. The saga's page begins with the title, and has the labels too.
      try await page.click("a[href=\"#/saga/\(second)\"]")
      try await page.waitForText("TS-100002", in: "main h1")
      try await page.waitForText("sample-processing", in: "dl.facts")
      #expect(
        try await page.run("[...document.querySelectorAll('.labels li')].map((one) => one.innerText)")
          == ["patient P-2", "assay WGS-30x", "priority routine"])
      try await page.picture("labels-saga")
      try await page.click(".labels a[href=\"#/sagas?label=patient%3AP-2\"]")
      try await page.wait("JSON.stringify(\(Self.rows)) === '[\"\(second)\"]'")
      #expect(page.complaints == [])
    }
  }
}
