import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Groups in a workflow file", .timeLimit(.minutes(15)), .inTurn)
struct GroupCheckTests {
  private static func get(_ id: String, _ more: String = "") -> String { Sample.get(id, more) }

  private func definition(_ steps: String, more: String = "") throws -> WorkflowDefinition {
    let result = check(Sample.workflow(steps, more: more))
    return try #require(result.definition, "\(result.findings.map(\.description))")
  }

  @Test("A group comes before its members, and what follows it comes after them")
  func order() throws {
    let workflow = try definition(
      """
      [\(Self.get("a")),
       { "id": "g", "timeout": "4m", "steps": [\(Self.get("b")), \(Self.get("c")),
         { "id": "h", "dependsOn": [], "steps": [\(Self.get("d"))] }] },
       \(Self.get("z"))]
      """)
    #expect(workflow.steps.map(\.id) == ["a", "g", "b", "c", "h", "d", "z"])
    // A step that names no dependencies follows the one before it, or what its group follows.
    #expect(workflow.steps.map(\.dependsOn) == [[], ["a"], ["a"], ["b"], ["a"], ["a"], ["g"]])
    #expect(workflow.steps.map(\.group) == [nil, nil, "g", "g", "g", "h", nil])
    #expect(workflow.step("g")?.members == ["b", "c", "h"])
    #expect(workflow.step("d")?.pointer.description == "/steps/1/steps/2/steps/0")
    func names(_ set: StepSet) -> [String] { set.map { workflow.steps[$0].id } }
    #expect(try names(workflow.ancestors[#require(workflow.index(of: "z"))]) == ["a", "g", "b", "c", "h", "d"])
    #expect(try names(workflow.transitiveDependents[#require(workflow.index(of: "b"))]) == ["g", "c", "z"])
    #expect(workflow.step("g")?.timeout == .seconds(240))
  }

  struct Wrong: CustomTestStringConvertible {
    let testDescription: String
    let steps: String
    let code: String
    let pointer: String
    var near: String?

    init(_ name: String, _ steps: String, _ code: String, _ pointer: String, near: String? = nil) {
      testDescription = name
      self.steps = steps
      self.code = code
      self.pointer = pointer
      self.near = near
    }
  }

