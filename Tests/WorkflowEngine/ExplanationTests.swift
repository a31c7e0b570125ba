import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Why a saga is in its current state", .timeLimit(.minutes(15)), .inTurn)
struct ExplanationTests {
  typealias Saga = SagaSpecification

  private func why(_ saga: Saga, about step: String? = nil) throws -> Explanation {
    let why = Explanation(try #require(saga.state), saga.definition, now: saga.now, about: step)
    // Every command names the saga, and every option has a purpose.
    for option in why.next {
      #expect(option.command.hasPrefix("saga \(option.verb) \(Saga.id)"))
      #expect(option.purpose.hasSuffix("."))
    }
    #expect(!why.sentence.contains("..") && why.sentence.hasSuffix("."), "\(why.sentence)")
    return why
  }

  private func offered(_ why: Explanation) -> [String] {
    why.next.map { [$0.verb, $0.step, $0.signal, $0.outcome].compactMap { $0 }.joined(separator: " ") }
  }

  @Test("A running saga names its step; every other step under way follows")
  func running() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b", #""dependsOn": []"#)), \(Saga.http("c"))]")
    try saga.start()
    let why = try why(saga)
    #expect(why.sentence == "The saga runs step a. Step b is under way.")
    #expect(why.kind == .running && why.step == "a" && why.phase == .forward && why.code == nil)
    #expect(why.since == Saga.startedAt && why.until == Saga.startedAt + Step.defaultAttemptTimeout)
    #expect(why.next == [])
  }

  @Test("Many steps that do the same are one fact, with what their ids have in common")
  func many() throws {
    let steps = (1...6).map { Saga.http("s\($0)", #""dependsOn": []"#) }
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    #expect(try why(saga).sentence == "The saga runs step s1. 5 steps s* are under way.")
    try saga.settle("s2", .unknown(StepFailure(code: "http.503", message: "busy", isRetryable: true)))
    #expect(
      try why(saga).sentence == "The saga waits for the next attempt of step s2. Attempt 1 failed: busy [http.503], "
        + "and it may have happened. 5 steps s* are under way.")
  }

  @Test("A saga that is stuck at many steps names what their ids have in common")
  func stuckPlate() throws {
    let steps = (1...12).map { Saga.http("p1_A\($0)", #""dependsOn": [], "onFailure": "stuck""#) }
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    for well in 1...12 { try saga.settle("p1_A\(well)", .failed(StepFailure(code: "EMPTY", message: "empty"))) }
    #expect(
      try why(saga).sentence == "The saga is stuck because step p1_A1 failed for good: empty [EMPTY]. "
        + "The saga is also stuck at 11 other steps p1_A*.")
  }

  @Test("A plate of 96 wells has a sentence of two facts, and at most three facts name steps")
  func plate() throws {
    let wells = "ABCDEFGH".flatMap { row in (1...12).map { "p1_\(row)\($0)" } }
    let others = ["d1", "d2", "d3", "d4", "d5"].map { Saga.delay($0, "1h", #""dependsOn": []"#) }
    let signals = ["x", "y", "z"].map { Saga.signal($0, #""timeout": "2h", "dependsOn": []"#) }
    let steps = wells.map { Saga.http($0, #""dependsOn": []"#) } + others + signals
    var saga = try Saga("[\(steps.joined(separator: ", "))]", members: #""timeout": "9h","#)
    try saga.start()
    let sentence = try why(saga).sentence
    #expect(
      sentence == "The saga waits at step x for the signal “x-done”. 96 steps p1_* are under way. "
        + "5 steps d* wait for their delays to end. Step y waits for the signal “y-done”. "
        + "1 other step is under way.")
  }

  @Test("A step that waits for its next attempt says what the last one failed with, and that it may have happened")
  func retrying() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.settle(
      "a", .unknown(StepFailure(code: "http.503", message: "ask\nagain \u{1B}[31m.", isRetryable: true)))
    let why = try why(saga)
    #expect(
      why.sentence == "The saga waits for the next attempt of step a. "
        + "Attempt 1 failed: ask again [31m [http.503], and it may have happened.")
    #expect(why.kind == .retrying && why.code == "http.503" && why.outcome == .unknown)
    #expect(why.until == saga.state?.step("a")?.retryAt && why.until != nil)
    #expect(offered(why) == ["run-now"])
  }

  @Test("A saga that waits for a signal offers to send it; a delay offers not to wait")
  func waiting() throws {
    var saga = try Saga(
      #"[\#(Saga.delay("d", "1h")), \#(Saga.signal("w", #""timeout": "2h", "dependsOn": []"#))]"#,
      members: #""timeout": "9h","#)
    try saga.start()
    let waits = try why(saga)
    #expect(
      waits.sentence == "The saga waits at step w for the signal “w-done”. Step d waits for its delay to end.")
    #expect(waits.kind == .waiting && waits.step == "w" && waits.until == Saga.startedAt + .seconds(7_200))
    #expect(offered(waits) == ["signal w w-done", "skip w", "run-now", "skip d"])
    #expect(waits.next.first?.command == "saga signal \(Saga.id) w-done --body '{}'")
    try saga.operate(.skip(step: "w", output: nil))
    let delay = try why(saga)
    #expect(delay.sentence == "The saga waits at step d until its delay ends.")
    #expect(delay.kind == .delayed && delay.until == Saga.startedAt + .seconds(3_600))
  }

  @Test("A poll says how often it asks, what it found last, and when it looks next")
  func polling() throws {
    var saga = try Saga(
      #"""
      [{"id": "run", "http": {"service": "lab", "method": "GET", "path": "/x"}, "timeout": "2h",
        "poll": {"every": "5m", "until": "$.answer.body.state == 'done'"}}]
      """#, members: #""timeout": "9h","#)
    try saga.start()
    try saga.look("run", .answered(LookAnswer(status: 200, body: ["state": "running"])))
    saga.pass(400_000)
    let polls = try why(saga)
    #expect(
      polls.sentence
        == "The saga polls at step run, once in 5 min. The last answer was “running”, since 2026-03-01 08:00:00 "
        + "UTC. The next look is due at 2026-03-01 08:10:00 UTC.")
    #expect(polls.kind == .polling && polls.step == "run" && polls.until == Saga.startedAt + .seconds(7_200))
    #expect(offered(polls) == ["run-now", "skip run"])
    #expect(polls.next.first?.purpose == "Do not wait for the next look or attempt, or for the end of the delay.")
    try saga.look(
      "run", .unknown(StepFailure(code: "http.503", classes: ["http.5xx"], message: "busy", isRetryable: true)))
    let failing = try why(saga)
    #expect(failing.code == "http.503")
    #expect(
      failing.sentence.hasPrefix("The saga polls at step run, once in 5 min. The last look failed: busy [http.503]."))
    try saga.operate(.pause, after: 1_000)
    #expect(
      try why(saga).sentence.hasSuffix(
        "Step run polls, once in 5 min; the last look failed: busy [http.503]."))
  }

  @Test("The explanation of a paused saga names the user and the reason; nothing ends by itself")
  func paused() throws {
    var saga = try Saga("[\(Saga.signal("w", #""timeout": "2m""#))]")
    try saga.start()
    try saga.operate(.pause, after: 1_000)
    let why = try why(saga)
    #expect(
      why.sentence == "The saga is paused by mia: “because”. Nothing new starts until somebody resumes it. "
        + "Step w waits for the signal “w-done”.")
    #expect(why.kind == .paused && why.since == saga.now && why.until == nil)
    #expect(offered(why) == ["resume", "signal w w-done", "skip w"])
  }

  @Test("A failed undo names the steps that wait for it, and why compensation started")
  func stuckInUndo() throws {
    var saga = try StuckTests().stuckInUndo()
    try saga.succeed("c")
    let why = try why(saga)
    #expect(
      why.sentence == "The saga is stuck because the undo of step b failed for good: no [http.422]. "
        + "Step a cannot be undone before it. Compensation started because step d failed: no [http.422].")
    #expect(why.kind == .stuck && why.step == "b" && why.phase == .undo && why.outcome == nil)
    #expect(why.since == saga.now)
    #expect(offered(why) == ["retry b", "resolve b undone", "abandon"])
    #expect(why.next.map(\.command)[1] == "saga resolve \(Saga.id) --step b --undone --reason '…'")
    #expect(why.sentence(of: "Saga 1 of spec").hasPrefix("Saga 1 of spec is stuck because the undo of step b failed"))
  }

  @Test("The outcome of a stuck pivot decides what is offered", arguments: [RoundOutcome.unknown, .failed])
  func stuckAtPivot(_ outcome: RoundOutcome) throws {
    var saga = try Saga(
      #"[\#(Saga.http("p", #""pivot": true, "retry": {"maxAttempts": 1}"#)), \#(Saga.http("q", #""retry": {"maxAttempts": 1}"#))]"#
    )
    try saga.start()
    let step = outcome == .unknown ? "p" : "q"
    if outcome == .unknown {
      try saga.lose("p")
    } else {
      try saga.succeed("p")
      try saga.refuse("q")
    }
    let why = try why(saga)
    #expect(why.kind == .stuck && why.step == step && why.outcome == outcome)
    let known = "The saga is stuck because step \(step) failed for good: "
    #expect(
      why.sentence
        == (outcome == .unknown
          ? known + "lost [timeout]. It is a pivot, and its outcome is unknown: it may have happened. "
            + "Check the participant first." : known + "no [http.422]."))
    #expect(offered(why).contains("resolve p didNotHappen") == (outcome == .unknown))
    #expect(offered(why).contains("resolve \(step) happened") && offered(why).last == "abandon")
    // A person who does not know what happened finds out before anything is tried again.
    #expect(offered(why).first == (outcome == .unknown ? "resolve p happened" : "retry q"))
  }

  @Test("A saga that is stuck at two steps explains the one that is asked for, and names the other")
  func stuckTwice() throws {
    var saga = try StuckTests().stuckInUndo()
    #expect(try saga.refuse("c") == ["c undo failed http.422 blocks"])
    #expect(try why(saga).step == "b")
    let why = try why(saga, about: "c")
    #expect(why.step == "c")
    #expect(why.sentence.contains("the undo of step c failed for good"))
    #expect(why.sentence.contains("The saga is also stuck at b."))
    #expect(offered(why).filter { $0.hasPrefix("retry") } == ["retry b", "retry c"])
  }

  @Test("A compensating saga says what failed, and what it undoes; at its end, that it is undone")
  func compensating() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.refuse("b", "QC_FAILED")
    let first = try why(saga)
    #expect(
      first.sentence == "The saga compensates because step b failed: no [QC_FAILED]. Step a is being undone.")
    #expect(first.kind == .compensating && first.step == "a" && first.phase == .undo)
    try saga.lose("a", "http.503")
    let again = try why(saga)
    #expect(again.sentence.hasSuffix("Attempt 1 to undo step a failed: lost [http.503]; the next attempt follows."))
    #expect(again.code == "http.503" && again.until == saga.state?.step("a")?.retryAt)
    #expect(offered(again) == ["run-now"])
    try saga.wakeWhenDue()
    try saga.succeed("a")
    let end = try why(saga)
    #expect(
      end.sentence
        == "The saga is compensated: its steps are undone. Compensation started because step b failed: no [QC_FAILED].")
    #expect(end.kind == .compensated && end.since == saga.now && end.next == [])
  }

  @Test("The user who cancelled, compensated or abandoned a saga is named, with the reason")
  func people() throws {
    var saga = try StuckTests().stuckInUndo()
    try saga.succeed("c")
    try saga.when(.abandon(by: "mia", reason: "tube is lost"))
    #expect(
      try why(saga).sentence
        == "The saga was abandoned by mia: “tube is lost”. The engine undoes nothing more: check what is left over.")
    for (verb, words) in [(OperatorVerb.cancel, "mia cancelled it"), (.compensate, "mia decided to compensate it")] {
      var other = try Saga("[\(Saga.http("a")), \(Saga.signal("w"))]")
      try other.start()
      try other.succeed("a")
      try other.operate(verb)
      #expect(try why(other).sentence.hasPrefix("The saga compensates because \(words): “because”."))
    }
  }

  @Test("A rewind names its step; a pivot under way delays a cancellation")
  func rewindAndRequest() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.signal("w"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.operate(.rewind(step: "a"))
    let rewind = try why(saga)
    #expect(
      rewind.sentence == "The saga is being rewound to step a by mia: “because”. Step a is being undone.")
    #expect(rewind.kind == .rewinding)
    var pivot = try Saga(#"[\#(Saga.http("p", #""pivot": true"#)), \#(Saga.http("q"))]"#)
    try pivot.start()
    try pivot.operate(.cancel)
    #expect(
      try why(pivot).sentence == "The saga runs step p. Compensation is requested because mia cancelled it: “because”; "
        + "it starts unless the pivot under way succeeds.")
  }

  @Test("An overdue step says when its end was expected, and how that is known; a pause does not change it")
  func overdue() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a", #""expected": "90s""#)), \#(Saga.http("b", #""dependsOn": []"#))]"#,
      members: #""timeout": "1h","#)
    saga.learned = ["b": .learned(.milliseconds(20_480), samples: 412)]
    try saga.start()
    try saga.when(.wake, after: 100_000)
    let sentence = try why(saga).sentence
    #expect(
      sentence.contains(
        "Step a is overdue: its end was expected at 2026-03-01 08:01:30 UTC, after 1 min 30 s (declared)."),
      "\(sentence)")
    #expect(sentence.contains("after 20.4 s (learned from 412 runs)."), "\(sentence)")
    try saga.operate(.pause)
    saga.pass(86_400_000)
    #expect(try why(saga).sentence.contains("expected at 2026-03-01 08:01:30 UTC"))
  }

  @Test("A saga after its deadline says so, and offers more time; its end says it no more")
  func pastDeadline() throws {
    var saga = try Saga(
      #"[\#(Saga.http("p", #""pivot": true"#)), \#(Saga.signal("w"))]"#, members: #""timeout": "1m","#)
    try saga.start()
    try saga.succeed("p")
    saga.pass(61_000)
    let why = try why(saga)
    #expect(
      why.sentence.hasSuffix(
        "The saga is overdue: its deadline was 2026-03-01 08:01:00 UTC; it has passed its pivot, so it only goes forward."
      ),
      "\(why.sentence)")
    #expect(offered(why).contains("extend"))
    #expect(why.next.contains { $0.command == "saga extend \(Saga.id) --by 2h --reason '…'" })
    try saga.when(.signal(name: "w-done", signalID: nil, body: .null, by: "qa"))
    #expect(try self.why(saga).sentence == "The saga is completed.")
  }

  @Test("A completed saga names the member of its output that could not be made")
  func output() throws {
    var saga = try Saga(
      "[\(Saga.http("a"))]", members: #""output": {"x": "${steps.a.output.x}", "y": "${steps.a.output.y}"},"#)
    try saga.start()
    try saga.succeed("a", [:])
    let why = try why(saga)
    #expect(why.kind == .completed && why.code != nil)
    #expect(why.sentence.hasPrefix("The saga is completed, but /x of its output is null: "), "\(why.sentence)")
    #expect(why.sentence.hasSuffix("1 other member is null too."), "\(why.sentence)")
  }

  @Test("Without its workflow a saga is explained, and nothing is offered")
  func withoutDefinition() throws {
    let saga = try StuckTests().stuckInUndo()
    let why = Explanation(try #require(saga.state), nil, now: saga.now)
    #expect(why.sentence.hasPrefix("The saga is stuck because the undo of step b failed for good"))
    #expect(why.next == [])
  }

  @Test("Long texts of participants are clipped, and stay on one line")
  func clipped() {
    #expect("a\n b\t c\u{1B}[31m\u{9B}".clippedToLine() == "a b c [31m")
    #expect(String(repeating: "x", count: 1_000).clippedToLine().count == 160)
  }

  @Test(
    "Durations have two units at most",
    arguments: [
      (250, "0.2 s"), (20_480, "20.4 s"), (90_000, "1 min 30 s"), (600_000, "10 min"), (7_500_000, "2 h 05 min"),
      (273_600_000, "3 d 04 h"),
    ])
  func durations(_ milliseconds: Int, _ text: String) {
    #expect(Explanation.Words.duration(.milliseconds(milliseconds)) == text)
  }
}
