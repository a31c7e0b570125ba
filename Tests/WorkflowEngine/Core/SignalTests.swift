import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// One message, one step, once.
@Suite("Signals", .timeLimit(.minutes(15)), .inTurn)
struct SignalTests {
  typealias Saga = SagaSpecification

  static func wait(_ id: String, _ more: String = "", accept: String? = nil) -> String {
    let accept = accept.map { #", "accept": "\#($0)""# } ?? ""
    return
      #"{"id": "\#(id)", "signal": {"name": "approve"\#(accept)}, "compensation": "none"\#(more.isEmpty ? "" : ", " + more)}"#
  }

  static func approve(_ id: String?, _ body: JSON = ["ok": true], by: String = "anna") -> SagaCommand {
    .give(SignalGiven(name: "approve", id: id, body: body, by: by, from: "rest 10.0.0.7"))
  }

  /// Returns the answer that the sender of a signal gets.
  static func answer(_ saga: Saga, _ id: String, _ body: JSON = ["ok": true]) throws -> SignalAnswer {
    let state = try #require(saga.state)
    return try state.answer(
      to: SignalGiven(name: "approve", id: id, body: body, by: "anna"), isRepeat: true, saga.definition)
  }

  static func code(_ saga: Saga, _ id: String, _ body: JSON = ["ok": true]) -> String? {
    #expect(throws: Refusal.self) { try answer(saga, id, body) }?.code
  }

  @Test("Each of two steps that wait one after the other takes a signal of its own")
  func inSequence() throws {
    var saga = try Saga("[\(Self.wait("first")), \(Self.wait("second"))]")
    try saga.start()
    #expect(try saga.when(Self.approve("a1")) == ["signal approve", "first succeeded", "second waits"])
    #expect(try saga.when(Self.approve("a1")) == [], "a repeat")
    #expect(try saga.step("second").status == .waiting)
    #expect(
      try saga.when(Self.approve("b1", by: "bert")) == ["signal approve", "second succeeded", "sagaCompleted"],
      "the same body under another key is another signal")
    #expect(try Self.answer(saga, "a1").step == "first")
    #expect(try Self.answer(saga, "b1").step == "second")
    #expect(try Self.answer(saga, "b1").by == "bert")
  }

  @Test("When several steps wait, a signal goes to the first step that takes it")
  func inParallel() throws {
    let free = #""dependsOn": []"#
    var saga = try Saga(
      "[\(Self.wait("qa", free, accept: "$.signal.role == 'qa'")), \(Self.wait("lead", free, accept: "$.signal.role == 'lead'")), \(Self.wait("any", free))]"
    )
    try saga.start()
    #expect(try saga.when(Self.approve("1", ["role": "lead"])) == ["signal approve", "lead succeeded"])
    #expect(try saga.when(Self.approve("2", ["role": "lead"])) == ["signal approve", "any succeeded"])
    #expect(try saga.when(Self.approve("3", ["role": "lead"])) == ["signal approve refused signal.refused"])
    #expect(try saga.when(Self.approve("4", ["role": "qa"])) == ["signal approve", "qa succeeded", "sagaCompleted"])
  }

  @Test("A signal without a key is a signal of its own, also with the same body")
  func withoutKey() throws {
    var saga = try Saga("[\(Self.wait("first")), \(Self.wait("second"))]")
    try saga.start()
    try saga.when(Self.approve(nil))
    #expect(try saga.when(Self.approve(nil)).contains("second succeeded"))
  }

