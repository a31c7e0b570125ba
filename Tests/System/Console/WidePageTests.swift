import Foundation
import JSON
import TestSupport
import Testing

/// Wide and long sagas in the console: a plate of 96 steps, one of child sagas, a chain of 300 steps, thousands of events.
extension ConsoleTests {
  private static let wells = "ABCDEFGH".flatMap { row in (1...12).map { "\(row)\($0)" } }

  private static func http(_ id: String, after: [String], _ path: String) -> JSON {
    [
      "id": .string(id), "dependsOn": .array(after.map(JSON.string)), "onFailure": "stuck", "compensation": "none",
      "retry": ["maxAttempts": 1], "http": ["service": "reader", "method": "PUT", "path": .string(path)],
    ]
  }

  /// A seal, 96 wells side by side, and a report.
  private static let plate: JSON = [
    "name": "read-plate", "version": 1, "timeout": "9h", "title": "Plate ${input.plate}",
    "labels": ["plate": "${input.plate}"],
    "steps": .array(
      [http("seal", after: [], "/seals/${input.plate}")]
        + wells.map { http("p1_\($0)", after: ["seal"], "/wells/\($0)/${input.plate}") }
        + [http("report", after: wells.map { "p1_\($0)" }, "/reports/${input.plate}")]),
  ]

  private static let well: JSON = [
    "name": "read-well", "version": 1, "timeout": "9h", "title": "Well ${input.well}",
    "steps": [http("read", after: [], "/wells/${input.well}/${input.plate}")],
  ]

  /// A child saga for each well.
  private static let plateOfSagas: JSON = [
    "name": "read-wells", "version": 1, "timeout": "9h", "title": "Plate ${input.plate} by wells",
    "steps": [
      [
        "id": "wells", "onFailure": "stuck",
        "forEach": ["items": "${input.wells[*]}", "as": "well", "key": "${well}", "maxParallel": 32],
        "workflow": ["name": "read-well", "input": ["well": "${well}", "plate": "${input.plate}"]],
      ]
    ],
  ]

  private static let chain: JSON = [
    "name": "long-chain", "version": 1, "timeout": "9h", "title": "Chain ${input.plate}",
    "steps": .array(
      (0..<300).map { number in
        http("s\(number)", after: number == 0 ? [] : ["s\(number - 1)"], "/links/\(number)/${input.plate}")
      }),
  ]

  /// Two events for each item, and a signal at the end.
  private static let manyEvents: JSON = [
    "name": "many-events", "version": 1, "timeout": "9h", "title": "Items of ${input.plate}",
    "steps": [
      [
        "id": "items", "compensation": "none",
        "forEach": ["items": "${input.items[*]}", "as": "number", "maxParallel": 64],
        "http": ["service": "reader", "method": "PUT", "path": "/links/${number}/${input.plate}"],
      ],
      ["id": "end", "signal": ["name": "go"], "timeout": "8h"],
    ],
  ]

  /// Well C7 is empty, and the chain breaks at its link 180.
  private static let readerRules: JSON = [
    "rules": [
      [
        "name": "empty", "match": ["method": "PUT", "path": "/wells/C7/{plate}"],
        "answer": ["status": 422, "body": ["code": "WELL_EMPTY", "message": "The well is empty."]],
      ],
      [
        "name": "broken", "match": ["method": "PUT", "path": "/links/180/CHAIN"],
        "answer": ["status": 422, "body": ["code": "CHAIN_BROKEN", "message": "Link 180 is broken."]],
      ],
      ["name": "wells", "match": ["method": "PUT", "path": "/wells/{well}/{plate}"]],
      ["name": "links", "match": ["method": "PUT", "path": "/links/{number}/{plate}"]],
      ["name": "rest", "match": ["method": "PUT", "path": "/{what}/{plate}"]],
    ]
  ]

  private struct Reader {
    let site: Site
    let engine: SagaProcess
    let browser: Chromium

