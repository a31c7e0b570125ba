import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking children", .timeLimit(.minutes(15)), .inTurn)
struct ChildTests {
  private static func step(_ workflow: String, _ more: String = "") -> String {
    "[{ \"id\": \"a\", \"workflow\": { \(workflow) }\(more) }]"
  }

  private func undo(_ more: String) throws -> Compensation {
    try #require(check(Sample.workflow(Self.step(#""name": "x""#, more))).definition).steps[0].compensation
  }

  @Test("A child is read with its members, and turns back with its step unless the file says otherwise")
  func read() throws {
    let text = Sample.workflow(
      Self.step(#""name": "deliver", "version": 2, "input": { "run": "${input.run}" }, "key": "run ${input.run}""#))
    let result = check(text)
    #expect(result.findings.isEmpty, "\(result.findings)")
    let step = try #require(result.definition).steps[0]
    guard case .workflow(let child) = step.action else {
      Issue.record("\(step.action)")
      return
    }
    #expect(child.name == "deliver" && child.version == 2 && child.input?.source == ["run": "${input.run}"])
    #expect(child.key?.source == "run ${input.run}" && step.timeout == nil && step.action.isAttempted)
    guard case .undo(let undo) = step.compensation, case .workflow(let undone) = undo.action else {
      Issue.record("\(step.compensation)")
      return
    }
    #expect(undone == WorkflowAction(name: "deliver", version: 2, key: child.key) && undo.onFailure == .stuck)
    #expect(undo.appliesTo == Undo.defaultAppliesTo)
  }

  @Test("The compensation of a child is none, or says when its undo fails")
  func compensations() throws {
    #expect(try undo(#", "compensation": "none""#) == .none)
    #expect(try undo(#", "pivot": true"#) == .unspecified)
    guard case .undo(let undo) = try undo(#", "compensation": { "onFailure": "continue", "expected": "1h" }"#) else {
      Issue.record("no undo")
      return
    }
    #expect(undo.onFailure == .continue && undo.expected == .seconds(3_600) && undo.action.isWorkflow)
  }

  @Test(
    "A mistake in a child is found at its place",
    arguments: [
      Mistake(
        "a misspelt root", step(#""name": "x", "input": "${inptu.run}""#), "workflow.unknownRoot", near: "input"),
      Mistake("a word of another engine", step(#""workflow": "x""#), "workflow.unknownKey", near: "name"),
      Mistake("a timeout", step(#""name": "x""#, #", "timeout": "1m""#), "workflow.noEffect", says: "the child's own"),
      Mistake("retries", step(#""name": "x""#, #", "retry": {}"#), "workflow.noEffect", says: "the child's own"),
      Mistake("the body of a call", step(#""name": "x", "body": {}"#), "workflow.unknownKey", near: "input"),
    ])
  func mistake(_ mistake: Mistake) throws {
    let findings = check(mistake.file).findings
    let finding = try #require(
      findings.first { $0.code == mistake.code }, "\(findings.map(\.description).joined(separator: "\n"))")
    #expect(finding.nearName == mistake.near)
    #expect(finding.message.contains(mistake.says), "\(finding.message)")
  }

  // MARK: Several files

  private func file(_ name: String, _ steps: String, _ more: String = "") throws -> (WorkflowDefinition, [UInt8]) {
    let text = "{ \"name\": \"\(name)\", \"version\": 1, \(more) \"steps\": \(steps) }"
    return (try #require(check(text).definition), Array(text.utf8))
  }

  private func findings(_ files: (WorkflowDefinition, [UInt8])...) -> [Finding] {
    let check = ChildCheck(files.map { $0.0 })
    return files.flatMap { check.findings(in: $0.0, $0.1, file: $0.0.name) }
  }

  @Test("A workflow that starts itself, at once or around a ring, is warned of; one with a condition is not")
  func rings() throws {
    let alone = try file("x", Self.step(#""name": "x""#))
    #expect(findings(alone).map(\.code) == ["workflow.startsItself"])
    #expect(
      findings(alone)[0].message.contains("x → x") && findings(alone)[0].pointer.description == "/steps/0/workflow/name"
    )
    let (a, b) = (try file("a", Self.step(#""name": "b""#)), try file("b", Self.step(#""name": "a""#)))
    #expect(
      findings(a, b).map(\.message).map { String($0.prefix(27)) } == [
        "a starts itself: a → b → a;", "b starts itself: b → a → b;",
      ])
    #expect(findings(a).isEmpty, "the other file is not known")
    let ends = try file("b", Self.step(#""name": "a""#, #", "when": "$.input.more == true""#))
    #expect(findings(a, ends).isEmpty)
  }

  @Test("An input without expressions is checked against the schema of the child")
  func inputs() throws {
    let schema =
      #""inputSchema": { "type": "object", "required": ["run"], "properties": { "run": { "type": "string" } } },"#
    let child = try file("child", #"[{ "id": "s", "delay": { "for": "1s" } }]"#, schema)
    func codes(_ workflow: String) throws -> [String] {
      findings(try file("parent", Self.step(workflow)), child).map { "\($0.code) \($0.pointer.description)" }
    }
    #expect(try codes(#""name": "child", "input": { "run": "R7" }"#) == [])
    #expect(
      try codes(#""name": "child", "input": { "run": 7 }"#) == ["workflow.childInput /steps/0/workflow/input/run"])
    #expect(try codes(#""name": "child""#) == ["workflow.childInput /steps/0/workflow"])
    #expect(try codes(#""name": "child", "input": { "run": "${input.n}" }"#) == [], "it is known only when it runs")
    #expect(try codes(#""name": "child", "version": 9"#) == [], "another version may have another schema")
    #expect(try codes(#""name": "other""#) == [])
  }
}
