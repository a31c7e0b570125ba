import Foundation
import JSON
import TestSupport
import Testing

@Suite("Every page of the console, looked at", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct AllPagesTests {
  typealias Shown = PageLook.Shown

  /// An id that no saga and no operation has.
  private static let unknown = "01a22e2d-9605-77a5-91bf-c6f99407b89d"

  /// The pages that every engine has.
  private static let lists = [
    Shown(name: "overview", address: "#/", fact: "document.querySelector('.tile')"),
    Shown(name: "sagas", address: "#/sagas"), Shown(name: "operations", address: "#/operations"),
    Shown(name: "tasks", address: "#/tasks"), Shown(name: "workflows", address: "#/workflows"),
    Shown(name: "audit", address: "#/audit"), Shown(name: "notices", address: "#/notices"),
    Shown(name: "engine", address: "#/engine"),
  ]

  private static let refusals = [
    Shown(name: "no-page", address: "#/nowhere"), Shown(name: "no-workflow", address: "#/workflow/none"),
    Shown(name: "no-saga", address: "#/saga/\(unknown)", fact: "document.querySelector('main .problem')"),
    Shown(name: "no-operation", address: "#/operation/\(unknown)", fact: "document.querySelector('main .problem')"),
  ]

  /// The pages about errors do not belong to the console.
  private static let errors = ["/errors", "/errors/saga.held"].map { address in
    Shown(
      name: address == "/errors" ? "errors" : "error", address: address, fact: "document.querySelector('h1')",
      checks: [PageChecks.width])
  }

  @Test("Pages with something of everything have contrast, names and width as required, and axe finds no fault")
  func everything() async throws {
    let look = PageLook(axe: try await Axe.fromPyPI())
    try await ConsoleSite.run(approvals: ["abandon"]) { site in
      let stuck = try await site.saga(901, until: "stuck")
      for number in 1...3 { try await site.saga(number, until: "completed") }
      let made = try await fill(site)
      let operations = try await begin(site, stuck)
      let page = try await site.page(as: "otto")
      let pages =
        Self.lists + Self.refusals + Self.errors
        + [
          Shown(name: "saga", address: "#/saga/\(stuck)", fact: "document.querySelector('.event')"),
          Shown(name: "step", address: "#/saga/\(stuck)", fact: "document.querySelector('.node[role=button]')") {
            // The page may still move under a mouse.
            try await $0.run("document.querySelector('.node[role=button]').focus()")
            try await $0.press("Enter")
            try await $0.waitForText("Sent", in: "dialog")
          },
          Shown(name: "verb", address: "#/saga/\(stuck)", fact: "document.querySelector('[data-verb=resolve]')") {
            try await $0.click("[data-verb=resolve]")
            try await $0.waitForText("What will happen", in: "dialog")
          },
          Shown(name: "items", address: "#/saga/\(made[0])", fact: "document.querySelector('.items summary')") {
            try await $0.click(".items summary")
            try await $0.wait("document.querySelector('.items .cell')")
          },
          Shown(
            name: "children", address: "#/saga/\(made[1])", fact: "document.body.innerText.includes('child')"),
          Shown(name: "task", address: "#/saga/\(made[2])", fact: "document.querySelector('.event')"),
          Shown(name: "signal", address: "#/saga/\(made[2])") {
            try await $0.click("[data-key=\"signal approved\"]")
            try await $0.waitForText("Is the tube there?", in: "dialog")
          },
          Shown(name: "workflow", address: "#/workflow/sample-processing", fact: "document.querySelector('.node')"),
          Shown(
            name: "start", address: "#/workflow/sample-processing",
            fact: "document.querySelector('[data-key=start]')"
          ) {
            try await $0.click("[data-key=start]")
            try await $0.waitForText("barcode", in: "dialog")
          },
          Shown(name: "help", address: "#/") {
            try await $0.click("#help")
            try await $0.waitForText("overview, sagas", in: "dialog")
          },
          Shown(name: "verified", address: "#/audit") {
            try await $0.click("#verify")
            try await $0.waitForText("Intact", in: "main")
            try await $0.run("for (const one of document.querySelectorAll('details')) one.open = true")
          },
        ]
        + operations.map { status, id in
          Shown(
            name: "operation-\(status)", address: "#/operation/\(id)",
            fact: "document.getElementById('status')?.innerText.includes('\(status)')")
        }
      try await look.at(pages, of: site.engine.url, in: page, prefix: "all")
      // The browser logs the unknown saga, workflow and operation.
      #expect(page.complaints.allSatisfy { $0.contains("404 (Not Found)") }, "\(page.complaints)")
    }
  }

  @Test("The pages of an engine with no saga, one, and some pages of them are in order", arguments: [0, 1, 120])
  func counts(_ count: Int) async throws {
    let look = PageLook(axe: try await Axe.fromPyPI())
    let site = try await Site(.sqlite)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", site.engineStore, "--port", "0"], in: site.folder)
    if count > 0 { try await start(count, site, engine) }
    let browser = try Chromium()
    let page = try await browser.newPage()
    try await page.remember("saga.user", "nora")
    var pages = Self.lists
    if count > 0 {
      let listed = try await site.call("GET", "\(engine.url)/v1/sagas?limit=1")
      let saga = try #require(listed.body["sagas"]?[0]?["id"]?.stringValue)
      pages += [
        Shown(name: "saga", address: "#/saga/\(saga)", fact: "document.querySelector('.event')"),
        Shown(name: "workflow", address: "#/workflow/tubes", fact: "document.querySelector('.node')"),
      ]
    }
    try await look.at(pages, of: engine.url, in: page, prefix: "\(count)", forms: PageLook.fewForms)

    // The numbers are right, and an empty list says what comes next.
    try await page.size(1_280, 900)
    try await page.open("\(engine.url)/#/")
    try await page.waitForText("\(count)", in: "a[href=\"#/sagas?status=running\"]")
    try await page.open("\(engine.url)/#/sagas")
    if count == 0 { try await page.waitForText("There is no saga yet.", in: "main") }
    try await page.wait("document.querySelectorAll('tbody tr').length === \(min(count, 50))")
    if count == 120 { try await turnPages(page, engine) }
    #expect(page.complaints == [])
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }

  /// The audit has 120 starts: page by page, the newest first, each page with an address.
  private func turnPages(_ page: ChromiumPage, _ engine: SagaProcess) async throws {
    let times = "[...document.querySelectorAll('.audit-act time')].map((one) => one.dateTime)"
    // The first link below the list says which page is shown.
    func isShown(_ link: String) -> String {
      "document.querySelector('.pager a')?.innerText.includes('\(link)') && document.querySelectorAll('.audit-act').length === 50"
    }
    try await page.open("\(engine.url)/#/audit?verb=start")
    try await page.wait(isShown("Older"))
    let first = try await page.run(times).arrayValue?.compactMap(\.stringValue) ?? []
    #expect(first == first.sorted(by: >))
    try await page.click(".pager a")
    try await page.wait(isShown("Newest"))
    #expect(try await page.run("location.hash.includes('cursor=')") == true)
    let second = try await page.run(times).arrayValue?.compactMap(\.stringValue) ?? []
    #expect(try #require(second.first) <= #require(first.last))
    try await page.run("history.back()")
    try await page.wait(isShown("Older"))
    #expect(try await page.run(times).arrayValue?.compactMap(\.stringValue) == first)
  }

  @Test("The sign-in and its refusal are in order")
  func signIn() async throws {
    let look = PageLook(axe: try await Axe.fromPyPI())
    let site = try await Site(.sqlite)
    let made = try await TestProcess.run(
      TestProgram.path("saga"),
      ["key", "create", "--keys", "keys.json", "--name", "anna", "--role", "viewer", "--out", "anna.key"],
      in: site.folder)
    #expect(made.status == 0)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "memory", "--port", "0", "--keys", "keys.json"], in: site.folder)
    let browser = try Chromium()
    let page = try await browser.newPage()
    // It has too few texts for the check of contrast: axe has one too.
    let checks = [PageChecks.names, PageChecks.width]
    try await look.at(
      [
        Shown(name: "sign-in", address: "#/", fact: "document.getElementById('key')", checks: checks),
        Shown(name: "sign-in-refused", address: "#/", fact: "document.getElementById('key')", checks: checks) {
          try await $0.click("#key")
          try await $0.type("tsk_wrong")
          try await $0.press("Enter")
          try await $0.waitForText("The key is unknown", in: "main")
        },
      ], of: engine.url, in: page, prefix: "all")
    #expect(try await page.run("document.getElementById('search').checkVisibility()") == false)
    await browser.quit()
    #expect(await engine.stop() == 0)
    await site.close()
  }

  /// Starts a saga with items, one with children, and one with a task and a signal.
  /// - Returns: their ids.
  private func fill(_ site: ConsoleSite) async throws -> [String] {
    let url = site.engine.url
    let wells = JSON.array((1...12).map { .string("A\($0)") })
    let workflows: [JSON] = [
      ["name": "short", "version": 1, "timeout": "2h", "steps": [["id": "wait", "delay": ["for": "1h"]]]],
      [
        "name": "plate", "version": 1, "timeout": "5h", "title": "Plate ${input.id}",
        "steps": [
          [
            "id": "scan", "forEach": ["items": "${input.wells[*]}", "as": "well"], "delay": ["for": "1h"],
          ]
        ],
      ],
      [
        "name": "parent", "version": 1, "timeout": "5h",
        "steps": [
          ["id": "first", "workflow": ["name": "short"]],
          [
            "id": "each", "dependsOn": [], "forEach": ["items": "${input.wells[*]}", "as": "well"],
            "workflow": ["name": "short"],
          ],
        ],
      ],
      [
        "name": "bench", "version": 1, "timeout": "5h",
        "steps": [
          ["id": "print", "task": ["queue": "printer"], "compensation": "none"],
          [
            "id": "ask", "dependsOn": [], "timeout": "2h",
            "signal": [
              "name": "approved",
              "schema": [
                "type": "object", "required": ["ok"],
                "properties": ["ok": ["type": "boolean", "title": "Is the tube there?"], "note": ["type": "string"]],
              ],
            ],
          ],
        ],
      ],
    ]
    for workflow in workflows {
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: workflow).status == 201)
    }
    var ids: [String] = []
    for name in ["plate", "parent", "bench"] {
      let started = try await site.site.call(
        "POST", "\(url)/v1/workflows/\(name)/sagas", body: ["input": ["id": "P-1", "wells": wells]])
      ids.append(try #require(started.body["id"]?.stringValue))
    }
    return ids
  }

  /// Begins an operation that ends, and one that waits for a second person.
  /// - Returns: each id with the status that it comes to.
  private func begin(_ site: ConsoleSite, _ saga: String) async throws -> [(status: String, id: String)] {
    var all: [(status: String, id: String)] = []
    for (verb, status) in [("retry", "finished"), ("abandon", "waiting")] {
      let answer = try await site.site.call(
        "POST", "\(site.engine.url)/v1/operations",
        body: ["verb": .string(verb), "sagas": [.string(saga)], "reason": "The freezer's door was open"],
        headers: ["Saga-User": "nora"])
      #expect(answer.status == 202)
      all.append((status, try #require(answer.body["id"]?.stringValue)))
    }
    return all
  }

  /// Starts `count` sagas of one step, over 64 connections, and waits until the lists have them.
  private func start(_ count: Int, _ site: Site, _ engine: SagaProcess) async throws {
    let workflow: JSON = [
      "name": "tubes", "version": 1, "timeout": "2h", "title": "Tube ${input.n}", "labels": ["rack": "${input.rack}"],
      "steps": [["id": "wait", "delay": ["for": "1h"]]],
    ]
    #expect(try await site.call("POST", "\(engine.url)/v1/workflows", body: workflow).status == 201)
    let connections = min(64, count)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for connection in 0..<connections {
        group.addTask {
          for number in stride(from: connection, to: count, by: connections) {
            let answer = try await site.call(
              "POST", "\(engine.url)/v1/workflows/tubes/sagas",
              body: ["input": ["n": .number(JSONNumber(number)), "rack": .string("R\(number % 7)")]])
            try #require(answer.status == 201)
          }
        }
      }
      try await group.waitForAll()
    }
    try await eventually("the lists have every saga") {
      try await site.call("GET", "\(engine.url)/v1/stats").body["sagas"]?["running"]?.intValue == count
    }
  }
}
