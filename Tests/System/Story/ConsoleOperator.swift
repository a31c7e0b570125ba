import Foundation
import JSON
import Testing

/// Works in a browser, on one page that is loaded once.
struct ConsoleOperator: StoryOperator {
  private static let list = "#/sagas?status=stuck&workflow=sample-processing"
  private let story: Story
  private let page: ChromiumPage

  init(_ story: Story, _ browser: Chromium) async throws {
    self.story = story
    page = try await browser.newPage()
    try await page.remember("saga.user", Story.person)
    try await page.open("\(story.engine.url)/#/")
    try await page.waitForText("Live", in: "#live")
    // The overview begins with the sagas that need a person.
    try await page.waitForText("undo of storeSample", in: ".needs")
  }

  func findStuck() async throws -> [String: String] {
    try await page.run("location.hash = '#/sagas'")
    try await page.run("location.hash = '\(Self.list)'")
    // The list and its facet have the same number.
    try await page.wait(
      """
      (() => {
        const rows = document.querySelectorAll('tbody tr').length;
        const chip = document.querySelector('[data-key="chip stuck"] .facet');
        return rows > 0 && chip && Number(chip.textContent) === rows;
      })()
      """)
    let rows = try await page.run(
      "Object.fromEntries([...document.querySelectorAll('tbody tr')].map((row) => [row.dataset.row, row.innerText]))")
    var found: [String: String] = [:]
    for (id, text) in rows.objectValue ?? [:] { found[id] = text.stringValue ?? "" }
    // The page of a saga says why it is stuck.
    try await page.click("tbody a[href^=\"#/saga/\"]")
    try await page.waitForText("the undo of step storeSample failed for good", in: "#why")
    try await page.run("location.hash = '\(Self.list)'")
    return found
  }

  func previewRetry() async throws -> (takes: Int, refuses: Int, selection: String) {
    try await page.waitForText("Act on all \(Story.turning) found …", in: ".batch")
    try await page.click("[data-key=batch-all]")
    try await page.waitForText("\(Story.turning) sagas take it; none refuses it.", in: "dialog")
    return (Story.turning, 0, "")
  }

  func runRetry(selection: String, reason: String) async throws -> String {
    #expect(try await page.run("document.getElementById('batch-rate').value") == "10")
    try await page.click("#reason")
    try await page.type(reason)
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("\(Story.turning) done, 0 refused, 0 left of \(Story.turning) sagas.", in: "#counts")
    try await page.waitForText("finished", in: "#status")
    let address = try #require(try await page.run("location.hash").stringValue)
    return address.replacing("#/operation/", with: "")
  }

  func resolve(_ saga: String, step: String, reason: String) async throws {
    try await page.run("location.hash = '#/saga/\(saga)'")
    try await page.click("button[data-verb=resolve]")
    try await page.choose("undone", in: "#verb-outcome")
    try await page.waitForText("The engine records that you have undone “\(step)” by hand", in: "dialog .preview")
    try await page.click("#reason")
    try await page.type(reason)
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("compensated", in: "#status")
    #expect(page.complaints == [])
  }
}