  @Test("Another body under a key is refused and recorded once, and changes nothing of what the key has named")
  func otherBody() throws {
    var saga = try Saga("[\(Self.wait("first")), \(Self.wait("second"))]")
    try saga.start()
    try saga.when(Self.approve("a1", ["n": 1]))
    #expect(try saga.when(Self.approve("a1", ["n": 2])) == ["signal approve refused command.reused"])
    #expect(try saga.when(Self.approve("a1", ["n": 2])) == [])
    #expect(Self.code(saga, "a1", ["n": 2]) == EngineErrorCode.commandReused)
    #expect(try Self.answer(saga, "a1", ["n": 1]).step == "first")
    #expect(try Self.answer(saga, "a1", JSON(parsing: #"{"n": 1.0}"#)).step == "first", "the same number")
    #expect(try saga.step("second").status == .waiting)
  }

  @Test("A no after a yes is not a repeat: nothing waits, and that is recorded")
  func noAfterYes() throws {
    var saga = try Saga("[\(Self.wait("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.when(Self.approve("d1", ["approved": true]))
    #expect(
      try saga.when(Self.approve("d2", ["approved": false], by: "bert")) == ["signal approve refused signal.tooLate"])
    #expect(Self.code(saga, "d2", ["approved": false]) == EngineErrorCode.signalTooLate)
    #expect(try saga.when(Self.approve("d2", ["approved": false], by: "bert")) == [], "and recorded once")
    guard let refused = (saga.log.last?.what as? SignalRefused)?.refusal else {
      Issue.record("the history lacks the refusal")
      return
    }
    #expect(refused.body == ["approved": false] && refused.by == "bert" && refused.from == "rest 10.0.0.7")
    #expect(refused.message.contains("a is succeeded"), "\(refused.message)")
  }

  @Test("A late repeat after a rewind is a repeat; the step waits for a new signal")
  func afterRewind() throws {
    var back = try Saga("[\(Self.wait("a")), \(Self.wait("c")), \(Saga.http("b"))]")
    try back.start()
    try back.when(Self.approve("d1"))
    #expect(try back.operate(.rewind(step: "a")).suffix(2) == ["rewound to a", "a waits"])
    #expect(try back.when(Self.approve("d1")) == [], "the old approval is no new one")
    #expect(try back.step("a").status == .waiting)
    #expect(try Self.answer(back, "d1").step == "a")
    #expect(try back.when(Self.approve("d2")) == ["signal approve", "a succeeded", "c waits"])
    #expect(try back.when(Self.approve("d1")) == [])
  }

