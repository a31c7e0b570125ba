import JSON
import TestSupport
import Testing
import Wire

@testable import saga

@Suite("saga locks", .timeLimit(.minutes(15)), .inTurn)
struct LocksTests {
  private static let other = "019c8a5e-7b1c-7d2e-8f3a-0123456789ac"

  private static func claim(
    _ saga: String, _ step: String?, phase: String = "forward", takenAt: String? = nil, isPaused: Bool = false
  ) -> JSON {
    var members: JSONObject = [
      "saga": .string(saga), "workflow": "sequencing-run", "phase": .string(phase), "limit": 1,
      "askedAt": "2026-03-01T08:13:00.000Z", "paused": .bool(isPaused),
    ]
    members["step"] = step.map(JSON.string)
    members["takenAt"] = takenAt.map(JSON.string)
    return .object(members)
  }

  private static let page: JSON = [
    "keys": [
      [
        "key": "HiSeq-1", "held": 1, "waiting": 3,
        "holders": [claim(Sample.id, "load", takenAt: "2026-03-01T08:13:40.000Z")],
        "waiters": [claim(other, nil), claim(other, "load", phase: "undo", isPaused: true)],
      ],
      ["key": "robot", "held": 2, "waiting": 0, "holders": [claim(other, "arm")], "waiters": []],
    ],
    "next": "CURSOR",
  ]

  @Test("draws each key with its holders and its waiters in their order")
  func drawing() async throws {
    let tool = TestTool(answers: [.json(Self.page)])
    let result = await tool.run("locks", "--limit", "2")
    #expect(result.status == .success)
    #expect(
      result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) == [
        "HiSeq-1  1 held, 3 waiters",
        "  ▸ \(Sample.id) load, for 2m 05s",
        "  1 \(Self.other) sequencing-run, waits 2m 45s",
        "  2 \(Self.other) undo of load, waits 2m 45s, paused",
        "    and 1 more",
        "",
        "robot  2 held, 0 waiters",
        "  ▸ \(Self.other) arm, its turn has come",
        "    and 1 more",
        "More: --cursor CURSOR",
        "",
      ])
    #expect(tool.requests[0].url.hasSuffix("/v1/concurrency?limit=2"))
  }

  @Test("names sagas by their titles, and shortens their ids to what differs")
  func titles() async throws {
    let waiter = "019c8a5e-7b1c-7d2e-8f3a-0123456789ac"
    func titled(_ claim: JSON, _ title: String) -> JSON {
      var members = claim.objectValue ?? [:]
      members["title"] = .string(title)
      return .object(members)
    }
    let page: JSON = [
      "keys": [
        [
          "key": "HiSeq-1", "held": 1, "waiting": 1,
          "holders": [titled(Self.claim("119c8a5e-7b1c-7d2e-8f3a-0123456789ab", "load"), "Run of plate P-7")],
          "waiters": [titled(Self.claim(waiter, "load"), "Run of a plate with a very long name indeed")],
        ]
      ]
    ]
    let output = await TestTool(answers: [.json(page)]).run("locks").output
    let lines = output.split(separator: "\n").map(String.init)
    #expect(lines[1] == "  ▸ Run of plate P-7 119c8a5e-7b1c load, its turn has come", "\(output)")
    #expect(lines[2].hasPrefix("  1 Run of a plate with a very ") && lines[2].contains("… 019c8a5e-7b1c load, waits"))
    #expect(lines.allSatisfy { $0.count <= 80 }, "\(output)")
  }

  @Test("asks for one key, and says when nothing holds it")
  func oneKey() async throws {
    let tool = TestTool(answers: [.json(["keys": []])])
    let result = await tool.run("locks", "HiSeq-1")
    #expect(result.output == "Nothing holds a turn of HiSeq-1, and nothing waits.\n")
    #expect(tool.requests[0].url.hasSuffix("/v1/concurrency?key=HiSeq-1"))
    let none = await TestTool(answers: [.json(["keys": []])]).run("locks")
    #expect(none.output == "No turn is held.\n")
  }

  @Test("gives the engine's answer to programs")
  func json() async throws {
    let result = await TestTool(answers: [.json(Self.page)]).run("locks", "--json")
    #expect(try JSON(parsing: Array(result.output.utf8)) == Self.page)
  }
}
