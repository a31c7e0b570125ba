import Foundation
import JSON
import TestSupport
import Testing

@Suite("Signals with roles, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct SignalRolePageTests {
  @Test("The button of a signal is off for a person without the role, with the reason, and on for one who has it")
  func button() async throws {
    let site = try await Site(.sqlite)
    let browser = try Chromium()
    func key(_ name: String, _ words: String...) async throws -> String {
      let file = site.folder.appendingPathComponent("\(name).key")
      let made = try await TestProcess.run(
        TestProgram.path("saga"),
        ["key", "create", "--keys", "keys.json", "--name", name, "--out", file.path] + words, in: site.folder)
      #expect(made.status == 0)
      return try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let admin = try await key("root", "--role", "admin")
    let viewer = try await key("vera", "--role", "viewer")
    let qa = try await key("mia", "--role", "operator", "--lab-role", "qa")
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "memory", "--port", "0", "--keys", "keys.json"], in: site.folder)
    let headers = ["Authorization": "Bearer \(admin)"]
    let registered = try await site.call(
      "POST", "\(engine.url)/v1/workflows",
      body: [
        "name": "release", "version": 1,
        "steps": [["id": "sign", "signal": ["name": "signed", "roles": ["qa"]], "compensation": "none"]],
      ], headers: headers)
    #expect(registered.status == 201 && registered.body["warnings"] == [], "\(registered.body.text())")
    let started = try await site.call(
      "POST", "\(engine.url)/v1/workflows/release/sagas", body: ["input": [:]], headers: headers)
    let id = try #require(started.body["id"]?.stringValue)

    let page = try await browser.newPage()
    try await page.open("\(engine.url)/#/saga/\(id)")
    try await signIn(page, admin)
    try await page.waitForText("Only for the laboratory role qa.", in: ".next")
    #expect(try await page.run("document.querySelector('button[data-verb=signal]').disabled") == true)
    #expect(try await page.run(PageChecks.names) == [])

    try await page.click("#user")
    try await page.click("#sign-out")
    // The page loads again, and answers no question meanwhile.
    try await eventually("the page asks for a key again") {
      (try? await page.run("document.querySelector('main h1')?.textContent ?? ''")) == "Sign in"
    }
    // A viewer is offered nothing that the engine would refuse.
    try await signIn(page, viewer)
    try await page.waitForText("Your roles do not permit what would help.", in: "main")
    #expect(try await page.run("document.querySelectorAll('main [data-verb]').length") == 0)
    try await page.run("location.hash = '#/sagas?workflow=release'")
    try await page.waitForText("1 found.", in: "main")
    #expect(try await page.run("document.querySelectorAll('main [data-choose], main .bar').length") == 0)
    try await page.run("location.hash = '#/workflow/release'")
    try await page.waitForText("Registered", in: "main")
    #expect(try await page.run("document.querySelector('[data-key=start]')") == .null)
    try await page.run("location.hash = '#/saga/\(id)'")
    try await page.waitForText("Your roles do not permit what would help.", in: "main")

    try await page.click("#user")
    try await page.click("#sign-out")
    try await eventually("the page asks for a key again") {
      (try? await page.run("document.querySelector('main h1')?.textContent ?? ''")) == "Sign in"
    }
    try await signIn(page, qa)
    try await page.waitForText("Laboratory role: qa.", in: ".next")
    try await page.click("button[data-verb=signal]")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("completed", in: "#status")
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }

  private func signIn(_ page: ChromiumPage, _ key: String) async throws {
    try await page.waitForText("Your key", in: "main")
    try await page.click("#key")
    try await page.type(key)
    try await page.press("Enter")
    try await page.waitForText("Live", in: "#live")
  }
}