    func start(_ workflow: JSON, _ input: JSON, also others: JSON...) async throws -> String {
      for one in others + [workflow] {
        let answer = try await site.call("POST", "\(engine.url)/v1/workflows", body: one)
        #expect(answer.status == 201, "\(answer.body.text())")
      }
      let name = workflow["name"]?.stringValue ?? ""
      let started = try await site.call(
        "POST", "\(engine.url)/v1/workflows/\(name)/sagas", body: ["input": input],
        headers: ["Idempotency-Key": "key-\(name)"])
      return try #require(started.body["id"]?.stringValue, "\(started.body.text())")
    }

    func state(of id: String, when what: String, _ condition: (JSON) -> Bool) async throws {
      try await eventually(what, within: .seconds(120)) {
        condition(try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body)
      }
    }

    func page(of id: String) async throws -> ChromiumPage {
      let page = try await browser.newPage()
      try await page.remember("saga.user", "nora")
      try await page.size(1_440, 900)
      try await page.open("\(engine.url)/#/saga/\(id)")
      try await page.wait("document.querySelector('details.event') && document.querySelector('#status')")
      return page
    }

    /// Expects that the page is short, has few elements, and takes little script.
    func expectSmall(_ page: ChromiumPage, _ name: String) async throws {
      let nodes = try await page.run("document.querySelectorAll('*').length").intValue ?? .max
      let height = try await page.run("document.documentElement.scrollHeight").intValue ?? .max
      #expect(nodes < 3_000, "\(name) has \(nodes) elements")
      #expect(height < 6_000, "\(name) is \(height) px high")
      #expect(try await page.run("document.querySelector('.drawing').offsetHeight <= innerHeight * 0.7 + 2") == true)
    }

    /// Looks at the page in both schemes and widths.
    func look(_ page: ChromiumPage, _ name: String) async throws {
      for scheme in ["light", "dark"] {
        try await page.prefer(scheme)
        for width in [1_440, 400] {
          try await page.size(width, 900)
          try await page.wait("innerWidth === \(width) && document.getAnimations().length === 0")
          for check in [PageChecks.contrast, PageChecks.names, PageChecks.width] {
            let wrong = try await page.run(check).arrayValue?.compactMap(\.stringValue)
            #expect(wrong == [], "\(name), \(scheme), \(width) wide")
          }
          try await page.picture("\(name)-\(scheme)-\(width)")
        }
      }
      try await page.prefer("light")
      try await page.size(1_440, 900)
    }
  }

