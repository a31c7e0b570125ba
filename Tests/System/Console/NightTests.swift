import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing

/// A bad night of 500 sagas, with eight tabs of the console open: four incidents, and not 102 cards.
@Suite("A bad night", .timeLimit(.minutes(15)), .apart)
struct NightTests {
  /// The sagas by their wards, in the order of their starts.
  private static let wards = [("locked", 37), ("full", 8), ("lost", 12), ("busy", 45), ("calm", 398)]

  /// The tubes of each ward have the same trouble:
  /// - `locked`: two reasons to turn back, and the undo of the first step fails until an operator retries it.
  /// - `full`: a refusal leaves the saga to an operator.
  /// - `lost`: the pivot's answer is lost, so its outcome is unknown.
  /// - `busy`: the step is tried again and again. Its `expected` is long: a saga that is overdue would be in two incidents.
  private static let storing: JSON = [
    "name": "store-tube", "version": 1, "timeout": "10h", "title": "${input.barcode}",
    "steps": [
      [
        "id": "allocateStorage",
        "http": ["service": "lab", "method": "PUT", "path": "/storage/${input.ward}/${steps.allocateStorage.uuid}"],
        "compensation": [
          "http": [
            "service": "lab", "method": "DELETE", "path": "/storage/${input.ward}/${steps.allocateStorage.uuid}",
          ]
        ],
      ],
      [
        "id": "inspect", "compensation": "none",
        "http": [
          "service": "lab", "method": "PUT", "path": "/inspections/${input.ward}/${steps.inspect.uuid}",
          "body": ["tube": "${input.tube}"],
        ],
      ],
      [
        "id": "place", "onFailure": "stuck", "compensation": "none", "expected": "1h",
        "retry": ["maxAttempts": 1_000, "initialInterval": "1s", "maxInterval": "1s"],
        "http": ["service": "lab", "method": "PUT", "path": "/racks/${input.ward}/${steps.place.uuid}"],
      ],
      [
        "id": "dispatch", "pivot": true, "retry": ["maxAttempts": 1],
        "http": ["service": "lab", "method": "PUT", "path": "/dispatches/${input.ward}/${steps.dispatch.uuid}"],
      ],
    ],
  ]

  private static func refusal(_ status: Int, _ code: String, _ message: String) -> JSON {
    ["status": .number(JSONNumber(status)), "body": ["code": .string(code), "message": .string(message)]]
  }

  private static func rule(
    _ name: String, _ method: String, _ path: String, when condition: String? = nil, _ member: String? = nil,
    _ value: JSON = .null
  ) -> JSON {
    var match: JSONObject = ["method": .string(method), "path": .string(path)]
    match["when"] = condition.map(JSON.string)
    var rule: JSONObject = ["name": .string(name), "match": .object(match)]
    if let member { rule[member] = value }
    return .object(rule)
  }

  private static let rules: JSON = {
    var locked = refusal(422, "FREEZER_LOCKED", "The freezer is locked.").objectValue ?? [:]
    locked["times"] = 1
    return [
      "rules": [
        rule(
          "spoilt", "PUT", "/inspections/locked/{id}", when: "$.request.body.tube < 20", "answer",
          refusal(422, "TUBE_SPOILT", "The tube is spoilt.")),
        rule(
          "no consent", "PUT", "/inspections/locked/{id}", "answer",
          refusal(422, "NO_CONSENT", "The patient has not consented.")),
        rule("locked", "DELETE", "/storage/locked/{id}", "failFirst", .object(locked)),
        rule("full", "PUT", "/racks/full/{id}", "answer", refusal(422, "RACK_FULL", "The rack is full.")),
        rule("busy", "PUT", "/racks/busy/{id}", "answer", refusal(503, "RACK_BUSY", "The rack is busy.")),
        rule("lost", "PUT", "/dispatches/lost/{id}", "dropFirst", 1),
        rule("do", "PUT", "/{what}/{ward}/{id}"), rule("undo", "DELETE", "/{what}/{ward}/{id}"),
      ]
    ]
  }()

  /// The pages of the tabs. Two tabs show the same.
  private static let tabs = [
    "#/", "#/sagas", "#/operations", "#/tasks", "#/workflows", "#/workflow/store-tube/1", "#/sagas?status=stuck", "#/",
  ]

  /// The incidents on the first page: how many sagas each has, and what it says.
  private static let heads = """
    [...document.querySelectorAll('.needs .incident .card-head')].map((one) =>
      one.querySelector('.count').textContent + ' ' + one.querySelector('.card-link').textContent)
    """

