import JSON
import TestSupport
import Testing

@testable import saga

@Suite("saga show --calls", .timeLimit(.minutes(15)), .inTurn)
struct CallLinesTests {
  private static let id = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"
  private static func page(_ calls: [JSON], next: String? = nil) -> APIAnswer {
    var members: JSONObject = ["calls": .array(calls)]
    members["next"] = next.map(JSON.string)
    return .json(.object(members))
  }

  private static let refused: JSON = [
    "step": "storeSample", "phase": "forward", "round": 1, "attempt": 2, "at": "2026-03-01T08:15:32.000Z",
    "endedAt": "2026-03-01T08:15:32.120Z", "outcome": "unknown",
    "sent": [
      "kind": "http", "service": "storage", "method": "PUT", "path": "/positions/7?token=***",
      "key": .string("\(id)/storeSample/1"), "headers": [["name": "X-Api-Key", "value": "***"]],
      "body": [
        "text":
          #"{"barcode":"TUBE-0001","note":"a long note that does not fit into the line of a terminal window","volumeUl":500}"#,
        "cut": false,
      ],
    ],
    "answered": [
      "status": 503, "headers": [["name": "content-type", "value": "application/json"]],
      "body": ["text": "busy\u{1B}[31m\u{202E} and more", "cut": true],
    ],
    "error": ["code": "http.503", "message": "storage answered 503 Service Unavailable"],
  ]
  private static let created: JSON = [
    "step": "createSample", "phase": "forward", "round": 2, "attempt": 1, "at": "2026-03-01T08:15:30.250Z",
    "endedAt": "2026-03-01T08:15:30.370Z", "outcome": "succeeded",
    "sent": [
      "kind": "kafka", "service": "samples", "command": "create", "key": .string("\(id)/createSample/2"), "headers": [],
    ],
    "answered": ["headers": [], "body": ["text": #"{"id":"S-000017"}"#, "cut": false]],
  ]
  private static let silent: JSON = [
    "step": "storeSample", "phase": "undo", "round": 1, "attempt": 1, "at": "2026-03-01T08:15:33.000Z",
    "endedAt": "2026-03-01T08:16:03.000Z", "outcome": "unknown",
    "sent": [
      "kind": "http", "service": "storage", "method": "DELETE", "path": "/positions/7",
      "key": .string("\(id)/storeSample/1/undo"), "headers": [],
    ],
    "error": ["code": "timeout", "message": "storage did not answer in time."],
  ]
  private static let look: JSON = [
    "step": "sequence", "phase": "forward", "round": 1, "look": 3, "at": "2026-03-01T08:15:34.000Z",
    "endedAt": "2026-03-01T08:15:34.020Z", "outcome": "answered",
    "sent": [
      "kind": "http", "service": "instrument", "method": "GET", "path": "/runs/7",
      "key": .string("\(id)/sequence/1/look/3"), "headers": [],
    ],
    "answered": ["status": 200, "headers": [], "body": ["text": #"{"state":"running"}"#, "cut": false]],
  ]
  private static let unsent: JSON = [
    "step": "notify", "phase": "forward", "round": 1, "attempt": 1, "at": "2026-03-01T08:15:35.000Z",
  ]

  @Test("shows each call in 80 columns, page by page, without control characters")
  func drawing() async throws {
    let tool = TestTool(answers: [
      Self.page([Self.created, Self.refused, Self.silent], next: "abc"), Self.page([Self.look, Self.unsent]),
    ])
    let result = await tool.run("show", Self.id, "--calls")
    #expect(result.status == .success, "\(result.complaint)")
    try Golden.expect(result.output, is: "show-calls")
    #expect(tool.requests.map(\.url).map { String($0.drop { $0 != "?" }) } == ["?limit=100", "?limit=100&cursor=abc"])
    #expect(tool.requests[0].url.contains("/v1/sagas/\(Self.id)/calls?"))
    #expect(!result.output.unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{202E}" })
  }

  @Test("--step asks for one step, and --json prints a line for each call as the engine wrote it")
  func json() async throws {
    let tool = TestTool(answers: [Self.page([Self.created], next: "n"), Self.page([Self.silent])])
    let result = await tool.run("show", Self.id, "--calls", "--step", "storeSample", "--json")
    #expect(result.output == Self.created.text() + "\n" + Self.silent.text() + "\n")
    #expect(tool.requests[0].url.hasSuffix("?limit=100&step=storeSample"))
    #expect(tool.requests[1].url.hasSuffix("?limit=100&step=storeSample&cursor=n"))
  }

  @Test("a saga without calls says so, and --step alone is a wrong command line")
  func none() async {
    #expect(await TestTool(answers: [Self.page([])]).run("show", Self.id, "--calls").output == "No calls yet.\n")
    let wrong = await TestTool(answers: []).run("show", Self.id, "--step", "a")
    #expect(wrong.status == .usage && wrong.complaint.contains("--step goes with --calls"))
  }
}
