import JSON
import TestSupport
import Testing
import Values

@testable import saga

@Suite("Verbs on many sagas", .timeLimit(.minutes(15)), .inTurn)
struct OperationCommandTests {
  static let id = "019c8a5e-7b1c-7d2e-8f3a-0123456789ff"
  static let saga = ClientCommandTests.id

  private static let preview: JSON = [
    "dryRun": true, "verb": "retry", "request": ["verb": "retry"], "sagas": 2, "takes": 1, "refuses": 1,
    "selection": "0123456789abcdef", "needsApproval": false,
    "items": [
      ["saga": .string(saga), "workflow": "sample-processing", "status": "stuck", "takes": true],
      [
        "saga": .string(id), "workflow": "sample-processing", "status": "completed", "takes": false,
        "code": "saga.ended", "message": "The saga is completed: it has ended and can't change.",
      ],
    ],
  ]

  private static func operation(_ status: String, done: Int, more: [(String, JSON)] = []) -> JSON {
    .object(
      JSONObject(
        [
          ("id", .string(id)), ("status", .string(status)), ("verb", "retry"), ("request", ["verb": "retry"]),
          ("sagas", 37), ("done", .int(done)), ("refused", 0), ("left", .int(37 - done)), ("refusals", [:]),
          ("rate", 10), ("rampSeconds", 0), ("needsApproval", false), ("by", "anna"),
          ("reason", "the freezer is back"), ("startedAt", .string(Golden.now.description)),
        ] + more))
  }

