import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Waiting", .timeLimit(.minutes(15)), .inTurn)
struct WaitingTests {
  typealias Saga = SagaSpecification
  static let approval =
    #"[{"id": "w", "signal": {"name": "approval", "accept": "$.signal.ok == true"}, "timeout": "2m"}, \#(SagaSpecification.http("b"))]"#

  func signal(_ body: JSON = ["ok": true], name: String = "approval") -> SagaCommand {
    .signal(name: name, signalID: nil, body: body, by: "qa")
  }

  @Test("A signal ends the wait, and its body is the step's output")
  func taken() throws {
    var saga = try Saga(Self.approval)
    #expect(try saga.start() == ["sagaStarted", "w waits"])
    #expect(try saga.when(signal()) == ["signal approval", "w succeeded", "b 1"])
    #expect(saga.state?.step("w")?.output == ["ok": true])
    #expect(try saga.when(signal()) == ["signal approval refused signal.tooLate"], "a second is another, and too late")
  }

  @Test("A body that is not accepted is refused, and the wait continues")
  func refused() throws {
    var saga = try Saga(Self.approval)
    try saga.start()
    #expect(try saga.when(signal(["ok": false])) == ["signal approval refused signal.refused"])
    #expect(saga.state?.step("w")?.status == .waiting)
    #expect(try saga.when(signal()).contains("w succeeded"))
  }

  @Test("A signal that comes early is kept", arguments: [true, false])
  func early(accepted: Bool) throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.approval.dropFirst().dropLast())]")
    try saga.start()
    #expect(try saga.when(signal(["ok": .bool(accepted)])) == ["signal approval"])
    let events = try saga.succeed("a")
    #expect(
      events
        == (accepted
          ? ["a succeeded", "w waits", "kept signal approval to w", "w succeeded", "b 1"]
          : ["a succeeded", "w waits", "signal approval refused"]))
    if !accepted { #expect(try saga.when(signal()).contains("w succeeded")) }
  }

  @Test("A signal is refused when its name is unknown, or when no step will wait for it any more")
  func unknownAndLate() throws {
    var saga = try Saga(Self.approval)
    try saga.start()
    #expect(
      #expect(throws: Refusal.self) { try saga.when(signal(name: "aproval")) }?.code == EngineErrorCode.signalUnknown)
    #expect(
      try saga.wakeWhenDue() == [
        "w failed none signal.timeout turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
    #expect(#expect(throws: Refusal.self) { try saga.when(signal()) }?.code == EngineErrorCode.sagaEnded)
  }

  @Test("A delay ends when it is due, never before; a late wake ends it late")
  func delay() throws {
    var saga = try Saga(#"[{"id": "d", "delay": {"for": "30s"}}, \#(Saga.http("b"))]"#)
    #expect(try saga.start() == ["sagaStarted", "d waits"])
    #expect(try saga.when(.wake, after: 29_999) == [])
    #expect(try saga.when(.wake, after: 1) == ["d succeeded", "b 1"])
    var late = try Saga(#"[{"id": "d", "delay": {"for": "30s"}}, \#(Saga.http("b"))]"#, members: #""timeout": "10m","#)
    try late.start()
    #expect(try late.when(.wake, after: 300_000) == ["d succeeded", "b 1"])
  }

  @Test("A delay lasts until the timestamp from the document; a past one ends at once, an invalid one fails")
  func delayUntil() throws {
    let steps = #"[{"id": "d", "delay": {"until": "${input.at}"}}]"#
    var past = try Saga(steps)
    #expect(
      try past.start(input: ["at": "2020-01-01T00:00:00Z"]).suffix(3) == ["d waits", "d succeeded", "sagaCompleted"])
    var future = try Saga(steps)
    try future.start(input: ["at": .string((Saga.startedAt + .seconds(90)).description)])
    #expect(try future.wakeWhenDue() == ["d succeeded", "sagaCompleted"])
    #expect(future.now - Saga.startedAt == .seconds(90))
    var none = try Saga(steps)
    #expect(try none.start(input: ["at": "tomorrow"]).contains("d failed none delay.notATime turnsBack"))
  }
}
