import Foundation
import JSON
import TestSupport
import Testing

/// Turns, families and tasks in the console.
extension ConsoleTests {
  /// Holds its turn until a person says that the run is loaded.
  private static let load: JSON = [
    "name": "load-run", "version": 1, "timeout": "2h",
    "steps": [
      [
        "id": "load", "signal": ["name": "loaded"], "timeout": "1h", "concurrency": ["key": "${input.instrument}"],
      ]
    ],
  ]

  /// Holds its turn from its start to its end.
  private static let clean: JSON = [
    "name": "clean-robot", "version": 1, "timeout": "2h", "concurrency": ["key": "${input.robot}"],
    "steps": [["id": "cleaned", "signal": ["name": "cleaned"], "timeout": "1h"]],
  ]

  static func register(_ workflows: JSON..., at site: ConsoleSite) async throws {
    for workflow in workflows {
      let answer = try await site.site.call("POST", "\(site.engine.url)/v1/workflows", body: workflow)
      #expect(answer.status == 201, "\(answer.body.text())")
    }
  }

  /// Starts sagas that wait for each other, one after the other.
  private static func line(
    _ count: Int, of workflow: String, _ input: JSON, key: String, at site: ConsoleSite
  ) async throws -> [LiveSaga] {
    var sagas: [LiveSaga] = []
    for number in 0..<count {
      sagas.append(
        try await LiveSaga.start(workflow, key: "\(workflow)-\(number)", input, site.site, site.engine))
      try await eventually("saga \(number) is in the line") {
        let line = try await site.site.call("GET", "\(site.engine.url)/v1/concurrency?key=\(key)").body["keys"]?[0]
        return line?["holders"]?[0]?["takenAt"] != nil && line?["waiting"] == .int(number)
      }
    }
    return sagas
  }

  /// The sagas to which the links in a cell lead, in their order.
  private static func links(_ row: String, cell: Int) -> String {
    "[...document.querySelectorAll('\(row) td')[\(cell)].querySelectorAll('a')].map((one) => one.hash).join()"
  }

  private static func hashes(_ sagas: some Sequence<LiveSaga>) -> String {
    "'" + sagas.map { "#/saga/\($0.id)" }.joined(separator: ",") + "'"
  }

  /// Clicks an element in one turn of the page, which may draw it again between two.
  static func press(_ selector: String, on page: ChromiumPage) async throws {
    try await page.wait(
      "(() => { const found = document.querySelector('\(selector)'); found?.click(); return Boolean(found); })()")
  }

  static func check(_ page: ChromiumPage) async throws {
    try await page.wait("document.getAnimations().length === 0")
    #expect(try await page.run(PageChecks.contrast) == [])
    #expect(try await page.run(PageChecks.names) == [])
    #expect(try await page.run(PageChecks.width) == [])
  }

  @Test("The overview shows who holds a turn and who waits for it, in their order, and so do the pages of the sagas")
  func turns() async throws {
    try await ConsoleSite.run { site in
      try await Self.register(Self.load, Self.clean, at: site)
      let sagas = try await Self.line(5, of: "load-run", ["instrument": "HiSeq-1"], key: "HiSeq-1", at: site)
      let cleaning = try await Self.line(2, of: "clean-robot", ["robot": "R-7"], key: "R-7", at: site)
      let page = try await site.page("#/", as: "nora")
      let row = #"[data-key="turn HiSeq-1"]"#

      // 1. The overview names the holder, and the first three of the four that wait.
      try await page.waitForText("HiSeq-1", in: row)
      try await page.wait("\(Self.links(row, cell: 0)) === \(Self.hashes(sagas.prefix(1)))")
      try await page.wait("\(Self.links(row, cell: 1)) === \(Self.hashes(sagas[1...3]))")
      try await page.waitForText("4: load", in: row)
      try await page.waitForText("and 1 more", in: row)
      let robot = #"[data-key="turn R-7"]"#
      try await page.wait("\(Self.links(robot, cell: 0)) === \(Self.hashes(cleaning.prefix(1)))")
      try await page.wait("\(Self.links(robot, cell: 1)) === \(Self.hashes(cleaning.suffix(1)))")
      try await Self.check(page)
      try await page.size(400, 900)
      #expect(try await page.run(PageChecks.width) == [])
      try await page.size(1280, 900)

      // 2. A paused waiter keeps its place, and the page says that it is paused.
      try await sagas[1].operate("pause", ["reason": "a tube is missing"])
      try await page.waitForText("paused", in: "\(row) td:nth-of-type(2)")

      // 3. The page of a waiter names the key, its place and the holder.
      try await page.run("location.hash = '#/saga/\(sagas[2].id)'")
      try await page.waitForText("waits for its turn of HiSeq-1, 1 before it, held by", in: "div.turn")
      try await page.waitForText("for its turn: HiSeq-1, held by saga \(sagas[0].id), step load", in: "#why")
      try await Self.check(page)
      try await Self.press("div.turn a", on: page)
      try await page.wait("location.hash === '#/saga/\(sagas[0].id)'")
      try await page.waitForText("holds its turn of HiSeq-1", in: "div.turn")

      // 4. The holder ends, and the turn goes past the paused saga to the next one.
      #expect(try await sagas[0].signal("loaded").status == 200)
      try await page.waitForText("completed", in: "#status")
      try await page.wait("!document.querySelector('div.turn')")
      try await page.run("location.hash = '#/'")
      try await page.wait("\(Self.links(row, cell: 0)) === \(Self.hashes(sagas[2...2]))")
      try await page.wait("\(Self.links(row, cell: 1)) === \(Self.hashes([sagas[1], sagas[3], sagas[4]]))")

      // 5. A saga that waits as a whole says so at its top.
      try await page.run("location.hash = '#/saga/\(cleaning[1].id)'")
      try await page.waitForText("waits for its turn of R-7, 0 before it, held by", in: "dl.facts div.turn")
      #expect(try await cleaning[0].signal("cleaned").status == 200)
      try await page.waitForText("holds its turn of R-7", in: "dl.facts div.turn")
      #expect(page.complaints == [])
    }
  }

