import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@Suite("A child in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct ChildTests {
  private static let deliver = #"{ "id": "deliver", "workflow": { "name": "deliver-results" } }"#
  private static let close = #"""
    { "id": "close", "http": { "service": "s", "method": "PUT", "path": "/runs/1" }, "retry": { "maxAttempts": 1 },
      "compensation": { "http": { "service": "s", "method": "DELETE", "path": "/runs/1" } } }
    """#
  private static let workflow = Small.workflow(deliver + ", " + close)
  private static let refused = StepFailure(code: "NO", message: "no")

  private func run(
    crashes: [VirtualCrash] = [], acts: [VirtualAct] = [], _ answer: (VirtualCall) -> PlannedAnswer
  ) throws -> VirtualRun {
    var saga = VirtualSaga(try definition(Self.workflow), input: [:])
    saga.crashes = crashes
    saga.acts = acts
    return try saga.run(participant: answer)
  }

  private static func undo(_ call: VirtualCall) -> PlannedAnswer? {
    guard call.call.phase == .undo else { return nil }
    return call.isInEffect ? .succeeds(.null) : gone
  }

  private static var gone: PlannedAnswer {
    .fails(StepFailure(code: "saga.notFound", message: "no", isGone: true))
  }

  @Test("a child that takes longer than any call is waited for, and its answer is the step's output")
  func waits() throws {
    let run = try run { call in
      call.call.step == "deliver" ? .succeeds(["files": 3], after: .seconds(200)) : .succeeds(.null)
    }
    #expect(
      run.kinds == [
        "sagaStarted", "attemptStarted", "childStarted", "stepSucceeded", "attemptStarted", "stepSucceeded",
        "sagaCompleted",
      ])
    #expect(run.state.step("deliver")?.output == ["files": 3])
  }

  @Test("a child that is refused was compensated, and the parent turns back")
  func fails() throws {
    let run = try run { Self.undo($0) ?? .fails(Self.refused) }
    #expect(run.state.status == .compensated && run.state.turnBack?.value.code == "NO")
    #expect(run.state.step("deliver")?.outcome == .failed && run.calls.count == 1)
  }

  @Test("a child is undone with its step, also while it runs, and does nothing afterwards")
  func undone() throws {
    let after = try run { call in
      Self.undo(call) ?? (call.call.step == "close" ? .fails(Self.refused) : .succeeds(.null))
    }
    #expect(after.state.status == .compensated && after.account.inEffect == [])
    #expect(after.account.undone == ["deliver"])
    let cancel = VirtualAct(
      after: .seconds(10), .operate(OperatorRequest(.cancel, by: OperatorAct(by: "mia", reason: "r"))))
    let during = try run(acts: [cancel]) { Self.undo($0) ?? .succeeds(.null, after: .seconds(200)) }
    #expect(during.state.status == .compensated && during.account.works.allSatisfy { !$0.isInEffect })
  }

  @Test("after a crash the child is asked for again, and is the same one")
  func crash() throws {
    for beforeRecord in [true, false] {
      let point: VirtualCrash.Point =
        beforeRecord
        ? .beforeRecord(step: "deliver", phase: .forward, attempt: 1)
        : .afterRecord(step: "deliver", phase: .forward, attempt: 1)
      let run = try run(crashes: [VirtualCrash(point)]) { call in
        .succeeds(.null, after: call.call.step == "deliver" ? .seconds(100) : .zero)
      }
      #expect(run.state.status == .completed)
      #expect(run.kinds.count { $0 == "childStarted" } == 1 && run.restarts.count == 1)
    }
  }

  @Test("the exploration plays the failures that a child can have")
  func explore() throws {
    let exploration = try Explorer(try definition(Self.workflow)).explore()
    let kinds = exploration.runs.flatMap(\.faults).filter { $0.step == "deliver" }.map(\.name)
    #expect(
      Set(kinds) == [
        "fails", "crashBeforeRecord", "crashAfterRecord", "undoFails", "undoCrashBeforeRecord", "undoCrashAfterRecord",
      ])
    let stuck = exploration.runs.filter { $0.end == .stuck }.flatMap(\.faults)
    #expect(stuck.contains { $0.step == "deliver" && $0.kind == .undoFailsForGood })
    #expect(!stuck.contains { $0.step == "deliver" && $0.kind == .fails })
  }
}
