import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Answers that come as messages", .timeLimit(.minutes(15)), .inTurn)
struct AnswerTests {
  typealias Saga = SagaSpecification

  static func kafka(_ id: String, _ more: String = "") -> String {
    #"""
    {"id": "\#(id)", "kafka": {"service": "lab", "command": "make", "body": {"id": "${steps.\#(id).uuid}"}},
     "compensation": {"kafka": {"service": "lab", "command": "undo", "body": {"id": "${steps.\#(id).uuid}"}}}\#(more.isEmpty ? "" : ", " + more)}
    """#
  }

  static let gone = StepFailure(code: "GONE", message: "no such", isGone: true)

  static func failed(_ code: String = "QC_FAILED") -> StepAnswer.Content {
    .settled(.failed(StepFailure(code: code, message: "no")))
  }
  static func unknown(_ code: String) -> StepAnswer.Content {
    .settled(.unknown(StepFailure(code: code, message: "lost", isRetryable: true)))
  }
  static let succeeded = StepAnswer.Content.settled(.succeeded(["id": "S-1"]))
  static let progress = StepAnswer.Content.progress(StepProgress(message: "thawing", fraction: 0.4))

  static func answer(
    _ step: String, _ content: StepAnswer.Content, attempt: Int = 1, phase: StepPhase = .forward, round: Int = 1
  ) -> SagaCommand {
    .answered(StepAnswer(step: step, phase: phase, round: round, attempt: attempt, id: "m-1", content: content))
  }

  private func started(_ more: String = "") throws -> Saga {
    var saga = try Saga("[\(Self.kafka("a", more)), \(Self.kafka("b"))]")
    try saga.start()
    return saga
  }

  /// `a` succeeded, `b` was refused, and the undo of `a` is under way.
  private func undoing() throws -> Saga {
    var saga = try started()
    try saga.succeed("a")
    try saga.refuse("b")
    return saga
  }

  // MARK: What counts

  @Test("An attempt is a command with its service, headers, body and round")
  func call() throws {
    var saga = try Saga(
      #"""
      [{"id": "a", "kafka": {"service": "samples", "command": "create", "headers": {"ward": "${input.ward}"},
        "body": {"barcode": "${input.barcode}", "id": "${steps.a.uuid}"}},
        "compensation": {"kafka": {"service": "samples", "command": "delete"}}}]
      """#)
    try saga.start(input: ["ward": "7", "barcode": "T-1"])
    let state = try #require(saga.state)
    let effects = Decider.effects(of: state, definition: saga.definition)
    guard case .call(let call)? = effects.first, case .kafka(let command) = call.action else {
      Issue.record("no command: \(effects)")
      return
    }
    #expect(command.service == "samples" && command.command == "create")
    #expect(command.headers == [RenderedField(name: "ward", value: "7")])
    let uuid = UniqueID.derived(from: "\(Saga.id)/a/1").description
    #expect(command.body == ["barcode": "T-1", "id": .string(uuid)])
    #expect(call.round == 1 && call.attempt == 1 && call.timeout == .seconds(30))
    #expect(call.idempotencyKey == "\(Saga.id)/a/1")
    #expect(
      #expect(throws: ExpressionError.self) {
        try CallRendering.render(saga.definition.steps[0].action, in: ["input": ["ward": "7\n", "barcode": "T-1"]])
      }?.code == WorkflowErrorCode.expressionNotHeader)
  }

  @Test("A success settles the attempt under way, and its output is the step's")
  func success() throws {
    var saga = try started()
    #expect(try saga.when(Self.answer("a", Self.succeeded)) == ["a succeeded", "b 1"])
    #expect(saga.state?.step("a")?.output == ["id": "S-1"])
  }

  @Test("A clean refusal fails the step; an unknown outcome is retried under the same key")
  func failures() throws {
    var saga = try started()
    #expect(try saga.when(Self.answer("a", Self.unknown("BUSY"))) == ["a unknown BUSY"])
    #expect(try saga.wakeWhenDue() == ["a 2"])
    #expect(saga.calls == ["a/1"])
    try saga.when(Self.answer("a", Self.succeeded, attempt: 2))
    #expect(
      try saga.when(Self.answer("b", Self.failed())) == [
        "b failed failed QC_FAILED turnsBack", "turnedBack stepFailed", "undo a 1",
      ])
  }

  @Test("A success of an earlier attempt of the round settles the one under way: it has happened")
  func earlierSuccess() throws {
    var saga = try started()
    try saga.lose("a")
    try saga.wakeWhenDue()
    #expect(try saga.when(Self.answer("a", Self.succeeded, attempt: 1)) == ["a succeeded", "b 1"])
  }

  @Test("A failure of an earlier attempt does not settle the one under way", arguments: [failed(), unknown("LOST")])
  func earlierFailure(content: StepAnswer.Content) throws {
    var saga = try started()
    try saga.lose("a")
    try saga.wakeWhenDue()
    let words = try saga.when(Self.answer("a", content, attempt: 1))
    #expect(words.count == 1 && words[0].hasPrefix("a 1 late "))
    #expect(saga.calls == ["a/1"], "attempt 2 is still under way")
  }

  @Test("An answer to an attempt that was not made settles nothing, not even a success", arguments: [0, 2, 99])
  func impossibleAttempt(attempt: Int) throws {
    var saga = try started()
    #expect(try saga.when(Self.answer("a", Self.succeeded, attempt: attempt)) == ["a \(attempt) late succeeded"])
    #expect(saga.state?.step("a")?.status == .running)
  }

  @Test("An answer settles an undo too; the answer that nothing was left counts as undone")
  func undo() throws {
    var saga = try undoing()
    #expect(
      try saga.when(Self.answer("a", Self.succeeded, phase: .undo)) == ["a undone answered", "sagaCompensated"])
    saga = try undoing()
    #expect(
      try saga.when(Self.answer("a", .settled(.failed(Self.gone)), phase: .undo))
        == ["a undone alreadyGone", "sagaCompensated"])
    saga = try undoing()
    try saga.lose("a")
    try saga.wakeWhenDue()
    #expect(
      try saga.when(Self.answer("a", Self.succeeded, attempt: 1, phase: .undo))
        == ["a undone answered", "sagaCompensated"])
  }

  @Test("While the engine stops, an answer is recorded and nothing new starts")
  func holding() throws {
    let saga = try started()
    let events = try Decider.decide(
      Self.answer("a", Self.succeeded), saga.state, definition: saga.definition, now: saga.now, isDraining: true)
    #expect(events.map(\.words) == ["a succeeded"])
  }

  // MARK: Progress

  @Test("Progress of the attempt under way is kept until the next attempt begins")
  func progress() throws {
    var saga = try started()
    #expect(try saga.when(Self.answer("a", Self.progress), after: 5_000) == ["a 1 “thawing”"])
    let kept = try #require(saga.state?.step("a")?.progress)
    #expect(kept.value == StepProgress(message: "thawing", fraction: 0.4) && kept.at == saga.now)
    #expect(saga.calls == ["a/1"], "it is still under way")
    let further = StepAnswer.Content.progress(StepProgress(message: "pipetting"))
    try saga.when(Self.answer("a", further))
    #expect(saga.state?.step("a")?.progress?.value == StepProgress(message: "pipetting"))
    try saga.lose("a")
    #expect(saga.state?.step("a")?.progress?.value.message == "pipetting", "what was last heard of it")
    try saga.wakeWhenDue()
    #expect(saga.state?.step("a")?.progress == nil)
  }

  @Test("Progress of an undo is kept, and replaces the step's progress")
  func undoProgress() throws {
    var saga = try started()
    try saga.when(Self.answer("a", .progress(StepProgress(message: "making it"))))
    try saga.succeed("a")
    #expect(try saga.refuse("b").last == "undo a 1")
    #expect(saga.state?.step("a")?.progress == nil)
    #expect(try saga.when(Self.answer("a", Self.progress, phase: .undo)) == ["undo a 1 “thawing”"])
    #expect(saga.state?.step("a")?.progress?.value.fraction == 0.4)
    #expect(try saga.when(Self.answer("a", Self.progress)) == ["a 1 late progress"])
  }

  @Test("Progress of an earlier attempt, of another round, or of a step that waits between attempts is late")
  func lateProgress() throws {
    var saga = try started()
    #expect(try saga.when(Self.answer("a", Self.progress, round: 2)) == ["a 1 late progress"])
    try saga.lose("a")
    #expect(try saga.when(Self.answer("a", Self.progress)) == ["a 1 late progress"])
    try saga.wakeWhenDue()
    #expect(try saga.when(Self.answer("a", Self.progress)) == ["a 1 late progress"])
    #expect(saga.state?.step("a")?.progress == nil)
  }

  @Test("A message is cut to 1,000 characters, and a fraction is limited to 0 to 1")
  func bounds() {
    let long = StepProgress(message: String(repeating: "e\u{301}", count: 1_000), fraction: 7)
    #expect(long.message.unicodeScalars.count == 1_000 && long.fraction == 1)
    #expect(StepProgress(message: "", fraction: -1).fraction == 0)
    #expect(StepProgress(message: "", fraction: .nan).fraction == nil)
  }

  // MARK: What changes nothing

  @Test("An answer that comes when the attempt is not waited for any more is late")
  func late() throws {
    var saga = try started()
    #expect(try saga.when(Self.answer("b", Self.succeeded)) == ["b 1 late succeeded"], "b has not begun")
    #expect(try saga.when(Self.answer("a", Self.succeeded, round: 2)) == ["a 1 late succeeded"], "another round")
    #expect(try saga.when(Self.answer("a", Self.succeeded, phase: .undo)) == ["undo a 1 late succeeded"])
    try saga.lose("a")
    #expect(try saga.when(Self.answer("a", Self.succeeded)) == ["a 1 late succeeded"], "it is backing off")
    #expect(try saga.wakeWhenDue() == ["a 2"], "and asks again: the participant answers from memory")
    try saga.succeed("a")
    #expect(try saga.when(Self.answer("a", Self.failed(), attempt: 2)) == ["a 2 late failed QC_FAILED"])
    #expect(saga.state?.step("a")?.status == .succeeded)
  }

  @Test("An answer that was recorded before is a repeat")
  func repeated() throws {
    var saga = try started()
    try saga.when(Self.answer("a", Self.unknown("BUSY")))
    #expect(try saga.when(Self.answer("a", Self.unknown("BUSY"))) == ["a 1 repeated unknown BUSY"])
    #expect(try saga.when(Self.answer("a", Self.unknown("OTHER"))) == ["a 1 late unknown OTHER"])
    try saga.wakeWhenDue()
    #expect(try saga.when(Self.answer("a", Self.unknown("BUSY"))) == ["a 1 repeated unknown BUSY"])
    try saga.when(Self.answer("a", Self.succeeded, attempt: 2))
    #expect(try saga.when(Self.answer("a", Self.succeeded, attempt: 2)) == ["a 2 repeated succeeded"])
    #expect(try saga.when(Self.answer("a", Self.succeeded, attempt: 1)) == ["a 1 repeated succeeded"])
    try saga.when(Self.answer("b", Self.failed()))
    #expect(try saga.when(Self.answer("b", Self.failed())) == ["b 1 repeated failed QC_FAILED"])
    #expect(try saga.when(Self.answer("a", Self.succeeded)) == ["a 1 repeated succeeded"], "though it is being undone")
  }

  @Test("A failure equal to one of a later attempt is late, not a repeat")
  func earlierLikeLater() throws {
    var saga = try started()
    try saga.lose("a")
    try saga.wakeWhenDue()
    try saga.when(Self.answer("a", Self.unknown("BUSY"), attempt: 2))
    #expect(try saga.when(Self.answer("a", Self.unknown("BUSY"), attempt: 1)) == ["a 1 late unknown BUSY"])
    #expect(try saga.when(Self.answer("a", Self.unknown("BUSY"), attempt: 2)) == ["a 2 repeated unknown BUSY"])
  }

  @Test("The answer to an undo that is done is a repeat")
  func repeatedUndo() throws {
    // The undo of c is under way: the saga has not ended.
    for content in [Self.succeeded, .settled(.failed(Self.gone))] {
      var saga = try Saga(
        #"[\#(Self.kafka("a")), \#(Self.kafka("c", #""dependsOn": []"#)), \#(Self.kafka("d"))]"#)
      try saga.start()
      try saga.succeed("a")
      try saga.succeed("c")
      try saga.refuse("d")
      try saga.when(Self.answer("c", content, phase: .undo))
      let words = try saga.when(Self.answer("c", content, phase: .undo))
      #expect(words.count == 1 && words[0].hasPrefix("undo c 1 repeated "))
      #expect(saga.calls == ["a/1/undo"])
    }
  }

  @Test("An ignored answer is recorded with its content, and changes nothing but the version")
  func recorded() throws {
    var saga = try started()
    try saga.lose("a")
    let before = try #require(saga.state)
    try saga.when(Self.answer("a", Self.failed()), after: 1)
    var expected = before
    expected.version += 1
    #expect(saga.state == expected)
    guard let event = saga.log.last?.what as? AnswerIgnored, event.step == "a", event.phase == .forward,
      event.attempt == 1
    else {
      Issue.record("it was not recorded")
      return
    }
    #expect(event.answer == IgnoredAnswer(round: 1, id: "m-1", outcome: "failed", code: "QC_FAILED", why: .late))
  }

  @Test("A step that the saga doesn't have is refused, and so is any answer to a saga that has ended")
  func refusals() throws {
    var saga = try started()
    #expect(
      #expect(throws: Refusal.self) { try saga.when(Self.answer("zz", Self.succeeded)) }?.code
        == EngineErrorCode.stepUnknown)
    try saga.succeed("a")
    try saga.succeed("b")
    #expect(saga.status == .completed)
    #expect(
      #expect(throws: Refusal.self) { try saga.when(Self.answer("b", Self.succeeded)) }?.code
        == EngineErrorCode.sagaEnded)
  }
}