  /// A rack with one plate, which has three wells. Each well waits for a person.
  private static let family: [JSON] = [
    [
      "name": "rack", "version": 1, "timeout": "2h",
      "steps": [["id": "plate", "workflow": ["name": "plate", "input": ["wells": "${input.wells}"]]]],
    ],
    [
      "name": "plate", "version": 1, "timeout": "2h",
      "steps": [
        [
          "id": "wells", "forEach": ["items": "${input.wells[*]}", "as": "well", "key": "${well}", "maxParallel": 3],
          "workflow": ["name": "one-well", "input": ["well": "${well}"]],
        ]
      ],
    ],
    [
      "name": "one-well", "version": 1, "timeout": "2h", "title": "Well ${input.well}",
      "steps": [["id": "look", "signal": ["name": "seen"], "timeout": "1h"]],
    ],
  ]

  private static func children(of saga: LiveSaga, _ count: Int) async throws -> [LiveSaga] {
    let ids = try await eventualValue("\(saga.id) has \(count) children") {
      let page = try await saga.site.call(
        "GET", "\(saga.engine.url)/v1/sagas?parent=\(saga.id)&sort=startedAt&limit=200")
      let ids = page.body["sagas"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
      return ids.count == count ? ids : nil
    }
    return ids.map { LiveSaga(site: saga.site, engine: saga.engine, id: $0) }
  }

  @Test("A saga's page shows its children and theirs as a tree, follows their ends, and leads back to the parent")
  func family() async throws {
    try await ConsoleSite.run { site in
      // A parent is registered after its child.
      for workflow in Self.family.reversed() { try await Self.register(workflow, at: site) }
      let rack = try await LiveSaga.start(
        "rack", key: "rack-1", ["wells": ["A1", "A2", "A3"]], site.site, site.engine)
      let plate = try #require(try await Self.children(of: rack, 1).first)
      let wells = try await Self.children(of: plate, 3)
      let page = try await site.page("#/saga/\(rack.id)", as: "nora")

      // 1. The plate is in the list and at its step. Its wells come when a person asks for them.
      try await page.waitForText("1 child saga: 1 running", in: ".family > summary")
      try await page.wait("document.querySelector('.family a').hash === '#/saga/\(plate.id)'")
      try await page.wait(
        "[...document.querySelectorAll('[aria-label=Steps] a')].some((one) => one.hash === '#/saga/\(plate.id)')")
      #expect(try await page.run("document.querySelectorAll('.family .family').length") == 0)
      try await Self.press(#"[data-key="children \#(plate.id)"]"#, on: page)
      try await page.waitForText("3 child sagas: 3 running", in: ".family .family > summary")
      let inner = "[...document.querySelectorAll('.family .family li > a')].map((one) => one.hash).sort().join()"
      let hashes = wells.map { "#/saga/\($0.id)" }.sorted().joined(separator: ",")
      #expect(try await page.run(inner) == .string(hashes))
      try await page.waitForText("Well A2", in: ".family .family")
      try await Self.check(page)

      // 2. A saga without children says so, and stays in the tree.
      try await Self.press(#"[data-key="children \#(wells[0].id)"]"#, on: page)
      try await page.waitForText("It has started no saga.", in: ".family .family")

      // 3. The page of a well leads to its parent, and that one to the rack.
      try await page.run("location.hash = '#/saga/\(wells[0].id)'")
      try await page.waitForText("Child of", in: "dl.facts")
      try await Self.press(##"dl.facts a[href="#/saga/\##(plate.id)"]"##, on: page)
      try await page.waitForText("3 child sagas: 3 running", in: ".family > summary")

      // 4. The list follows the ends of the wells without a reload.
      #expect(try await wells[0].signal("seen").status == 200)
      try await page.waitForText("1 completed", in: ".family > summary")
      try await page.waitForText("2 running", in: ".family > summary")
      for well in wells.dropFirst() { #expect(try await well.signal("seen").status == 200) }
      try await page.waitForText("completed", in: "#status")
      try await page.waitForText("3 child sagas: 3 completed", in: ".family > summary")
      try await rack.ends("completed")
      #expect(page.complaints == [])
    }
  }

  @Test("The page of tasks shows the queues, the tasks that wait, and which worker has which")
  func tasks() async throws {
    try await ConsoleSite.run { site in
      let workflow: JSON = [
        "name": "pipette", "version": 1, "timeout": "2h",
        "steps": [
          [
            "id": "pipette", "task": ["queue": "robot", "heartbeatTimeout": "10m"], "timeout": "1h",
            "compensation": "none",
          ]
        ],
      ]
      try await Self.register(workflow, at: site)
      let page = try await site.page("#/tasks", as: "nora")
      try await page.waitForText("No saga offers a task, and no worker has asked for one.", in: "main")
      var sagas: [LiveSaga] = []
      for number in 0..<2 {
        sagas.append(try await LiveSaga.start("pipette", key: "pipette-\(number)", [:], site.site, site.engine))
        try await sagas[number].offersTask(of: "robot", site)
      }

      // 1. Two tasks wait, and no worker has asked.
      let queue = "[aria-labelledby=queues-title] tbody tr"
      let task = "[aria-labelledby=tasks-title] tbody tr"
      func cells(_ row: String) -> String {
        "[...document.querySelectorAll('\(row)')].map((row) => [...row.cells].map((one) => one.innerText.trim()).join('|')).join(';')"
      }
      try await page.wait("\(cells(queue)) === 'robot|2|0|0|not since the engine started'")
      try await page.wait("document.querySelectorAll('\(task)').length === 2")
      #expect(
        try await page.run("[...document.querySelectorAll('\(task) a')].map((one) => one.hash)")
          == .array(sagas.map { .string("#/saga/\($0.id)") }))
      #expect(
        try await page.run("[...document.querySelectorAll('\(task)')].map((one) => one.cells[2].innerText)")
          == ["waiting", "waiting"])

      // 2. A worker takes the first one and says how far it is.
      let url = site.engine.url
      let polled = try await site.site.call("POST", "\(url)/v1/tasks/robot/poll", body: ["worker": "robot-2"])
      let given = try #require(polled.body["tasks"]?[0])
      #expect(given["saga"] == .string(sagas[0].id))
      let target = "\(url)/v1/tasks/\(given["id"]?.stringValue ?? "")"
      let beat: JSON = ["lease": given["lease"] ?? .null, "progress": "column 3 of 12"]
      #expect(try await site.site.call("POST", target + "/heartbeat", body: beat).status == 200)
      try await page.wait("\(cells(queue)).startsWith('robot|1|1|0|')")
      try await page.waitForText("robot-2", in: "\(task):first-child")
      try await page.waitForText("taken", in: "\(task):first-child")
      try await page.waitForText("column 3 of 12", in: "\(task):first-child")
      try await Self.check(page)

      // 3. The saga's page names the worker. The answer ends the task on both pages.
      try await Self.press("\(task):first-child a", on: page)
      try await page.wait("location.hash === '#/saga/\(sagas[0].id)'")
      try await page.waitForText("taken by worker robot-2", in: "[aria-label=Steps] .scroll")
      let done = try await site.site.call("POST", target + "/complete", body: ["lease": given["lease"] ?? .null])
      #expect(done.status == 200)
      try await page.waitForText("completed", in: "#status")
      try await page.run("location.hash = '#/tasks'")
      try await page.wait("document.querySelectorAll('\(task)').length === 1")
      try await page.wait("document.querySelector('\(task) a').hash === '#/saga/\(sagas[1].id)'")
      #expect(page.complaints == [])
    }
  }
}

extension LiveSaga {
  /// Waits until a task of the saga is in a queue.
  fileprivate func offersTask(of queue: String, _ site: ConsoleSite) async throws {
    try await eventually("the task of \(id) is offered") {
      let listed = try await site.site.call("GET", "\(engine.url)/v1/tasks?queue=\(queue)").body["tasks"]
      return listed?.arrayValue?.contains { $0["saga"] == .string(id) } ?? false
    }
  }
}