  private func run(_ body: (Reader) async throws -> Void) async throws {
    let site = try await Site(.sqlite)
    try Data(Self.readerRules.bytes()).write(to: site.folder.appendingPathComponent("rules.json"))
    let stub = try await SagaProcess.listening(["stub", "rules.json", "--port", "0"], in: site.folder)
    let engine = try await SagaProcess.listening(
      ["serve", "--port", "0", "--service", "reader=\(stub.url)"], in: site.folder)
    let browser = try Chromium()
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(Reader(site: site, engine: engine, browser: browser)))
    } catch {
      result = .failure(error)
    }
    await browser.quit()
    _ = await engine.stop()
    _ = await stub.stop()
    await site.close()
    try result.get()
  }

  /// Dispatches a click, as an element of a drawing has no method for it.
  private static func pick(_ key: String, on page: ChromiumPage) async throws {
    try await page.wait(
      "document.querySelector('[data-key=\"\(key)\"]')?.dispatchEvent(new MouseEvent('click', { bubbles: true }))")
  }

  @Test("A fan-out of 96 wells is one box, which unfolds to a plate whose cells lead to the steps")
  func plateOfSteps() async throws {
    try await run { reader in
      let id = try await reader.start(Self.plate, ["plate": "P-77"])
      try await reader.state(of: id, when: "well C7 alone has failed") { saga in
        let steps = saga["steps"]?.arrayValue ?? []
        return steps.count { $0["status"] == "succeeded" } == 96 && saga["status"] == "stuck"
      }
      let page = try await reader.page(of: id)

      // 1. Three boxes. The box of the wells counts them.
      try await page.wait("document.querySelectorAll('.graph .node').length === 3")
      let box = "document.querySelector('[data-key=\"node p1_*\"]')"
      #expect(try await page.run("\(box).getAttribute('aria-label')") == "p1_*: 96 steps: 95 succeeded, 1 failed")
      #expect(try await page.run("\(box).querySelector('.node-more').textContent") == "95 ✓ 1 ✗")
      #expect(try await page.run("\(box).getAttribute('aria-expanded')") == "false")
      #expect(
        try await page.run("[...document.querySelectorAll('[aria-label=Steps] tbody th')].map((one) => one.innerText)")
          == ["seal", "p1_* 96 steps", "p1_C7", "report"])
      try await page.waitForText("95 ✓ 1 ✗", in: "tr.fold")
      try await reader.expectSmall(page, "the plate")

      // 2. The box unfolds to a plate. The focus is at the well that has failed; arrows go to the others.
      try await Self.pick("node p1_*", on: page)
      try await page.wait("document.querySelectorAll('.plate .cell').length === 96")
      #expect(try await page.run("\(box).getAttribute('aria-expanded')") == "true")
      let focused = "document.activeElement.getAttribute('aria-label')"
      try await page.wait("\(focused) === 'p1_C7: failed: The well is empty.'")
      #expect(try await page.run("document.querySelectorAll('.plate .cell[tabindex=\"0\"]').length") == 1)
      try await page.press("ArrowRight")
      #expect(try await page.run(focused) == "p1_C8: succeeded")
      try await page.press("Home")
      #expect(try await page.run(focused) == "p1_A1: succeeded")
      try await page.press("End")
      #expect(try await page.run(focused) == "p1_H12: succeeded")
      let row = "document.querySelector('[data-key=\"cell p1_C7\"]').closest('tr').querySelector('th').innerText"
      #expect(try await page.run(row) == "C")

      // 3. A cell leads to the step's details, and the focus comes back to it.
      try await page.press("Enter")
      try await page.waitForText("Step p1_H12", in: "dialog")
      try await page.waitForText("stepSucceeded", in: "dialog .history")
      try await page.press("Escape")
      try await page.wait("!document.querySelector('dialog') && document.activeElement.dataset.key === 'cell p1_H12'")
      try await reader.expectSmall(page, "the unfolded plate")
      try await reader.look(page, "plate")

      // 4. A preview names a plate, not 95 steps.
      try await Self.press("[data-key^=\"next compensate\"]", on: page)
      try await page.waitForText("seal, 95 steps p1_*.", in: "dialog .preview")
      try await page.press("Escape")
      #expect(page.complaints == [])
    }
  }

  @Test("The children of a step with forEach are a plate; a stuck one is found, and items lead to their sagas")
  func plateOfChildren() async throws {
    try await run { reader in
      let input: JSON = ["plate": "P-78", "wells": .array(Self.wells.map(JSON.string))]
      let id = try await reader.start(Self.plateOfSagas, input, also: Self.well)
      try await reader.state(of: id, when: "one item waits for its stuck child") { saga in
        saga["steps"]?[0]?["items"]?["statuses"]?["succeeded"] == 95
          && saga["why"]?["sentence"]?.stringValue?.contains("1 child saga is stuck: Well C7 (") == true
      }
      let page = try await reader.page(of: id)
      try await page.waitForText("96 child sagas: ", in: ".family > summary")
      try await page.waitForText("1 stuck", in: ".family > summary")
      try await page.wait("document.querySelectorAll('.family .plate .cell').length === 96")
      let stuck = "document.querySelector('.family .cell.tone-bad')"
      #expect(try await page.run("\(stuck).getAttribute('aria-label')") == "Well C7: stuck: read · WELL_EMPTY")
      #expect(try await page.run("\(stuck).closest('tr').querySelector('th').innerText") == "C")
      try await reader.expectSmall(page, "the plate of sagas")

      // The items are a plate too. An item that waits for a stuck saga looks so.
      try await page.click("[data-items=wells] > summary")
      try await page.wait("document.querySelectorAll('[data-items=wells] .plate .cell').length === 96")
      let item = "[data-items=wells] [data-key=\"cell wells[C7]\"]"
      #expect(try await page.run("document.querySelector('\(item)').getAttribute('aria-label')") == "C7: stuck")
      try await reader.expectSmall(page, "the unfolded items")
      try await reader.look(page, "plate-of-sagas")
      try await Self.press(item, on: page)
      try await page.waitForText("Well C7", in: "dialog a")
      try await page.press("Escape")
      try await page.wait("!document.querySelector('dialog')")

      // A cell of the children leads to the saga, whose page leads back.
      try await Self.press(".family .cell.tone-bad", on: page)
      try await page.waitForText("Well C7", in: "h1")
      try await page.waitForText("Plate P-78 by wells", in: "dl.facts a[href=\"#/saga/\(id)\"]")
      #expect(page.complaints == [])
    }
  }

  @Test("A chain of 300 steps is drawn around the step that needs a person, with pages for its lists and a zoom")
  func chainOfSteps() async throws {
    try await run { reader in
      let id = try await reader.start(Self.chain, ["plate": "CHAIN"])
      try await reader.state(of: id, when: "the chain is broken") { $0["status"] == "stuck" }
      let page = try await reader.page(of: id)
      let isSeen = """
        ((node) => {
          const [box, region] = [node, document.querySelector('.drawing')].map((one) => one?.getBoundingClientRect());
          return Boolean(box) && box.left >= region.left && box.right <= region.right; })(document.querySelector('[data-key="node s180"]'))
        """
      try await page.wait(isSeen)
      let boxes = try await page.run("document.querySelectorAll('.graph .node').length").intValue ?? .max
      #expect(boxes < 60, "\(boxes) boxes are in the page")
      try await reader.expectSmall(page, "the chain")

      // The lists begin where the trouble is.
      let rows = "[...document.querySelectorAll('[aria-label=Steps] tbody th')].map((one) => one.innerText)"
      try await page.wait("\(rows).includes('s180') && \(rows).length <= 40")
      try await page.click("[data-key=\"steps before\"]")
      try await page.wait("\(rows).includes('s120')")
      try await page.wait(
        "[...document.querySelectorAll('.gantt .row-name')].some((one) => one.textContent.endsWith('s180'))")
      #expect(try await page.run("document.querySelectorAll('.gantt .row-name').length <= 30") == true)

      // Scrolling draws other boxes, and the button leads back. The keyboard has the zoom.
      try await page.run("document.querySelector('.drawing').scrollLeft = 0")
      let drawn = { (step: String) in "document.querySelector('[data-key=\"node \(step)\"]')" }
      try await page.wait("\(drawn("s0")) && !\(drawn("s180"))")
      try await page.click("[data-key=\"graph needs\"]")
      try await page.wait("document.activeElement.dataset.key === 'node s180' && \(isSeen)")
      try await page.run("document.querySelector('.drawing').focus()")
      let scale = "document.querySelector('.graph-tools output').textContent"
      try await page.press("-")
      try await page.wait("\(scale) === '80 %'")
      try await page.click("[data-key=\"graph fit\"]")
      try await page.wait("\(scale) === '25 %'")
      try await page.click("[data-key=\"graph full\"]")
      try await page.wait("\(scale) === '100 %'")
      try await reader.look(page, "chain")
      #expect(page.complaints == [])
    }
  }

  @Test("A saga with thousands of events reads and shows a page of them")
  func manyEvents() async throws {
    try await run { reader in
      let count = 1_500
      let input: JSON = ["plate": "P-79", "items": .array((0..<count).map { .number(JSONNumber($0)) })]
      let id = try await reader.start(Self.manyEvents, input)
      try await reader.state(of: id, when: "the saga waits for its signal") { $0["why"]?["kind"] == "waiting" }
      let page = try await reader.page(of: id)
      let versions = "[...document.querySelectorAll('.history .version')].map((one) => Number(one.textContent))"
      let last = try await page.wait("\(versions).at(-1)").intValue ?? 0
      #expect(last > 2 * count)
      #expect(try await page.run("\(versions).length") == 50)
      try await reader.expectSmall(page, "the long history")
      try await page.click("[data-key=\"events before\"]")
      try await page.wait("\(versions).at(-1) === \(last - 50)")
      try await page.run(
        "(() => { const slider = document.getElementById('when'); slider.value = 70; slider.dispatchEvent(new Event('input')); })()"
      )
      try await page.waitForText("As it was after event 70:", in: "#why")
      try await page.wait("document.querySelector('details.event.current')?.dataset.key === 'event 70'")
      try await page.waitForText("70 of \(last) · ", in: "#when-text")
      #expect(page.complaints == [])
    }
  }

  @Test("A timeline breaks idle gaps, and polls at regular times are not broken")
  func brokenTimeline() async throws {
    try await run { reader in
      let id = try await reader.start(Self.manyEvents, ["plate": "P-80", "items": [1]])
      let page = try await reader.page(of: id)
      let answer = try await page.run(
        """
        (async () => {
          const [{ partsOf }, { gantt }] = await Promise.all([import('/console/breaks.js'), import('/console/gantt.js')]);
          const day = 86400e3;
          const breaks = (end, times) => partsOf(0, end, times).filter((one) => one.isBreak).map((one) => [one.from, one.to]);
          const at = (seconds) => new Date(seconds * 1000).toISOString();
          const span = (step, from, to, kind = 'attempt') =>
            ({ step, phase: 'forward', kind, attempt: 1, from: at(from), to: at(to), outcome: 'succeeded' });
          const line = { start: at(0), end: at(3 * 86400 + 30), "marks": [],
            spans: [span('a', 0, 10), span('wait', 10, 3 * 86400, 'wait'), span('b', 3 * 86400, 3 * 86400 + 30)] };
          const { drawing, table } = gantt(line, { width: 1000 });
          document.body.append(table);
          await new Promise((done) => { table.addEventListener('toggle', done); table.open = true; });
          const spans = [...drawing.querySelectorAll('.span')];
          const wide = (step) =>
            Number(spans.find((one) => one.textContent.startsWith(step)).querySelector('rect').getAttribute('width'));
          const answer = {
            one: breaks(3 * day + 20e3, [10e3, 3 * day + 10e3]),
            two: breaks(6 * day, [5e3, 3 * day, 3 * day + 5e3, 6 * day - 5e3]),
            short: breaks(50e3, [1e3, 49e3]),
            polls: breaks(3 * 3600e3, Array.from({ length: 36 }, (_, index) => index * 300e3)),
            label: [...drawing.querySelectorAll('.break .tick-label')].map((one) => one.textContent),
            seen: wide('a,') > 100 && wide('b,') > 300,
            times: [...table.querySelectorAll('tbody tr:last-child time')].map((one) => one.dateTime),
          };
          table.remove();
          return answer;
        })()
        """)
      #expect(answer["one"] == [[10_000, 259_210_000]])
      #expect(answer["two"]?.arrayValue?.count == 2, "\(answer["two"]?.text() ?? "")")
      #expect(answer["short"] == [] && answer["polls"] == [])
      #expect(answer["label"] == ["⌁ 2 d 23 h"] && answer["seen"] == true)
      #expect(answer["times"] == ["1970-01-04T00:00:00.000Z", "1970-01-04T00:00:30.000Z"])
      #expect(page.complaints == [])
    }
  }
}
