import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Going forward", .timeLimit(.minutes(15)), .inTurn)
struct ForwardTests {
  typealias Saga = SagaSpecification

  @Test("Steps follow each other, and the saga completes with its output")
  func sequence() throws {
    var saga = try Saga(
      "[\(Saga.http("a")), \(Saga.http("b"))]", members: #""output": {"got": "${steps.b.output.x}"},"#)
    #expect(try saga.start() == ["sagaStarted", "a 1"])
    #expect(saga.calls == ["a/1"])
    #expect(try saga.succeed("a") == ["a succeeded", "b 1"])
    #expect(try saga.succeed("b", ["x": 7]) == ["b succeeded", "sagaCompleted"])
    #expect(saga.status == .completed)
    #expect(saga.state?.end?.output == ["got": 7])
  }

  @Test("Steps whose dependencies are met run side by side")
  func parallel() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a")), \#(Saga.http("b", #""dependsOn": ["a"]"#)), \#(Saga.http("c", #""dependsOn": ["a"]"#)), \#(Saga.http("d", #""dependsOn": ["b", "c"]"#))]"#
    )
    try saga.start()
    #expect(try saga.succeed("a") == ["a succeeded", "b 1", "c 1"])
    #expect(try saga.succeed("c") == ["c succeeded"])
    #expect(try saga.succeed("b") == ["b succeeded", "d 1"])
  }

  @Test("A step whose condition is false is skipped, and its dependents continue")
  func skip() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a", #""when": "$.input.urgent == true""#)), \#(Saga.http("b"))]"#)
    #expect(try saga.start(input: ["urgent": false]) == ["sagaStarted", "a skipped", "b 1"])
  }

  @Test("A repeatable attempt is repeated under the same key until it succeeds")
  func retry() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    #expect(try saga.lose("a") == ["a unknown timeout"])
    #expect(saga.calls.isEmpty)
    #expect(try saga.when(.wake) == [], "never early")
    #expect(try saga.wakeWhenDue() == ["a 2"])
    #expect(saga.calls == ["a/1"])
    #expect(try saga.succeed("a") == ["a succeeded", "sagaCompleted"])
  }

  @Test("A replay of an attempt backs off for the same time")
  func seededJitter() throws {
    func firstRetry() throws -> Timestamp? {
      var saga = try Saga("[\(Saga.http("a"))]")
      try saga.start()
      try saga.lose("a")
      return saga.state?.step("a")?.retryAt
    }
    let retryAt = try #require(try firstRetry())
    #expect(try firstRetry() == retryAt)
    let delay = retryAt - Saga.startedAt
    #expect(delay >= .milliseconds(800) && delay <= .milliseconds(1_200), "1 s ± 20 %: \(delay)")
  }

  @Test("Retry-After is honoured when it asks for more patience than the backoff")
  func retryAfter() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.settle(
      "a", .unknown(StepFailure(code: "http.503", message: "busy", isRetryable: true, retryAfter: .seconds(30))))
    #expect(try #require(saga.state?.step("a")?.retryAt) - Saga.startedAt == .seconds(30))
  }

  @Test("A refusal that is not retryable starts compensation at once, unless the policy names it")
  func refusal() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    #expect(
      try saga.refuse("a") == ["a failed failed http.422 turnsBack", "turnedBack stepFailed", "sagaCompensated"])
    var named = try Saga(
      #"[\#(Saga.http("a", #""retry": [{"on": ["http.4xx"], "maxAttempts": 2}]"#))]"#)
    try named.start()
    #expect(try named.refuse("a") == ["a refused http.422"])
  }

  @Test("With onFailure continue the failure is recorded and the saga continues")
  func goesOn() throws {
    var saga = try Saga(#"[\#(Saga.http("a", #""onFailure": "continue""#)), \#(Saga.http("b"))]"#)
    try saga.start()
    #expect(try saga.refuse("a") == ["a failed failed http.422 goesOn", "b 1"])
    #expect(try saga.succeed("b") == ["b succeeded", "sagaCompleted"])
  }

  @Test("A query that finds nothing fails its step before anything is sent")
  func expressionEmpty() throws {
    var saga = try Saga(
      #"[{"id": "a", "http": {"service": "lab", "method": "GET", "path": "/x/${input.nothing}"}}]"#)
    #expect(
      try saga.start() == [
        "sagaStarted", "a failed none expression.empty turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("A header value with a line break fails the step before anything is sent")
  func headerInjection() throws {
    var saga = try Saga(
      #"[{"id": "a", "http": {"service": "lab", "method": "GET", "path": "/x", "headers": {"X-Ward": "${input.ward}"}}}]"#
    )
    #expect(
      try saga.start(input: ["ward": "7\r\nX-Evil: 1"]).contains("a failed none expression.notHeader turnsBack"))
  }

  @Test("An outcome of a settled attempt changes nothing")
  func lateNews() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.lose("a")
    try saga.wakeWhenDue()
    #expect(
      try saga.when(.attemptSettled(step: "a", phase: .forward, attempt: 1, outcome: .succeeded(.null))) == [])
    #expect(saga.calls == ["a/1"])
  }

  @Test("An attempt under way at a restart is unknown, and is repeated under its key")
  func interrupted() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    #expect(try saga.when(.recover) == ["a unknown engine.attemptInterrupted"])
    #expect(try saga.wakeWhenDue() == ["a 2"])
    #expect(saga.state?.step("a")?.outcome == .unknown)
    #expect(
      try saga.refuse("a").first == "a failed unknown http.422 turnsBack", "a later refusal does not clear the round")
  }

  @Test("An attempt that may not be repeated is undone, after a restart too")
  func interruptedWithoutRetry() throws {
    var saga = try Saga(#"[\#(Saga.http("a", #""retry": {"maxAttempts": 1}"#))]"#)
    try saga.start()
    #expect(
      try saga.when(.recover) == [
        "a failed unknown engine.attemptInterrupted turnsBack", "turnedBack stepFailed", "undo a 1",
      ])
  }

  @Test("An attempt that was not sent does not count, and does not change the round's outcome")
  func notMade() throws {
    var saga = try Saga(#"[\#(Saga.http("a", #""retry": {"maxAttempts": 1}"#))]"#)
    try saga.start()
    let failure = StepFailure(code: "service.busy", message: "later", isRetryable: true)
    for attempt in 2...4 {
      #expect(try saga.settle("a", .notSent(failure)) == ["a not made"])
      #expect(try saga.wakeWhenDue() == ["a \(attempt)"])
    }
    #expect(saga.state?.step("a")?.outcome == RoundOutcome.none)
    #expect(saga.calls == ["a/1"])
    #expect(
      try saga.lose("a") == ["a failed unknown timeout turnsBack", "turnedBack stepFailed", "undo a 1"],
      "its one attempt is still its own")
    #expect(try saga.settle("a", .notSent(failure)) == ["undo a not made"])
    #expect(try saga.wakeWhenDue() == ["undo a 2"])
  }

  @Test("A delay fails when RFC 3339 can't write its end in UTC")
  func unwritableMoment() throws {
    var saga = try Saga(#"[{"id": "d", "delay": {"until": "${input.at}"}}]"#)
    let events = try saga.start(input: ["at": "9999-12-31T23:59:59-01:00"])
    #expect(events.contains("d failed none delay.notATime turnsBack"))
  }

  @Test("While the engine stops, outcomes are recorded and nothing new starts")
  func holding() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    let events = try Decider.decide(
      .attemptSettled(step: "a", phase: .forward, attempt: 1, outcome: .succeeded(.null)), saga.state,
      definition: saga.definition, now: saga.now, isDraining: true)
    #expect(events.map(\.words) == ["a succeeded"])
  }
}