  @Test("a preview shows refusals first, and the command that runs the operation")
  func preview() async throws {
    let tool = TestTool(answers: [.json(Self.preview)])
    let result = await tool.run("ops", "preview", "retry", "--stuck", "--error", "storage.*")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(
      result.output == """
        2 sagas: 1 accept retry, 1 refuse it. Nothing was done.
        ID                                    STATUS         WORKFLOW           REFUSES
        019c8a5e-7b1c-7d2e-8f3a-0123456789ff  ✓ completed    sample-processing  saga.ended
          The saga is completed: it has ended and can't change.
        \(Self.saga)  ! stuck        sample-processing
        To run exactly this:
          saga ops run retry --error 'storage.*' --stuck \\
            --selection 0123456789abcdef --reason WHY

        """)
    let request = try #require(tool.requests.first)
    #expect(
      request.request.json == ["verb": "retry", "filter": ["error": "storage.*", "stuck": true], "dryRun": true])
  }

  @Test("a filter by labels is shown as it was typed, and sent in the API's form")
  func labels() async throws {
    let tool = TestTool(answers: [.json(Self.preview)])
    let result = await tool.run(
      "ops", "preview", "retry", "--label", "patient=P-17", "--label", "note=two words", "--stuck")
    #expect(result.output.contains("saga ops run retry --label patient=P-17 --label 'note=two words' --stuck"))
    #expect(
      tool.requests.first?.request.json == [
        "verb": "retry", "filter": ["label": ["patient:P-17", "note:two words"], "stuck": true], "dryRun": true,
      ])
  }

  @Test("run sends the selection and shows the operation")
  func run() async throws {
    let ended = Self.operation(
      "finished", done: 37,
      more: [("standing", ["compensated": 35, "stuck": 2]), ("endedAt", .string(Golden.now.description))])
    let tool = TestTool(answers: [.json(Self.operation("running", done: 0), status: 202), .json(ended)])
    let result = await tool.run(
      "ops", "run", "retry", "--stuck", "--selection", "0123456789abcdef", "--reason", "the freezer is back", "--rate",
      "10", "--user", "anna")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(result.output.contains("retry on 37 sagas, 10 a second"))
    #expect(result.output.contains("0 done, 0 refused, 37 left"))
    let request = try #require(tool.requests.first?.request)
    #expect(
      request.json == [
        "verb": "retry", "filter": ["stuck": true], "reason": "the freezer is back", "selection": "0123456789abcdef",
        "rate": 10,
      ])
    #expect(request.header("Saga-User") == "anna" && request.header("Idempotency-Key")?.isEmpty == false)
    let shown = await tool.run("ops", "show", Self.id)
    #expect(shown.output.contains("they are  compensated 35, stuck 2"))
    #expect(shown.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }

  @Test("an operation that waits says how to approve it, also after a verb on one saga")
  func waiting() async throws {
    let waiting = Self.operation("waiting", done: 0)
    for words in [["ops", "show", Self.id], ["abandon", Self.saga, "--reason", "gone"]] {
      let result = await TestTool(answers: [.json(waiting, status: 202)]).run(words)
      #expect(result.output.contains("waits for a second person"), "\(result.output)\(result.complaint)")
      #expect(result.output.contains("  saga ops approve \(Self.id) --reason WHY"))
    }
  }

  @Test(
    "a decision is sent with its reason",
    arguments: ["approve", "decline", "stop"])
  func words(_ word: String) async throws {
    let tool = TestTool(answers: [.json(Self.operation("running", done: 3))])
    let result = await tool.run("ops", word, Self.id, "--reason", "seen", "--user", "ben")
    #expect(result.status == .success, "\(result.complaint)")
    let request = try #require(tool.requests.first)
    #expect(request.url.hasSuffix("/v1/operations/\(Self.id)/\(word)"))
    #expect(request.request.json == ["reason": "seen"] && request.request.header("Saga-User") == "ben")
  }

  @Test(
    "wrong usage is refused without a request",
    arguments: [
      ["ops", "preview", "retry"], ["ops", "run", "retry", "--stuck", "--reason", "r"],
      ["ops", "run", "retry", "--stuck", "--selection", "x"],
      ["ops", "run", "retry", "--stuck", "--selection", "x", "--reason", "r", "--rate", "fast"],
      ["ops", "run", "retry", "--stuck", "--selection", "x", "--reason", "r", "--rate", "inf"],
      ["ops", "preview", "retry", "--stuck", "--saga", "a"], ["ops", "preview", "retry", "--status", "stuk"],
      ["ops", "stop", "x"], ["serve", "--requires-approval", "abandn"],
    ])
  func usage(_ words: [String]) async {
    let tool = TestTool()
    let result = await tool.run(words)
    #expect(result.status == .usage, "\(result.output)\(result.complaint)")
    #expect(tool.requests.isEmpty)
  }

  @Test("watch prints each change once, the oldest first")
  func watch() async throws {
    func page(_ status: String) -> APIAnswer {
      .json([
        "sagas": [
          Sample.summary(["id": .string(Self.id), "workflow": "a", "status": .string(status)]),
          Sample.summary(["id": .string(Self.saga), "workflow": "b", "status": "stuck"]),
        ]
      ])
    }
    let result = await TestTool(answers: [page("running")]).run("watch", "--stuck", "--rounds", "1")
    #expect(result.status == .success, "\(result.complaint)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 4 && lines[0] == "now  2026-03-01 08:15:45 UTC", "\(lines)")
    #expect(lines[2].hasPrefix(Self.saga) && lines[3].hasPrefix(Self.id))
  }

  @Test("watch begins with the counts of now, and then prints what changes")
  func watchChanges() async throws {
    func page(_ status: String, _ more: KeyValuePairs<String, JSON> = [:]) -> APIAnswer {
      var answer: JSONObject = ["sagas": [Sample.summary(["id": .string(Self.id), "status": .string(status)])]]
      for (name, value) in more { answer[name] = value }
      return .json(.object(answer))
    }
    let counts: JSON = ["status": ["running": 40, "stuck": 2], "workflow": [:], "error": [:], "step": [:]]
    let tool = TestTool(answers: [page("running", ["facets": counts]), page("running"), page("stuck")])
    async let watched = tool.run("watch", "--rounds", "3")
    for _ in 1...2 {
      await tool.clock.waitForSleepers { $0.count == 1 }
      tool.clock.advance(by: .seconds(1))
    }
    let lines = await watched.output.split(separator: "\n")
    #expect(tool.requests.map { $0.url.contains("facets=true") } == [true, false, false])
    #expect(lines.count == 6 && lines[1] == "status    running 40, stuck 2", "\(lines)")
    #expect(lines[4] == "What changes from now on:" && lines[5].contains("! stuck"))
  }

  @Test("watch of one saga begins with the saga as it is, and follows its events from there")
  func watchOne() async throws {
    let event: JSON = [
      "version": 18, "type": "sagaCompleted", "recordedAt": "2026-03-01T08:15:46.000Z", "hash": "00", "data": [:],
      "meta": [:],
    ]
    let running = Sample.saga(["lastEvent": 17])
    let ended = Sample.saga(["lastEvent": 18, "status": "completed", "endedAt": "2026-03-01T08:15:46.000Z"])
    let answers: [APIAnswer] = [.json(running), .json(ended), .json(["events": [event]])]
    let tool = TestTool(answers: answers)
    let output = await tool.run("watch", Sample.id).output
    #expect(output.hasPrefix("now  2026-03-01 08:15:45 UTC\n▸ running  sample-processing v1\n"), "\(output)")
    let tail = "What happens from now on:\n2026-03-01 UTC\n  18  08:15:46.000  sagaCompleted\n"
    #expect(output.hasSuffix(tail), "\(output)")
    #expect(tool.requests.last?.url.contains("after=17") == true)
    let json = await TestTool(answers: answers).run("watch", Sample.id, "--json").output.split(separator: "\n")
    #expect(try JSON(parsing: String(json[0])) == ["now": running])
    #expect(try JSON(parsing: String(json[1])) == event)
    let over = TestTool(answers: [.json(ended)])
    #expect(await over.run("watch", Sample.id).status == .success)
    #expect(over.requests.count == 1, "a saga that has ended has nothing to follow")
  }
}
