import Foundation
import JSON
import Testing

/// What a step sent and what was answered, in the console.
extension ConsoleTests {
  @Test("A step's details show its calls: what was sent, what was answered, and why a call failed")
  func calls() async throws {
    try await ConsoleSite.run { site in
      let stuck = try await site.saga(901, until: "stuck")
      let page = try await site.page("#/saga/\(stuck)", as: "nora")
      // The page draws its graph again while it loads, so the click is one turn of the page.
      let box = #"document.querySelector('[data-key="node storeSample"]')"#
      try await page.wait("\(box)?.dispatchEvent(new MouseEvent('click', { bubbles: true }))")
      // The newest call is open. Its undo failed at the service.
      try await page.wait("document.querySelectorAll('dialog details.call').length > 1")
      let newest = "dialog details.call[open]"
      try await page.waitForText("undo, attempt 1", in: newest)
      try await page.waitForText("409 · failed after", in: newest)
      try await page.waitForText("DELETE /allocations/", in: newest)
      try await page.waitForText("Compensates: \(stuck)/storeSample/1", in: newest)
      try await page.waitForText("Refused by a fault that was set.", in: newest)
      let shown = try await page.run("document.querySelector('\(newest) pre').innerText")
      #expect(shown.stringValue?.contains("Idempotency-Key: \(stuck)/storeSample/1/undo") == true)
      // The key and a line for a shell can be copied.
      try await page.run("window.copied = []; navigator.clipboard.writeText = async (text) => { copied.push(text); }")
      for what in ["the key", "the curl line"] {
        try await page.click("\(newest) button[aria-label='Copy \(what)']")
      }
      try await page.wait("copied.length === 2")
      let copied = try await page.run("copied").arrayValue?.compactMap(\.stringValue) ?? []
      #expect(copied.first == "\(stuck)/storeSample/1/undo")
      #expect(copied.last?.hasPrefix(#"curl -X DELETE "$STORAGE"'/allocations/"#) == true)
      #expect(copied.last?.contains("-H 'Idempotency-Key: \(stuck)/storeSample/1/undo'") == true)
      // The first call did the step, and its answer is the step's output.
      try await page.click("dialog details.call summary")
      let first = "dialog details.call"
      try await page.waitForText("attempt 1", in: first)
      try await page.waitForText("succeeded after", in: first)
      let answered = try await page.run("document.querySelectorAll('\(first)')[0].querySelectorAll('pre')[1].innerText")
      #expect(answered.stringValue?.hasPrefix("status 20") == true)
      #expect(answered.stringValue?.contains("content-type: application/json") == true)
      try await page.wait("document.getAnimations().length === 0")
      #expect(try await page.run(PageChecks.contrast) == [])
      #expect(try await page.run(PageChecks.names) == [])
      #expect(page.complaints == [])
    }
  }
}
