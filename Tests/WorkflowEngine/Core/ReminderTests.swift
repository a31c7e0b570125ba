import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Reminders of a wait", .timeLimit(.minutes(15)), .inTurn)
struct ReminderTests {
  typealias Saga = SagaSpecification

  private func waiting(_ remind: String) throws -> Saga {
    var saga = try Saga(
      #"[{"id": "approve", "signal": {"name": "ok"}, "timeout": "3h", "remind": \#(remind)}]"#,
      members: #""timeout": "1d","#)
    #expect(try saga.start() == ["sagaStarted", "approve waits"])
    return saga
  }

  @Test("People are reminded after the time that the step says, and again and again")
  func again() throws {
    var saga = try waiting(#"{"after": "1h", "every": "30m"}"#)
    saga.pass(3_599_000)
    #expect(try saga.when(.wake) == [], "not early")
    #expect(try saga.wakeWhenDue() == ["approve reminded 1"])
    #expect(saga.now == Saga.startedAt + .seconds(3_600))
    #expect(try saga.wakeWhenDue() == ["approve reminded 2"])
    #expect(saga.now == Saga.startedAt + .seconds(5_400))
    #expect(saga.status == .running && saga.state?.step("approve")?.wait?.reminders == 2)
    let why = Explanation(try #require(saga.state), saga.definition, now: saga.now)
    #expect(why.sentence.contains("reminded of it 2 times"))
    #expect(
      try saga.when(.signal(name: "ok", signalID: "1", body: .null, by: "m"))
        == ["signal ok", "approve succeeded", "sagaCompleted"])
  }

  @Test("Without every there is one reminder, and the wait ends at its timeout")
  func once() throws {
    var saga = try waiting(#"{"after": "1h"}"#)
    #expect(try saga.wakeWhenDue() == ["approve reminded 1"])
    #expect(saga.state?.step("approve")?.wait?.remindAt == nil)
    #expect(try saga.wakeWhenDue().first == "approve failed none signal.timeout turnsBack")
  }

  @Test("After a time without an engine, one reminder covers the missed ones, and the next counts from it")
  func missed() throws {
    var saga = try waiting(#"{"after": "10m", "every": "10m"}"#)
    saga.pass(7_200_000)
    #expect(try saga.when(.recover) == ["approve reminded 1"])
    #expect(saga.state?.step("approve")?.wait?.remindAt == saga.now + .seconds(600))
  }

  @Test("A pause moves the reminder by its length")
  func paused() throws {
    var saga = try waiting(#"{"after": "1h"}"#)
    func act(_ verb: OperatorVerb) throws {
      try saga.when(.operate(OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "holiday"))))
    }
    try act(.pause)
    saga.pass(86_400_000)
    #expect(try saga.when(.wake) == [], "a paused saga reminds of nothing")
    try act(.resume)
    #expect(saga.state?.step("approve")?.wait?.remindAt == Saga.startedAt + .seconds(90_000))
  }

  @Test("A saga that compensates reminds of nothing")
  func turnedBack() throws {
    var saga = try Saga(
      #"""
      [\#(Saga.http("a", #""dependsOn": []"#)),
       {"id": "s", "dependsOn": [], "signal": {"name": "ok"}, "remind": {"after": "1m", "every": "1m"}}]
      """#)
    try saga.start()
    #expect(try saga.when(.cancel(by: "m", reason: "r")).contains("s failed none saga.waitEnded settles"))
    #expect(try saga.when(.wake, after: 120_000) == [])
  }
}
