import JSON
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import Workflows

@Suite("The document that expressions read", .timeLimit(.minutes(15)), .inTurn)
struct DocumentTests {
  typealias Saga = SagaSpecification

  @Test("A step shows its outcome, its times, and the sender of its signal")
  func steps() throws {
    var saga = try Saga(
      #"""
      [\#(Saga.http("a")), {"id": "approve", "signal": {"name": "ok"}},
       \#(Saga.http("b", #""when": "$.steps.approve.by == 'mia' && $.steps.a.outcome == 'succeeded'""#)),
       {"id": "never", "when": "$.steps.b.outcome == 'failed'", "delay": {"for": "1s"}}]
      """#,
      members: #""output": {"by": "${steps.approve.by}", "began": "${steps.a.startedAt}"},"#)
    try saga.start()
    let document = try #require(saga.state?.document)
    #expect(document["steps"]?["a"]?["outcome"] == "none")
    #expect(document["steps"]?["a"]?["startedAt"] == .string(Saga.startedAt.description))
    #expect(document["steps"]?["a"]?["endedAt"] == nil)
    #expect(document["steps"]?["approve"]?["startedAt"] == nil)
    saga.pass(1_500)
    try saga.succeed("a")
    saga.pass(500)
    #expect(
      try saga.when(.signal(name: "ok", signalID: "k1", body: ["fine": true], by: "mia"))
        == ["signal ok", "approve succeeded", "b 1"])
    try saga.succeed("b")
    let after = try #require(saga.state?.document["steps"])
    #expect(after["a"]?["outcome"] == "succeeded")
    #expect(after["a"]?["endedAt"] == .string((Saga.startedAt + .milliseconds(1_500)).description))
    #expect(after["approve"]?["by"] == "mia")
    #expect(after["approve"]?["endedAt"] == .string((Saga.startedAt + .milliseconds(2_000)).description))
    #expect(after["a"]?["by"] == nil && after["b"]?["by"] == nil)
    #expect(after["never"]?["status"] == "skipped" && after["never"]?["startedAt"] == nil)
    #expect(saga.state?.end?.output == ["by": "mia", "began": .string(Saga.startedAt.description)])
  }

  @Test("A rewind forgets the sender of the former round")
  func senderOfRound() throws {
    var saga = try Saga(
      #"[{"id": "approve", "signal": {"name": "ok"}}, {"id": "w", "signal": {"name": "end"}}]"#)
    try saga.start()
    try saga.when(.signal(name: "ok", signalID: "k1", body: .null, by: "mia"))
    #expect(saga.state?.document["steps"]?["approve"]?["by"] == "mia")
    try saga.when(.operate(OperatorRequest(.rewind(step: "approve"), by: OperatorAct(by: "tom", reason: "again"))))
    #expect(saga.state?.document["steps"]?["approve"]?["by"] == nil)
    try saga.when(.signal(name: "ok", signalID: "k2", body: .null, by: "ann"))
    #expect(saga.state?.document["steps"]?["approve"]?["by"] == "ann")
  }

  @Test("The saga shows its key, its tags and the person who started it")
  func saga() throws {
    let definition = try Saga(#"[{"id": "w", "signal": {"name": "end"}}]"#).definition
    func document(key: String?, tags: [String]) throws -> JSON? {
      let start = SagaStart(
        id: Saga.id, workflow: "spec", version: 1, definitionDigest: "d", steps: ["w"], input: .object([:]),
        deadline: Saga.startedAt + .seconds(300), idempotencyKey: key, tags: tags, by: "lims")
      let events = try Decider.decide(.start(start), nil, definition: definition, now: Saga.startedAt)
      return try SagaState(folding: events).document["saga"]
    }
    #expect(
      try document(key: "order-17", tags: ["urgent", "ward-3"]) == [
        "id": .string(Saga.id.description), "key": "order-17", "tags": ["urgent", "ward-3"], "workflow": "spec",
        "version": 1, "startedAt": .string(Saga.startedAt.description), "startedBy": "lims",
      ])
    let bare = try document(key: nil, tags: [])
    #expect(bare?["key"] == nil && bare?["tags"] == [])
  }

  @Test("The checker knows the words of the core")
  func words() {
    #expect(ConditionCheck.statuses == StepStatus.allCases.map(\.rawValue))
    #expect(ConditionCheck.outcomes == RoundOutcome.allCases.map(\.rawValue))
  }
}
