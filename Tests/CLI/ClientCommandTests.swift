import Foundation
import JSON
import Persistence
import TestSupport
import Testing

@testable import saga

@Suite("Commands that ask the engine", .timeLimit(.minutes(15)), .inTurn)
struct ClientCommandTests {
  static let id = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"
  static let line = Sample.summary()

  @Test("start sends the input, made of a value and its members")
  func start() async {
    let tool = TestTool(answers: [.json(Sample.saga(), status: 201)])
    let result = await tool.run(
      "start", "sample-processing", "--input", #"{"barcode":"A","n":{"x":1}}"#, "--set", "barcode=T-1", "--set",
      "volumeUl=500", "--set", "n.y=true", "--set=note=a=b", "--key", "K", "--tag", "t1", "--version", "2",
      variables: ["SAGA_SERVER": "engine:9/"])
    #expect(result.status == .success, "\(result.complaint)")
    #expect(result.output == Self.id + "\n")
    let sent = tool.requests[0]
    #expect(sent.url == "http://engine:9/v1/workflows/sample-processing/sagas")
    #expect(sent.request.header("Idempotency-Key") == "K")
    #expect(
      sent.request.json == [
        "input": ["barcode": "T-1", "n": ["x": 1, "y": true], "volumeUl": 500, "note": "a=b"], "version": 2,
        "tags": ["t1"],
      ])
  }

  @Test("start without a key generates one, and repeats the request with it when no answer came")
  func startAgain() async throws {
    let calls = Calls()
    let send: APIClient.Send = { (url, request) async throws(APIUnreachable) in
      if calls.add(request.header("Idempotency-Key")) < 3 {
        throw APIUnreachable(mayHaveArrived: true, why: "connection lost")
      }
      return .json(Sample.saga(), status: 200)
    }
    let client = APIClient(server: "http://x", user: nil, send: send)
    _ = try await SagaStart(workflow: "w", input: .null, key: "K1").send(with: client)
    #expect(calls.all == ["K1", "K1", "K1"])
  }

  @Test("start --wait draws the saga, and fails unless it completed", arguments: ["completed", "compensated"])
  func wait(_ name: String) async throws {
    let tool = TestTool(answers: [.json(try Golden.saga(name))])
    let result = await tool.run("start", "w", "--wait", "10s")
    #expect(result.status == (name == "completed" ? .success : .failure))
    #expect(result.output.contains("createSample"))
    #expect(tool.requests[0].url.hasSuffix("/v1/workflows/w/sagas?wait=10s"))
    #expect(tool.requests[0].request.timeout == .seconds(40))
  }

  @Test("an engine that does not answer is an error that says what to do")
  func refused() async {
    let result = await TestTool().run("show", Self.id)
    #expect(result.status == .failure)
    #expect(
      result.complaint.hasPrefix(
        "saga: No engine answers at http://127.0.0.1:8080; start one with `saga serve`\n"))
    #expect(result.complaint.contains("see `saga help cli.serverUnreachable`"))
  }

  @Test("a client trusts the authorities of its file or its variable, and those of the machine without either")
  func authorities() async throws {
    let folder = try TestFolder.new("authorities")
    let (named, other) = (folder.appendingPathComponent("a.pem").path, folder.appendingPathComponent("b.pem").path)
    for path in [named, other] { try Data("x".utf8).write(to: URL(fileURLWithPath: path)) }
    let cases: [(words: [String], variables: [String: String], file: String?)] = [
      ([], [:], nil), ([], ["SAGA_CA": ""], nil), ([], ["SAGA_CA": other], other), (["--ca", named], [:], named),
      (["--ca", named], ["SAGA_CA": other], named),
    ]
    for one in cases {
      let tool = TestTool(answers: [.json(["sagas": []])])
      _ = await tool.run(["list"] + one.words, variables: one.variables)
      #expect(try #require(tool.requests.first).request.authorities == one.file)
    }
    let tool = TestTool()
    let result = await tool.run("list", "--ca", folder.appendingPathComponent("none.pem").path)
    #expect(result.status == .failure && result.complaint.contains(CLIErrorCode.fileUnreadable))
    #expect(tool.requests.isEmpty)
  }

  @Test("an engine that can't be trusted is an error that says how to trust it")
  func untrusted() async throws {
    let send: APIClient.Send = { (_, _) async throws(APIUnreachable) in
      throw APIUnreachable(mayHaveArrived: false, isUntrusted: true, why: "its certificate is unknown")
    }
    let client = APIClient(server: "https://x", user: nil, send: send)
    let error = await #expect(throws: CLIError.self) { try await client.answer(to: APIRequest(path: ["v1", "stats"])) }
    #expect(error?.code == CLIErrorCode.serverUnreachable)
    #expect(error?.advice.joined().contains("--ca FILE") == true)
  }

  @Test("a refusal is printed with its places, its code and the command that explains it")
  func problem() async {
    let problem: JSON = [
      "type": "/errors/request.memberUnknown", "title": "Unknown member", "status": 400,
      "detail": "the body has no member \"inptu\"", "code": "request.memberUnknown",
      "errors": [["pointer": "/inptu", "message": "unknown member \"inptu\"", "nearName": "input"]],
    ]
    let result = await TestTool(answers: [.json(problem, status: 400)]).run("start", "w")
    #expect(result.status == .failure)
    #expect(
      result.complaint == """
        saga: the body has no member "inptu"
          unknown member "inptu" (did you mean "input"?) at /inptu
          code request.memberUnknown, see `saga help request.memberUnknown`

        """)
  }

  @Test("an answer that is not JSON is an error", arguments: [200, 502])
  func noJSON(_ status: Int) async {
    let result = await TestTool(answers: [APIAnswer(status: status, body: Array("<html>".utf8))]).run("show", Self.id)
    #expect(result.status == .failure)
    #expect(result.complaint.contains("cli.answerUnexpected"))
  }

  @Test("list fits 80 columns and shows why a saga failed")
  func list() async throws {
    let compensated = Sample.summary([
      "id": "019c8a5e-7b1c-7d2e-8f3a-0123456789ac", "workflow": "a-workflow-with-a-long-name", "version": 3,
      "status": "compensated", "startedAt": "2026-03-01T06:15:30.250Z", "endedAt": "2026-03-01T06:15:31.250Z",
      "failedStep": "allocateStorage", "failureCode": "storage.noPosition",
    ])
    let stuck = Sample.summary(["status": "stuck", "overdue": true])
    let titled = Sample.summary([
      "title": "TUBE-0001", "labels": ["patient": "P-17", "order": "ORD-2026-0417"], "failedStep": "storeSample",
      "failureCode": "timeout",
    ])
    let long = Sample.summary([
      "title": .string(String(repeating: "a long title ", count: 15)), "labels": ["patient": "P-17"],
    ])
    let undo = Sample.summary([
      "status": "stuck", "failedStep": "allocateStorage", "failureCode": "FREEZER_LOCKED", "causeStep": "qc",
      "causeCode": "QC_FAILED", "incident": "stuck-0f3a5c7e9b1d2f40",
    ])
    let labelled = Sample.summary(["labels": ["note": .string(String(repeating: "words ", count: 20))]])
    let sagas: JSON = [Self.line, compensated, stuck, titled, long, labelled, undo]
    let tool = TestTool(answers: [.json(["sagas": sagas, "next": "abc"])])
    let result = await tool.run("list", "--limit=3")
    try Golden.expect(result.output, is: "list")
    #expect(tool.requests[0].url.hasSuffix("/v1/sagas?limit=3"))
  }

  @Test("list passes every filter on, in the API's words")
  func filters() async {
    let tool = TestTool(answers: [.json(["sagas": []])])
    let result = await tool.run(
      "list", "--stuck", "--overdue", "--step", "a", "--step-status", "waiting", "--error", "http.*", "--tag", "t",
      "--cause", "QC_FAILED", "--incident", "stuck-0f3a5c7e9b1d2f40",
      "--tag", "u", "--q", "lab 1", "--started-after", "2026-03-01T00:00:00Z", "--min-attempts", "2", "--sort",
      "-endedAt",
      "--facets", "--label", "patient=P-17", "--label", "note=a=b:c")
    #expect(result.output == "No sagas.\n")
    let url = tool.requests[0].url
    for part in [
      "stuck=true", "overdue=true", "step=a", "stepStatus=waiting", "error=http.", "cause=QC_FAILED",
      "incident=stuck-0f3a5c7e9b1d2f40", "tag=t", "tag=u", "q=lab%201",
      "startedAfter=2026-03-01T00", "minAttempts=2", "sort=-endedAt", "facets=true",
      "label=patient%3AP-17", "label=note%3Aa%3Db%3Ac",
    ] { #expect(url.contains(part), "\(part) in \(url)") }
  }

  @Test(
    "list takes the other names of its filters",
    arguments: [
      ("version", "workflow-version", "2"), ("q", "text", "lab"), ("started-after", "since", "2026-03-01T00:00:00Z"),
      ("started-before", "until", "2026-03-01T00:00:00Z"), ("ended-after", "ended-since", "2026-03-01T00:00:00Z"),
      ("ended-before", "ended-until", "2026-03-01T00:00:00Z"),
    ])
  func olderFilters(_ newer: String, _ older: String, _ value: String) async {
    var urls: [String] = []
    for name in [newer, older] {
      let tool = TestTool(answers: [.json(["sagas": []])])
      _ = await tool.run("list", "--\(name)", value)
      urls += tool.requests.map(\.url)
    }
    #expect(urls.count == 2 && urls[0] == urls[1] && urls[0].contains("="), "\(urls)")
  }

  @Test("list --facets prints counts, the largest first")
  func facets() async throws {
    let facets: JSON = [
      "status": ["stuck": 2, "running": 40], "workflow": ["sample-processing": 42],
      "error": ["a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7], "cause": ["z": 3], "step": [:],
      "atLeast": true,
    ]
    let tool = TestTool(answers: [.json(["sagas": [Self.line], "facets": facets])])
    try Golden.expect(await tool.run("list", "--facets").output, is: "list-facets")
  }

  @Test("timeline is in order of time")
  func timeline() async throws {
    let timeline: JSON = [
      "start": "2026-03-01T08:15:30.250Z", "end": "2026-03-01T08:16:30.250Z",
      "spans": [
        [
          "step": "createSample", "phase": "forward", "kind": "attempt", "attempt": 1,
          "from": "2026-03-01T08:15:30.250Z", "to": "2026-03-01T08:15:31.900Z", "outcome": "failed", "code": "http.503",
        ],
        [
          "step": "createSample", "phase": "forward", "kind": "backoff", "from": "2026-03-01T08:15:31.900Z",
          "to": "2026-03-01T08:15:33.000Z", "outcome": "over",
        ],
        ["step": "createSample", "phase": "undo", "kind": "attempt", "attempt": 2, "from": "2026-03-01T08:15:40.000Z"],
      ],
      "marks": [
        ["at": "2026-03-01T08:15:30.250Z", "what": "started", "by": "lims"],
        ["at": "2026-03-01T08:15:35.000Z", "what": "turned back", "by": "j.meier", "reason": "the tube broke"],
      ],
    ]
    try Golden.expect(
      await TestTool(answers: [.json(timeline)]).run("timeline", Self.id).output, is: "timeline")
  }

  @Test("projections prints the lag and the progress of a rebuild")
  func projections() async throws {
    let behind: JSON = [
      "store": "sqlite", "generation": 3, "lag": 1200, "lagSeconds": 12.5,
      "shards": [
        ["shard": 0, "position": 10, "head": 10, "lag": 0], ["shard": 17, "position": 800, "head": 2000, "lag": 1200],
      ],
      "rebuild": ["generation": 4, "events": 500, "of": 2010],
    ]
    let tool = TestTool(answers: [.json(behind), .json(behind)])
    try Golden.expect(await tool.run("projections").output, is: "projections")
    #expect(await tool.run("projections", "rebuild").status == .success)
    #expect(tool.requests[1].url.hasSuffix("/v1/projections/rebuild"))
  }

  @Test("list --all goes through the pages, --json prints them as one")
  func pages() async {
    let tool = TestTool(answers: [.json(["sagas": [Self.line], "next": "a b"]), .json(["sagas": [Self.line]])])
    let result = await tool.run("list", "--all", "--json", "--status", "running")
    #expect((try? JSON(parsing: result.output)) == ["sagas": [Self.line, Self.line]])
    #expect(tool.requests[1].url.hasSuffix("/v1/sagas?status=running&limit=200&cursor=a%20b"))
  }

  @Test("list refuses an unknown status")
  func status() async {
    let result = await TestTool().run("list", "--status", "stcuk")
    #expect(result.status == .usage)
    #expect(result.complaint.contains("did you mean stuck?"))
  }

  @Test("list refuses a label that is not NAME=VALUE", arguments: ["patient", "=P-17"])
  func label(_ value: String) async {
    let result = await TestTool().run("list", "--label", value)
    #expect(result.status == .usage)
    #expect(result.complaint.contains("--label wants NAME=VALUE, as patient=P-17, not \"\(value)\""))
  }

  @Test("events prints one line for each event")
  func events() async throws {
    let page: JSON = [
      "events": [
        [
          "version": 1, "type": "sagaStarted", "recordedAt": "2026-03-01T08:15:30.250Z", "hash": "00",
          "data": ["workflow": "sample-processing", "version": 1], "meta": ["by": "lims"],
        ],
        [
          "version": 2, "type": "attemptStarted", "recordedAt": "2026-03-01T08:15:30.251Z", "hash": "00",
          "data": ["step": "createSample", "attempt": 1], "meta": [:],
        ],
        [
          "version": 3, "type": "cancelRequested", "recordedAt": "2026-03-01T08:15:31.000Z", "hash": "00",
          "data": ["reason": "the patient withdrew consent, and the tube must not be touched again"],
          "meta": ["by": "anna"],
        ],
        [
          "version": 4, "type": "stepProgressed", "recordedAt": "2026-03-01T08:15:32.000Z", "hash": "00",
          "data": ["step": "thaw", "phase": "forward", "attempt": 1, "fraction": 0.4, "message": "at -20, going on"],
        ],
        [
          "version": 5, "type": "answerIgnored", "recordedAt": "2026-03-01T08:15:33.000Z", "hash": "00",
          "data": [
            "step": "thaw", "phase": "undo", "round": 1, "attempt": 2, "why": "late", "outcome": "failed",
            "code": "BUSY", "answer": "laboratory.replies/3/17",
          ],
        ],
      ]
    ]
    let result = await TestTool(answers: [.json(page)]).run("events", Self.id)
    try Golden.expect(result.output, is: "events")
  }

  @Test(
    "a verb without a reason is refused",
    arguments: ["cancel", "retry", "abandon", "pause", "resume", "compensate", "run-now"])
  func reasons(_ verb: String) async {
    for words in [[verb, Self.id], [verb, Self.id, "--reason", " "]] {
      let tool = TestTool()
      let result =
        words.count == 2 ? await tool.run(words[0], words[1]) : await tool.run(words[0], words[1], words[2], words[3])
      #expect(result.status == .usage)
      #expect(result.complaint.contains("wants --reason TEXT"))
      #expect(tool.requests.isEmpty)
    }
  }

  @Test("a verb is sent with its reason and user")
  func verb() async throws {
    let tool = TestTool(answers: [.json(try Golden.saga("running"))])
    let result = await tool.run("retry", Self.id, "--step", "a", "--reason", "it is back", "--user", "anna")
    #expect(result.status == .success)
    #expect(tool.requests[0].url.hasSuffix("/v1/sagas/\(Self.id)/retry"))
    #expect(tool.requests[0].request.json == ["reason": "it is back", "step": "a"])
    #expect(tool.requests[0].request.header("Saga-User") == "anna")
  }

  @Test(
    "resolve says one thing",
    arguments: [("--happened", "happened"), ("--did-not-happen", "didNotHappen"), ("--undone", "undone")])
  func resolve(_ option: String, _ outcome: JSON) async throws {
    let tool = TestTool(answers: [.json(try Golden.saga("running"))])
    #expect(await tool.run("resolve", Self.id, "--step", "a", option, "--reason", "seen").status == .success)
    #expect(tool.requests[0].request.json?["outcome"] == outcome)
    let both = await TestTool().run("resolve", Self.id, "--step", "a", "--happened", "--undone", "--reason", "seen")
    #expect(both.status == .usage)
  }

  @Test("an empty word is refused without a request")
  func noID() async {
    let tool = TestTool()
    #expect(await tool.run("show", "").status == .usage)
    #expect(tool.requests.isEmpty)
  }

  @Test("list shows that running sagas are paused, retry or wait, and for what")
  func signs() async throws {
    func saga(_ number: Int, _ members: KeyValuePairs<String, JSON>) -> JSON {
      var summary = Sample.summary(members).objectValue ?? [:]
      summary["id"] = .string("019c8a5e-7b\(number)c-7d2e-8f3a-0123456789ab")
      return .object(summary)
    }
    let sagas: JSON = [
      saga(1, ["paused": true, "waitingFor": ["qa-approval"]]), saga(2, ["retrying": true, "waitingFor": ["delay"]]),
      saga(3, ["waitingFor": ["qa-approval", "turn"]]), saga(4, ["waitingFor": ["answer", "child"]]),
      saga(5, ["status": "compensating", "retrying": true, "overdue": true]),
      saga(6, ["status": "stuck", "paused": true, "workflow": .string(String(repeating: "long", count: 20))]),
      saga(7, ["waitingFor": [.string(String(repeating: "long", count: 30))], "paused": true, "retrying": true]),
      saga(8, ["status": "completed", "endedAt": "2026-03-01T08:15:31.250Z", "waitingFor": ["answer"]]),
    ]
    let tool = TestTool(answers: [.json(["sagas": sagas])])
    try Golden.expect(await tool.run("list").output, is: "list-signs")
    let full = await TestTool(answers: [.json(["sagas": sagas])]).run("list", "--full-ids").output
    #expect(full.contains("019c8a5e-7b1c-7d2e-8f3a-0123456789ab  ‖ paused"))
  }

  @Test("signal prints the result of the signal")
  func signal() async {
    let tool = TestTool(answers: [
      .json(
        ["signal": "approval", "answer": "kept", "by": "anna", "at": "2026-03-01T08:12:00.000Z", "event": 4],
        status: 202)
    ])
    let result = await tool.run("signal", Self.id, "an approval", "--body", #"{"ok":true}"#)
    #expect(result.output.hasPrefix("kept: "))
    #expect(tool.requests[0].url.hasSuffix("/signals/an%20approval"))
    #expect(tool.requests[0].request.json == ["ok": true])
    #expect(tool.requests[0].request.header("Idempotency-Key") != nil)
  }

  @Test(
    "signal prints the step that took it, and for a repeat the first sender",
    arguments: [
      (["answer": "taken", "step": "first"], "taken: step first, which waited for go, took it"),
      (
        ["answer": "taken", "step": "first", "phase": "undo"],
        "taken: the undo of step first, which waited for go, took it"
      ),
      (
        ["answer": "kept", "candidates": ["a", "b"]],
        "kept: no step waits for go yet; the first of these steps that accepts it takes it: a, b"
      ),
      (
        ["answer": "repeated", "became": "taken", "step": "first"],
        "repeated: anna sent it at 2026-03-01T08:12:00.000Z. Nothing was done again; step first, which waited for go, took it"
      ),
    ] as [(JSON, String)])
  func signalLine(members: JSON, line: String) throws {
    var answer: JSONObject = ["signal": "go", "by": "anna", "at": "2026-03-01T08:12:00.000Z", "event": 4]
    for (name, value) in members.objectValue ?? [:] { answer[name] = value }
    #expect(SignalLine.text(of: try EngineAnswer(.object(answer)).read()) == line)
  }

  static let stats: JSON = [
    "at": "2026-03-01T08:15:30.250Z", "sagas": ["running": 2, "stuck": 1, "completed": 96], "held": [],
    "lists": ["lagEvents": 3, "lagSeconds": 2.0],
  ]

  @Test("status prints counts of sagas")
  func engineStatus() async throws {
    let tool = TestTool(
      answers: [
        .json(["status": "ready"]), .json(Self.stats), .json(EchoTests.off, status: 404), .json(NoticeTests.none),
      ])
    try Golden.expect(await tool.run("status").output, is: "status")
    let starting = TestTool(answers: [.json(["code": "x", "detail": "recovering"], status: 503)])
    #expect(await starting.run("status").status == .failure)
  }

  @Test("status shows the state of the echo, and the reasons of a degraded engine")
  func echoStatus() async throws {
    let well = TestTool(answers: [
      .json(["status": "ready"]), .json(Self.stats), .json(EchoTests.echo()), .json(NoticeTests.none),
    ])
    #expect(await well.run("status").output.contains("\n  echo       current, 0 events behind\n"))
    let degraded: JSON = [
      "status": "degraded",
      "reasons": [
        [
          "code": "echo.held",
          "message": .string(
            "The echo to laboratory.saga.events is blocked "
              + "(kafka.unavailable): Kafka is out of reach: 1/1 brokers are down"),
        ]
      ],
    ]
    let tool = TestTool(answers: [
      .json(degraded), .json(Self.stats), .json(EchoTests.held), .json(NoticeTests.failing),
    ])
    let result = await tool.run("status")
    #expect(result.status == .success)
    try Golden.expect(result.output, is: "status-degraded")
    let away: JSON = ["code": "store.unavailable", "detail": "The store is away."]
    let unknown = TestTool(
      answers: [.json(["status": "ready"]), .json(Self.stats), .json(away, status: 503), .json(away, status: 503)])
    let told = await unknown.run("status").output
    #expect(told.contains("  echo       not known: The store is away."))
    #expect(told.contains("  notices    not known: The store is away."))
    let json = TestTool(answers: [.json(degraded), .json(Self.stats)])
    let read = try JSON(parsing: await json.run("status", "--json").output)
    #expect(read["status"] == "degraded")
    #expect(read["reasons"] == degraded["reasons"])
    #expect(read["sagas"] == Self.stats["sagas"])
  }
}

@Suite("Error messages of the command line", .timeLimit(.minutes(15)), .inTurn)
struct ComplaintTests {
  @Test("the detail of a store error is printed")
  func storeDetail() {
    let error = StoreError(
      .unavailable, "the store can't be reached", detail: "port 5432: Connection refused\n\tIs it up?")
    let text = Complaint.text(of: error, style: .plain)
    #expect(text.contains("  port 5432: Connection refused Is it up?\n"))
    #expect(text.contains("code store.unavailable"))
  }

  @Test("a single error that repeats the detail is printed once; one with a near name is printed too")
  func places() {
    let message: JSON = "/version must be an integer from 1."
    let one: JSON = ["pointer": "/version", "line": 1, "column": 23, "message": message]
    let problem: JSON = ["code": "request.memberInvalid", "detail": message, "errors": [one]]
    #expect(APIRefusal(status: 400, problem: problem, server: "http://x").advice == [])
    let near: JSON = [
      "code": "request.memberUnknown", "detail": message, "errors": [["message": message, "nearName": "input"]],
    ]
    #expect(APIRefusal(status: 400, problem: near, server: "http://x").advice.count == 1)
  }
}
