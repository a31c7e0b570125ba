import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking and evaluating concurrency", .timeLimit(.minutes(15)), .inTurn)
struct ConcurrencyTests {
  private static func step(_ concurrency: String, _ more: String = "") -> String {
    "[\(Sample.get("a", ", \"concurrency\": { \(concurrency) }\(more)"))]"
  }
  private static let key = #""key": "${input.instrument}""#
  private static let wait = #"{ "id": "b", "delay": { "for": "1s" } }"#

  @Test(
    "A mistake in concurrency is found at its place",
    arguments: [
      Mistake("no key", step(#""limit": 1"#), "workflow.missingKey", says: "\"concurrency\" needs \"key\""),
      Mistake("a key that is a number", step(#""key": 4"#), "workflow.wrongType"),
      Mistake("an empty key", step(#""key": """#), "workflow.badValue", says: "\"key\" is empty"),
      Mistake(
        "a long key", step("\"key\": \"\(String(repeating: "x", count: 201))\""), "workflow.badValue",
        says: "has 201 characters"),
      Mistake(
        "a key that may be left out", step(#""key": "${input.x ?? nothing}""#), "jsonpath.type",
        says: "can't be left out"),
      Mistake("no place", step(key + #", "limit": 0"#), "workflow.badValue", says: "from 1 to 10000"),
      Mistake("too many", step(key + #", "limit": 10001"#), "workflow.badValue", says: "from 1 to 10000"),
      Mistake("half a place", step(key + #", "limit": 1.5"#), "workflow.badValue"),
      Mistake("a limit as a text", step(key + #", "limit": "1""#), "workflow.wrongType"),
      Mistake("another word for the limit", step(key + #", "max": 1"#), "workflow.unknownKey", near: "limit"),
      Mistake(
        "a timeout of its own", step(key + #", "timeout": "1h""#), "workflow.unknownKey",
        says: "the saga's timeout limits the wait"),
      Mistake(
        "the item of a forEach", step(#""key": "${item.id}""#, #", "forEach": { "items": "${input.x[*]}" }"#),
        "workflow.itemOutsideForEach", says: "one turn for all its items"),
      Mistake(
        "a later step", "[\(Sample.get("a", #", "concurrency": { "key": "${steps.b.output.x}" }"#)), \(wait)]",
        "workflow.stepNotBefore"),
      Mistake(
        "on a failure",
        #"[{ "id": "a", "when": "$.input.x == 1", "fail": { "code": "NO" }, "concurrency": { "key": "k" } }]"#,
        "workflow.noEffect", says: "\"concurrency\" has no effect on a fail"),
      Mistake(
        "in a compensation",
        #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "concurrency": { "key": "k" }, "http": { "service": "s", "method": "PUT", "path": "/y" } } }]"#,
        "workflow.unknownKey", says: "an undo takes the turn of its step"),
      Mistake("a mutex", "[\(Sample.get("a", #", "mutex": {}"#))]", "workflow.unknownKey", near: "concurrency"),
      Mistake(
        "a step in the key of the workflow", "[\(wait)]", more: #""concurrency": { "key": "${steps.b.uuid}" }, "#,
        "workflow.stepNotBefore", says: "its key reads input and saga"),
      Mistake(
        "a turn inside a group with a turn",
        #"[{ "id": "g", "concurrency": { "key": "k" }, "steps": [{ "id": "a", "concurrency": { "key": "l" }, "delay": { "for": "1s" } }] }]"#,
        "workflow.nestedTurns", says: "the group g holds one"),
      Mistake(
        "a turn in a saga with a turn", step(key), more: #""concurrency": { "key": "k" }, "#, "workflow.nestedTurns",
        says: "the saga holds one"),
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
    "Right ones have no findings",
    arguments: [
      (step(key), ""), (step(#""key": "HiSeq-1", "limit": 10000"#), ""),
      (step(#""key": "lab-${input.lab}/${input.instrument}""#), ""),
      ("[\(wait)]", #""concurrency": { "key": "${input.instrument}", "limit": 2 }, "#),
      (#"[{ "id": "g", "concurrency": { "key": "k" }, "steps": [\#(wait)] }]"#, ""),
      (#"[{ "id": "a", "signal": { "name": "go" }, "concurrency": { "key": "k" } }]"#, ""),
    ])
  func right(steps: String, more: String) {
    let findings = check(Sample.workflow(steps, more: more)).findings
    #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
  }

  @Test("A workflow, a group and a step have their keys and limits")
  func read() throws {
    let group = #"{ "id": "g", "concurrency": { "key": "robot", "limit": 3 }, "steps": [\#(Self.wait)] }"#
    let result = try definition(
      Sample.workflow("[\(group)]", more: #""concurrency": { "key": "${input.instrument}" }, "#))
    #expect(result.concurrency?.limit == 1 && result.concurrency?.key.source == "${input.instrument}")
    #expect(result.step("g")?.concurrency?.limit == 3)
    #expect(result.step("b")?.concurrency == nil)
    #expect(WorkflowReads(result).sample(of: .input)?["instrument"]?.stringValue != nil)
  }

  @Test(
    "A key is a text or a number",
    arguments: [
      ("${input.text}", "HiSeq-1"), ("${input.number}", "4"), ("${input.fraction}", "0.50"),
      ("lab-${input.number}", "lab-4"), ("fixed", "fixed"),
    ])
  func texts(key: String, text: String) throws {
    let document: JSON = ["input": try JSON(parsing: #"{ "text": "HiSeq-1", "number": 4, "fraction": 0.50 }"#)]
    #expect(try Concurrency(key: Template(.string(key))).text(in: document) == text)
  }

  @Test(
    "A key without a text has a code",
    arguments: [
      ("${input.flag}", "concurrency.badKey"), ("${input.list}", "concurrency.badKey"),
      ("${input.null}", "concurrency.badKey"), ("${input.empty}", "concurrency.badKey"),
      ("${input.missing}", "expression.empty"), ("x${input.list}", "expression.notText"),
    ])
  func errors(key: String, code: String) throws {
    let document: JSON = ["input": ["flag": true, "list": [1], "null": .null, "empty": ""]]
    let concurrency = try Concurrency(key: Template(.string(key)))
    let error = #expect(throws: ConcurrencyError.self) { try concurrency.text(in: document) }
    #expect(error?.code == code)
  }
}
