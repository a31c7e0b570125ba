import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing

@Suite("The pages of the audit, of notices and of the engine", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct EnginePageTests {
  @Test("The audit says who did what and why, is filtered by its address, and verifies the chains")
  func audit() async throws {
    try await ConsoleSite.run { site in
      let saga = try await site.saga(901, until: "stuck")
      try await site.removeFaults()
      let retried = try await site.site.call(
        "POST", "\(site.engine.url)/v1/sagas/\(saga)/retry", body: ["reason": "the robot <b>arm</b> is back"],
        headers: ["Saga-User": "nora"])
      #expect(retried.status == 200)
      try await site.wait(for: saga, "compensated")
      let page = try await site.page("#/audit", as: "otto")

      // 1. The newest act is the first one, with its person, its reason, and the change.
      try await page.waitForText("the robot <b>arm</b> is back", in: ".audit-act:first-child q")
      try await page.wait("document.querySelector('.audit-act .change').textContent === 'undo failed → undoing'")
      try await page.wait("document.querySelector('.audit-act:first-child a[href=\"#/saga/\(saga)\"]')")
      try await page.waitForText("accession-and-storage v2", in: ".audit")

      // 2. The person and the verb lead to their own acts. The address has the filters, and the form shows them.
      try await page.click(".audit-act:first-child a[href=\"#/audit?by=nora\"]")
      try await page.wait("document.querySelectorAll('.audit-act').length === 1")
      #expect(try await page.run("document.getElementById('filter-by').value") == "nora")
      try await page.click(".audit-act a[href=\"#/audit?by=nora&verb=retry\"]")
      try await page.wait("document.getElementById('filter-verb')?.value === 'retry'")
      try await page.waitForText("the robot", in: ".audit")
      try await page.run("location.hash = '#/audit?from=2999-01-01T00:00:07.123Z'")
      try await page.waitForText("No act matches these filters.", in: "main")
      try await page.click("#filter-saga")
      try await page.type(saga)
      try await page.press("Enter")
      // The control of a time shows minutes, and the address keeps the seconds.
      try await page.wait("location.hash === '#/audit?saga=\(saga)&from=2999-01-01T00%3A00%3A07.123Z'")
      try await page.click("a[href=\"#/audit\"].button")
      try await page.wait("location.hash === '#/audit' && document.querySelectorAll('.audit-act').length > 5")

      // 3. The details have everything that is stored.
      try await page.click(".audit-act:first-child button")
      try await page.waitForText("\"phase\": \"undo\"", in: "dialog")
      try await page.waitForText("compensating", in: "dialog")
      try await page.press("Escape")
      try await page.wait("document.activeElement.matches('.audit-act:first-child button')")

      // 4. The chains are intact, and the head has the chain of each shard.
      try await page.click("#verify")
      try await page.waitForText("Intact:", in: "section[aria-labelledby=chains-title]")
      try await page.click("[data-key=head] summary")
      let head = try await site.site.call("GET", "\(site.engine.url)/v1/audit/head").body["shards"]?.arrayValue ?? []
      let chain = try #require(head.first { $0["position"]?.intValue ?? 0 > 0 }?["chain"]?.stringValue)
      try await page.waitForText(chain, in: "[data-key=head]")

      // 5. From an act to its saga.
      try await page.click(".audit-act:first-child a[href=\"#/saga/\(saga)\"]")
      try await page.waitForText("compensated", in: "#status")
      #expect(page.complaints == [])
    }
  }

  @Test("Notices that were given up are shown with their reason, tried again one by one, and tested")
  func notices() async throws {
    let isUp = Told<Bool>()
    let receiver = HTTPServer(environment: .system) { _ in HTTPServerResponse(status: isUp.all.isEmpty ? 400 : 204) }
    let port = try receiver.start()
    let folder = try TestFolder.new("notices")
    let secret = folder.appendingPathComponent("secret")
    try Data(("whsec_" + Data(repeating: 7, count: 32).base64EncodedString()).utf8).write(to: secret)
    let webhooks = folder.appendingPathComponent("webhooks.json")
    let pager: JSON = [
      ["name": "pager", "url": .string("http://127.0.0.1:\(port)/"), "secretFile": .string(secret.path)]
    ]
    try Data(pager.bytes()).write(to: webhooks)
    let options = ["--webhooks", webhooks.path, "--notice-patience", "1s"]
    try await ConsoleSite.run(options: options) { site in
      try await site.saga(901, until: "stuck")
      let page = try await site.page("#/notices", as: "nora")
      // 1. What was given up, and why.
      try await page.waitForText("failing", in: "section[aria-label='Notices to pager']")
      try await page.waitForText("saga.stuck", in: ".cards")
      try await page.waitForText("The receiver answered 400", in: ".cards")
      try await page.wait("document.querySelector('.cards a[href=\"/errors/notice.refused\"]')")

      // 2. A test that fails says so.
      try await page.click("[data-act=test]")
      try await page.waitForText("The test notice was not delivered", in: "[data-result=pager]")
      try await page.wait("document.querySelector('[data-result=pager] a[href=\"/errors/notice.refused\"]')")
      #expect(try await page.run("document.activeElement.dataset.key") == "test pager")

      // 3. Sent again too early, then when the receiver is back.
      try await page.click(".cards button")
      try await page.waitForText("0 notices delivered, 1 failed again", in: "[data-result=pager]")
      isUp.add(true)
      try await page.click("[data-act=resend]")
      try await page.waitForText("delivered, 0 failed again.", in: "[data-result=pager]")
      try await page.wait("!document.querySelector('.cards')")
      try await page.click("[data-act=test]")
      try await page.waitForText("The receiver answered: 204", in: "[data-result=pager]")
      #expect(page.complaints == [])
      // The audit has each of them.
      let acts = try await site.site.call("GET", "\(site.engine.url)/v1/audit?by=nora").body["acts"]?.arrayValue ?? []
      #expect(
        acts.compactMap { $0["verb"]?.stringValue } == [
          "notices-test", "notices-resend", "notices-resend", "notices-test",
        ])
    }
    await receiver.shutdown(drain: .seconds(1))
  }

  @Test("The engine's page shows lists and Kafka, builds the lists again, and sends events again with a reason")
  func engine() async throws {
    let site = try await KafkaSite()
    let engine = try await site.startEngine()
    let started = try await site.call(
      "POST", "\(engine.url)/v1/workflows/storm/sagas", body: ["input": ["number": 1]])
    #expect(started.status == 201)
    let browser = try Chromium()
    let page = try await browser.newPage()
    try await page.remember("saga.user", "nora")
    try await page.open("\(engine.url)/#/engine")
    try await page.waitForText("The engine takes requests, and nothing is wrong.", in: "main")
    try await page.waitForText("The lists have every event.", in: "main")
    try await page.waitForText("Kafka has every event.", in: "main")
    try await page.waitForText(site.topic("commands"), in: "section[aria-labelledby=consumers-title]")

    // 1. Events again: the dialog says what is missing, and sends nothing.
    try await page.click("#rewind-echo")
    try await page.waitForText("Other readers see these events twice.", in: "dialog")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("Enter the position", in: "dialog .problem")
    #expect(try await page.run("document.activeElement.id") == "rewind-to")
    try await page.type("0")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("Enter a reason", in: "dialog .problem")
    try await page.type("the topic is new")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("will be sent again.", in: "#said")
    try await page.wait("!document.querySelector('dialog') && document.activeElement.id === 'rewind-echo'")
    // A position that the shard does not have is refused with its code.
    try await page.press("Enter")
    try await page.wait("document.getElementById('rewind-to')")
    try await page.run("document.getElementById('rewind-shard').selectedIndex = 1")
    try await page.click("#rewind-to")
    try await page.type("999999")
    try await page.click("#reason")
    try await page.type("too far")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("echo.rewindInvalid", in: "dialog .problem")
    try await page.press("Escape")

    // 2. The lists again: a new generation, and the audit has both.
    try await page.click("#rebuild")
    try await page.waitForText("no event changes", in: "dialog")
    try await page.click("dialog button[type=submit]")
    try await page.wait(
      "[...document.querySelectorAll('.facts div')].some((one) => one.innerText.replaceAll('\\n', ' ') === 'Generation 2')"
    )
    #expect(page.complaints.allSatisfy { $0.contains("409 (Conflict)") }, "\(page.complaints)")
    let acts = try await site.call("GET", "\(engine.url)/v1/audit?by=nora").body["acts"]?.arrayValue ?? []
    // A rewind is an act in each shard.
    #expect(Set(acts.compactMap { $0["verb"]?.stringValue }) == ["echo-rewind", "projections-rebuild"])
    #expect(acts.first?["reason"] == "the topic is new")
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }

  @Test("A caller is offered only what its roles permit", arguments: ["viewer", "operator", "admin"])
  func roles(_ role: String) async throws {
    let site = try await Site(.sqlite)
    let made = try await TestProcess.run(
      TestProgram.path("saga"),
      ["key", "create", "--keys", "keys.json", "--name", "anna", "--role", role, "--out", "anna.key"],
      in: site.folder)
    #expect(made.status == 0)
    let key = try String(contentsOf: site.folder.appendingPathComponent("anna.key"), encoding: .utf8)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let engine = try await SagaProcess.listening(
      [
        "serve", "--store", "memory", "--port", "0", "--keys", "keys.json", "--webhook",
        "pager=http://127.0.0.1:9/hook",
      ], in: site.folder,
      variables: ["SAGA_WEBHOOK_SECRET": "whsec_" + Data(repeating: 7, count: 32).base64EncodedString()])
    let browser = try Chromium()
    let page = try await browser.newPage()
    try await page.open("\(engine.url)/#/notices")
    try await page.wait("document.getElementById('key')")
    try await page.click("#key")
    try await page.type(key)
    try await page.press("Enter")
    try await page.waitForText("pager", in: "main h2")
    #expect(try await page.run("!!document.querySelector('[data-act=test]')") == .bool(role != "viewer"))
    try await page.click("nav.pages a[href=\"#/engine\"]")
    try await page.waitForText("The lists have every event.", in: "main")
    try await page.waitForText("this engine runs without Kafka", in: "main")
    #expect(try await page.run("!!document.getElementById('rebuild')") == .bool(role == "admin"))
    // Everybody who sees the audit may verify it.
    try await page.click("nav.pages a[href=\"#/audit\"]")
    try await page.click("#verify")
    try await page.waitForText("There is no event yet.", in: "main")
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }
}
