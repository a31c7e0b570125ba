import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Turning back", .timeLimit(.minutes(15)), .inTurn)
struct TurningBackTests {
  typealias Saga = SagaSpecification
  static let chain = "[\(Saga.http("a")), \(Saga.http("b")), \(Saga.http("c"))]"

  @Test("Succeeded steps are undone one after the other, in reverse order")
  func reverseOrder() throws {
    var saga = try Saga(Self.chain)
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    #expect(
      try saga.refuse("c") == ["c failed failed http.422 turnsBack", "turnedBack stepFailed", "undo b 1"],
      "c was cleanly refused: there is nothing to undo")
    #expect(saga.calls == ["b/1/undo"])
    #expect(saga.status == .compensating)
    #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(saga.status == .compensated)
    #expect(saga.state?.turnBack?.value.step == "c")
  }

  @Test("Parallel steps are undone in parallel, and their common dependency after both")
  func parallelUndo() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a")), \#(Saga.http("b", #""dependsOn": ["a"]"#)), \#(Saga.http("c", #""dependsOn": ["a"]"#)), \#(Saga.http("d", #""dependsOn": ["b", "c"]"#))]"#
    )
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    try saga.succeed("c")
    #expect(try saga.refuse("d").suffix(2) == ["undo b 1", "undo c 1"])
    #expect(try saga.succeed("b") == ["b undone answered"])
    #expect(try saga.succeed("c") == ["c undone answered", "undo a 1"])
  }

  @Test("A round whose outcome is unknown is undone, with the key of its own undo")
  func unknownIsUndone() throws {
    var saga = try Saga(#"[\#(Saga.http("a", #""retry": {"maxAttempts": 1}"#))]"#)
    try saga.start()
    #expect(try saga.lose("a") == ["a failed unknown timeout turnsBack", "turnedBack stepFailed", "undo a 1"])
  }

  @Test("An unknown round stays unknown when a later attempt is refused")
  func unknownSticks() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.lose("a")
    try saga.wakeWhenDue()
    #expect(try saga.refuse("a", "http.409").contains("undo a 1"))
  }

  @Test("Attempts in flight settle before any undo, and their effects are undone too")
  func inFlightSettles() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a")), \#(Saga.http("b", #""dependsOn": ["a"]"#)), \#(Saga.http("c", #""dependsOn": ["a"]"#))]"#)
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.refuse("b") == ["b failed failed http.422 turnsBack", "turnedBack stepFailed"])
    #expect(saga.calls == ["c/1"])
    #expect(try saga.succeed("c") == ["c succeeded", "undo c 1"])
    #expect(try saga.succeed("c") == ["c undone answered", "undo a 1"])
  }

  @Test("An attempt with an unknown outcome during compensation is undone, not repeated")
  func noRetryWhileTurningBack() throws {
    var saga = try Saga(
      #"[\#(Saga.http("b", #""dependsOn": []"#)), \#(Saga.http("c", #""dependsOn": []"#))]"#)
    try saga.start()
    try saga.refuse("b")
    #expect(try saga.lose("c") == ["c failed unknown timeout settles", "undo c 1"])
  }

  @Test("A step in backoff at the start of compensation starts no attempt, and is undone if unknown")
  func backingOff() throws {
    var saga = try Saga(
      #"[\#(Saga.http("b", #""dependsOn": []"#)), \#(Saga.http("c", #""dependsOn": []"#))]"#)
    try saga.start()
    try saga.lose("c")
    #expect(
      try saga.refuse("b") == [
        "b failed failed http.422 turnsBack", "turnedBack stepFailed", "c failed unknown timeout settles", "undo c 1",
      ])
  }

  @Test(
    "Nothing by that name (404, 410) counts as undone if the round had succeeded, or if the service keeps tombstones",
    arguments: [(true, false, true), (false, true, true), (false, false, false)])
  func gone(succeeded: Bool, tombstones: Bool, isUndone: Bool) throws {
    var saga = try Saga(#"[\#(Saga.http("a", #""retry": {"maxAttempts": 1}"#)), \#(Saga.http("b"))]"#)
    try saga.start()
    if succeeded {
      try saga.succeed("a")
      try saga.refuse("b")
    } else {
      try saga.lose("a")
    }
    let gone = StepFailure(
      code: "http.404", classes: ["http.4xx"], message: "no such", isGone: true, keepsTombstones: tombstones)
    let events = try saga.settle("a", .failed(gone))
    #expect(events == (isUndone ? ["a undone alreadyGone", "sagaCompensated"] : ["undo a refused http.404"]))
  }

  @Test("The saga's timeout starts compensation, and does not limit the compensation")
  func timeout() throws {
    var saga = try Saga(#"[\#(Saga.http("a")), {"id": "w", "signal": {"name": "go"}}]"#, members: #""timeout": "5m","#)
    try saga.start()
    try saga.succeed("a")
    #expect(
      try saga.wakeWhenDue() == ["turnedBack timeout", "w failed none saga.waitEnded settles", "undo a 1"])
    #expect(saga.now - Saga.startedAt == .seconds(300))
    #expect(try saga.lose("a") == ["undo a unknown timeout"])
    #expect(try saga.when(.wake, after: 3_600_000) == ["undo a 2"])
  }

  @Test("A saga whose last step succeeds as its timeout passes is completed")
  func doneInTime() throws {
    var saga = try Saga("[\(Saga.http("a"))]", members: #""timeout": "1m","#)
    try saga.start()
    #expect(
      try saga.when(
        .attemptSettled(step: "a", phase: .forward, attempt: 1, outcome: .succeeded(.null)), after: 60_000)
        == ["a succeeded", "sagaCompleted"])
  }

  @Test("A cancel starts compensation once, with user and reason")
  func cancel() throws {
    var saga = try Saga(Self.chain)
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.when(.cancel(by: "mia", reason: "wrong tube")) == ["turnedBack cancelled"])
    #expect(saga.state?.turnBack?.value.reason == "wrong tube")
    #expect(throws: Refusal.self) { try saga.when(.cancel(by: "mia", reason: "again")) }
    #expect(try saga.succeed("b") == ["b succeeded", "undo b 1"])
  }

  @Test("A compensation follows its appliesTo and onFailure")
  func courtesy() throws {
    let courtesy =
      #"""
      {"id": "a", "http": {"service": "lab", "method": "PUT", "path": "/a"},
       "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/a"}, "onFailure": "continue",
                        "appliesTo": ["succeeded", "unknown", "failed"], "retry": {"maxAttempts": 1}}}
      """#
    var saga = try Saga("[\(courtesy)]")
    try saga.start()
    #expect(try saga.refuse("a").last == "undo a 1", "a cleanly failed step is undone when appliesTo says so")
    #expect(try saga.refuse("a") == ["a undo failed http.422", "sagaCompensated"])
  }
}
