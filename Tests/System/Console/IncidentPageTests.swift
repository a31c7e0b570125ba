import Foundation
import JSON
import TestSupport
import Testing

/// A night in the console: what needs a person is one card for each reason, not one for each saga.
extension ConsoleTests {
  /// Places a tube. A refusal leaves the saga to an operator, and a busy rack is tried again and again.
  private static let placing: JSON = [
    "name": "place-tube", "version": 1, "timeout": "1h", "title": "${input.barcode}",
    "steps": [
      [
        "id": "place", "onFailure": "stuck", "compensation": "none",
        "retry": ["maxAttempts": 1_000, "initialInterval": "1s", "maxInterval": "1s"],
        "http": [
          "service": "rack", "method": "PUT", "path": "/tubes/${steps.place.uuid}", "body": ["ward": "${input.ward}"],
        ],
      ]
    ],
  ]

  private static func rule(_ ward: String, _ answer: JSON) -> JSON {
    [
      "name": .string(ward),
      "match": [
        "method": "PUT", "path": "/tubes/{id}", "when": .string("$.request.body.ward == '\(ward)'"),
      ], "answer": answer,
    ]
  }

  private static let rules: JSON = [
    "rules": [
      rule("locked", ["status": 422, "body": ["code": "FREEZER_LOCKED", "message": "The freezer is locked."]]),
      rule("full", ["status": 422, "body": ["code": "RACK_FULL", "message": "The rack is full."]]),
      rule("busy", ["status": 503, "body": ["code": "RACK_BUSY", "message": "The rack is busy."]]),
      ["name": "place", "match": ["method": "PUT", "path": "/tubes/{id}"]],
    ]
  ]

  /// Records the addresses that the page requests.
  private static let watch = """
    (() => {
      window.asked = [];
      const real = window.fetch;
      window.fetch = (path, options) => { asked.push(String(path)); return real(path, options); };
    })()
    """

  private static let heads = """
    [...document.querySelectorAll('.needs .incident .card-head')].map((one) =>
      one.querySelector('.count').textContent + ' ' + one.querySelector('.card-link').textContent)
    """

  @Test("A night of 50 sagas is three cards; the title counts who needs a person; one retry reaches all of a card")
  func incidents() async throws {
    let site = try await Site(.sqlite)
    try Data(Self.rules.bytes()).write(to: site.folder.appendingPathComponent("rules.json"))
    let stub = try await SagaProcess.listening(["stub", "rules.json", "--port", "0"], in: site.folder)
    let engine = try await SagaProcess.listening(
      ["serve", "--port", "0", "--service", "rack=\(stub.url)"], in: site.folder)
    let browser = try Chromium()
    let result: Result<Void, any Error>
    do { result = .success(try await night(site, engine, browser)) } catch { result = .failure(error) }
    await browser.quit()
    _ = await engine.stop()
    _ = await stub.stop()
    await site.close()
    try result.get()
  }

