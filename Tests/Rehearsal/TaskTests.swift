import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@Suite("A task in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct TaskTests {
  private static let load = #"""
    { "id": "load", "task": { "queue": "robot", "heartbeatTimeout": "30s" }, "timeout": "4m",
      "compensation": { "task": { "queue": "robot" }, "timeout": "1h" } }
    """#

  private func run(
    crashes: [VirtualCrash] = [], acts: [VirtualAct] = [], participant: (VirtualCall) -> PlannedAnswer
  ) throws -> VirtualRun {
    var saga = VirtualSaga(try definition(Small.workflow(Self.load)), input: [:])
    saga.crashes = crashes
    saga.acts = acts
    return try saga.run(participant: participant)
  }

  @Test("is taken by a worker, and completed")
  func completes() throws {
    let run = try run { _ in .succeeds(["run": 7]) }
    #expect(run.kinds == ["sagaStarted", "attemptStarted", "taskTaken", "stepSucceeded", "sagaCompleted"])
    #expect(run.state.step("load")?.output == ["run": 7])
    #expect(run.account.inEffect == ["load"])
  }

  @Test("is offered again after its worker is lost, and the next worker completes it")
  func lost() throws {
    let run = try run { $0.number == 1 ? .neverAnswers(happens: true) : .succeeds(.null) }
    #expect(
      run.kinds == [
        "sagaStarted", "attemptStarted", "taskTaken", "attemptFailed", "attemptStarted", "taskTaken", "stepSucceeded",
        "sagaCompleted",
      ])
    let failed = try #require(run.events.lazy.compactMap { $0.what as? AttemptFailed }.first)
    #expect(failed.failure.code == "task.heartbeatLost" && failed.isUnknown)
    #expect(run.calls[1].at - run.calls[0].at >= .seconds(31))
  }

  @Test("fails cleanly when no worker takes it")
  func untaken() throws {
    let run = try run { _ in
      var answer = PlannedAnswer.neverAnswers(happens: false)
      answer.isTaken = false
      return answer
    }
    #expect(run.kinds == ["sagaStarted", "attemptStarted", "stepFailed", "turnedBack", "sagaCompensated"])
    #expect(run.state.step("load")?.failure?.code == "task.timeout")
    #expect(run.quietAt - run.state.startedAt == .seconds(240))
  }

  @Test("is completed by its worker after a crash of the engine, in the same attempt")
  func crash() throws {
    let crashes = [VirtualCrash(.beforeRecord(step: "load", phase: .forward, attempt: 1))]
    let run = try run(crashes: crashes) { _ in .succeeds(.null) }
    #expect(run.kinds == ["sagaStarted", "attemptStarted", "taskTaken", "stepSucceeded", "sagaCompleted"])
    #expect(run.calls.count == 1 && run.restarts.count == 1)
  }

  @Test("is not taken while its saga is paused")
  func paused() throws {
    let person = OperatorAct(by: "ada", reason: "the robot is being cleaned")
    let run = try run(
      acts: [
        VirtualAct(after: .seconds(10), .operate(OperatorRequest(.pause, by: person))),
        VirtualAct(after: .seconds(100), .operate(OperatorRequest(.resume, by: person))),
      ]
    ) {
      $0.number == 1
        ? .fails(StepFailure(code: "BUSY", message: "busy", isRetryable: true), after: .seconds(20)) : .succeeds(.null)
    }
    let taken = run.events.filter { $0.what is TaskTaken }.map { ($0.at - run.state.startedAt).components.seconds }
    #expect(taken.count == 2 && taken[0] == 0 && taken[1] >= 100)
    #expect(run.status == .completed)
  }

  @Test("is explored: no worker takes it, a worker is lost or fails, and its undo is a task, too")
  func explored() throws {
    let exploration = try Explorer(try definition(Small.workflow(Small.put("reserve") + "," + Self.load))).explore()
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns.map(\.end) == [.completed])
    let expected: [(Fault.Kind, String, [String])] = [
      (.neverTaken, "task.timeout", ["reserve"]), (.fails, "http.422", ["reserve"]),
      (.timesOut(happened: true), "task.heartbeatLost", ["load", "reserve"]),
      (.timesOut(happened: false), "task.heartbeatLost", ["reserve"]),
    ]
    for (kind, code, undone) in expected {
      let run = try #require(exploration.runs.first { $0.faults == [Fault("load", kind)] })
      #expect(run.end == .compensated, "\(kind)")
      #expect(run.turnedBack?.code == code)
      #expect(run.undone == undone)
    }
    for kind in [Fault.Kind.crashes(beforeRecord: true), .crashes(beforeRecord: false)] {
      #expect(exploration.runs.first { $0.faults == [Fault("load", kind)] }?.end == .completed)
    }
    let stuck = try #require(exploration.runs.first { $0.faults == [Fault("load", .undoFailsForGood)] })
    #expect(stuck.end == .stuck)
  }
}
