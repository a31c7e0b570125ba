import JSON
import TestSupport
import Testing
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Failing on purpose", .timeLimit(.minutes(15)), .inTurn)
struct FailOnPurposeTests {
  typealias Saga = SagaSpecification

  private static let refuse = #"""
    {"id": "refuse", "when": "$.input.reads < 1000",
     "fail": {"code": "TOO_FEW_READS", "message": "Only ${input.reads} reads."}}
    """#

  @Test("A fail step turns the saga back with its code and message, and only the other steps are undone")
  func turnsBack() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.refuse), \(Saga.http("b"))]")
    try saga.start(input: ["reads": 17])
    #expect(
      try saga.succeed("a") == [
        "a succeeded", "refuse failed none TOO_FEW_READS turnsBack", "turnedBack stepFailed", "undo a 1",
      ])
    #expect(saga.state?.step("refuse")?.failure?.message == "Only 17 reads.")
    #expect(saga.state?.step("refuse")?.outcome == RoundOutcome.none)
    #expect(saga.state?.step("refuse")?.forward.count == 0, "nothing was sent")
    try saga.succeed("a")
    #expect(saga.status == .compensated)
  }

  @Test("A fail step whose condition is false is skipped")
  func skipped() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.refuse), \(Saga.http("b"))]")
    try saga.start(input: ["reads": 1_000])
    #expect(try saga.succeed("a") == ["a succeeded", "refuse skipped", "b 1"])
  }

  @Test("A fail step with onFailure continue lets the saga go on")
  func goesOn() throws {
    var saga = try Saga(
      #"[{"id": "note", "fail": {"code": "NOTED"}, "onFailure": "continue"}, \#(Saga.http("b"))]"#)
    #expect(try saga.start().last == "b 1")
    try saga.succeed("b")
    #expect(saga.status == .completed)
    #expect(saga.state?.step("note")?.failure?.code == "NOTED")
  }

  @Test("Behind a pivot a fail step leaves the saga stuck, and a retry fails it again")
  func behindPivot() throws {
    var saga = try Saga(
      #"[\#(Saga.http("p", #""pivot": true"#)), {"id": "f", "fail": {"code": "NO"}}, \#(Saga.http("b"))]"#)
    try saga.start()
    try saga.succeed("p")
    #expect(saga.status == .stuck)
    try saga.when(.retry(step: "f", by: "mia", reason: "again"))
    #expect(saga.status == .stuck)
    #expect(saga.state?.step("f")?.failure?.code == "NO")
  }

  @Test("A message that can't be made fails the step with the expression's code")
  func badMessage() throws {
    var saga = try Saga(#"[{"id": "f", "fail": {"code": "NO", "message": "${input.none}"}}]"#)
    try saga.start()
    #expect(saga.state?.step("f")?.failure?.code == WorkflowErrorCode.expressionEmpty)
    #expect(saga.status == .compensated)
  }

  @Test("A step computes with defaults, and leaves out what is missing")
  func computed() throws {
    var saga = try Saga(
      #"""
      [{"id": "a", "http": {"service": "lab", "method": "GET", "path": "/a"}, "when": "$.input.lanes ?? 0 > 1"},
       {"id": "b", "compensation": "none", "http": {"service": "lab", "method": "PUT", "path": "/b/${input.lanes ?? 1}",
         "query": {"tag": "${input.tag ?? nothing}", "n": "${(input.lanes ?? 1) * 2}"},
         "headers": {"X-Tag": "${input.tag ?? nothing}"},
         "body": {"from": "${steps.a.output.id ?? nothing}", "of": "${steps.a.status}"}}}]
      """#)
    #expect(try saga.start() == ["sagaStarted", "a skipped", "b 1"])
    let state = try #require(saga.state)
    let effects = Decider.effects(of: state, definition: saga.definition)
    let calls = effects.compactMap {
      if case .call(let call) = $0, case .http(let http) = call.action { http } else { nil }
    }
    let call = try #require(calls.first)
    #expect(call.path == "/b/1")
    #expect(call.query == [RenderedField(name: "n", value: "2")])
    #expect(call.headers == [])
    #expect(call.body == ["of": "skipped"])
  }
}
