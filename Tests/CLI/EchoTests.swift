import JSON
import TestSupport
import Testing

@testable import saga

@Suite("saga echo", .timeLimit(.minutes(15)), .inTurn)
struct EchoTests {
  static func shard(_ number: Int, head: Int, delivered: Int) -> JSON {
    ["shard": .int(number), "head": .int(head), "delivered": .int(delivered), "checkpoint": .int(delivered / 10 * 10)]
  }

  static func echo(
    _ state: JSON = "current", lagEvents: Int = 0, lagSeconds: JSON = 0, problem: JSON? = nil, deadLettered: Int = 0,
    shards: [JSON] = (0..<64).map { shard($0, head: 100, delivered: 100) }, consumers: [JSON] = []
  ) -> JSON {
    var members: JSONObject = [
      "topic": "laboratory.saga.events", "state": state, "lagEvents": .int(lagEvents), "lagSeconds": lagSeconds,
    ]
    if let problem { members["problem"] = problem }
    members["delivered"] = 1200
    members["deadLettered"] = .int(deadLettered)
    members["shards"] = .array(shards)
    members["consumers"] = .array(consumers)
    return .object(members)
  }

  static let held = echo(
    "held", lagEvents: 1_234_590, lagSeconds: 125.034,
    problem: [
      "code": "kafka.unavailable", "message": "Kafka is out of reach: 1/1 brokers are down",
      "since": "2026-03-01T08:13:40.000Z",
    ], deadLettered: 2,
    shards: [shard(0, head: 602, delivered: 600)] + (1..<20).map { shard($0, head: 60_000 + $0, delivered: 58) }
      + (20..<64).map { shard($0, head: 7, delivered: 7) },
    consumers: [
      [
        "group": "saga-engine", "topics": ["saga.commands"], "partitions": 8, "lag": 4, "handled": 17,
        "deadLettered": 1,
        "problem": "The store could not be reached, and a line of this is longer than eighty columns let it be.",
      ],
      [
        "group": "saga-engine", "topics": ["saga.replies"], "partitions": 1, "lag": 0, "handled": 900,
        "deadLettered": 0,
      ],
    ])
  static let off: JSON = [
    "code": "echo.off", "status": 404, "detail": "This engine was started without Kafka and echoes nothing.",
  ]

  @Test("draws the shards with a lag, and counts the others")
  func drawing() async throws {
    let tool = TestTool(answers: [.json(Self.held)])
    try Golden.expect(await tool.run("echo").output, is: "echo-held")
    #expect(tool.requests[0].url.hasSuffix("/v1/echo"))
    try Golden.expect(await TestTool(answers: [.json(Self.echo())]).run("echo").output, is: "echo-current")
  }

  @Test("a state that is not known is drawn as it is")
  func unknownState() throws {
    func first(_ echo: JSON) throws -> String? {
      EchoDrawing(echo: try EngineAnswer(echo).read(), style: .plain).lines().first
    }
    #expect(try first(Self.echo("napping")) == "? napping, 0 events behind")
    #expect(try first(Self.echo("catchingUp", lagEvents: 1, lagSeconds: 0.4)) == "▸ catching up, 1 event behind")
  }

  @Test("--json prints it as it is")
  func json() async throws {
    let result = await TestTool(answers: [.json(Self.held)]).run("echo", "--json")
    #expect(try JSON(parsing: result.output) == Self.held)
  }

  @Test("without Kafka it prints what to do")
  func off() async {
    let result = await TestTool(answers: [.json(Self.off, status: 404)]).run("echo")
    #expect(result.status == .failure)
    #expect(
      result.complaint == """
        saga: This engine was started without Kafka and echoes nothing.
          code echo.off, see `saga help echo.off`

        """)
  }

  @Test("rewind sends position, shard, reason and user")
  func rewind() async {
    let tool = TestTool(answers: [.json(["events": 1], status: 202)])
    let one = await tool.run(
      "echo", "rewind", "--to", "4710", "--shard=7", "--reason", "ticket 4711", "--user", "anna")
    #expect(one.output == "1 event is sent again; `saga echo` shows how far.\n")
    #expect(tool.requests[0].url.hasSuffix("/v1/echo/rewind"))
    #expect(tool.requests[0].request.method == "POST")
    #expect(tool.requests[0].request.json == ["to": 4710, "shard": 7, "reason": "ticket 4711"])
    #expect(tool.requests[0].request.header("Saga-User") == "anna")
    let other = TestTool(answers: [.json(["events": 0], status: 202)])
    let all = await other.run("echo", "rewind", "--to", "0", "--reason", "new topic")
    #expect(all.output == "No event is stored after that position: nothing is sent again.\n")
    #expect(other.requests[0].request.json == ["to": 0, "reason": "new topic"])
  }

  @Test(
    "a wrong rewind is refused without a request",
    arguments: [
      (["--reason", "x"], "echo rewind wants --to POSITION"), (["--to", "0"], "echo rewind wants --reason TEXT"),
      (["--to", "0", "--reason", " "], "echo rewind wants --reason TEXT"),
      (["--to", "x", "--reason", "x"], "--to wants a whole number, not \"x\""),
      (["--to=-1", "--reason", "x"], "--to wants a whole number, not \"-1\""),
      (["--to", "0", "--shard", "all", "--reason", "x"], "--shard wants a whole number, not \"all\""),
    ])
  func wrong(_ words: [String], _ complaint: String) async {
    let tool = TestTool()
    let result = await tool.run(["echo", "rewind"] + words)
    #expect(result.status == .usage)
    #expect(result.complaint.hasPrefix("saga: \(complaint)"), "\(result.complaint)")
    #expect(tool.requests.isEmpty)
  }
}
