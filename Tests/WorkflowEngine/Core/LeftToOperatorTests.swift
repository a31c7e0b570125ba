import JSON
import TestSupport
import Testing
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("A step whose onFailure is stuck", .timeLimit(.minutes(15)), .inTurn)
struct LeftToOperatorTests {
  typealias Saga = SagaSpecification

  /// `a`, then `b`, which has failed for good and leaves the saga to an operator, and `c`, which follows `b`.
  private func stuckAtB(losing: Bool = false) throws -> Saga {
    var saga = try Saga(
      #"""
      [\#(Saga.http("a")),
       \#(Saga.http("b", #""onFailure": "stuck", "retry": {"maxAttempts": 1}"#)), \#(Saga.http("c"))]
      """#)
    try saga.start()
    try saga.succeed("a")
    #expect(
      try losing
        ? saga.lose("b") == ["b failed unknown timeout blocks"]
        : saga.refuse("b") == ["b failed failed http.422 blocks"])
    return saga
  }

  @Test("The saga is stuck, undoes nothing, and offers retry, resolve, skip and compensate")
  func stuck() throws {
    let saga = try stuckAtB()
    #expect(saga.status == .stuck)
    #expect(saga.calls == [])
    let state = try #require(saga.state)
    let blocker = try #require(state.blockers.first)
    let allowed = Verbs.allowed(state, saga.definition)
    #expect(
      Verbs.helping(blocker, among: allowed, in: state, by: saga.definition) == [
        .retry, .resolve, .skip, .rewind, .compensate, .abandon,
      ])
    let why = Explanation(state, saga.definition, now: saga.now)
    #expect(why.kind == .stuck && why.step == "b")
    #expect(why.next.map(\.verb) == ["retry", "resolve", "skip", "rewind", "compensate", "abandon"])
    #expect(why.next.contains { $0.command == "saga compensate \(state.id) --reason '…'" })
  }

  @Test("Retry goes on from there")
  func retry() throws {
    var saga = try stuckAtB()
    #expect(try saga.when(.retry(step: "b", by: "mia", reason: "reader is back")) == ["b retried", "b 2"])
    #expect(try saga.succeed("b") == ["b succeeded", "c 1"])
    #expect(try saga.succeed("c").last == "sagaCompleted")
  }

  @Test("Compensate undoes what was done, and what may have been done", arguments: [false, true])
  func compensate(losing: Bool) throws {
    var saga = try stuckAtB(losing: losing)
    let events = try saga.when(.operate(OperatorRequest(.compensate, by: OperatorAct(by: "mia", reason: "give it up"))))
    #expect(events == ["turnedBack compensate", losing ? "undo b 1" : "undo a 1"])
    if losing { #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"]) }
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("A step that did not happen still waits for the operator, who may then skip it")
  func didNotHappen() throws {
    var saga = try stuckAtB(losing: true)
    #expect(
      throws: Refusal.self, "an unknown step can't be skipped"
    ) { try saga.when(.operate(OperatorRequest(.skip(step: "b", output: nil), by: OperatorAct(by: "m", reason: "r")))) }
    #expect(
      try saga.when(.resolve(step: "b", .didNotHappen, by: "mia", reason: "looked")) == ["b resolved didNotHappen"])
    #expect(saga.status == .stuck)
    #expect(saga.state?.step("b")?.outcome == .failed)
    let skip = OperatorRequest(.skip(step: "b", output: nil), by: OperatorAct(by: "mia", reason: "not needed"))
    #expect(try saga.when(.operate(skip)) == ["b skipped by operator", "c 1"])
  }

  @Test("The saga's timeout starts compensation, and an operator can extend it")
  func timeout() throws {
    var saga = try stuckAtB()
    let extend = OperatorRequest(
      .extend(step: nil, .by(.seconds(3_600))), by: OperatorAct(by: "mia", reason: "the reader comes tomorrow"))
    #expect(try saga.when(.operate(extend)) == ["saga extended"])
    #expect(try saga.when(.wake, after: 300_000) == [])
    #expect(saga.status == .stuck)
    #expect(try saga.wakeWhenDue() == ["turnedBack timeout", "undo a 1"])
    #expect(saga.status == .compensating)
  }

  @Test("The failure of another step starts compensation, and the stuck step no longer blocks")
  func otherFailure() throws {
    var saga = try Saga(
      #"""
      [\#(Saga.http("a", #""dependsOn": []"#)),
       \#(Saga.http("b", #""dependsOn": [], "onFailure": "stuck", "retry": {"maxAttempts": 1}"#))]
      """#)
    try saga.start()
    #expect(try saga.refuse("b") == ["b failed failed http.422 blocks"])
    #expect(try saga.refuse("a").suffix(2) == ["turnedBack stepFailed", "sagaCompensated"])
  }
}
