import JSON
import TestSupport
import Testing

@testable import saga

@Suite("saga items, and items in saga show", .timeLimit(.minutes(15)), .inTurn)
struct ItemsCommandTests {
  private static let id = Sample.id

  private static func page(_ items: [JSON], next: String? = nil) -> APIAnswer {
    var members: JSONObject = ["items": .array(items)]
    members["next"] = next.map(JSON.string)
    return .json(.object(members))
  }

  private static func item(_ key: String, _ status: String, _ more: KeyValuePairs<String, JSON> = [:]) -> JSON {
    var members =
      Sample.step([
        "id": .string("demultiplex[\(key)]"), "status": .string(status), "action": ["kind": "http"],
        "maxAttempts": 3, "startedAt": "2026-03-01T08:15:30.250Z",
      ]).objectValue ?? [:]
    for (name, value) in more { members[name] = value }
    return .object(members)
  }

  private static let done = item(
    "LIB-1", "succeeded",
    ["endedAt": "2026-03-01T08:15:31.750Z", "output": ["reads": 120_000_000, "path": "runs/7/1"]])
  private static let refused = item(
    "LIB-3", "failed",
    [
      "attempt": 3, "endedAt": "2026-03-01T08:15:42.000Z", "verbs": ["retry", "resolve", "skip"],
      "error": [
        "code": "http.422", "message": "pipeline answered 422: index CGTA is not in the sample sheet of the run",
        "outcome": "failed",
      ],
    ])
  private static let silent = item(
    "plate-0007/row-H/well-H12/replicate-2", "failed",
    [
      "attempt": 3, "endedAt": "2026-03-01T08:15:44.000Z", "verbs": ["retry", "resolve"],
      "error": ["code": "timeout", "message": "pipeline did not answer in 20s\u{1B}[2J.", "outcome": "unknown"],
    ])
  private static let pausing = item(
    "LIB-8", "backingOff", ["retryAt": "2026-03-01T08:15:48.000Z", "error": ["code": "http.503", "message": "busy"]])

  @Test("shows each item in 80 columns, with its error or its output, and how to retry one")
  func drawing() async throws {
    let tool = TestTool(answers: [Self.page([Self.done, Self.refused, Self.silent, Self.pausing], next: "c1")])
    let result = await tool.run("items", Self.id, "demultiplex")
    #expect(result.status == .success, "\(result.complaint)")
    try Golden.expect(result.output, is: "items")
    #expect(tool.requests.map(\.url) == ["http://127.0.0.1:8080/v1/sagas/\(Self.id)/steps/demultiplex/items"])
  }

