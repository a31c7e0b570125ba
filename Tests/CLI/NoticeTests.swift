import JSON
import TestSupport
import Testing
import Wire

@testable import saga

@Suite("saga notices", .timeLimit(.minutes(15)), .inTurn)
struct NoticeTests {
  static let none: JSON = ["destinations": []]
  static let well: JSON = [
    "name": "chat", "kind": "webhook", "target": "https://bot.lab",
    "types": ["approval.needed", "operation.finished", "saga.overdue", "saga.stuck"], "state": "current", "pending": 0,
    "pendingIsMore": false, "delivered": 3, "lastDeliveredAt": "2026-03-01T08:15:30.250Z", "failures": 0, "givenUp": 0,
    "letters": [],
  ]
  static let failing: JSON = [
    "destinations": [
      [
        "name": "night-shift", "kind": "webhook", "target": "https://pager.lab",
        "types": ["saga.overdue", "saga.stuck"],
        "state": "failing", "pending": 3, "pendingIsMore": true, "oldestPending": "2026-03-01T07:55:10.000Z",
        "delivered": 41, "lastDeliveredAt": "2026-02-28T22:10:00.000Z", "failingSince": "2026-03-01T07:55:12.000Z",
        "failures": 6,
        "problem": [
          "code": "notice.refused", "message": "The receiver answered 503: maintenance",
          "at": "2026-03-01T08:15:00.000Z",
        ], "nextTryAt": "2026-03-01T08:20:00.000Z", "givenUp": 1, "lastGivenUpAt": "2026-02-27T09:00:00.000Z",
        "letters": [
          [
            "id": "019c8a5e-7b1c-7d2e-8f3a-0123456789ab/17", "type": "saga.stuck", "at": "2026-02-26T09:00:00.000Z",
            "summary":
              "Saga 019c8a5e-7b1c-7d2e-8f3a-0123456789ab of sample-processing is stuck because step b failed for good.",
            "attempts": 30, "givenUpAt": "2026-02-27T09:00:00.000Z", "code": "notice.refused",
            "message": "The receiver answered 400",
          ]
        ],
      ],
      well,
    ]
  ]

  @Test("draws each destination, with its pending notices, the reason, and the notices that were given up")
  func drawing() async throws {
    let tool = TestTool(answers: [.json(Self.failing)])
    let result = await tool.run("notices")
    try Golden.expect(result.output, is: "notices")
    #expect(result.status == .failure, "somebody isn't told")
    #expect(tool.requests[0].url.hasSuffix("/v1/notices"))
    let well = await TestTool(answers: [.json(["destinations": [Self.well]])]).run("notices")
    #expect(well.status == .success && well.output.hasPrefix("✓ all delivered, chat\n"))
  }

  @Test("says what to do when there is no destination")
  func nobody() async throws {
    let result = await TestTool(answers: [.json(Self.none)]).run("notices")
    #expect(result.status == .success && result.output.contains("--webhook"))
    #expect(NoticeDrawing(destinations: [], style: .plain).summary == nil)
  }

  @Test("fits one line in saga status")
  func line() throws {
    func summary(_ notices: JSON) throws -> String? {
      let notices: NoticesResponse = try EngineAnswer(notices).read()
      return NoticeDrawing(destinations: notices.destinations, style: .plain).summary?.text
    }
    #expect(try summary(Self.failing) == "night-shift gets no notices, 3 notices wait")
    #expect(try summary(["destinations": [Self.well]]) == "1 destination, all delivered")
  }

  @Test("--json prints it as it is")
  func json() async throws {
    let result = await TestTool(answers: [.json(Self.failing)]).run("notices", "--json")
    #expect(try JSON(parsing: result.output) == Self.failing)
  }

  @Test("test prints the destination and its answer")
  func test() async throws {
    let tool = TestTool(answers: [
      .json(["destination": "chat", "id": "test/1", "delivered": true, "answer": "204", "tookSeconds": 0.031])
    ])
    let result = await tool.run("notices", "test", "chat")
    #expect(result.status == .success && result.output == "✓ delivered in 0.031 s; it answered 204\n")
    #expect(tool.requests[0].url.hasSuffix("/v1/notices/test"))
    #expect(tool.requests[0].request.json == ["destination": "chat"])
    let failed = await TestTool(answers: [
      .json([
        "destination": "chat", "id": "test/1", "delivered": false, "tookSeconds": 15.0,
        "problem": ["code": "http.timeout", "message": "The call to https://bot.lab failed: Timeout was reached."],
      ])
    ]).run("notices", "test", "chat")
    #expect(failed.status == .failure)
    #expect(
      failed.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        == "! not delivered: The call to https://bot.lab failed: Timeout was reached. [http.timeout]")
    let unknown = await TestTool(answers: [
      .json(
        ["code": "notice.destinationUnknown", "detail": "There is no destination “x”; there is chat."], status: 404)
    ]).run("notices", "test", "x")
    #expect(unknown.status == .failure && unknown.complaint.contains("`saga notices` lists the destinations."))
  }

  @Test("resend prints how many notices arrived, failed again with the reason, and are left")
  func resend() async throws {
    let tool = TestTool(answers: [
      .json(["destination": "chat", "delivered": ["a/1", "b/2"], "failed": [], "left": 0, "tookSeconds": 0.062])
    ])
    let all = await tool.run("notices", "resend", "chat")
    #expect(all.status == .success && all.output == "✓ delivered 2 notices in 0.062 s\n")
    #expect(tool.requests[0].url.hasSuffix("/v1/notices/resend"))
    #expect(tool.requests[0].request.json == ["destination": "chat"])
    let failing = TestTool(answers: [
      .json([
        "destination": "chat", "delivered": [], "left": 2, "tookSeconds": 0.1,
        "failed": [["id": "a/1", "problem": ["code": "notice.refused", "message": "The receiver answered 400"]]],
      ])
    ])
    let failed = await failing.run("notices", "resend", "chat", "--id", "a/1")
    #expect(failed.status == .failure)
    #expect(failing.requests[0].request.json == ["destination": "chat", "id": "a/1"])
    #expect(
      failed.output == """
        ! a/1: The receiver answered 400 [notice.refused]
        2 notices are still given up.

        """)
    let none = await TestTool(answers: [
      .json(["destination": "chat", "delivered": [], "failed": [], "left": 0, "tookSeconds": 0])
    ]).run("notices", "resend", "chat")
    #expect(none.status == .success && none.output == "No notices were given up.\n")
  }
}
