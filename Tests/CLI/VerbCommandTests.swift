import JSON
import TestSupport
import Testing
import Values

@testable import saga

@Suite("The operator's commands", .timeLimit(.minutes(15)), .inTurn)
struct VerbCommandTests {
  static let id = ClientCommandTests.id

  @Test(
    "each verb sends its members",
    arguments: [
      (["pause"], "pause", [:]), (["resume"], "resume", [:]), (["compensate"], "compensate", [:]),
      (["skip", "--step", "weigh"], "skip", ["step": "weigh"]),
      (["skip", "--step", "weigh", "--output", #"{"grams": 4}"#], "skip", ["step": "weigh", "output": ["grams": 4]]),
      (["run-now"], "run-now", [:]), (["run-now", "--step", "a"], "run-now", ["step": "a"]),
      (["extend", "--by", "2h"], "extend", ["by": "2h"]),
      (
        ["extend", "--until", "2026-03-01T18:00:00Z", "--step", "a"], "extend",
        ["step": "a", "until": "2026-03-01T18:00:00Z"]
      ),
      (["rewind", "--step", "a"], "rewind", ["step": "a"]), (["rewind", "--to", "a"], "rewind", ["step": "a"]),
      (["retry", "--step", "a", "--input", #"{"well": "B7"}"#], "retry", ["step": "a", "input": ["well": "B7"]]),
    ] as [([String], String, JSON)])
  func sent(_ words: [String], _ verb: String, _ members: JSON) async throws {
    let tool = TestTool(answers: [.json(try Golden.saga("running"))])
    let rest = words.dropFirst() + ["--reason", "ticket 1", "--expected-version", "12", "--user", "anna"]
    let result = await tool.run([words[0], Self.id] + rest)
    #expect(result.status == .success, "\(result.complaint)")
    let request = try #require(tool.requests.first)
    #expect(request.url.hasSuffix("/v1/sagas/\(Self.id)/\(verb)"))
    var expected: JSONObject = members.objectValue ?? [:]
    expected["reason"] = "ticket 1"
    expected["expectedVersion"] = 12
    #expect(request.request.json == .object(expected))
    #expect(request.request.header("Saga-User") == "anna" && request.request.header("Saga-Client") == "cli")
    #expect(request.request.header("Idempotency-Key")?.isEmpty == false, "a lost answer is asked for again safely")
  }

  @Test("--seen is the older name of --expected-version")
  func seen() async throws {
    let tool = TestTool(answers: [.json(try Golden.saga("running"))])
    _ = await tool.run(["pause", Self.id, "--reason", "r", "--seen", "12"])
    #expect(tool.requests.first?.request.json == ["reason": "r", "expectedVersion": 12])
  }

  @Test(
    "wrong usage is refused without a request",
    arguments: [
      ["skip"], ["rewind"], ["extend"], ["extend", "--by", "2h", "--until", "2026-03-01T18:00:00Z"],
      ["extend", "--by", "soon"], ["extend", "--until", "noon"], ["retry", "--input", "{}"], ["pause", "--seen", "x"],
    ])
  func usage(_ words: [String]) async {
    let tool = TestTool()
    let result = await tool.run([words[0], Self.id] + words.dropFirst() + ["--reason", "r"])
    #expect(result.status == .usage)
    #expect(tool.requests.isEmpty)
  }

  @Test("a refusal lists the verbs that the saga accepts")
  func refused() async {
    let problem: JSON = [
      "type": "/errors/saga.paused", "title": "The saga is paused", "status": 409, "code": "saga.paused",
      "detail": "The saga is paused already.",
      "allowed": [["verb": "skip", "steps": ["a", "b", "c", "d"]], ["verb": "resume", "steps": []]],
    ]
    let result = await TestTool(answers: [.json(problem, status: 409)]).run("pause", Self.id, "--reason", "r")
    #expect(result.status == .failure)
    #expect(result.complaint.contains("The saga accepts now: skip (a, b, c, …), resume."))
  }

  @Test(
    "why prints the saga's state in a sentence, and the commands that help",
    arguments: ["stuck", "stuck-forward", "waiting", "paused", "running", "overdue"])
  func why(_ name: String) async throws {
    let saga = try Golden.saga(name)
    let result = await TestTool(answers: [.json(saga)]).run("why", Self.id)
    #expect(result.status == .success)
    // Commands to be copied are as long as they are.
    try Golden.expect(result.output, is: "why-\(name)", width: 140)
    let json = await TestTool(answers: [.json(saga)]).run("why", Self.id, "--json")
    #expect(
      try JSON(parsing: json.output)["why"] == .string(Why(saga: try Golden.response(name), now: Golden.now).sentence))
  }

  @Test("why offers nothing for a saga that has ended")
  func whyEnds() throws {
    for name in ["completed", "compensated", "abandoned"] {
      let why = Why(saga: try Golden.response(name), now: Golden.now)
      #expect(why.sentence.hasPrefix("The saga is \(name)") || why.sentence.hasPrefix("The saga was \(name)"))
      #expect(why.commands == [])
    }
  }
}