  @Test("A night of 500 sagas is four incidents, one number on eight tabs, one retry, and one notice an incident")
  func night() async throws {
    let site = try await Site(.sqlite)
    let notices = Told<JSON>()
    let receiver = HTTPServer(environment: .system) { request in
      notices.add((try? JSON(parsing: request.body)) ?? .null)
      return HTTPServerResponse(status: 204)
    }
    let port = try receiver.start()
    try Data(Self.rules.bytes()).write(to: site.folder.appendingPathComponent("rules.json"))
    let stub = try await SagaProcess.listening(["stub", "rules.json", "--port", "0"], in: site.folder)
    let secret = "whsec_" + Data(repeating: 7, count: 32).base64EncodedString()
    let engine = try await SagaProcess.listening(
      [
        "serve", "--store", site.engineStore, "--port", "0", "--service", "lab=\(stub.url),tombstones",
        "--webhook", "pager=http://127.0.0.1:\(port)/hook",
      ], in: site.folder, variables: ["SAGA_WEBHOOK_SECRET": secret])
    let browser = try Chromium()
    let result: Result<Void, any Error>
    do { result = .success(try await night(site, engine, browser, notices)) } catch { result = .failure(error) }
    await browser.quit()
    _ = await engine.stop()
    _ = await stub.stop()
    await receiver.shutdown(drain: .seconds(1))
    await site.close()
    try result.get()
  }

  private func night(_ site: Site, _ engine: SagaProcess, _ browser: Chromium, _ notices: Told<JSON>) async throws {
    let url = engine.url
    #expect(try await site.call("POST", "\(url)/v1/workflows", body: Self.storing).status == 201)
    let pages = try await browser.newTabs(Self.tabs.count)
    for (page, hash) in zip(pages, Self.tabs) {
      try await page.remember("saga.user", "nora")
      try await page.open("\(url)/\(hash)")
    }
    for page in pages { try await page.waitForText("Live", in: "#live") }

    try await start(site, url)
    let first = try await eventualValue("all sagas have come to rest, or are tried again", every: .milliseconds(200)) {
      let page = try await site.call("GET", "\(url)/v1/incidents").body
      guard page["needsPerson"] == 57, page["sagas"]?["retrying"] == 45 else { return nil as JSON? }
      return try await site.call("GET", "\(url)/v1/stats").body["sagas"]?["completed"] == 398 ? page : nil
    }

    // 1. Every tab has the true number, and the first screen has one card for each trouble.
    for page in pages { try await page.wait("document.title === '(57) Sagas'") }
    let overview = pages[0]
    try await overview.send("Page.bringToFront")
    try await overview.wait("document.querySelectorAll('.needs .incident').length === 4")
    let heads = try await overview.run(Self.heads).arrayValue?.compactMap(\.stringValue)
    #expect(
      heads?.sorted() == [
        "12 dispatch · http.connectionLost", "37 undo of allocateStorage · FREEZER_LOCKED",
        "45 place · RACK_BUSY", "8 place · RACK_FULL",
      ])
    try await overview.waitForText("57 sagas need a person. 45 are failing and being tried again.", in: ".needs")
    #expect(try await overview.run("document.querySelectorAll('.needs .card').length") == 4)
    // Only the lost answers may have happened. What was found comes before a retry.
    let unknown = try await overview.run(
      """
      [...document.querySelectorAll('.needs .incident')].filter((one) => one.innerText.includes('The outcome is unknown'))
        .map((one) => one.querySelector('.card-link').textContent + ': ' + [...one.querySelectorAll('.actions button')]
          .map((button) => button.dataset.key.split(' ')[0]).join())
      """)
    #expect(unknown == ["dispatch · http.connectionLost: resolve,retry"])
    // A tab that was hidden meanwhile reads the counts again when it is shown.
    try await overview.waitForText("57", in: "a.tile[href=\"#/sagas?status=stuck\"]")
    try await overview.waitForText("398", in: "a.tile[href=\"#/sagas?status=completed\"]")
    try await overview.picture("night")

    // 2. One notice for each incident that needs a person. It counts the others.
    let told = await notices.wait { all in all.count { $0["type"] == "saga.stuck" } >= 3 }
    let summaries = told.compactMap { $0["data"]?["summary"]?.stringValue }
    for (code, more) in [("FREEZER_LOCKED", 36), ("RACK_FULL", 7), ("http.connectionLost", 11)] {
      let ofCode = summaries.filter { $0.contains("[\(code)]") }
      #expect(ofCode.count == 1 && ofCode[0].hasSuffix("\(more) more sagas have the same trouble."), "\(summaries)")
    }

