import JSON
import TestSupport
import Testing
import Values
import Wire

@testable import saga

@Suite("saga migrate, and drafts on the command line", .timeLimit(.minutes(15)), .inTurn)
struct MigrateCommandTests {
  private static let ids = (1...4).map { "019c8a5e-7b1c-7d2e-8f3a-00000000000\($0)" }
  private static let why = "The saga can't move to version 2: it has begun step weigh, and there: its action changed."

  private static func preview(taken: Int, refused: Int, needsApproval: Bool = false) -> JSON {
    let items: [JSON] = (0..<(taken + refused)).map { number in
      var item: JSONObject = [
        "saga": .string(ids[number]), "workflow": "store-tube", "status": "running", "takes": .bool(number < taken),
      ]
      if number >= taken {
        item["code"] = "saga.notMovable"
        item["message"] = .string(why)
      }
      return .object(item)
    }
    return [
      "dryRun": true, "verb": "migrate", "request": ["verb": "migrate", "to": 2], "sagas": .int(taken + refused),
      "takes": .int(taken), "refuses": .int(refused), "selection": "0123456789abcdef",
      "needsApproval": .bool(needsApproval), "items": .array(items),
    ]
  }

  private static let operation: JSON = [
    "id": .string(OperationCommandTests.id), "status": "running", "verb": "migrate",
    "request": ["verb": "migrate", "to": 2], "sagas": 4, "done": 0, "refused": 0, "left": 4, "refusals": [:],
    "rate": 10,
    "rampSeconds": 0, "needsApproval": false, "by": "anna", "reason": "new address",
    "startedAt": .string(Golden.now.description),
  ]

  private static func workflow(_ version: Int) -> APIAnswer {
    .json(
      WorkflowResponse(
        name: "store-tube", version: version, versions: [version], digest: "0", registeredAt: Golden.now,
        registeredBy: "anna", definition: DiffCommandTests.first
      ).json)
  }

