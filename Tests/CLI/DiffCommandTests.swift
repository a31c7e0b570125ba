import Foundation
import JSON
import TestSupport
import Testing
import Values
import Wire

@testable import saga

@Suite("saga diff", .timeLimit(.minutes(15)), .inTurn)
struct DiffCommandTests {
  static let first: JSON = [
    "name": "store-tube", "version": 1, "timeout": "5m",
    "inputSchema": ["type": "object", "properties": ["barcode": ["type": "string"]]],
    "steps": [
      [
        "id": "register",
        "http": ["service": "rack", "method": "PUT", "path": "/tubes/${input.barcode}", "body": ["ward": "W01"]],
        "compensation": ["http": ["service": "rack", "method": "DELETE", "path": "/tubes/${input.barcode}"]],
      ],
      ["id": "weigh", "http": ["service": "scale", "method": "POST", "path": "/weighings"], "compensation": "none"],
      ["id": "pause", "delay": ["for": "1s"]],
    ],
  ]
  static let second: JSON = [
    "name": "store-tube", "version": 2, "timeout": "10m",
    "inputSchema": ["type": "object", "required": ["barcode"], "properties": ["barcode": ["type": "string"]]],
    "steps": [
      [
        "id": "register",
        "http": ["service": "rack", "method": "PUT", "path": "/tubes/${input.barcode}", "body": ["ward": "W01"]],
        "compensation": ["http": ["service": "rack", "method": "DELETE", "path": "/tubes/${input.barcode}"]],
      ],
      [
        "id": "weigh", "timeout": "1m", "compensation": "none",
        "http": [
          "service": "scale", "method": "POST", "path": "/weighings",
          "body": [
            "barcode": "${input.barcode}", "note": "weighed before it is stored, at the bench of the ward \"W01\"",
          ],
        ],
      ],
      ["id": "store", "http": ["service": "rack", "method": "PUT", "path": "/racks/R1"], "compensation": "none"],
    ],
  ]

  private func file(_ name: String, _ json: JSON) throws -> String {
    let file = try TestFolder.new("diff").appendingPathComponent(name)
    try json.text().write(to: file, atomically: true, encoding: .utf8)
    return file.path
  }

  private func registered(_ definition: JSON) -> APIAnswer {
    let version = definition["version"]?.intValue ?? 0
    return .json(
      WorkflowResponse(
        name: "store-tube", version: version, versions: [1, 2], digest: "sha256:0", registeredAt: Golden.now,
        registeredBy: "anna", definition: definition
      ).json)
  }

  @Test("says what changed in two files")
  func files() async throws {
    let (a, b) = (try file("a.json", Self.first), try file("b.json", Self.second))
    let result = await TestTool().run("diff", a, b)
    #expect(result.status == .success)
    try Golden.expect(result.output, is: "diff")
    let json = try JSON(parsing: await TestTool().run("diff", a, b, "--json").output)
    #expect(json["same"] == false)
    #expect(json["move"]?["inputMustMeetSchema"] == true)
    #expect(
      json["move"]?["unlessBegun"] == [["step": "weigh", "reason": "its action changed"]])
    #expect(json["sagas"] == nil)
  }

  @Test("says that two files do the same")
  func same() async throws {
    let a = try file("a.json", Self.first)
    let result = await TestTool().run("diff", a, a)
    #expect(
      result.output
        == "store-tube v1 → store-tube v1\n\nBoth do the same.\n\nEvery running saga of v1 could move.\n")
  }

  @Test("reads registered versions from the engine")
  func versions() async throws {
    let tool = TestTool(answers: [registered(Self.first), registered(Self.second)])
    let result = await tool.run("diff", "store-tube@1", "store-tube@2")
    #expect(
      tool.requests.map(\.url).map { $0.replacing("http://127.0.0.1:8080", with: "") } == [
        "/v1/workflows/store-tube/1", "/v1/workflows/store-tube/2",
      ])
    try Golden.expect(result.output, is: "diff")
  }

  @Test("--sagas counts the open sagas that could move, and says why others could not")
  func sagas() async throws {
    func id(_ number: Int) -> String { "019c8a5e-7b1c-7d2e-8f3a-00000000000\(number)" }
    func step(_ id: String, _ status: String, round: Int = 1, attempt: Int = 1) -> JSON {
      Sample.step(
        [
          "id": .string(id), "status": .string(status), "round": .number(JSONNumber(round)),
          "attempt": .number(JSONNumber(attempt)),
        ])
    }
    func saga(_ number: Int, _ input: JSON, _ weigh: JSON, ended: Bool = false) -> APIAnswer {
      let saga = Sample.saga([
        "id": .string(id(number)), "workflow": "store-tube", "input": input,
        "steps": [step("register", "succeeded"), weigh, step("pause", "pending", attempt: 0)],
      ])
      guard ended, var members = saga.objectValue else { return .json(saga) }
      members["endedAt"] = "2026-03-01T08:15:40.000Z"
      return .json(.object(members))
    }
    let waiting = step("weigh", "pending", attempt: 0)
    let page1: JSON = [
      "sagas": .array((1...3).map { Sample.summary(["id": .string(id($0))]) }), "next": "c1",
    ]
    let page2: JSON = ["sagas": .array((4...6).map { Sample.summary(["id": .string(id($0))]) })]
    func answers() -> [APIAnswer] {
      [
        registered(Self.first), registered(Self.second), .json(page1), saga(1, ["barcode": "A"], waiting),
        saga(2, ["barcode": "B"], step("weigh", "running")), saga(3, ["ward": 1], waiting), .json(page2),
        saga(4, ["barcode": "C"], step("weigh", "pending", round: 2, attempt: 0)),
        saga(5, ["barcode": "D"], step("weigh", "skipped", attempt: 0)),
        saga(6, ["barcode": "E"], waiting, ended: true),
      ]
    }
    let tool = TestTool(answers: answers())
    let result = await tool.run("diff", "store-tube@1", "store-tube@2", "--sagas")
    #expect(
      result.output.hasSuffix(
        """

        5 open sagas of store-tube v1:
              1  could move now
              3  could not: has begun weigh: its action changed
              1  could not: its input doesn't meet the new schema

        """))
    #expect(
      tool.requests[2].url
        == "http://127.0.0.1:8080/v1/sagas?workflow=store-tube&version=1&status=running%2Ccompensating%2Cstuck"
        + "&sort=startedAt&limit=200")
    #expect(tool.requests[6].url.hasSuffix("&cursor=c1"))
    let json = try JSON(
      parsing: await TestTool(answers: answers()).run("diff", "store-tube@1", "store-tube@2", "--sagas", "--json")
        .output)
    #expect(
      json["sagas"] == [
        "open": 5, "more": false, "couldMove": 1,
        "couldNot": [
          [
            "step": "weigh", "reason": "its action changed", "count": 3,
            "sagas": [.string(id(2)), .string(id(4)), .string(id(5))],
          ],
          ["reason": "its input doesn't meet the new schema", "count": 1, "sagas": [.string(id(3))]],
        ],
      ])
  }

  @Test(
    "wrong words are refused", arguments: [["x.json", "y.json", "--sagas"], ["store-tube@0", "y.json"], ["x.json"]])
  func usage(_ words: [String]) async {
    #expect(await TestTool().run(["diff"] + words).status == .usage)
  }

  @Test("a file with errors is not compared")
  func wrong() async throws {
    let result = await TestTool(input: [CheckTests.wrong]).run("diff", "-", "store-tube@2")
    #expect(result.status == .failure)
    #expect(result.complaint.contains("[workflow.unknownStep]"))
  }
}
