import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Undos that start a child", .timeLimit(.minutes(15)), .inTurn)
struct UndoChildTests {
  typealias Saga = SagaSpecification

  static func pool(_ more: String = "", workflow: String = "", step: String = "") -> String {
    #"""
    {"id": "pool", "http": {"service": "lab", "method": "PUT", "path": "/pool"}\#(step),
     "compensation": {"workflow": {"name": "unpool", "input": {"pool": "${steps.pool.key}"}\#(workflow)}\#(more)}}
    """#
  }

  static func link(_ number: UInt64 = 1) -> ChildLink {
    ChildLink(saga: .version7(at: Saga.startedAt, random: (number, number)), workflow: "unpool", version: 1)
  }

  static func started(_ child: ChildLink = link(), step: String = "pool") -> SagaCommand {
    .child(ChildReport(step: step, round: 1, phase: .undo, .started(child)))
  }

  static func ended(_ outcome: StepOutcome, _ child: ChildLink = link(), step: String = "pool") throws -> SagaCommand {
    .child(ChildReport(step: step, round: 1, phase: .undo, .ended(try #require(ChildEnd(of: child, outcome)))))
  }

  static let failure = StepFailure(code: "QC_FAILED", message: "The volume is too low.")

  /// A saga whose undo of `pool` starts its child, before the undo of `a`.
  private func starting(_ step: String = pool()) throws -> Saga {
    var saga = try Saga("[\(Saga.http("a")), \(step), \(Saga.http("z"))]")
    try saga.start(input: ["run": "R7"])
    try saga.succeed("a")
    try saga.succeed("pool")
    #expect(
      try saga.refuse("z") == ["z failed failed http.422 turnsBack", "turnedBack stepFailed", "undo pool 1"])
    return saga
  }

  private func waiting(_ step: String = pool()) throws -> Saga {
    var saga = try starting(step)
    #expect(try saga.when(Self.started()) == ["undo pool waits for unpool"])
    return saga
  }

  private func sent(_ saga: Saga) throws -> (StepCall, RenderedWorkflow) {
    let effects = try Decider.effects(of: #require(saga.state), definition: saga.definition)
    for case .call(let call) in effects {
      if case .workflow(let workflow) = call.action { return (call, workflow) }
    }
    throw StepFailure(code: "test", message: "no child is started")
  }

  @Test("The attempt starts a child with its input, and the child's end undoes the step")
  func completes() throws {
    var saga = try starting()
    let (call, workflow) = try sent(saga)
    #expect(workflow == RenderedWorkflow(name: "unpool", input: ["pool": "\(Saga.id)/pool/1"]))
    #expect(saga.calls == ["pool/1/undo"] && call.compensates == "\(Saga.id)/pool/1" && call.phase == .undo)
    #expect(try saga.when(.recover) == [] && saga.calls == ["pool/1/undo"], "a restart asks for it again")
    #expect(try saga.when(Self.started()) == ["undo pool waits for unpool"])
    let step = try saga.step("pool")
    #expect(step.status == .undoing && step.undoWait?.until == nil && step.inFlight == nil)
    #expect(step.undoChild == Self.link() && step.awaitedUndoChild == Self.link() && step.child == nil)
    #expect(saga.state?.awaitedChildren == [Self.link()] && saga.state?.children == [Self.link()])
    #expect(saga.due == nil && saga.calls == [] && saga.state?.snapshot["schema"] == 8)
    #expect(try saga.when(Self.started()) == [], "a repeat changes nothing")
    #expect(try saga.when(Self.ended(.succeeded(.null), Self.link(2))) == [], "another child")
    #expect(try saga.when(Self.ended(.succeeded(.null))) == ["pool undone answered", "undo a 1"])
    #expect(try saga.when(Self.ended(.succeeded(.null))) == [])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(try saga.step("pool").undoChild == Self.link())
  }

  @Test("After a child that was compensated the next attempt starts another one, under another key")
  func another() throws {
    var saga = try waiting(Self.pool(workflow: #", "key": "undo ${input.run}""#))
    #expect(try saga.when(Self.ended(.failed(Self.failure))) == ["undo pool refused QC_FAILED"])
    #expect(try saga.wakeWhenDue() == ["undo pool 2"])
    #expect(saga.calls == ["pool/1/undo/2"])
    #expect(try sent(saga).1.key == "undo R7/2")
    let parts = try #require(IdempotencyKey.Parts("\(Saga.id)/pool/1/undo/2"))
    #expect(parts.step == "pool" && parts.round == 1 && parts.phase == .undo)
    #expect(try saga.when(Self.started(Self.link(2))) == ["undo pool waits for unpool"])
    #expect(try saga.when(Self.ended(.succeeded(.null))) == [], "the first child")
    #expect(try saga.when(Self.ended(.succeeded(.null), Self.link(2))) == ["pool undone answered", "undo a 1"])
  }

  @Test("Without further attempts the undo fails, and an operator's retry starts another child")
  func final() throws {
    var saga = try waiting(Self.pool(#", "retry": {"maxAttempts": 1}"#))
    #expect(try saga.when(Self.ended(.failed(Self.failure))) == ["pool undo failed QC_FAILED blocks"])
    #expect(try saga.step("pool").undoUnknown == false)
    #expect(try saga.operate(.retry(step: "pool")) == ["pool retried", "undo pool 2"])
    #expect(saga.calls == ["pool/1/undo/2"])
  }

  @Test("What an abandoned child did remains: the undo fails at once, and a retry asks the same child")
  func abandoned() throws {
    var saga = try waiting()
    #expect(
      try saga.when(Self.ended(.unknown(Self.failure))) == ["pool undo failed child.abandoned blocks unknown"])
    #expect(saga.status == .stuck)
    #expect(try saga.step("pool").undoUnknown)
    let why = Explanation(try #require(saga.state), saga.definition, now: saga.now)
    #expect(why.sentence.contains("hat its child saga \(Self.link().saga) did may remain"))
    var resolved = saga
    #expect(try saga.operate(.retry(step: "pool")) == ["pool retried", "undo pool 2"])
    #expect(saga.calls == ["pool/1/undo"], "the key of the abandoned child")
    #expect(try resolved.operate(.resolve(step: "pool", .undone)) == ["pool resolved undone", "undo a 1"])
    #expect(try resolved.step("pool").undoUnknown == false)
  }

  @Test("A child that has not ended in time fails the undo, and a retry waits for the same child")
  func timeout() throws {
    var saga = try waiting(Self.pool(#", "timeout": "1h""#))
    #expect(try saga.step("pool").undoWait?.until == Saga.startedAt + .seconds(3_600))
    #expect(saga.allowed == ["extend pool", "pause"])
    #expect(try saga.wakeWhenDue() == ["pool undo failed timeout blocks unknown"])
    #expect(try saga.when(Self.ended(.succeeded(.null))) == [], "an operator looks first")
    #expect(try saga.operate(.retry(step: "pool")) == ["pool retried", "undo pool 2"])
    #expect(saga.calls == ["pool/1/undo"])
    #expect(try saga.when(Self.started()) == ["undo pool waits for unpool"])
    #expect(try saga.when(Self.ended(.succeeded(.null))) == ["pool undone answered", "undo a 1"])
  }

  @Test("A child that can't be started fails the undo, and a saga with eight above it starts none")
  func notStarted() throws {
    var saga = try starting()
    #expect(try saga.refuse("pool", "workflow.notFound") == ["pool undo failed workflow.notFound blocks"])
    var deep = try Saga("[\(Self.pool()), \(Saga.http("z"))]")
    try deep.when(.start(ChildTests.start(deep, parent: ChildTests.parent(depth: 8))))
    try deep.succeed("pool")
    #expect(try deep.refuse("z").last == "pool undo failed child.tooDeep blocks")
  }

  @Test("Run now is refused, a cancel changes nothing, and the saga says what it waits for")
  func verbs() throws {
    var saga = try waiting()
    #expect(saga.allowed == ["pause"], "nothing to extend without a timeout")
    #expect(try saga.refusal(of: .runNow(step: "pool")) == EngineErrorCode.stepNothingDue)
    #expect(try saga.refusal(of: .extend(step: "pool", .by(.seconds(60)))) == EngineErrorCode.stepNotWaiting)
    #expect(try saga.refusal(of: .cancel) == EngineErrorCode.sagaTurningBack)
    let why = Explanation(
      try #require(saga.state), saga.definition, now: saga.now,
      children: [Self.link().saga: ChildNow(status: .stuck, stuckAt: "x")])
    #expect(
      why.sentence.contains(
        "undo of step pool waits for its child saga \(Self.link().saga) (unpool), which is stuck at x"))
  }

  @Test("A child that is started during a pause is waited for from the resume on")
  func paused() throws {
    var saga = try starting(Self.pool(#", "timeout": "1h""#))
    try saga.operate(.pause)
    saga.pass(600_000)
    #expect(try saga.when(Self.started()) == ["undo pool waits for unpool"])
    saga.pass(600_000)
    try saga.operate(.resume)
    #expect(try saga.step("pool").undoWait?.until == saga.now + .seconds(3_600))
  }

  @Test("The end of a child after its parent was abandoned changes nothing")
  func parentEnded() throws {
    let free = #", "dependsOn": []"#
    var saga = try Saga(
      "[\(Self.pool(step: free)), \(Saga.http("c", #""dependsOn": []"#)), \(Saga.http("z", #""dependsOn": ["pool", "c"]"#))]"
    )
    try saga.start(input: [:])
    try saga.succeed("pool")
    try saga.succeed("c")
    try saga.refuse("z")
    try saga.when(Self.started())
    #expect(try saga.refuse("c") == ["c undo failed http.422 blocks"])
    #expect(try saga.operate(.abandon) == ["sagaAbandoned"])
    #expect(try saga.when(Self.ended(.succeeded(.null))) == [])
  }

  @Test("A child of an undo reports its end to the undo of its parent's step")
  func report() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    let key = "\(Self.link(9).saga)/pool/2/undo/3"
    let parent = ParentLink(saga: Self.link(9).saga, step: "pool", key: key, depth: 1)
    try saga.when(.start(ChildTests.start(saga, parent: parent)))
    try saga.succeed("a")
    let state = try #require(saga.state)
    let report = try #require(ChildReport(endOf: state, definition: saga.definition))
    #expect(report.step == "pool" && report.round == 2 && report.phase == .undo)
  }
}
