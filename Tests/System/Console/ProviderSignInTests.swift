import Foundation
import JSON
import TestSupport
import Testing

/// The console signs in at a provider that is not ours: oidc-provider-mock from PyPI, which is built on Authlib.
@Suite("The console's sign-in at an OpenID provider, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct ProviderSignInTests {
  /// Starts the provider.
  /// - Returns: the process, and the provider's address; nil when PyPI can't be reached.
  private static func provider() async throws -> (process: TestProcess, issuer: String)? {
    guard let python = try await PythonEnvironment.folder(of: "oidc-provider-mock") else { return nil }
    let process = try TestProcess(
      python.appending(path: "bin/python").path,
      [PythonEnvironment.scripts.appending(path: "oidc_provider.py").path],
      variables: ["PYTHONDONTWRITEBYTECODE": "1"], keepsInput: true)
    for await line in process.lines {
      if let match = line.firstMatch(of: #/provides on (http://\S+)/#) { return (process, String(match.output.1)) }
    }
    Issue.record("the provider did not start")
    return nil
  }

  private static func settings(_ site: Site, _ issuer: String) throws {
    let settings: JSON = [
      "issuer": .string(issuer), "audience": "saga-api", "clientId": "console", "person": "preferred_username",
      "roles": [["claim": "groups", "value": "lab-ops", "role": "operator"]],
    ]
    try Data(settings.bytes()).write(to: site.folder.appendingPathComponent("oidc.json"))
  }

  /// Clicks at the provider's page when it is there, and waits until the console says something. A page that goes answers
  /// no question meanwhile.
  private static func follow(_ button: String, _ said: String, _ page: ChromiumPage) async throws {
    try await eventually("the provider's page has \(button)") {
      (try? await page.run("document.querySelector('\(button)') !== null && document.readyState === 'complete'"))
        == true
    }
    try await page.click(button)
    try await eventually("the console says \(said)") {
      (try? await page.run("document.body.innerText"))?.stringValue?.contains(said) == true
    }
  }

  @Test("A person signs in at the provider, acts under their name, and signs out; a guest without a role reads why not")
  func story() async throws {
    guard let (provider, issuer) = try await Self.provider() else { return }
    let site = try await Site(.sqlite)
    try Self.settings(site, issuer)
    let browser = try Chromium()
    let key = site.folder.appendingPathComponent("ops.key")
    let made = try await TestProcess.run(
      TestProgram.path("saga"),
      ["key", "create", "--keys", "keys.json", "--name", "ops", "--role", "admin", "--out", key.path], in: site.folder)
    #expect(made.status == 0)
    let engine = try await SagaProcess.listening(
      [
        "serve", "--store", "memory", "--port", "0", "--keys", "keys.json", "--oidc", "oidc.json", "--log-level",
        "info",
      ], in: site.folder)
    try await eventually("it says so") { engine.said.contains("with a token of \(issuer)") }
    let secret = try String(contentsOf: key, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    let headers = ["Authorization": "Bearer \(secret)"]
    let id = try await site.startWaiting(at: engine, headers: headers)

    // 1. A person who has no role here comes back, and reads why.
    let page = try await browser.newPage()
    try await page.open("\(engine.url)/#/saga/\(id)")
    try await page.waitForText("Sign in at", in: "#provider")
    #expect(try await page.run(PageChecks.names) == [])
    try await page.click("#provider")
    try await Self.follow("button[value=gus-3]", "A role is missing", page)
    try await page.waitForText("gus", in: "main")
    #expect(try await page.run("location.search") == "")

    // 2. A person who declines at the provider.
    try await page.wait("!!document.querySelector('#provider')")
    try await page.click("#provider")
    try await Self.follow("button[value=deny]", "The sign-in was declined", page)

    // 3. The operator comes back to the page from which they left, and no script can read a session or a token.
    try await page.run("location.hash = '#/saga/\(id)'")
    try await page.click("#provider")
    try await Self.follow("button[value=anna-17]", "Live", page)
    try await page.waitForText("anna", in: "#user")
    #expect(try await page.run("location.pathname + location.search + location.hash") == .string("/#/saga/\(id)"))
    #expect(try await page.run("document.cookie") == "")
    let stored = try await page.run(
      "JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.body.outerHTML")
    #expect(stored.stringValue?.contains("eyJ") == false)

    // 4. An act is anna's, and the history has the provider's own name of her.
    try await page.click("button[data-verb=pause]")
    try await page.waitForText("As anna", in: "dialog")
    try await page.click("#reason")
    try await page.type("defrosting")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("defrosting", in: ".acts")
    let events = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events", headers: headers)
    let last = events.body["events"]?.arrayValue?.last?["data"]
    #expect(last?["by"] == "anna" && last?["from"]?.stringValue?.hasSuffix(" oidc anna-17") == true)

    // 5. Signing out.
    try await page.click("#user")
    try await page.waitForText("anna-17", in: "dialog")
    try await page.click("#sign-out")
    try await eventually("the page offers the provider again") {
      (try? await page.run("document.querySelector('#provider')?.innerText ?? ''"))?.stringValue?.hasPrefix(
        "Sign in at")
        == true
    }

    // 6. A key still counts beside the provider, and no token got into the log.
    #expect(try await site.call("GET", "\(engine.url)/v1/stats", headers: headers).status == 200)
    await browser.quit()
    #expect(await engine.stop() == 0)
    #expect(!engine.said.contains("eyJ") && engine.said.contains("access.roleMissing"))
    await provider.killNow()
    await site.close()
  }

  @Test("An engine starts while its provider is away, says that it is degraded, and refuses wrong settings")
  func away() async throws {
    let site = try await Site(.sqlite)
    // A port of this machine on which nothing listens.
    try Self.settings(site, "http://127.0.0.1:1")
    let arguments = ["serve", "--store", "memory", "--port", "0", "--oidc", "oidc.json"]
    let engine = try await SagaProcess.listening(arguments, in: site.folder)
    try await eventually("it is degraded") {
      try await site.call("GET", "\(engine.url)/readyz").body["status"] == "degraded"
    }
    let refused = try await site.call("GET", "\(engine.url)/v1/stats", headers: ["Authorization": "Bearer a.b.c"])
    #expect(refused.status == 401 && refused.body["code"] == "access.tokenInvalid")
    #expect(try await site.call("GET", "\(engine.url)/v1/stats").status == 401)
    #expect(await engine.stop() == 0)

    try Self.settings(site, "http://login.lab.example")
    let wrong = try await TestProcess.run(TestProgram.path("saga"), arguments, in: site.folder)
    #expect(wrong.status == 1 && String(decoding: wrong.bytes, as: UTF8.self).contains("access.oidcUnreadable"))

    // Only names tell two people apart, so the settings have to say which claim is the name.
    let settings: JSON = [
      "issuer": "http://127.0.0.1:1", "audience": "a", "roles": [["claim": "a", "value": "b", "role": "viewer"]],
    ]
    try Data(settings.bytes()).write(to: site.folder.appendingPathComponent("oidc.json"))
    let nameless = try await TestProcess.run(
      TestProgram.path("saga"), arguments + ["--requires-approval", "cancel"], in: site.folder)
    #expect(nameless.status == 1 && String(decoding: nameless.bytes, as: UTF8.self).contains("person"))
    await site.close()
  }
}
