import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking polls", .timeLimit(.minutes(15)), .inTurn)
struct PollTests {
  private static func poll(_ poll: String, method: String = "GET", success: String = "", more: String = "") -> String {
    "[{ \"id\": \"run\", \"http\": { \"service\": \"s\", \"method\": \"\(method)\", \"path\": \"/x\"\(success) }, "
      + "\"compensation\": \"none\", \"poll\": { \(poll) }\(more) }]"
  }
  private static func until(_ condition: String) -> String {
    poll("\"every\": \"1s\", \"until\": \"\(condition)\"")
  }
  private static func failWhen(_ condition: String, success: String = "") -> String {
    poll("\"every\": \"1s\", \"until\": \"$.answer.body.ok == true\", \"failWhen\": \"\(condition)\"", success: success)
  }

  @Test(
    "A mistake in a poll is found at its place",
    arguments: [
      Mistake(
        "every longer than the timeout",
        poll(#""every": "5m", "until": "$.answer.body.ok == true""#, more: #", "timeout": "1m""#),
        "workflow.badValue", says: "longer than the whole poll may take (\"timeout\": 1m)"),
      Mistake(
        "every too short", poll(#""every": "50ms", "until": "$.answer.body.ok == true""#), "workflow.badValue",
        says: "once in 100ms at most"),
      Mistake("until is not a condition", until("done"), "jsonpath.syntax"),
      Mistake(
        "until reads the input only", until("$.input.x == 1"), "workflow.neverHolds", says: "does not read the answer"),
      Mistake("until of no query", until("length('a') == 1"), "workflow.neverHolds", says: "does not read the answer"),
      Mistake(
        "failWhen as until", failWhen("$.answer.body.ok == true"), "workflow.neverHolds",
        says: "the same condition as \"until\""),
      Mistake("failWhen reads nothing of the answer", failWhen("$.input.x == 1"), "workflow.neverHolds"),
      Mistake(
        "a member that no answer has", until("$.answer.state == 'done'"), "workflow.unknownMember", near: "status",
        says: "an answer has status, body, headers"),
      Mistake(
        "a header in capitals", until("$.answer.headers['X-Ready'] == 'yes'"), "workflow.unknownMember",
        near: "x-ready",
        says: "in lower case"),
      Mistake(
        "a status that never means success", failWhen("$.answer.status == 404"), "workflow.neverHolds",
        says: "and never 404"),
      Mistake("no status above", failWhen("$.answer.status >= 400"), "workflow.neverHolds"),
      Mistake("a status as a text", until("$.answer.status == '200'"), "workflow.neverHolds"),
      Mistake(
        "the answer in a when", #"[{ "id": "a", "when": "$.answer.body.ok == true", "delay": { "for": "1s" } }]"#,
        "workflow.unknownRoot", says: "only in \"until\" and \"failWhen\" of a poll"),
      Mistake(
        "the answer in a later step",
        #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/${answer.body.id}" } }]"#,
        "workflow.unknownRoot", says: "its body is the step's output"),
      Mistake(
        "a misspelt root", until("$.anwser.body.ok == true"), "workflow.unknownRoot", near: "answer"),
      Mistake(
        "the step's own output", until("$.steps.run.output.ok == true && $.answer.status == 200"),
        "workflow.stepNotBefore"),
      Mistake(
        "existence where a value is meant", until("$.answer.body.ready"), "workflow.existence",
        says: "write $.answer.body.ready == true"),
      Mistake("the status alone", until("$.answer.status"), "workflow.existence"),
      Mistake(
        "POST", poll(#""every": "1s", "until": "$.answer.body.ok == true""#, method: "POST"), "workflow.pollChanges",
        says: "sends POST again and again"),
      Mistake(
        "expected as long as the timeout",
        poll(#""every": "1s", "until": "$.answer.body.ok == true""#, more: #", "timeout": "1m", "expected": "1m""#),
        "workflow.badValue", says: "could never be overdue"),
      Mistake(
        "a timeout longer than the saga's",
        poll(#""every": "1m", "until": "$.answer.body.ok == true""#, more: #", "timeout": "2d""#), "workflow.tooSlow"),
      Mistake(
        "a poll in a compensation",
        #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "http": { "service": "s", "method": "PUT", "path": "/y" }, "poll": {} } }]"#,
        "workflow.unknownKey", says: "an undo calls once"),
      Mistake(
        "every beside http",
        #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "every": "1s" }]"#,
        "workflow.unknownKey", says: "write it inside \"poll\""),
      Mistake(
        "until inside http",
        #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "until": "x" } }]"#,
        "workflow.unknownKey", says: "write it inside \"poll\", beside \"http\""),
      Mistake(
        "poll inside http", #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "poll": {} } }]"#,
        "workflow.unknownKey", says: "write it beside \"http\", as a member of the step"),
    ])
  func mistake(_ mistake: Mistake) throws {
    let findings = check(mistake.file).findings
    let finding = try #require(
      findings.first { $0.code == mistake.code }, "\(findings.map(\.description).joined(separator: "\n"))")
    #expect(finding.nearName == mistake.near)
    #expect(finding.message.contains(mistake.says), "\(finding.message)")
    #expect(findings.count == 1, "\(findings.map(\.description).joined(separator: "\n"))")
  }

  @Test(
    "Right polls have no findings",
    arguments: [
      until("$.answer.body.state == 'done'"), until("$.answer.headers['x-ready']"),
      until("count($.answer.body.files[*]) >= $.input.files"),
      failWhen("$.answer.status == 404", success: ", \"success\": [200, 404]"),
      failWhen("$.answer.status >= 300", success: ", \"success\": [\"2xx\", \"3xx\"]"),
      until("$.answer.body.id == $.steps.run.uuid"), until("$.answer.status == 201"),
      poll(#""every": "1m", "until": "$.answer.body.ok == true""#, more: #", "timeout": "1m""#),
    ])
  func right(steps: String) {
    let findings = check(Sample.workflow(steps)).findings
    #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
  }

  @Test("The timeout of a polling step is of the whole poll, and defaults.timeout is of one look")
  func timeouts() throws {
    let steps = Self.until("$.answer.body.ok == true")
    let plain = try #require(check(Sample.workflow(steps)).definition?.steps.first)
    #expect(plain.timeout == nil && plain.poll?.lookTimeout == .seconds(30))
    let more = "\"defaults\": { \"timeout\": \"7s\" },"
    let given = try #require(
      check(
        Sample.workflow(
          Self.poll(#""every": "1s", "until": "$.answer.body.ok == true""#, more: #", "timeout": "2m""#), more: more)
      )
      .definition?.steps.first)
    #expect(given.timeout == .seconds(120) && given.poll?.lookTimeout == .seconds(7))
  }
}