  @Test("A rewind drops kept signals with the name of a rewound step, and keeps the others")
  func keptAtRewind() throws {
    let other = #"{"id": "o", "signal": {"name": "other"}, "compensation": "none"}"#
    var saga = try Saga(
      "[\(Self.wait("a", accept: "$.signal.role == 'qa'")), \(Self.wait("b", accept: "$.signal.role == 'lead'")), \(other)]"
    )
    try saga.start()
    #expect(try saga.when(Self.approve("k1", ["role": "lead"])) == ["signal approve"], "kept for b")
    try saga.when(.signal(name: "other", signalID: "o1", body: 1, by: "x"))
    try saga.operate(.rewind(step: "a"))
    #expect(Self.code(saga, "k1", ["role": "lead"]) == EngineErrorCode.signalDropped)
    #expect(try saga.when(Self.approve("k1", ["role": "lead"])) == [], "a repeat, also of what was dropped")
    try saga.when(Self.approve("q", ["role": "qa"]))
    #expect(try saga.step("b").status == .waiting)
    #expect(
      try saga.when(Self.approve("k2", ["role": "lead"])) == [
        "signal approve", "b succeeded", "o waits", "kept signal other to o", "o succeeded", "sagaCompleted",
      ])
  }

  @Test("Signals that come early are kept in their order, and each is judged when a step begins to wait")
  func keptList() throws {
    var saga = try Saga(
      "[\(Saga.http("x")), \(Self.wait("first", accept: "$.signal.ok == true")), \(Self.wait("second", accept: "$.signal.ok == true"))]"
    )
    try saga.start()
    #expect(try saga.when(Self.approve("1", ["ok": false])) == ["signal approve"])
    #expect(try saga.when(Self.approve("2", ["ok": true, "n": 2])) == ["signal approve"])
    #expect(try saga.when(Self.approve("3", ["ok": true, "n": 3])) == ["signal approve"])
    #expect(try Self.answer(saga, "2", ["ok": true, "n": 2]).candidates == ["first", "second"])
    #expect(
      try saga.succeed("x") == [
        "x succeeded", "first waits", "signal approve refused", "kept signal approve to first", "first succeeded",
        "second waits", "kept signal approve to second", "second succeeded", "sagaCompleted",
      ])
    #expect(try saga.step("first").output?["n"] == 2 && saga.step("second").output?["n"] == 3)
    #expect(Self.code(saga, "1", ["ok": false]) == EngineErrorCode.signalRefused)
    #expect(try Self.answer(saga, "3", ["ok": true, "n": 3]).step == "second")
  }

  @Test("A signal that the waiting step refuses is kept only for a later step that may take it")
  func keptForALaterStep() throws {
    var saga = try Saga(
      "[\(Self.wait("qa", accept: "$.signal.role == 'qa'")), \(Saga.http("x")), \(Self.wait("lead", accept: "$.signal.role == 'lead'"))]"
    )
    try saga.start()
    #expect(try saga.when(Self.approve("l", ["role": "lead"])) == ["signal approve"])
    #expect(try saga.when(Self.approve("n", ["role": "none"])) == ["signal approve refused signal.refused"])
    #expect(try saga.when(Self.approve("q", ["role": "qa"])) == ["signal approve", "qa succeeded", "x 1"])
    #expect(
      try saga.succeed("x") == [
        "x succeeded", "lead waits", "kept signal approve to lead", "lead succeeded", "sagaCompleted",
      ])
  }

  @Test("Kept signals are bounded by number and by size, and what has no room is not recorded")
  func bounded() throws {
    var saga = try Saga("[\(Saga.http("x")), \(Self.wait("first"))]")
    try saga.start()
    for number in 1...SignalLimits.kept { try saga.when(Self.approve("k\(number)")) }
    let refusal = #expect(throws: Refusal.self) { try saga.when(Self.approve("one more")) }
    #expect(refusal?.code == EngineErrorCode.signalLimit)
    #expect(try saga.when(Self.approve("k7")) == [], "a repeat is still one")
    try saga.succeed("x")
    #expect(saga.status == .completed)
    #expect(Self.code(saga, "k2") == EngineErrorCode.signalDropped)
  }

  @Test("A few large signals are too many as well")
  func largeSignals() throws {
    var saga = try Saga("[\(Saga.http("x")), \(Self.wait("first"))]")
    try saga.start()
    let half: JSON = .string(String(repeating: "x", count: SignalLimits.keptBytes / 2 - 10))
    try saga.when(Self.approve("1", half))
    try saga.when(Self.approve("2", half))
    #expect(
      #expect(throws: Refusal.self) { try saga.when(Self.approve("3", half)) }?.code == EngineErrorCode.signalLimit)
  }

  @Test("A refused body that is long is recorded by its digest")
  func longRefusedBody() throws {
    var saga = try Saga("[\(Self.wait("a", accept: "$.signal.ok == true"))]")
    try saga.start()
    let body: JSON = .string(String(repeating: "x", count: 5_000))
    try saga.when(Self.approve("1", body))
    guard let refused = (saga.log.last?.what as? SignalRefused)?.refusal else {
      Issue.record("the history lacks the refusal")
      return
    }
    #expect(refused.body == nil && refused.bytes == 5_002 && refused.digest.utf8.count == 32)
    #expect(try saga.when(Self.approve("1", body)) == [])
  }

  @Test("A wait that an operator has retried in a pause takes what comes in the pause")
  func retriedInAPause() throws {
    var saga = try Saga("[\(Self.wait("a")), \(Saga.http("x"))]")
    try saga.start()
    try saga.operate(.pause)
    #expect(try saga.when(Self.approve("1")) == ["signal approve", "a succeeded"], "a wait that goes on takes it")

    var stuck = try Saga(
      #"[\#(Saga.http("p", #""pivot": true"#)), {"id": "a", "signal": {"name": "approve"}, "timeout": "1m", "compensation": "none"}]"#
    )
    try stuck.start()
    try stuck.succeed("p")
    #expect(try stuck.wakeWhenDue().first?.contains("signal.timeout blocks") == true)
    #expect(try stuck.when(Self.approve("early")) == ["signal approve refused signal.tooLate"])
    #expect(
      #expect(throws: Refusal.self) { try Self.answer(stuck, "early") }?.message.contains("stuck on a") == true)
    try stuck.operate(.pause)
    try stuck.operate(.retry(step: "a"))
    #expect(try stuck.when(Self.approve("2")) == ["signal approve"], "kept: the retried step will wait")
    #expect(try stuck.operate(.resume).contains("a succeeded"))
    #expect(try Self.answer(stuck, "2").step == "a")
  }

  @Test("A saga that compensates or has ended refuses new signals, and still recognises old ones")
  func overAndDone() throws {
    var saga = try Saga("[\(Saga.http("x")), \(Self.wait("a")), \(Self.wait("b"))]")
    try saga.start()
    try saga.succeed("x")
    try saga.when(Self.approve("1"))
    try saga.when(.cancel(by: "op", reason: "wrong tube"))
    #expect(try saga.when(Self.approve("2")) == ["signal approve refused signal.tooLate"])
    try saga.succeed("x")
    #expect(saga.status == .compensated)
    #expect(try saga.when(Self.approve("1")) == [])
    #expect(try Self.answer(saga, "1").step == "a")
    #expect(#expect(throws: Refusal.self) { try saga.when(Self.approve("3")) }?.code == EngineErrorCode.sagaEnded)
    #expect(
      #expect(throws: Refusal.self) { try saga.when(Self.approve("1", 5)) }?.code == EngineErrorCode.commandReused)
  }

  @Test("A skipped step's signal is refused, and one that was kept for it is dropped")
  func skipped() throws {
    var saga = try Saga("[\(Saga.http("x")), \(Self.wait("a")), \(Saga.http("y"))]")
    try saga.start()
    try saga.when(Self.approve("1"))
    try saga.operate(.skip(step: "a", output: nil))
    #expect(Self.code(saga, "1") == EngineErrorCode.signalDropped)
    #expect(try saga.when(Self.approve("2")) == ["signal approve refused signal.tooLate"])
  }

  // MARK: Older histories

  /// Events as an older version wrote them: without the step, and without the signal that a step took.
  private func old(_ steps: [String], _ events: [any SagaEventContent]) throws -> SagaState {
    let start = SagaStart(
      id: Saga.id, workflow: "spec", version: 1, definitionDigest: "d", steps: steps, input: .object([:]),
      deadline: Saga.startedAt + .seconds(300), idempotencyKey: nil, tags: [], by: "test")
    return try SagaState(
      folding: ([SagaStarted(start)] + events).map { SagaEvent(at: Saga.startedAt, $0) })
  }

  private func received(_ id: String?, _ body: JSON = 1) -> any SagaEventContent {
    SignalReceived(signal: SignalGiven(name: "approve", id: id, body: body, by: "anna"), step: nil)
  }
  private func waits(_ step: String) -> any SagaEventContent { WaitStarted(step: step, until: nil, signal: "approve") }
  private func succeeded(_ step: String, _ output: JSON = 1) -> any SagaEventContent {
    StepSucceeded(step: step, output: StepOutput(output), isPivot: false)
  }

  @Test("An older history that gave one signal to two steps is read as it was")
  func oldTwoSteps() throws {
    let state = try old(["a", "b"], [waits("a"), received("s1"), succeeded("a"), waits("b"), succeeded("b")])
    #expect(
      state.signals.map(\.fate) == [.taken([.init(step: "a", round: 1), .init(step: "b", round: 1)])])
    #expect(try SagaState(snapshotText: state.snapshotText) == state)
  }

  @Test("A signal that an older history has used is not used again, and its key is known after a rewind")
  func oldUsed() throws {
    let act = OperatorAct(by: "op", reason: "again")
    let definition = try Saga("[\(Self.wait("a")), \(Self.wait("b"))]").definition
    var state = try old(
      ["a", "b"],
      [
        waits("a"), received("s1"), succeeded("a"), RewindStarted(step: "a", steps: ["a", "b"], act: act),
        RewindFinished(step: "a", steps: ["a", "b"]),
      ])
    for event in try Decider.decide(.wake, state, definition: definition, now: Saga.startedAt) {
      state = try SagaState.evolve(state, event)
    }
    #expect(state.step("a")?.status == .waiting)
    let again = SignalGiven(name: "approve", id: "s1", body: 1, by: "anna", from: "rest 10.0.0.7")
    #expect(try Decider.decide(.give(again), state, definition: definition, now: Saga.startedAt) == [])
    // A message that older versions named otherwise.
    let renamed = SignalGiven(name: "approve", id: "kafka event /lims s1", body: 1, by: "anna", from: "kafka c")
    #expect(
      try Decider.decide(.give(renamed, formerIDs: ["s1"]), state, definition: definition, now: Saga.startedAt) == [])
    #expect(
      try !Decider.decide(.give(renamed), state, definition: definition, now: Saga.startedAt).isEmpty,
      "without its former name it is another one")
  }

  @Test("A signal that an older version kept meets the step that begins to wait")
  func oldKept() throws {
    let definition = try Saga("[\(Saga.http("x")), \(Self.wait("a"))]").definition
    let running: any SagaEventContent = AttemptStarted(
      step: "x", phase: .forward, round: 1, attempt: 1, deadline: Saga.startedAt + .seconds(30))
    let kept = try old(["x", "a"], [running, received("s1", 7)])
    let events = try Decider.decide(
      .attemptSettled(step: "x", phase: .forward, attempt: 1, outcome: .succeeded(.null)), kept,
      definition: definition, now: Saga.startedAt)
    #expect(
      events.map(\.words) == [
        "x succeeded", "a waits", "kept signal approve to a", "a succeeded", "sagaCompleted",
      ])
    // And as the older version wrote that itself.
    let state = try old(["x", "a"], [running, received("s1", 7), succeeded("x"), waits("a"), succeeded("a", 7)])
    #expect(state.signals.map(\.fate) == [.taken([.init(step: "a", round: 1)])])
    let refused = try old(
      ["x", "a"],
      [
        running, received("s1", 7), succeeded("x"), waits("a"),
        KeptSignalRefused(name: "approve", step: "a", received: nil), received("s2", 8), succeeded("a", 8),
      ])
    #expect(refused.signals.map { $0.id } == ["s1", "s2"])
    #expect(refused.signals.last?.fate == .taken([.init(step: "a", round: 1)]))
  }

  @Test("A snapshot of an older version that can't say what became of signals is passed over")
  func oldSnapshot() throws {
    var saga = try Saga("[\(Self.wait("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.when(Self.approve("1"))
    var members = try #require(saga.state?.snapshot.objectValue)
    members["schema"] = 2
    members["signals"] = [["name": "approve", "id": "1", "body": 1, "by": "anna", "at": "2026-03-01T08:00:00.000Z"]]
    #expect(throws: UnreadableEvent.self) { try SagaState(snapshot: .object(members)) }
    var plain = try Saga("[\(Saga.http("b"))]")
    try plain.start()
    var without = try #require(plain.state?.snapshot.objectValue)
    without["schema"] = 2
    #expect(try SagaState(snapshot: .object(without)) == plain.state)
  }
}
