import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Groups of steps", .timeLimit(.minutes(15)), .inTurn)
struct GroupTests {
  typealias Saga = SagaSpecification

  private static let group = #"""
    [\#(Saga.http("a")),
     {"id": "g", "when": "$.input.frozen == true", "timeout": "1m",
      "steps": [\#(Saga.http("b", #""timeout": "20s", "retry": {"maxAttempts": 2}"#)), \#(Saga.http("c", #""timeout": "20s""#))]},
     \#(Saga.http("d"))]
    """#

  private func started(_ input: JSON = ["frozen": true], _ steps: String = group) throws -> Saga {
    var saga = try Saga(steps)
    try saga.start(input: input)
    return saga
  }

  @Test("A group opens, runs its members in order, and ends with the last one")
  func inOrder() throws {
    var saga = try started()
    #expect(try saga.succeed("a") == ["a succeeded", "g opens", "b 1"])
    #expect(saga.state?.step("g")?.status == .running && saga.state?.step("g")?.isOpenGroup == true)
    #expect(saga.status == .running)
    #expect(try saga.succeed("b") == ["b succeeded", "c 1"])
    #expect(try saga.succeed("c") == ["c succeeded", "g succeeded", "d 1"])
    #expect(try saga.succeed("d") == ["d succeeded", "sagaCompleted"])
  }

  @Test("A group whose condition is false is skipped with all its members")
  func skipped() throws {
    var saga = try started(["frozen": false])
    #expect(try saga.succeed("a") == ["a succeeded", "g skipped", "b skipped", "c skipped", "d 1"])
    #expect(try saga.succeed("d").last == "sagaCompleted")
  }

  @Test("A condition that can't be computed fails the group, and nothing of it starts")
  func conditionFails() throws {
    var saga = try Saga(#"[{"id": "g", "when": "$.input.n / $.input.d > 1", "steps": [\#(Saga.http("b"))]}]"#)
    #expect(
      try saga.start(input: ["n": 1, "d": 0]) == [
        "sagaStarted", "g failed none expression.arithmetic turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("Members are undone in reverse order, before what the group follows")
  func undone() throws {
    var saga = try started()
    try saga.succeed("a")
    try saga.succeed("b")
    try saga.succeed("c")
    #expect(try saga.refuse("d").suffix(2) == ["turnedBack stepFailed", "undo c 1"])
    #expect(try saga.succeed("c") == ["c undone answered", "undo b 1"])
    #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(saga.state?.step("g")?.status == .succeeded, "a group has nothing to undo")
  }

  @Test("A member that fails turns the saga back, and the open group ends")
  func memberFails() throws {
    var saga = try started()
    try saga.succeed("a")
    #expect(
      try saga.refuse("b") == [
        "b failed failed http.422 turnsBack", "turnedBack stepFailed", "g failed none saga.waitEnded settles",
        "undo a 1",
      ])
    #expect(try saga.succeed("a").last == "sagaCompensated")
  }

  @Test("The timeout covers all members together, and attempts under way settle first")
  func timeout() throws {
    var saga = try started()
    try saga.succeed("a")
    saga.pass(59_000)
    #expect(try saga.succeed("b") == ["b succeeded", "c 1"])
    #expect(saga.state?.step("g")?.groupDeadline == Saga.startedAt + .seconds(60))
    let state = try #require(saga.state)
    #expect(Decider.nextWake(of: state, definition: saga.definition) == Saga.startedAt + .seconds(60))
    #expect(try saga.when(.wake) == [], "it is not due yet")
    #expect(try saga.wakeWhenDue() == ["g failed none group.timeout turnsBack", "turnedBack stepFailed"])
    #expect(try saga.lose("c") == ["c failed unknown timeout settles", "undo c 1"])
  }

  @Test("A group whose last member succeeds when its time is up has not failed")
  func justInTime() throws {
    var saga = try started()
    try saga.succeed("a")
    try saga.succeed("b")
    saga.pass(60_000)
    #expect(try saga.succeed("c") == ["c succeeded", "g succeeded", "d 1"])
  }

  @Test("Behind a pivot a late group is stuck; a retry opens it for its whole time again")
  func behindPivot() throws {
    var saga = try Saga(
      #"""
      [\#(Saga.http("p", #""pivot": true"#)),
       {"id": "g", "timeout": "1m", "steps": [{"id": "s", "signal": {"name": "go"}}, \#(Saga.http("c"))]}]
      """#)
    try saga.start()
    #expect(try saga.succeed("p") == ["p succeeded", "g opens", "s waits"])
    #expect(try saga.wakeWhenDue() == ["g failed none group.timeout blocks"])
    #expect(saga.status == .stuck)
    #expect(
      try saga.when(.signal(name: "go", signalID: "1", body: .null, by: "m")) == ["signal go", "s succeeded"],
      "what is under way goes on, and nothing further starts")
    for verb in [
      OperatorVerb.skip(step: "g", output: nil), .resolve(step: "g", .happened(output: .null)),
      .retry(step: "g", input: [:]),
    ] {
      #expect(throws: Refusal.self) {
        try saga.when(.operate(OperatorRequest(verb, by: OperatorAct(by: "m", reason: "r"))))
      }
    }
    #expect(try saga.when(.retry(step: "g", by: "mia", reason: "thawed again")) == ["g retried", "g opens", "c 1"])
    #expect(saga.state?.step("g")?.groupDeadline == saga.now + .seconds(60))
    #expect(try saga.succeed("c") == ["c succeeded", "g succeeded", "sagaCompleted"])
  }

  @Test("A group whose members were all skipped before it opened ends at once")
  func allSkippedBefore() throws {
    var saga = try started()
    for step in ["b", "c"] {
      let skip = OperatorRequest(.skip(step: step, output: nil), by: OperatorAct(by: "mia", reason: "done by hand"))
      #expect(try saga.when(.operate(skip)) == ["\(step) skipped by operator"])
    }
    #expect(try saga.succeed("a") == ["a succeeded", "g opens", "g succeeded", "d 1"])
  }

  @Test("A late group inside a late group opens again only with the outer one")
  func lateInsideLate() throws {
    var saga = try Saga(
      #"""
      [\#(Saga.http("p", #""pivot": true"#)),
       {"id": "outer", "timeout": "1m", "steps": [
         {"id": "inner", "timeout": "1m", "steps": [{"id": "s", "signal": {"name": "go"}}, \#(Saga.http("c"))]}]}]
      """#)
    try saga.start()
    #expect(try saga.succeed("p") == ["p succeeded", "outer opens", "inner opens", "s waits"])
    #expect(
      try saga.wakeWhenDue()
        == ["inner failed none group.timeout blocks", "outer failed none group.timeout blocks"])
    #expect(try saga.when(.retry(step: "inner", by: "mia", reason: "go on")) == ["inner retried"])
    let state = try #require(saga.state)
    #expect(Decider.nextWake(of: state, definition: saga.definition) == state.deadline, "nothing loops hot")
    let retried = try saga.when(.retry(step: "outer", by: "mia", reason: "go on"))
    #expect(retried == ["outer retried", "outer opens", "inner opens"])
    #expect(
      try saga.when(.signal(name: "go", signalID: "1", body: .null, by: "m")) == ["signal go", "s succeeded", "c 1"])
  }

  @Test("An operator gives an open group more time, and a pause moves its deadline")
  func moreTime() throws {
    var saga = try started()
    try saga.succeed("a")
    func act(_ verb: OperatorVerb) throws -> [String] {
      try saga.when(.operate(OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "slow"))))
    }
    #expect(try act(.extend(step: "g", .by(.seconds(30)))) == ["g extended"])
    #expect(saga.state?.step("g")?.groupDeadline == Saga.startedAt + .seconds(90))
    #expect(try act(.pause) == ["sagaPaused"])
    saga.pass(10_000)
    #expect(try act(.resume) == ["sagaResumed"])
    #expect(saga.state?.step("g")?.groupDeadline == Saga.startedAt + .seconds(100))
  }

  @Test("A rewind to a member opens the group again; a rewind to the group begins all members again")
  func rewind() throws {
    func rewind(_ saga: inout Saga, to step: String) throws -> [String] {
      try saga.when(.operate(OperatorRequest(.rewind(step: step), by: OperatorAct(by: "mia", reason: "again"))))
    }
    var saga = try Saga(
      #"[{"id": "g", "steps": [\#(Saga.http("b")), \#(Saga.http("c"))]}, {"id": "w", "signal": {"name": "x"}}]"#)
    try saga.start()
    try saga.succeed("b")
    #expect(try saga.succeed("c") == ["c succeeded", "g succeeded", "w waits"])
    #expect(
      try rewind(&saga, to: "c") == ["rewind g c w", "w failed none saga.waitEnded settles", "undo c 1"])
    #expect(try saga.succeed("c") == ["c undone answered", "rewound to c", "g opens", "c 1"])
    #expect(saga.calls == ["c/2"])
    #expect(try saga.succeed("c") == ["c succeeded", "g succeeded", "w waits"])
    #expect(try rewind(&saga, to: "g").first == "rewind g b c w")
    try saga.succeed("c")
    #expect(try saga.succeed("b") == ["b undone answered", "rewound to g", "g opens", "b 1"])
  }

  @Test("A group inside a group opens inside the open one, and is skipped with it")
  func nested() throws {
    let steps = #"""
      [{"id": "outer", "when": "$.input.on == true",
        "steps": [\#(Saga.http("b")),
                  {"id": "inner", "when": "$.steps.b.output.deep == true", "steps": [\#(Saga.http("c"))]}]}]
      """#
    var off = try Saga(steps)
    #expect(
      try off.start(input: ["on": false])
        == ["sagaStarted", "outer skipped", "b skipped", "inner skipped", "c skipped", "sagaCompleted"])
    var on = try Saga(steps)
    #expect(try on.start(input: ["on": true]) == ["sagaStarted", "outer opens", "b 1"])
    #expect(try on.succeed("b", ["deep": true]) == ["b succeeded", "inner opens", "c 1"])
    #expect(try on.succeed("c") == ["c succeeded", "inner succeeded", "outer succeeded", "sagaCompleted"])
    var flat = try Saga(steps)
    try flat.start(input: ["on": true])
    #expect(
      try flat.succeed("b", ["deep": false])
        == ["b succeeded", "inner skipped", "c skipped", "outer succeeded", "sagaCompleted"])
  }

  @Test("Members side by side start together, and one skipped by an operator counts as passed")
  func sideBySide() throws {
    var saga = try Saga(
      #"""
      [{"id": "g", "steps": [\#(Saga.http("b", #""dependsOn": []"#)), {"id": "s", "dependsOn": [], "signal": {"name": "x"}}]},
       \#(Saga.http("z"))]
      """#)
    #expect(try saga.start() == ["sagaStarted", "g opens", "b 1", "s waits"])
    try saga.succeed("b")
    let skip = OperatorRequest(.skip(step: "s", output: nil), by: OperatorAct(by: "mia", reason: "not needed"))
    #expect(try saga.when(.operate(skip)) == ["s skipped by operator", "g succeeded", "z 1"])
  }

  @Test("A pivot inside a group is a point of no return for the whole saga")
  func pivotInside() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a")), {"id": "g", "timeout": "2m", "steps": [\#(Saga.http("p", #""pivot": true"#))]}, \#(Saga.http("z", #""retry": {"maxAttempts": 1}"#))]"#
    )
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("p")
    #expect(saga.state?.pivotPassed == true)
    #expect(try saga.refuse("z") == ["z failed failed http.422 blocks"])
  }

  @Test("The explanation names the member, not the group")
  func explanation() throws {
    var saga = try started()
    try saga.succeed("a")
    let why = Explanation(try #require(saga.state), saga.definition, now: saga.now)
    #expect(why.step == "b")
    #expect(!why.sentence.contains("step g"))
  }
}
