import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking what a workflow means", .timeLimit(.minutes(15)), .inTurn)
struct MeaningTests {
  typealias Case = FindingCase

  @Test("The checker reports each wrong meaning with its place", arguments: cases)
  func finds(one: Case) {
    let result = check(Sample.workflow(one.steps, more: one.more))
    #expect(result.errors.map { Found($0) } == one.found)
    #expect(result.definition == nil)
  }

  static let cases = commonCases + kafkaCases

  static let commonCases: [Case] = [
    Case(
      "a dependency on itself",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["a"] }]"#,
      [Found("workflow.selfDependency", "/steps/0/dependsOn/0", 2, 97)]),
    Case(
      "a misspelt dependency",
      #"[{ "id": "bookLane", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["bookLan"] }]"#,
      [Found("workflow.unknownStep", "/steps/1/dependsOn/0", 3, 87, near: "bookLane")]),
    Case(
      "a dependency named twice",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["a", "a"] }]"#,
      [Found("workflow.badValue", "/steps/1/dependsOn/1", 3, 92)]),
    Case(
      "a cycle",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["c"] },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "c", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.cycle", "/steps/0/dependsOn/0", 2, 97)]),
    Case(
      "two cycles",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["b"] },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["a"] },\#n{ "id": "c", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["d", "a"] },\#n{ "id": "d", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependsOn": ["c"] }]"#,
      [Found("workflow.cycle", "/steps/0/dependsOn/0", 2, 97), Found("workflow.cycle", "/steps/2/dependsOn/0", 4, 87)]),
    Case(
      "an unknown root",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${inputs.x}" } }]"#,
      [Found("workflow.unknownRoot", "/steps/0/http/path", 2, 81, near: "input")]),
    Case(
      "a step without steps",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${a.output.id}" } }]"#,
      [Found("workflow.unknownRoot", "/steps/1/http/path", 3, 71)]),
    Case(
      "item outside forEach",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${item.id}/${index}" } }]"#,
      [
        Found("workflow.itemOutsideForEach", "/steps/0/http/path", 2, 81),
        Found("workflow.itemOutsideForEach", "/steps/0/http/path", 2, 92),
      ]),
    Case(
      "a member of saga that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${saga.startetAt}" } }]"#,
      [Found("workflow.unknownMember", "/steps/0/http/path", 2, 86, near: "startedAt")]),
    Case(
      "a member of a step that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.outputs.id}" } }]"#,
      [Found("workflow.unknownMember", "/steps/1/http/path", 3, 79, near: "output")]),
    Case(
      "a query to a misspelt step",
      #"[{ "id": "bookLane", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${steps.bookLain.output.id}" } }]"#,
      [Found("workflow.unknownStep", "/steps/1/http/path", 3, 77, near: "bookLane")]),
    Case(
      "a query to a later step",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${steps.b.output.id}" } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.stepNotBefore", "/steps/0/http/path", 2, 87)]),
    Case(
      "a query to a parallel step",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "b", "dependsOn": [], "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.output.id}" } }]"#,
      [Found("workflow.stepNotBefore", "/steps/1/http/path", 3, 94)]),
    Case(
      "a query to a later step inside a filter",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${input.l[?@.x == $.steps.b.output.id].y}" } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.stepNotBefore", "/steps/0/http/path", 2, 105)]),
    Case(
      "a query to its own output",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.output.id}" } }]"#,
      [Found("workflow.stepNotBefore", "/steps/0/http/path", 2, 87)]),
    Case(
      "a query behind escapes",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "query": { "q": "\u00e9\"\ud83d\ude00 ${inputs.x}" } } }]"#,
      [Found("workflow.unknownRoot", "/steps/0/http/query/q", 2, 121, near: "input")]),
    Case(
      "a query that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${input.}" } }]"#,
      [Found("jsonpath.syntax", "/steps/0/http/path", 2, 87)]),
    Case(
      "two queries in one body that are none",
      #"[{ "id": "a", "compensation": "none", "http": { "service": "s", "method": "PUT", "path": "/x", "body": { "a": "${input[}", "b": ["${"] } } }]"#,
      [
        Found("jsonpath.syntax", "/steps/0/http/body/a", 2, 129),
        Found("template.unclosed", "/steps/0/http/body/b/0", 2, 140),
      ]),
    Case(
      "a when that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "when": "$.input.x = 1" }]"#,
      [Found("jsonpath.syntax", "/steps/0/when", 2, 102)]),
    Case(
      "a when that reads a later step",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "when": "@.steps.b.status == 'skipped'" },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.stepNotBefore", "/steps/0/when", 2, 100)]),
    Case(
      "an accept that reads the wrong root",
      #"[{ "id": "a", "signal": { "name": "x", "accept": "$.signal.ok && $.singal.x" } }]"#,
      [Found("workflow.unknownRoot", "/steps/0/signal/accept", 2, 77, near: "signal")]),
    Case(
      "signal outside accept",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/${signal.x}" } }]"#,
      [Found("workflow.unknownRoot", "/steps/0/http/path", 2, 81)]),
    Case(
      "an unguarded read of a step that may be skipped",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "when": "$.input.x" },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.output.id}" } }]"#,
      [Found("workflow.unguardedRead", "/steps/1/http/path", 3, 77)]),
    Case(
      "an unguarded read of a step that may fail",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "onFailure": "continue" },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.output.id}" } }]"#,
      [Found("workflow.unguardedRead", "/steps/1/http/path", 3, 77)]),
    Case(
      "a when that guards nothing",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "b", "when": "$.steps.a.key", "http": { "service": "s", "method": "GET", "path": "/x/${steps.a.error.code}" } }]"#,
      [Found("workflow.unguardedRead", "/steps/1/http/path", 3, 102)]),
    Case(
      "an output of the workflow that may be skipped",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "when": "$.input.x" }]"#,
      more: #""output": "${steps.a.output}","#,
      [Found("workflow.unguardedRead", "/output", 1, 49)]),
    Case(
      "an undo that reads its step's output",
      #"[{ "id": "a", "http": { "service": "s", "method": "POST", "path": "/x" }, "compensation": { "http": { "service": "s", "method": "DELETE", "path": "/x/${steps.a.output.id}" } } }]"#,
      [Found("workflow.undoReadsOutput", "/steps/0/compensation/http/path", 2, 170)]),
    Case(
      "an undo that reads its step's status",
      #"[{ "id": "a", "http": { "service": "s", "method": "POST", "path": "/x" }, "compensation": { "http": { "service": "s", "method": "DELETE", "path": "/x/${steps.a.status}" } } }]"#,
      [Found("workflow.stepNotBefore", "/steps/0/compensation/http/path", 2, 170)]),
    Case(
      "an undo that reads a later step",
      #"[{ "id": "a", "http": { "service": "s", "method": "POST", "path": "/x" }, "compensation": { "http": { "service": "s", "method": "DELETE", "path": "/x/${steps.b.key}" } } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.stepNotBefore", "/steps/0/compensation/http/path", 2, 168)]),
    Case(
      "a wait longer than the saga",
      #"[{ "id": "a", "signal": { "name": "x" }, "timeout": "6m" }]"#,
      [Found("workflow.tooSlow", "/steps/0/timeout", 2, 62)]),
    Case(
      "a wait that is over before it could be overdue",
      #"[{ "id": "a", "signal": { "name": "x" }, "timeout": "2m", "expected": "3m" }]"#,
      [Found("workflow.badValue", "/steps/0/expected", 2, 80)]),
    Case(
      "a wait that is over at the moment at which it would be overdue",
      #"[{ "id": "a", "signal": { "name": "x" }, "timeout": "2m", "expected": "120s" }]"#,
      [Found("workflow.badValue", "/steps/0/expected", 2, 80)]),
    Case(
      "a delay that is over before it could be overdue",
      #"[{ "id": "a", "delay": { "for": "1m" }, "expected": "2m" }]"#,
      [Found("workflow.badValue", "/steps/0/expected", 2, 62)]),
    Case(
      "a delay longer than the saga",
      #"[{ "id": "a", "delay": { "for": "2d" } }]"#, more: #""timeout": "1d","#,
      [Found("workflow.tooSlow", "/steps/0/delay/for", 2, 42)]),
    Case(
      "a chain longer than the saga",
      #"[{ "id": "a", "delay": { "for": "3m" } },\#n{ "id": "b", "signal": { "name": "x" }, "timeout": "3m" }]"#,
      [Found("workflow.tooSlow", "/steps", 2, 10)]),
    Case(
      "attempts longer than the saga",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "timeout": "40s" }, { "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" }, "timeout": "30s" }]"#,
      more: #""timeout": "1m","#,
      [Found("workflow.tooSlow", "/timeout", 1, 41)]),
    Case(
      "a delay with both",
      #"[{ "id": "a", "delay": { "for": "1s", "until": "${input.t}" } }]"#,
      [Found("workflow.badValue", "/steps/0/delay/until", 2, 48)]),
    Case(
      "a delay with none",
      #"[{ "id": "a", "delay": {} }]"#,
      [Found("workflow.missingKey", "/steps/0/delay", 2, 33)]),
    Case(
      "an input schema that is a list",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#, more: #""inputSchema": [],"#,
      [Found("workflow.wrongType", "/inputSchema", 1, 45)]),
  ]
}