  @Test("--status, --limit and --cursor are the engine's, and --all follows the cursors to the last page")
  func pages() async {
    let one = TestTool(answers: [Self.page([Self.refused])])
    _ = await one.run("items", Self.id, "demultiplex", "--status", "failed", "--limit", "7", "--cursor", "c0")
    #expect(one.requests[0].url.hasSuffix("/items?status=failed&limit=7&cursor=c0"))
    let all = TestTool(answers: [Self.page([Self.done], next: "c1"), Self.page([Self.refused])])
    let result = await all.run("items", Self.id, "demultiplex", "--all", "--json")
    #expect(result.output == Self.done.text() + "\n" + Self.refused.text() + "\n")
    #expect(
      all.requests.map { String($0.url.drop { $0 != "?" }) } == ["?limit=200", "?limit=200&cursor=c1"])
    // A page without items ends the list, whatever cursor it has.
    let empty = TestTool(answers: [Self.page([], next: "c1")])
    #expect(await empty.run("items", Self.id, "demultiplex", "--all").output == "No item of step demultiplex.\n")
    #expect(empty.requests.count == 1)
  }

  @Test("--json prints a page as the engine wrote it")
  func json() async throws {
    let result = await TestTool(answers: [Self.page([Self.done], next: "c1")]).run(
      "items", Self.id, "demultiplex", "--json")
    #expect(try JSON(parsing: result.output) == ["items": [Self.done], "next": "c1"])
  }

  @Test("an unknown status is a wrong command line, with the one that was meant")
  func unknownStatus() async {
    let tool = TestTool()
    let result = await tool.run("items", Self.id, "demultiplex", "--status", "faild")
    #expect(result.status == .usage && tool.requests.isEmpty)
    #expect(result.complaint.contains("\"faild\" is not a status of an item that has begun; did you mean failed?"))
  }

  // MARK: saga show

  private static func saga(_ statuses: JSON) -> JSON {
    Sample.saga([
      "steps": [
        Sample.step([
          "id": "demultiplex", "status": "running", "attempt": 0, "startedAt": "2026-03-01T08:15:30.250Z",
          "items": ["count": 96, "maxParallel": 4, "tolerated": 4, "statuses": statuses],
        ]),
        Sample.step(["id": "deliver", "status": "pending", "attempt": 0, "dependsOn": ["demultiplex"]]),
      ]
    ])
  }

  @Test("show has one line for the items of a step, and below it the failed ones with their codes")
  func show() async throws {
    let tool = TestTool(answers: [
      .json(Self.saga(["pending": 2, "running": 4, "succeeded": 82, "failed": 8])),
      Self.page([Self.refused, Self.silent], next: "c1"),
    ])
    let result = await tool.run("show", Self.id)
    #expect(result.status == .success, "\(result.complaint)")
    try Golden.expect(result.output, is: "show-items")
    #expect(
      tool.requests.map { String($0.url.drop { $0 != "?" }) } == ["", "?status=failed&limit=5"])
  }

  @Test("show asks for no items when none has failed, and --json asks for none at all")
  func showWithout() async throws {
    let calm = TestTool(answers: [.json(Self.saga(["succeeded": 96]))])
    let result = await calm.run("show", Self.id)
    #expect(result.output.contains("96 items: 96 succeeded"))
    #expect(calm.requests.count == 1)
    let json = TestTool(answers: [.json(Self.saga(["failed": 1]))])
    #expect(await json.run("show", Self.id, "--json").status == .success)
    #expect(json.requests.count == 1)
  }

  @Test("check --graph says for each of what a step is done, and how many at once")
  func checkGraph() async {
    let workflow = """
      { "name": "libraries", "version": 1, "steps": [
        { "id": "demultiplex", "compensation": "none",
          "forEach": { "items": "${input.libraries[*]}", "as": "library", "maxParallel": 4 },
          "http": { "service": "pipeline", "method": "PUT", "path": "/jobs/${index}" } } ] }
      """
    let result = await TestTool(input: [workflow]).run("check", "-", "--graph")
    #expect(
      result.output.contains(
        "  ●  demultiplex  PUT pipeline for each library (at most 4 at once); needs no\n                  undo\n"),
      "\(result.output)\(result.complaint)")
  }

  // MARK: Verbs and events

  @Test("a verb on one item names it behind the saga's id, as --step does")
  func verbs() async throws {
    for (words, members) in [
      (["retry", "demultiplex[LIB-3]"], ["step": "demultiplex[LIB-3]"]),
      (["retry", "--step", "demultiplex[LIB-3]"], ["step": "demultiplex[LIB-3]"]),
      (["skip", "demultiplex[LIB-3]", "--output", "{}"], ["step": "demultiplex[LIB-3]", "output": [:]]),
      (["resolve", "demultiplex[a/b]", "--happened"], ["step": "demultiplex[a/b]", "outcome": "happened"]),
    ] as [([String], JSON)] {
      let tool = TestTool(answers: [.json(Self.saga(["failed": 1]))])
      let result = await tool.run([words[0], Self.id] + words.dropFirst() + ["--reason", "r"])
      #expect(result.status == .success, "\(result.complaint)")
      var expected = members.objectValue ?? [:]
      expected["reason"] = "r"
      #expect(tool.requests.first?.request.json == .object(expected), "\(words)")
      #expect(tool.requests.count == 1, "the verb is done: nothing is read after it that could fail")
    }
    let twice = await TestTool().run("retry", Self.id, "a[1]", "--step", "a[2]", "--reason", "r")
    #expect(twice.status == .usage && twice.complaint.contains("retry wants the step once"))
  }

  @Test("events name the items and their number in words")
  func events() async {
    func event(_ version: Int, _ type: String, _ data: JSON) -> JSON {
      [
        "version": .int(version), "type": .string(type), "recordedAt": "2026-03-01T08:15:31.000Z", "data": data,
        "hash": "00",
      ]
    }
    let events: JSON = [
      "events": [
        event(2, "itemsOpened", ["at": "2026-03-01T08:15:31.000Z", "step": "demultiplex", "count": 96, "digest": "d"]),
        event(
          3, "attemptStarted",
          [
            "at": "2026-03-01T08:15:31.000Z", "step": "demultiplex[LIB-3]", "phase": "forward", "attempt": 1,
            "round": 1,
          ]),
        event(9, "itemsUndone", ["at": "2026-03-01T08:15:31.000Z", "step": "demultiplex"]),
      ]
    ]
    let result = await TestTool(answers: [.json(events)]).run("events", Self.id)
    #expect(
      result.output == """
        2026-03-01 UTC
           2  08:15:31.000  itemsOpened            demultiplex 96 items
           3  08:15:31.000  attemptStarted         demultiplex[LIB-3] try 1
           9  08:15:31.000  itemsUndone            demultiplex all items are undone

        """, "\(result.complaint)")
  }
}
