import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Steps that start a child", .timeLimit(.minutes(15)), .inTurn)
struct ChildTests {
  typealias Saga = SagaSpecification

  static func deliver(_ more: String = "", id: String = "deliver") -> String {
    #"""
    {"id": "\#(id)", "workflow": {"name": "deliver-results", "input": {"run": "${input.run}"}}\#(more.isEmpty ? "" : ", " + more)}
    """#
  }

  static func wells(_ forEach: String = "") -> String {
    #"""
    {"id": "wells", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well}"\#(forEach.isEmpty ? "" : ", " + forEach)},
     "workflow": {"name": "one-well", "input": {"well": "${well}"}}}
    """#
  }

  static func link(_ number: UInt64 = 1) -> ChildLink {
    ChildLink(
      saga: .version7(at: Saga.startedAt, random: (number, number)), workflow: "deliver-results", version: 3)
  }

  static func started(_ step: String, _ child: ChildLink, round: Int = 1) -> SagaCommand {
    .child(ChildReport(step: step, round: round, .started(child)))
  }

  static func ended(_ step: String, _ child: ChildLink, _ outcome: StepOutcome, round: Int = 1) throws -> SagaCommand {
    .child(ChildReport(step: step, round: round, .ended(try #require(ChildEnd(of: child, outcome)))))
  }

  static let failure = StepFailure(code: "QC_FAILED", message: "The concentration is too low.")

  private func operate(_ verb: OperatorVerb) -> SagaCommand {
    .operate(OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "r")))
  }

  /// A saga whose step `deliver` waits for its child.
  private func waiting(_ steps: String = "[\(Saga.http("a")), \(deliver()), \(Saga.http("z"))]") throws -> Saga {
    var saga = try Saga(steps)
    try saga.start(input: ["run": "R7"])
    try saga.succeed("a")
    try saga.when(Self.started("deliver", Self.link()))
    return saga
  }

  // MARK: The parent goes forward

  @Test("The attempt starts the child, and the step waits until the child has ended")
  func awaits() throws {
    var saga = try Saga("[\(Self.deliver()), \(Saga.http("z"))]")
    #expect(try saga.start(input: ["run": "R7"]) == ["sagaStarted", "deliver 1"])
    #expect(saga.calls == ["deliver/1"])
    let effects = try Decider.effects(of: #require(saga.state), definition: saga.definition)
    guard case .call(let call)? = effects.first, case .workflow(let workflow) = call.action else {
      Issue.record("no child is started")
      return
    }
    #expect(workflow == RenderedWorkflow(name: "deliver-results", input: ["run": "R7"]))
    #expect(try saga.when(Self.started("deliver", Self.link())) == ["deliver waits for deliver-results"])
    let step = try #require(saga.state?.step("deliver"))
    #expect(step.status == .waiting && step.awaitedChild == Self.link() && saga.calls == [])
    #expect(saga.state?.status == .running)
    #expect(try saga.when(Self.started("deliver", Self.link())) == [], "a repeat changes nothing")
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .succeeded(["url": "u"]))) == ["deliver succeeded", "z 1"])
    #expect(saga.state?.step("deliver")?.output == ["url": "u"])
    #expect(try saga.when(Self.ended("deliver", Self.link(), .succeeded(.null))) == [])
  }

  @Test("A child that was compensated fails the step cleanly, with the child's code, and is not started again")
  func compensated() throws {
    var saga = try waiting()
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .failed(Self.failure))) == [
        "deliver failed failed QC_FAILED turnsBack", "turnedBack stepFailed", "undo a 1",
      ])
    let step = try #require(saga.state?.step("deliver"))
    #expect(step.outcome == .failed && step.failure?.message.contains("The concentration is too low.") == true)
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("A child that was abandoned leaves the outcome unknown, and its undo fails until an operator resolves it")
  func abandoned() throws {
    var saga = try waiting()
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .unknown(Self.failure))) == [
        "deliver failed unknown child.abandoned turnsBack", "turnedBack stepFailed", "undo deliver 1",
      ])
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .unknown(Self.failure))) == [
        "deliver undo failed child.abandoned blocks"
      ])
    #expect(saga.status == .stuck)
    #expect(
      try saga.when(.resolve(step: "deliver", .undone, by: "mia", reason: "by hand")) == [
        "deliver resolved undone", "undo a 1",
      ])
  }

  @Test("Reports on another child, on another round and before the start is recorded change nothing")
  func strays() throws {
    var saga = try waiting()
    #expect(try saga.when(Self.ended("deliver", Self.link(2), .succeeded(.null))) == [])
    #expect(try saga.when(Self.ended("deliver", Self.link(), .succeeded(.null), round: 2)) == [])
    #expect(try saga.when(Self.ended("other", Self.link(), .succeeded(.null))) == [])
    #expect(saga.state?.step("deliver")?.status == .waiting)
    var early = try Saga("[\(Self.deliver())]")
    try early.start(input: ["run": "R7"])
    #expect(try early.when(Self.ended("deliver", Self.link(), .succeeded(.null))) == [])
  }

  @Test("A restart asks for the child again, and counts no attempt")
  func restart() throws {
    var saga = try Saga("[\(Self.deliver())]")
    try saga.start(input: ["run": "R7"])
    #expect(try saga.when(.recover) == [])
    #expect(saga.calls == ["deliver/1"])
    try saga.when(Self.started("deliver", Self.link()))
    try saga.when(operate(.cancel))
    #expect(saga.calls == ["deliver/1/undo"])
    #expect(try saga.when(.recover) == [] && saga.calls == ["deliver/1/undo"])
  }

  @Test("A start that fails, as for a workflow that is not registered, fails the step")
  func unknownWorkflow() throws {
    var saga = try Saga("[\(Self.deliver())]")
    try saga.start(input: ["run": "R7"])
    #expect(
      try saga.refuse("deliver", "workflow.notFound") == [
        "deliver failed failed workflow.notFound turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("An input that can't be made fails the step, and starts nothing")
  func emptyInput() throws {
    var saga = try Saga("[\(Self.deliver())]")
    #expect(
      try saga.start(input: [:]) == [
        "sagaStarted", "deliver failed none expression.empty turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("A saga with eight sagas above it starts no child")
  func depth() throws {
    for (depth, words) in [
      (7, ["sagaStarted", "deliver 1"]),
      (
        8,
        ["sagaStarted", "deliver failed none child.tooDeep turnsBack", "turnedBack stepFailed", "sagaCompensated"]
      ),
    ] {
      var saga = try Saga("[\(Self.deliver())]")
      #expect(try saga.when(.start(Self.start(saga, parent: Self.parent(depth: depth)))) == words)
    }
  }

  static func parent(depth: Int = 1) -> ParentLink {
    ParentLink(saga: link(9).saga, step: "deliver", key: "\(link(9).saga)/deliver/2", depth: depth)
  }

  static func start(_ saga: Saga, parent: ParentLink?) -> SagaStart {
    SagaStart(
      id: Saga.id, workflow: saga.definition.name, version: 1, definitionDigest: "d",
      steps: saga.definition.steps.map(\.id), input: ["run": "R7"], deadline: Saga.startedAt + saga.definition.timeout,
      idempotencyKey: nil, tags: [], by: "test", parent: parent)
  }

  // MARK: The parent turns back

  @Test("A running child is asked to turn back, and the parent goes on when it has")
  func cancelRunning() throws {
    var saga = try waiting()
    #expect(
      try saga.when(operate(.cancel)) == [
        "turnedBack cancelled", "deliver failed unknown saga.waitEnded settles", "undo deliver 1",
      ])
    #expect(saga.calls == ["deliver/1/undo"])
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .succeeded(.null))) == [],
      "the child completed just before it was asked, and is asked again")
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .failed(Self.failure))) == [
        "deliver undone answered", "undo a 1",
      ])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("A child whose start was under way when the parent turned back is undone as soon as it is known")
  func startUnderWay() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.deliver())]")
    try saga.start(input: ["run": "R7"])
    try saga.succeed("a")
    #expect(try saga.when(operate(.cancel)) == ["turnedBack cancelled"])
    #expect(
      try saga.when(Self.started("deliver", Self.link())) == [
        "deliver waits for deliver-results", "deliver failed unknown saga.waitEnded settles", "undo deliver 1",
      ])
  }

  @Test("A completed child is undone with its step, and before the steps before it")
  func undoCompleted() throws {
    var saga = try waiting()
    try saga.when(Self.ended("deliver", Self.link(), .succeeded(.null)))
    #expect(try saga.refuse("z").suffix(2) == ["turnedBack stepFailed", "undo deliver 1"])
    let effects = try Decider.effects(of: #require(saga.state), definition: saga.definition)
    guard case .call(let call)? = effects.first, case .workflow(let workflow) = call.action else {
      Issue.record("no child is undone")
      return
    }
    #expect(workflow == RenderedWorkflow(name: "deliver-results", turnsBack: true), "an undo sends no input")
    #expect(call.compensates == "\(Saga.id)/deliver/1")
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .failed(Self.failure))) == [
        "deliver undone answered", "undo a 1",
      ])
  }

  @Test("A child that has passed its pivot makes the undo fail, as onFailure says")
  func pivotPassed() throws {
    for (more, words) in [
      ("", ["deliver undo failed child.pivotPassed blocks"]),
      (
        #""compensation": {"onFailure": "continue"}"#,
        ["deliver undo failed child.pivotPassed", "undo a 1"]
      ),
    ] {
      var saga = try waiting("[\(Saga.http("a")), \(Self.deliver(more)), \(Saga.http("z"))]")
      try saga.when(Self.ended("deliver", Self.link(), .succeeded(.null)))
      try saga.refuse("z")
      #expect(try saga.refuse("deliver", "child.pivotPassed") == words)
    }
  }

  @Test("A step that has started no child is undone at once")
  func neverStarted() throws {
    var saga = try Saga("[\(Self.deliver())]")
    try saga.start(input: ["run": "R7"])
    try saga.when(operate(.cancel))
    #expect(try saga.lose("deliver").last == "undo deliver 1")
    let gone = StepFailure(code: "saga.notFound", message: "no", isGone: true, keepsTombstones: true)
    #expect(try saga.settle("deliver", .failed(gone)) == ["deliver undone alreadyGone", "sagaCompensated"])
  }

  @Test("With compensation none the child is left as it is")
  func leftAlone() throws {
    var saga = try waiting("[\(Saga.http("a")), \(Self.deliver(#""compensation": "none""#))]")
    #expect(
      try saga.when(operate(.cancel)) == [
        "turnedBack cancelled", "deliver failed unknown saga.waitEnded settles", "undo a 1",
      ])
    try saga.succeed("a")
    #expect(saga.status == .compensated)
    #expect(try saga.when(Self.ended("deliver", Self.link(), .succeeded(.null))) == [])
  }

  @Test("A pivot with a child is undecided while the child runs")
  func pivot() throws {
    var saga = try waiting("[\(Saga.http("a")), \(Self.deliver(#""pivot": true"#)), \(Saga.http("z"))]")
    #expect(try saga.when(operate(.cancel)) == ["turnBackRequested cancelled"])
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .succeeded(.null))) == [
        "deliver succeeded", "turnBackLapsed", "z 1",
      ])
  }

  @Test("A rewind undoes the child, and the new round starts another")
  func rewind() throws {
    var saga = try waiting("[\(Saga.http("a")), \(Self.deliver())]")
    #expect(
      try saga.when(operate(.rewind(step: "deliver"))) == [
        "rewind deliver", "deliver failed unknown saga.waitEnded settles", "undo deliver 1",
      ])
    #expect(
      try saga.when(Self.ended("deliver", Self.link(), .failed(Self.failure))) == [
        "deliver undone answered", "rewound to deliver", "deliver 1",
      ])
    #expect(saga.calls == ["deliver/2"] && saga.state?.step("deliver")?.child == nil)
  }

  @Test("A step that waits for its child can't be skipped, and is not due now")
  func refusedVerbs() throws {
    var saga = try waiting()
    for (verb, code) in [
      (OperatorVerb.skip(step: "deliver", output: nil), EngineErrorCode.stepNotSkippable),
      (.runNow(step: "deliver"), EngineErrorCode.stepNothingDue),
      (.extend(step: "deliver", .by(.seconds(1))), EngineErrorCode.stepNotWaiting),
    ] {
      #expect { try saga.when(operate(verb)) } throws: { ($0 as? Refusal)?.code == code }
    }
    let allowed = try Verbs.allowed(#require(saga.state), saga.definition)
    #expect(allowed.first { $0.verb == .skip }?.steps == ["z"])
  }

  // MARK: A plate

  private func plate(_ forEach: String, _ count: Int) throws -> Saga {
    var saga = try Saga("[\(Self.wells(forEach)), \(Saga.http("after"))]")
    try saga.start(input: ["wells": .array((0..<count).map { .string("W\($0)") })])
    return saga
  }

  private func run(_ saga: inout Saga, _ number: Int, _ outcome: StepOutcome, round: Int = 1) throws -> [String] {
    let (step, child) = ("wells[W\(number)]", Self.link(UInt64(number * 10 + round)))
    try saga.when(Self.started(step, child, round: round))
    return try saga.when(Self.ended(step, child, outcome, round: round))
  }

  @Test(
    "Ninety-six wells: five fail, ten per cent may, an operator retries three with new children, and the saga goes on")
  func ninetySix() throws {
    var saga = try plate(#""maxParallel": 8, "toleratedFailures": "10%""#, 96)
    #expect(saga.calls.count == 8)
    for number in 0..<95 {
      _ = try run(&saga, number, number < 5 ? .failed(Self.failure) : .succeeded(["n": .int(number)]))
    }
    let items = try #require(saga.state?.items(of: "wells"))
    #expect(items.failures == 5 && items.count(of: .succeeded) == 90 && saga.calls == ["wells/W95/1"])
    for number in 0..<3 {
      #expect(
        try saga.when(operate(.retry(step: "wells[W\(number)]"))) == [
          "wells[W\(number)] retried", "wells[W\(number)] 1",
        ])
    }
    #expect(Set(saga.calls) == ["wells/W95/1", "wells/W0/2", "wells/W1/2", "wells/W2/2"])
    for number in 0..<3 { _ = try run(&saga, number, .succeeded(.null), round: 2) }
    #expect(try run(&saga, 95, .succeeded(.null)) == ["wells[W95] succeeded", "wells succeeded", "after 1"])
    #expect(saga.state?.items(of: "wells")?.failures == 2)
    // Everything that completed is undone, eight at a time.
    #expect(try saga.refuse("after").suffix(8).allSatisfy { $0.hasPrefix("undo wells[") })
    #expect(saga.calls.count == 8)
    var undone = 0
    while let call = saga.calls.first {
      let parts = try #require(IdempotencyKey.Parts("\(Saga.id)/\(call)"))
      let child = try #require(saga.state?.step(parts.step)?.child)
      try saga.when(Self.ended(parts.step, child, .failed(Self.failure), round: parts.round))
      undone += 1
      #expect(saga.calls.count <= 8)
    }
    #expect(undone == 94 && saga.status == .compensated)
  }

  @Test("A retry of a whole step starts a new child for each failed item")
  func retryAll() throws {
    var saga = try Saga(
      "[\(Self.wells(#""maxParallel": 2"#).dropLast(1)), \"onFailure\": \"stuck\"}]")
    try saga.start(input: ["wells": ["W0", "W1"]])
    _ = try run(&saga, 0, .failed(Self.failure))
    #expect(try run(&saga, 1, .succeeded(.null)).last == "wells failed none forEach.failures blocks")
    #expect(
      try saga.when(operate(.retry(step: "wells"))) == ["wells retried", "wells[W0] 1"])
    #expect(saga.calls == ["wells/W0/2"])
    #expect(try run(&saga, 0, .succeeded(.null), round: 2).suffix(2) == ["wells succeeded", "sagaCompleted"])
  }

  // MARK: The child

  @Test("A completed child opens again for its parent, and undoes its steps in reverse order")
  func reopened() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.when(.start(Self.start(saga, parent: Self.parent())))
    try saga.succeed("a")
    #expect(try saga.succeed("b").last == "sagaCompleted")
    let completed = try #require(saga.state)
    #expect(completed.end?.status == .completed)
    let report = try #require(ChildReport(endOf: completed, definition: saga.definition))
    #expect(report.step == "deliver" && report.round == 2)
    #expect(try saga.when(.undoForParent) == ["sagaReopened", "undo b 1"])
    #expect(saga.state?.end == nil && saga.status == .compensating)
    let open = try #require(saga.state)
    #expect(ChildReport(endOf: open, definition: saga.definition) == nil)
    #expect(try saga.when(.undoForParent) == [], "a repeat changes nothing")
    #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(saga.state?.turnBack?.value.cause == .parent && saga.state?.turnBack?.value.code == "child.undone")
    #expect(try saga.when(.undoForParent) == [], "a compensated child is undone already")
  }

  @Test("A completed child whose saga has a turn asks for it again before it undoes its steps")
  func reopenedWithTurn() throws {
    var saga = try Saga("[\(Saga.http("a"))]", members: #""concurrency": {"key": "plate-7"},"#)
    let turn = SagaCommand.takeTurns([TurnOffer(step: nil, key: "plate-7")])
    #expect(
      try saga.when(.start(Self.start(saga, parent: Self.parent()))) == ["sagaStarted", "saga asks plate-7"])
    #expect(try saga.when(turn) == ["saga takes plate-7", "a 1"])
    #expect(try saga.succeed("a").last == "sagaCompleted")
    #expect(saga.state?.hasTurns == false)
    #expect(try saga.when(.undoForParent) == ["sagaReopened", "undo saga asks plate-7"])
    #expect(try saga.when(.wake) == [])
    #expect(saga.due == nil, "no timeout limits an undo")
    #expect(try saga.when(turn) == ["undo saga takes plate-7", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(saga.state?.hasTurns == false)
  }

  @Test("A child without undos is compensated at once when it opens again")
  func reopenedWithoutUndo() throws {
    var saga = try Saga(#"[{"id": "a", "http": {"service": "lab", "method": "GET", "path": "/a"}}]"#)
    try saga.when(.start(Self.start(saga, parent: Self.parent())))
    try saga.succeed("a")
    #expect(try saga.when(.undoForParent) == ["sagaReopened", "sagaCompensated"])
    #expect(saga.state?.end?.status == .compensated)
  }

  @Test("A running child turns back for its parent, and one that has passed its pivot refuses")
  func turnsBack() throws {
    var running = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try running.when(.start(Self.start(running, parent: Self.parent())))
    try running.succeed("a")
    #expect(try running.when(.undoForParent) == ["turnedBack parent"])
    #expect(try running.refuse("b") == ["b failed failed http.422 settles", "undo a 1"])

    for last in [true, false] {
      var passed = try Saga("[\(Saga.http("a", #""pivot": true"#)), \(Saga.http("b"))]")
      try passed.when(.start(Self.start(passed, parent: Self.parent())))
      try passed.succeed("a")
      if last { try passed.succeed("b") }
      let before = passed.state
      #expect { try passed.when(.undoForParent) } throws: { ($0 as? Refusal)?.code == "child.pivotPassed" }
      #expect(passed.state == before)
    }
  }

  @Test("Nothing but its reopening follows an end, and only a completed saga opens again")
  func ends() throws {
    let reason = TurnBack(cause: .parent, code: "child.undone", message: "m")
    func state(_ events: [any SagaEventContent]) throws -> SagaState { try TransitionTests.saga(after: events) }
    let completed: [any SagaEventContent] = [SagaCompleted(output: .null, errors: [])]
    let compensated: [any SagaEventContent] = [TurnedBack(reason), SagaCompensated()]
    let abandoned: [any SagaEventContent] = [SagaAbandoned(TransitionTests.act)]
    #expect(try state(completed + [SagaReopened(reason)]).status == .compensating)
    let passed: [any SagaEventContent] = [
      AttemptStarted(step: "s", phase: .forward, round: 1, attempt: 1, deadline: TransitionTests.now),
      StepSucceeded(step: "s", output: .null, isPivot: true), SagaCompleted(output: .null, errors: []),
    ]
    #expect(try state(passed).status == .completed)
    for before in [[], compensated, abandoned, passed] {
      #expect(throws: HistoryError.self) { try state(before + [SagaReopened(reason)]) }
    }
    #expect(throws: HistoryError.self) { try state(completed + [TurnedBack(reason)]) }
    #expect(throws: HistoryError.self) { try state(completed + [SagaReopened(reason), SagaReopened(reason)]) }
  }

  @Test("An older start reads as before, and a start with a parent is written with it")
  func startMember() throws {
    let old = EventSamples.start(idempotencyKey: nil, tags: [])
    #expect(old.parent == nil && SagaStarted(old).saga.json["parent"] == nil)
    let saga = try Saga("[\(Saga.http("a"))]")
    let started = SagaStarted(Self.start(saga, parent: Self.parent(depth: 3)))
    let event = SagaEvent(at: Saga.startedAt, started)
    let read = try SagaEvent(type: "sagaStarted", schema: 1, data: JSON(parsing: event.data.text()))
    #expect((read.what as? SagaStarted)?.saga.parent == Self.parent(depth: 3))
    #expect(SagaStarted.audited(event.data) == nil, "the engine started it, not a person")
  }
}
