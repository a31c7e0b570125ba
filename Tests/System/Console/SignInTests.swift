import Foundation
import JSON
import TestSupport
import Testing

@Suite("The console's sign-in, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct SignInTests {
  @Test("A person signs in with a key, acts under its name, signs in again after it was revoked, and signs out")
  func story() async throws {
    let site = try await Site(.sqlite)
    let browser = try Chromium()
    let keys = ["anna", "ben"].map { name in (name: name, file: site.folder.appendingPathComponent("\(name).key")) }
    for key in keys {
      let made = try await TestProcess.run(
        TestProgram.path("saga"),
        ["key", "create", "--keys", "keys.json", "--name", key.name, "--role", "admin", "--out", key.file.path],
        in: site.folder)
      #expect(made.status == 0)
    }
    func text(_ index: Int) throws -> String {
      try String(contentsOf: keys[index].file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "memory", "--port", "0", "--keys", "keys.json"], in: site.folder)
    let headers = ["Authorization": "Bearer \(try text(1))"]
    let id = try await site.startWaiting(at: engine, headers: headers)

    // 1. A wrong key, then the right one.
    let page = try await browser.newPage()
    try await page.open("\(engine.url)/#/saga/\(id)")
    try await page.waitForText("Sign in", in: "main h1")
    try await page.waitForText("Your key", in: "main")
    #expect(try await page.run(PageChecks.names) == [])
    try await page.click("#key")
    try await page.type("tsk_wrong")
    try await page.press("Enter")
    try await page.waitForText("The key is unknown", in: "main")
    try await page.run("document.getElementById('key').value = ''")
    try await page.click("#key")
    try await page.type(try text(0))
    try await page.press("Enter")
    try await page.waitForText("Live", in: "#live")
    try await page.waitForText("anna", in: "#user")

    // 2. No script can read the session, and nothing in the page has the key.
    #expect(try await page.run("document.cookie") == "")
    let secret = String(try text(0).suffix(64))
    let stored = try await page.run(
      "JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.body.outerHTML")
    #expect(stored.stringValue?.contains(secret) == false)

    // 3. An act is anna's, and the page asks for no name.
    try await page.click("button[data-verb=pause]")
    try await page.waitForText("As anna", in: "dialog")
    try await page.click("#reason")
    try await page.type("defrosting")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("defrosting", in: ".acts")
    let events = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events", headers: headers)
    #expect(events.body["events"]?.arrayValue?.last?["data"]?["by"] == "anna")

    // 4. The session ends with the key. The page stays as it is and asks again.
    try await page.run("window.stays = true")
    let revoked = try await TestProcess.run(
      TestProgram.path("saga"),
      ["key", "revoke", "--keys", "keys.json", String(try text(0).split(separator: "_")[1])], in: site.folder)
    #expect(revoked.status == 0)
    try await page.click("#nav a[href=\"#/sagas\"]")
    try await page.waitForText("Sign in again", in: "dialog")
    try await page.click("dialog #key")
    try await page.type(try text(1))
    try await page.press("Enter")
    try await page.waitForText("ben", in: "#user")
    #expect(try await page.run("window.stays") == true)

    // 5. Signing out.
    try await page.click("#user")
    try await page.waitForText("admin", in: "dialog")
    try await page.click("#sign-out")
    // The page loads again, and answers no question meanwhile.
    try await eventually("the page asks for a key again") {
      (try? await page.run("document.querySelector('main h1')?.textContent ?? ''")) == "Sign in"
    }
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }

  /// Makes a key for anna and one for ben.
  /// - Returns: what they enter.
  private func keys(_ site: Site) async throws -> [String] {
    var texts: [String] = []
    for name in ["anna", "ben"] {
      let file = site.folder.appendingPathComponent("\(name).key")
      let made = try await TestProcess.run(
        TestProgram.path("saga"),
        ["key", "create", "--keys", "keys.json", "--name", name, "--role", "admin", "--out", file.path],
        in: site.folder)
      #expect(made.status == 0)
      texts.append(try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines))
    }
    return texts
  }

  @Test("A sign-in, the end of a session and a sign-out count for all tabs of a browser, and for their stream")
  func tabs() async throws {
    let site = try await Site(.sqlite)
    let browser = try Chromium()
    let texts = try await keys(site)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "memory", "--port", "0", "--keys", "keys.json"], in: site.folder)
    let profile = try await browser.newProfile()
    var pages: [ChromiumPage] = []
    for place in ["#/", "#/sagas", "#/workflows"] {
      let page = try await browser.newPage(in: profile)
      try await page.open("\(engine.url)/\(place)")
      try await page.waitForText("Your key", in: "main")
      pages.append(page)
    }
    func signIn(_ page: ChromiumPage, _ text: String, in selector: String) async throws {
      try await page.show()
      try await page.click("\(selector) #key")
      try await page.type(text)
      try await page.press("Enter")
    }

    // 1. One tab signs in, and all of them open.
    try await signIn(pages[0], texts[0], in: "main")
    for page in pages {
      try await page.waitForText("Live", in: "#live")
      try await page.waitForText("anna", in: "#user")
      try await page.run("window.stays = true")
    }

    // 2. The session ends. Every tab asks, and goes on when one has signed in under another name.
    let revoked = try await TestProcess.run(
      TestProgram.path("saga"), ["key", "revoke", "--keys", "keys.json", String(texts[0].split(separator: "_")[1])],
      in: site.folder)
    #expect(revoked.status == 0)
    for page in pages { try await page.wait("document.querySelector('dialog')?.textContent.includes('Sign in again')") }
    try await signIn(pages[2], texts[1], in: "dialog")
    for page in pages {
      try await page.wait("!document.querySelector('dialog') && document.getElementById('user').textContent === 'ben'")
      try await page.waitForText("Live", in: "#live")
      #expect(try await page.run("window.stays") == true)
    }
    // The stream is that of the new session: an event reaches every tab.
    let id = try await site.startWaiting(at: engine, headers: ["Authorization": "Bearer \(texts[1])"])
    try await pages[1].show()
    try await pages[1].wait("document.querySelector('tbody tr')?.dataset.row === '\(id)'")

    // 3. One tab signs out, and no tab shows anything more.
    try await pages[0].show()
    try await pages[0].click("#user")
    try await pages[0].click("#sign-out")
    for page in pages {
      // The page loads again, and answers no question meanwhile.
      try await eventually("the page asks for a key again") {
        (try? await page.run("document.querySelector('main h1')?.textContent ?? ''")) == "Sign in"
      }
    }
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }

  @Test("A late answer to a question of the session before does not ask for a key again")
  func lateAnswer() async throws {
    let site = try await Site(.sqlite)
    let browser = try Chromium()
    let texts = try await keys(site)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "memory", "--port", "0", "--keys", "keys.json"], in: site.folder)
    let page = try await browser.newPage()
    try await page.open("\(engine.url)/#/workflows")
    try await page.click("main #key")
    try await page.type(texts[0])
    try await page.press("Enter")
    try await page.waitForText("anna", in: "#user")

    // 1. The session ends. The page has asked who it is, and the answer 401 is on its way.
    try await page.run(
      """
      (() => {
        const real = window.fetch;
        const held = new Promise((release) => { window.release = release; });
        window.fetch = async (path, options) => {
          const answer = await real(path, options);
          if (path !== '/v1/me' || answer.status !== 401 || window.isLate) return answer;
          window.isLate = true;
          await held;
          return answer;
        };
      })()
      """)
    let revoked = try await TestProcess.run(
      TestProgram.path("saga"), ["key", "revoke", "--keys", "keys.json", String(texts[0].split(separator: "_")[1])],
      in: site.folder)
    #expect(revoked.status == 0)
    try await page.run("import('/console/api.js').then((api) => api.workflows()).catch(() => null)")
    try await page.wait("window.isLate === true")
    // 2. A person signs in before it comes.
    try await page.run("import('/console/api.js').then((api) => api.signIn('\(texts[1])'))")
    try await page.run(
      """
      (async () => {
        window.dialogs = 0;
        const real = HTMLDialogElement.prototype.showModal;
        HTMLDialogElement.prototype.showModal = function () { window.dialogs += 1; return real.call(this); };
        release();
        const api = await import('/console/api.js');
        // Whatever the late answer begins has begun once these are answered.
        for (let time = 0; time < 3; time += 1) await api.signInOptions();
      })()
      """)
    #expect(try await page.run("dialogs") == 0)
    #expect(try await page.run("document.querySelector('dialog') === null") == true)
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }
}
