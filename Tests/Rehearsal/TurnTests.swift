import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@Suite("A turn in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct TurnTests {
  private static let load = Small.put("load", #", "concurrency": { "key": "${input.instrument}" }"#)

  private func run(
    _ steps: String, more: String = "", never: Set<String> = [], crashes: [VirtualCrash] = [],
    input: JSON = ["instrument": "HiSeq-1"]
  ) throws -> VirtualRun {
    var saga = VirtualSaga(try definition(Small.workflow(steps, more: more)), input: input)
    saga.turnsNever = never
    saga.crashes = crashes
    return try saga.run { _ in .succeeds(.null) }
  }

  @Test("comes at once, because no other saga holds one")
  func atOnce() throws {
    let run = try run(Self.load)
    #expect(
      run.kinds == [
        "sagaStarted", "turnAsked", "turnTaken", "attemptStarted", "stepSucceeded", "sagaCompleted",
      ])
    #expect(run.sent == ["load.forward#1@0"])
  }

  @Test("of the saga itself comes at once")
  func own() throws {
    let run = try run(Small.put("a"), more: #""concurrency": { "key": "k" },"#)
    #expect(run.kinds.prefix(4) == ["sagaStarted", "turnAsked", "turnTaken", "attemptStarted"])
    #expect(run.status == .completed)
  }

  @Test("that never comes ends with the saga's timeout, or with that of the group")
  func never() throws {
    let late = try run(Self.load, never: ["load"])
    #expect(late.status == .compensated && late.state.turnBack?.value.cause == .timeout)
    #expect(late.calls.isEmpty)
    let group =
      #"{ "id": "g", "timeout": "1h", "concurrency": { "key": "k" }, "steps": [\#(Small.put("a"))] }"#
    let inTime = try run(group, never: ["g"])
    #expect(inTime.state.turnBack?.value.code == "concurrency.timeout")
    #expect(inTime.quietAt == inTime.state.startedAt + .seconds(3_600))
  }

  @Test("is there again after a crash")
  func crash() throws {
    let run = try run(Self.load, crashes: [VirtualCrash(.beforeRecord(step: "load", phase: .forward, attempt: 1))])
    #expect(run.status == .completed)
    #expect(run.kinds.count { $0 == "turnAsked" } == 1)
  }

  @Test("whose key can't be made keeps the saga from starting")
  func badKey() throws {
    let error = #expect(throws: RehearsalError.self) {
      try self.run(
        Small.put("a"), more: #""concurrency": { "key": "${input.instrument}" },"#, input: ["instrument": true])
    }
    #expect(error?.code == "concurrency.badKey")
  }

  @Test("is explored: it never comes")
  func explored() throws {
    let exploration = try Explorer(try definition(Small.workflow(Small.put("reserve") + "," + Self.load))).explore()
    #expect(exploration.gaps == [])
    let run = try #require(exploration.runs.first { $0.faults == [Fault("load", .turnNever)] })
    #expect(run.end == .compensated && run.undone == ["reserve"])
    #expect(run.turnedBack?.code == "saga.timeout")
    #expect(!exploration.runs.contains { $0.faults == [Fault("reserve", .turnNever)] })
  }
}