  private func night(_ site: Site, _ engine: SagaProcess, _ browser: Chromium) async throws {
    let url = engine.url
    #expect(try await site.call("POST", "\(url)/v1/workflows", body: Self.placing).status == 201)
    for number in 0..<50 {
      let ward = number < 7 ? "locked" : number < 10 ? "full" : number < 14 ? "busy" : "W1"
      let barcode = "TUBE-\(number < 10 ? "0" : "")\(number)"
      let started = try await site.call(
        "POST", "\(url)/v1/workflows/place-tube/sagas",
        body: ["input": ["barcode": .string(barcode), "ward": .string(ward)]])
      #expect(started.status == 201)
    }
    try await eventually("ten sagas are stuck and four are tried again") {
      let page = try await site.call("GET", "\(url)/v1/incidents").body
      return page["needsPerson"] == 10 && page["sagas"]?["retrying"] == 4
    }

    let page = try await browser.newPage()
    try await page.remember("saga.user", "nora")
    try await page.open("\(url)/#/workflows")
    // 1. The title has the number on every page.
    try await page.wait("document.title === '(10) Sagas'")
    try await page.run(Self.watch)
    try await page.run("location.hash = '#/'")
    try await page.wait("document.querySelectorAll('.needs .incident').length === 3")
    let heads = try await page.run(Self.heads).arrayValue?.compactMap(\.stringValue).sorted()
    #expect(heads == ["3 place · RACK_FULL", "4 place · RACK_BUSY", "7 place · FREEZER_LOCKED"])
    try await page.waitForText("10 sagas need a person. 4 are failing and being tried again.", in: ".needs")
    #expect(try await page.run("document.getElementById('behind').textContent") == "")
    // The incidents say all that the cards show: no saga is asked for.
    #expect(try await page.run("asked.filter((one) => one.startsWith('/v1/sagas')).length") == 0)
    let needs = try await page.run("document.querySelector('.needs').innerText").stringValue
    #expect(needs?.contains("The outcome is unknown") == false)

    // 2. A card unfolds to its sagas, by their titles.
    let incident = try #require(
      try await site.call("GET", "\(url)/v1/incidents?kind=stuck").body["incidents"]?.arrayValue?
        .first { $0["code"] == "FREEZER_LOCKED" }?["id"]?.stringValue)
    let card = "[data-row=\"\(incident)\"]"
    try await page.waitForText("and 4 more", in: card)
    try await page.click("\(card) details summary")
    try await page.wait("document.querySelectorAll('\(card) .unfolded li').length === 7")
    try await page.waitForText("TUBE-06", in: "\(card) .unfolded")

    // 3. One verb with one reason reaches exactly these.
    try await page.click("[data-key=\"retry \(incident)\"]")
    try await page.waitForText("7 sagas take it; none refuses it.", in: "dialog")
    try await page.click("#reason")
    try await page.type("the freezer is open")
    try await page.click("dialog button[type=submit]")
    try await page.waitForText("7 done, 0 refused, 0 left of 7 sagas.", in: "#counts")
    let acts = try await site.call("GET", "\(url)/v1/audit?actor=nora&limit=200").body["acts"]?.arrayValue ?? []
    #expect(acts.count { $0["reason"] == "the freezer is open" && $0["saga"] != nil } == 7)

    // 4. The list has the filter, and the looks are as required.
    try await page.run("location.hash = '#/sagas?incident=\(incident)'")
    try await page.wait("document.querySelectorAll('tbody tr').length === 7")
    for scheme in ["light", "dark"] {
      try await page.prefer(scheme)
      for width in [1_280, 400] {
        try await page.size(width, 900)
        try await page.open("about:blank")
        try await page.open("\(url)/#/")
        try await page.wait("document.querySelectorAll('.needs .incident').length === 3")
        try await page.wait("document.getAnimations().length === 0")
        for check in [PageChecks.contrast, PageChecks.names, PageChecks.width] {
          let wrong = try await page.run(check).arrayValue?.compactMap(\.stringValue)
          #expect(wrong == [], "\(scheme), \(width) wide")
        }
        try await page.picture("incidents-\(scheme)-\(width)")
      }
    }
    #expect(page.complaints == [])
  }

  @Test("While the lists are behind, a banner says how far, and the page does not say that there is nothing to do")
  func behind() async throws {
    try await ConsoleSite.run { site in
      try await site.saga(1, until: "completed")
      let page = try await site.page()
      try await page.waitForText("You have nothing to do.", in: ".needs")
      #expect(try await page.run("document.title") == "Sagas")
      // The engine can't be made slow from here: the browser gets the answer of one that is.
      try await page.run(
        """
        (() => {
          const real = window.fetch;
          window.fetch = async (path, options) => {
            const answer = await real(path, options);
            if (!String(path).startsWith('/v1/incidents')) return answer;
            const page = await answer.json();
            page.lists = { lagEvents: 1204, lagSeconds: 27 };
            return new Response(JSON.stringify(page), { status: 200 });
          };
        })()
        """)
      try await site.saga(2, until: "completed")
      try await page.waitForText("1,204 events behind (27 s)", in: "#behind")
      try await page.waitForText("is not known yet", in: ".needs")
      #expect(try await page.run("document.title") == "(0?) Sagas")
      #expect(try await page.run("document.body.innerText.includes('nothing to do')") == false)
      #expect(page.complaints == [])
    }
  }
}