    // 3. One retry with one reason reaches the 37, for both reasons why they turned back.
    let locked = try #require(first["incidents"]?.arrayValue?.first { $0["code"] == "FREEZER_LOCKED" })
    let incident = try #require(locked["id"]?.stringValue)
    #expect(locked["sagas"] == 37)
    try await overview.click("[data-key=\"retry \(incident)\"]")
    try await overview.waitForText("37 sagas take it; none refuses it.", in: "dialog")
    try await overview.click("#reason")
    try await overview.type("the freezer is open")
    try await overview.click("dialog button[type=submit]")
    try await overview.waitForText("37 done, 0 refused, 0 left of 37 sagas.", in: "#counts")
    for page in pages { try await page.wait("document.title === '(20) Sagas'") }
    let sagas = try await site.call("GET", "\(url)/v1/stats").body["sagas"]
    #expect(sagas?["compensated"] == 37 && sagas?["stuck"] == 20 && sagas?["running"] == 45, "\(sagas ?? .null)")
    let acts = try await site.call("GET", "\(url)/v1/audit?actor=nora&limit=200").body["acts"]?.arrayValue ?? []
    #expect(acts.count { $0["saga"] != nil && $0["verb"] == "retry" && $0["reason"] == "the freezer is open" } == 37)
    let operations = try await site.call("GET", "\(url)/v1/operations").body["operations"]?.arrayValue
    #expect(operations?.count == 1)
    let stuck = notices.all.filter { $0["type"] == "saga.stuck" }
    #expect(stuck.count == 3, "\(stuck.compactMap { $0["data"]?["summary"] })")

    // 4. What a person found out is said once for all 12.
    let lost = first["incidents"]?.arrayValue?.first { $0["code"] == "http.connectionLost" }?["id"]?.stringValue
    let unknownIncident = try #require(lost)
    try await overview.run("location.hash = '#/'")
    try await overview.click("[data-key=\"resolve \(unknownIncident)\"]")
    try await overview.wait("document.querySelector('#batch-step')?.value === 'dispatch'")
    try await overview.run(
      """
      (() => {
        const found = document.querySelector('#batch-outcome');
        found.value = 'happened';
        found.dispatchEvent(new Event('change'));
      })()
      """)
    try await overview.click("dialog textarea.code")
    try await overview.type("{}")
    try await overview.waitForText("12 sagas take it; none refuses it.", in: "dialog")
    try await overview.click("#reason")
    try await overview.type("they have arrived")
    try await overview.click("dialog button[type=submit]")
    try await overview.waitForText("12 done, 0 refused, 0 left of 12 sagas.", in: "#counts")
    for page in pages { try await page.wait("document.title === '(8) Sagas'") }
    for page in pages { #expect(page.complaints == []) }
  }

  /// Starts the sagas, several at a time: an incident's notice counts those that come within 10 seconds.
  private func start(_ site: Site, _ url: String) async throws {
    let tubes = Self.wards.flatMap { ward, count in Array(repeating: ward, count: count) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (number, ward) in tubes.enumerated() {
        if number >= 8 { try await group.next() }
        group.addTask {
          let input: JSON = [
            "tube": .number(JSONNumber(number)), "barcode": .string("TUBE-\(1_000 + number)"), "ward": .string(ward),
          ]
          let started = try await site.call(
            "POST", "\(url)/v1/workflows/store-tube/sagas", body: ["input": input])
          #expect(started.status == 201)
        }
      }
      try await group.waitForAll()
    }
  }
}

extension Chromium {
  /// Opens pages of one browser profile, as a person opens tabs: they share what the browser keeps for the engine, and its
  /// connections to it.
  fileprivate func newTabs(_ count: Int) async throws -> [ChromiumPage] {
    let context = try await send("Target.createBrowserContext")["browserContextId"] ?? .null
    var pages: [ChromiumPage] = []
    for _ in 0..<count {
      let target = try await send("Target.createTarget", ["url": "about:blank", "browserContextId": context])
      let attached = try await send(
        "Target.attachToTarget", ["targetId": target["targetId"] ?? .null, "flatten": true])
      guard let session = attached["sessionId"]?.stringValue else { throw Failure(description: "no session") }
      pages.append(try await ChromiumPage(self, session: session))
    }
    return pages
  }
}