  @Test("--dry-run says how many sagas can move, and groups the others by the reason")
  func dryRun() async throws {
    let tool = TestTool(answers: [.json(Self.preview(taken: 2, refused: 2))])
    let result = await tool.run("migrate", "store-tube@1", "store-tube@2", "--dry-run")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(
      result.output == """
        4 sagas of store-tube v1:
              2  can move to v2
              2  The saga can't move to version 2: it has begun step weigh, and there:
                 its action changed.
                 \(Self.ids[2]),
                 \(Self.ids[3])

        """)
    let request = try #require(tool.requests.first)
    #expect(request.url.hasSuffix("/v1/operations"))
    #expect(
      request.request.json == [
        "verb": "migrate",
        "filter": ["workflow": "store-tube", "version": 1, "status": ["running", "compensating", "stuck"]], "to": 2,
        "dryRun": true,
      ])
  }

  @Test("A move runs exactly the sagas of its preview, and shows the operation")
  func moves() async throws {
    let tool = TestTool(answers: [
      .json(Self.preview(taken: 4, refused: 0)), .json(Self.operation, status: 202),
    ])
    let result = await tool.run(
      "migrate", "store-tube@1", "store-tube@2", "--reason", "new address", "--rate", "5", "--key", "k-1")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(result.output.contains("4  can move to v2"))
    #expect(result.output.contains("migrate to version 2 on 4 sagas, 10 a second"))
    let request = try #require(tool.requests.last?.request)
    #expect(request.json?["selection"] == "0123456789abcdef" && request.json?["reason"] == "new address")
    #expect(request.json?["dryRun"] == nil && request.json?["rate"] == 5)
    #expect(request.header("Idempotency-Key") == "k-1")
  }

  @Test("Nothing is begun when no saga can move")
  func none() async throws {
    let tool = TestTool(answers: [.json(Self.preview(taken: 0, refused: 1))])
    let result = await tool.run("migrate", "store-tube@1", "store-tube@2", "--reason", "r")
    #expect(result.status == .failure && tool.requests.count == 1)
    let empty = TestTool(answers: [.json(Self.preview(taken: 0, refused: 0))])
    let nothing = await empty.run("migrate", "store-tube@1", "store-tube@2", "--reason", "r")
    #expect(nothing.status == .success && nothing.output == "No saga of store-tube v1 is open.\n")
  }

  @Test("One saga moves by its own route, when it is on the first version")
  func one() async throws {
    let saga = Sample.saga(["workflow": "store-tube", "version": -2, "draft": true])
    let moved = Sample.saga(["workflow": "store-tube", "version": -3, "draft": true])
    let tool = TestTool(answers: [Self.workflow(-3), .json(saga), .json(moved)])
    let result = await tool.run(
      "migrate", "store-tube@draft-2", "store-tube@draft", "--saga", Sample.id, "--reason", "corrected")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(result.output.contains("store-tube draft 3"))
    #expect(
      tool.requests.map(\.url).map { $0.replacing("http://127.0.0.1:8080", with: "") } == [
        "/v1/workflows/store-tube/draft", "/v1/sagas/\(Sample.id)", "/v1/sagas/\(Sample.id)/migrate",
      ])
    #expect(tool.requests.last?.request.json == ["reason": "corrected", "to": -3])
    let elsewhere = TestTool(answers: [.json(Sample.saga(["workflow": "store-tube", "version": 3]))])
    let refused = await elsewhere.run(
      "migrate", "store-tube@1", "store-tube@2", "--saga", Sample.id, "--reason", "r")
    #expect(refused.status == .usage && refused.complaint.contains("is on store-tube v3, not on store-tube v1"))
  }

  @Test(
    "Wrong words are refused without a request",
    arguments: [
      ["a.json", "store-tube@2"], ["store-tube@1", "other@2"], ["store-tube@1", "store-tube@1"],
      ["store-tube@0", "store-tube@1"], ["store-tube@draft-0", "store-tube@1"], ["store-tube@1"],
    ])
  func usage(_ words: [String]) async {
    let tool = TestTool()
    #expect(await tool.run(["migrate"] + words + ["--reason", "r"]).status == .usage)
    #expect(tool.requests.isEmpty)
  }

  @Test("A move without a reason is refused")
  func reason() async {
    let tool = TestTool()
    #expect(await tool.run("migrate", "store-tube@1", "store-tube@2").status == .usage)
    #expect(tool.requests.isEmpty)
  }

  // MARK: Drafts

  @Test("register --draft asks for a draft and prints its number")
  func registers() async throws {
    let answer: JSON = [
      "name": "store-tube", "version": -3, "draft": true, "digest": "0", "created": true, "warnings": [],
    ]
    let tool = TestTool(input: [DiffCommandTests.first.text()], answers: [.json(answer, status: 201)])
    let result = await tool.run("workflows", "register", "--draft", "-")
    #expect(result.output == "registered store-tube draft 3\n", "\(result.complaint)")
    #expect(tool.requests.first?.url.hasSuffix("/v1/workflows?draft=true") == true)
  }

  @Test(
    "start names the draft",
    arguments: [
      (["--draft"], ["version": "draft"]), (["--version", "draft"], ["version": "draft"]),
      (["--version", "draft-2"], ["version": -2]), (["--version", "2"], ["version": 2]), ([], [:]),
    ] as [([String], JSONObject)])
  func starts(_ words: [String], _ members: JSONObject) async throws {
    let tool = TestTool(answers: [.json(Sample.saga(["version": -2, "draft": true]), status: 201)])
    let result = await tool.run(["start", "store-tube", "--key", "k"] + words)
    #expect(result.status == .success, "\(result.complaint)")
    var expected: JSONObject = ["input": [:]]
    for (name, value) in members { expected[name] = value }
    #expect(tool.requests.first?.request.json == .object(expected))
  }

  @Test("start takes one of --draft and --version")
  func startsOne() async {
    let tool = TestTool()
    #expect(await tool.run("start", "store-tube", "--draft", "--version", "2").status == .usage)
    #expect(await tool.run("start", "store-tube", "--version", "draft2").status == .usage)
    #expect(tool.requests.isEmpty)
  }

  @Test("list filters drafts and shows their numbers")
  func lists() async throws {
    let page: JSON = ["sagas": [Sample.summary(["version": -2, "draft": true])]]
    let tool = TestTool(answers: [.json(page), .json(page)])
    let result = await tool.run("list", "--draft")
    #expect(result.output.contains("\n  draft 2\n"), "\(result.output)")
    #expect(tool.requests.first?.url.hasSuffix("/v1/sagas?draft=true") == true)
    _ = await tool.run("list", "--version", "draft-2")
    #expect(tool.requests.last?.url.hasSuffix("/v1/sagas?version=-2") == true)
    #expect(await tool.run("list", "--version", "draft").status == .usage)
  }

  @Test("diff compares the latest draft with a file")
  func differs() async throws {
    let tool = TestTool(input: [DiffCommandTests.second.text()], answers: [Self.workflow(-3)])
    let result = await tool.run("diff", "store-tube@draft", "-")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(result.output.hasPrefix("store-tube draft 3 → store-tube v2\n"))
    #expect(result.output.contains("A running saga of draft 3 could move when it has not yet begun:"))
    #expect(tool.requests.first?.url.hasSuffix("/v1/workflows/store-tube/draft") == true)
  }
}
