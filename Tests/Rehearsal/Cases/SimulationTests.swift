import JSON
import SagaCore
import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("A simulated run", .timeLimit(.minutes(15)), .inTurn)
struct SimulationTests {
  @Test("makes up input, answers and signals that have what the workflow reads")
  func madeUp() throws {
    let result = try Simulation(CaseBench.definition()).play()
    #expect(result.run.status == .completed)
    #expect(result.isInputMadeUp)
    #expect(result.madeUp == ["book", "approve", "hurry", "load"])
    #expect(result.run.state.step("book")?.output == ["number": "number-1"])
    #expect(result.run.state.step("approve")?.output?["ok"] == true)
  }

  @Test("takes given answers, and makes up only the others")
  func given() throws {
    var simulation = Simulation(try CaseBench.definition())
    simulation.given = GivenAnswers(
      input: ["id": "T-1"], outputs: ["book": ["number": 7], "approve": ["ok": true, "name": "anna"]])
    let result = try simulation.play()
    #expect(!result.isInputMadeUp)
    #expect(result.madeUp == ["load"])
    #expect(result.run.state.end?.output == ["booking": 7])
    simulation.given.outputs["lod"] = [:]
    #expect(throws: RehearsalError.self) { try simulation.play() }
  }

  private func test() -> TestCase {
    var test = TestCase(name: "a case", line: 1)
    test.input = ["id": "T-1"]
    test.answers.forward["book"] = [
      CaseAnswer(.status(503, body: nil, headers: [])), CaseAnswer(.status(201, body: ["number": 7], headers: [])),
    ]
    test.signals = [
      CaseSignal(time: .after(.seconds(60)), name: "approval", body: ["ok": true, "name": "anna"], by: "anna")
    ]
    return test
  }

  @Test("fails and times out at the steps that it is asked for")
  func asked() throws {
    var failing = Simulation(try CaseBench.definition())
    failing.failing = ["load"]
    let failed = try failing.play()
    #expect(failed.run.status == .compensated)
    #expect(failed.run.cause?.code == Simulation.failureCode)
    #expect(failed.run.undone == ["book"])
    var timingOut = Simulation(try CaseBench.definition())
    timingOut.timingOut = ["load"]
    let lost = try timingOut.play()
    #expect(lost.run.undone == ["load", "book"])
    // An alert has no undo.
    #expect(lost.run.account.inEffect == ["hurry"])
    timingOut.timingOut = ["approve"]
    #expect(try timingOut.play().run.cause?.code == "signal.timeout")
  }

  @Test("tells what happened, in order, with calls, pauses and undos")
  func story() throws {
    var simulation = Simulation(try CaseBench.definition())
    simulation.test = test()
    simulation.failing = ["load"]
    let lines = try simulation.play().story.lines
    #expect(
      lines.map { "\(DurationWords.text($0.at)) \($0.step ?? "-"): \($0.text)" } == [
        "0s -: started by simulate",
        "0s book: PUT lab /bookings/T-1",
        "50ms book: lab answered 503 Service Unavailable. [http.503]; it may have happened; again in 4s",
        "4s 50ms book: PUT lab /bookings/T-1, attempt 2",
        "4s 100ms book: succeeded",
        "4s 100ms approve: waits for the signal approval for at most 2h",
        "1m 4s 100ms approve: signal approval by anna",
        "1m 4s 100ms approve: succeeded",
        "1m 4s 100ms hurry: skipped: its condition does not hold",
        "1m 4s 100ms load: POST robot /loads",
        "1m 4s 150ms load: failed for good: The simulation fails here. [SIMULATED_FAILURE]",
        "1m 4s 150ms -: turns back: load: The simulation fails here. [SIMULATED_FAILURE]",
        "1m 4s 150ms book: undo: DELETE lab /bookings/T-1",
        "1m 4s 200ms book: undone",
        "1m 4s 200ms -: compensated",
      ])
    let undo = try #require(lines.first { $0.kind == .undoes })
    #expect(undo.isMadeUp)
    #expect(undo.json["call"]?["method"] == "DELETE")
    #expect(undo.json["call"]?["key"]?.stringValue?.hasSuffix("/book/1/undo") == true)
    #expect(undo.json["atMs"] == 64_150)
  }

  @Test("tells of crashes, refusals and operators")
  func people() throws {
    let result = try CaseBench.play(
      """
      "signals": [{ "at": "5m", "name": "approval", "body": { "ok": false }, "by": "eva", "refused": "signal.refused" }],
      "operators": [
        { "at": "1m", "verb": "resume", "reason": "go", "refused": "saga.notPaused" },
        { "at": "2m", "verb": "pause", "reason": "lunch", "actor": "eva" },
        { "at": "3m", "verb": "resume", "reason": "back", "actor": "eva" },
        { "at": "10m", "verb": "cancel", "reason": "no", "actor": "eva" }
      ],
      "crashes": [{ "at": "4m" }], "expect": { "status": "compensated" }
      """)
    #expect(result.said == [])
    let texts = RunStory(try #require(result.run)).lines.map(\.text)
    for text in [
      "operator: resume is refused: The saga is not paused. [saga.notPaused]", "eva: pause, “lunch”",
      "eva: resume, “back”", "the engine starts again after a crash", "turns back: eva: cancelled, “no”",
    ] { #expect(texts.contains(text), "\(texts)") }
    #expect(texts.contains { $0.hasPrefix("signal approval by eva is refused: ") })
  }
}