  static let wrong: [Wrong] = [
    Wrong("an empty group", #"[{ "id": "g", "steps": [] }]"#, "workflow.badValue", "/steps/0/steps"),
    Wrong("steps that are no list", #"[{ "id": "g", "steps": {} }]"#, "workflow.wrongType", "/steps/0/steps"),
    Wrong("a group without an id", "[{ \"steps\": [\(get("a"))] }]", "workflow.missingKey", "/steps/0"),
    Wrong(
      "a compensation of a group", "[{ \"id\": \"g\", \"compensation\": \"none\", \"steps\": [\(get("a"))] }]",
      "workflow.unknownKey", "/steps/0/compensation"),
    Wrong(
      "an action beside the members",
      "[{ \"id\": \"g\", \"delay\": { \"for\": \"1s\" }, \"steps\": [\(get("a"))] }]", "workflow.unknownKey",
      "/steps/0/delay"),
    Wrong(
      "another engine's word", "[{ \"id\": \"g\", \"if\": \"$.input.x == 1\", \"steps\": [\(get("a"))] }]",
      "workflow.unknownKey", "/steps/0/if", near: "when"),
    Wrong(
      "an id that a member repeats", "[\(get("a")), { \"id\": \"g\", \"steps\": [\(get("a"))] }]",
      "workflow.duplicateStep", "/steps/1/steps/0/id"),
    Wrong(
      "a member that waits for its group",
      "[{ \"id\": \"g\", \"steps\": [\(get("a", ", \"dependsOn\": [\"g\"]"))] }]", "workflow.cycle",
      "/steps/0/steps/0/dependsOn/0"),
    Wrong(
      "a member that reads what comes after the group",
      "[{ \"id\": \"g\", \"steps\": [\(get("a", ", \"when\": \"$.steps.z.status == 'skipped'\""))] }, \(get("z"))]",
      "workflow.stepNotBefore", "/steps/0/steps/0/when"),
    Wrong(
      "a group whose condition reads a member",
      "[{ \"id\": \"g\", \"when\": \"$.steps.a.status == 'skipped'\", \"steps\": [\(get("a"))] }]",
      "workflow.stepNotBefore", "/steps/0/when"),
    Wrong(
      "a read of a member that is skipped with its group",
      """
      [{ "id": "g", "when": "$.input.x == 1", "steps": [\(get("a"))] },
       { "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.output.id}" } }]
      """, "workflow.unguardedRead", "/steps/1/http/path"),
    Wrong(
      "an output of a group",
      """
      [{ "id": "g", "steps": [\(get("a"))] },
       { "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${steps.g.output.id}" } }]
      """, "workflow.unknownMember", "/steps/1/http/path"),
    Wrong(
      "members that take longer than the group",
      "[{ \"id\": \"g\", \"timeout\": \"40s\", \"steps\": [\(get("a")), \(get("b"))] }]", "workflow.tooSlow",
      "/steps/0/timeout"),
    Wrong(
      "a group that may take longer than the saga",
      "[{ \"id\": \"g\", \"timeout\": \"2d\", \"steps\": [\(get("a"))] }]", "workflow.tooSlow", "/steps/0/timeout"),
    Wrong(
      "an unknown member of a member", "[{ \"id\": \"g\", \"steps\": [\(get("a", ", \"retires\": 1"))] }]",
      "workflow.unknownKey", "/steps/0/steps/0/retires", near: "retry"),
  ]

  @Test("A mistake in a group is an error at its place", arguments: wrong)
  func mistakes(wrong: Wrong) {
    let findings = check(Sample.workflow(wrong.steps)).findings
    #expect(
      findings.contains { $0.code == wrong.code && $0.pointer.description == wrong.pointer && $0.severity == .error },
      "\(findings.map(\.description))")
    if let near = wrong.near { #expect(findings.contains { $0.nearName == near }) }
  }

  @Test("Reads that the group guards are right")
  func guarded() throws {
    _ = try definition(
      """
      [\(Self.get("q", ", \"onFailure\": \"continue\"")),
       { "id": "g", "when": "$.steps.q.output.ok == true",
         "steps": [{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${steps.q.output.id}" } },
                   { "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.output.id}" } },
                   { "id": "c", "when": "$.steps.g.startedAt != ''", "delay": { "for": "1s" } }] },
       { "id": "z", "when": "$.steps.g.status == 'succeeded'",
         "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.output.id}" } }]
      """)
  }

  @Test("Groups are at most eight deep, and their steps count")
  func bounds() {
    func nested(_ depth: Int) -> String {
      (0..<depth).reduce(Self.get("a")) { "{ \"id\": \"g\($1)\", \"steps\": [\($0)] }" }
    }
    #expect(check(Sample.workflow("[\(nested(8))]")).errors.isEmpty)
    #expect(check(Sample.workflow("[\(nested(9))]")).errors.map(\.code).contains("workflow.badValue"))
    let many = (0..<1_000).map { Self.get("s\($0)") }.joined(separator: ",")
    #expect(
      check(Sample.workflow("[{ \"id\": \"g\", \"steps\": [\(many)] }]")).errors.map(\.code).contains(
        "workflow.tooManySteps"))
  }

  @Test("A pivot inside a group with a condition is warned of")
  func pivot() {
    let findings = check(
      Sample.workflow(
        "[{ \"id\": \"g\", \"when\": \"$.input.x == 1\", \"steps\": [\(Self.get("p", ", \"pivot\": true"))] }]")
    ).findings
    #expect(findings.map(\.code) == ["workflow.pivotWithWhen"])
    #expect(findings.first?.pointer.description == "/steps/0/when")
  }
}
