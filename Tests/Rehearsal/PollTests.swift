import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@Suite("A poll in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct PollTests {
  private static let sequence = #"""
    { "id": "sequence", "http": { "service": "s", "method": "GET", "path": "/runs/1" },
      "poll": { "every": "5m", "until": "$.answer.body.state == 'done'", "failWhen": "$.answer.body.state == 'failed'" },
      "timeout": "2h" }
    """#
  private static let workflow = Small.workflow(sequence)

  /// - Parameters:
  ///   - looks: the answers say "running" up to this look, and then "done".
  ///   - isLast: whether the participant says that it will answer so again.
  private func run(
    doneAfter looks: Int, isLast: Bool = false, crashes: [VirtualCrash] = [], acts: [VirtualAct] = []
  ) throws -> VirtualRun {
    var saga = VirtualSaga(try definition(Self.workflow), input: [:])
    saga.crashes = crashes
    saga.acts = acts
    return try saga.run { call in
      var answer = PlannedAnswer.succeeds(["state": call.number > looks ? "done" : "running"])
      answer.isLast = isLast
      return answer
    }
  }

  @Test("looks each interval until an answer ends it, and records only new answers")
  func looks() throws {
    let run = try run(doneAfter: 3)
    #expect(
      run.sent == [
        "sequence.forward#1@0", "sequence.forward#2@300000", "sequence.forward#3@600000", "sequence.forward#4@900000",
      ])
    #expect(run.kinds == ["sagaStarted", "pollStarted", "pollAnswered", "stepSucceeded", "sagaCompleted"])
    #expect(run.state.step("sequence")?.output == ["state": "done"])
  }

  @Test("skips the looks whose answers are known, and comes out as with all of them")
  func skips() throws {
    let all = try run(doneAfter: .max)
    #expect(all.calls.count == 25)
    let skipped = try run(doneAfter: .max, isLast: true)
    #expect(
      skipped.sent == ["sequence.forward#1@0", "sequence.forward#2@300000", "sequence.forward#25@7200000"])
    #expect(skipped.kinds == all.kinds)
    #expect(skipped.quietAt == all.quietAt)
    let failed = try #require(skipped.events.lazy.compactMap { $0.what as? StepFailed }.first)
    #expect(failed.failure.code == EngineErrorCode.pollTimeout)
    #expect(failed.outcome == .failed)
  }

  @Test("looks at once when the engine is back, and its timetable goes on")
  func crash() throws {
    let run = try run(doneAfter: 4, crashes: [VirtualCrash(.at(.seconds(720)), downtime: .seconds(600))])
    #expect(
      run.sent == [
        "sequence.forward#1@0", "sequence.forward#2@300000", "sequence.forward#3@600000", "sequence.forward#5@1320000",
        "sequence.forward#6@1500000",
      ])
    #expect(run.status == .completed)
  }

  @Test("moves its timetable by the length of a pause")
  func pause() throws {
    let person = OperatorAct(by: "ada", reason: "the instrument is being cleaned")
    let run = try run(
      doneAfter: 2,
      acts: [
        VirtualAct(after: .seconds(420), .operate(OperatorRequest(.pause, by: person))),
        VirtualAct(after: .seconds(1_020), .operate(OperatorRequest(.resume, by: person))),
      ])
    #expect(
      run.sent == ["sequence.forward#1@0", "sequence.forward#2@300000", "sequence.forward#3@1200000"])
    #expect(run.status == .completed)
  }

  @Test("is explored: no answer ends it, an answer fails it, a look is refused")
  func explored() throws {
    let exploration = try Explorer(try definition(Small.workflow(Small.put("reserve") + "," + Self.sequence))).explore()
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns.map(\.end) == [.completed])
    #expect(exploration.routes[0].answers.outputs["sequence"] == ["state": "done"])
    for (kind, code) in [(Fault.Kind.pollNever, "poll.timeout"), (.pollFails, "poll.failed"), (.fails, "http.422")] {
      let run = try #require(exploration.runs.first { $0.faults == [Fault("sequence", kind)] })
      #expect(run.end == .compensated)
      #expect(run.turnedBack?.code == code)
      #expect(run.undone == ["reserve"])
    }
    #expect(exploration.neverUndone.isEmpty)
  }
}
