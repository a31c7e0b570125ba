import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Undos that a signal confirms", .timeLimit(.minutes(15)), .inTurn)
struct UndoWaitTests {
  typealias Saga = SagaSpecification

  /// A step that the signal `binned` undoes.
  static func binned(_ signal: String = "", _ more: String = "", id: String = "b", step: String = "") -> String {
    #"""
    {"id": "\#(id)", "http": {"service": "lab", "method": "PUT", "path": "/\#(id)"}\#(step),
     "compensation": {"signal": {"name": "binned"\#(signal)}\#(more)}}
    """#
  }

  static func give(_ body: JSON = [:], _ id: String = "s1", by: String = "anna") -> SagaCommand {
    .give(SignalGiven(name: "binned", id: id, body: body, by: by))
  }

  /// A saga whose step `b` waits for the signal that confirms its undo, before the undo of `a`.
  private func waiting(_ step: String = binned()) throws -> Saga {
    var saga = try Saga("[\(Saga.http("a")), \(step), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b", ["tube": "T1"])
    #expect(
      try saga.refuse("z") == ["z failed failed http.422 turnsBack", "turnedBack stepFailed", "undo b waits"])
    return saga
  }

  // MARK: The wait

  @Test("The step waits in its undo, the signal ends the wait, and the steps before it follow")
  func confirmed() throws {
    var saga = try waiting()
    let step = try saga.step("b")
    #expect(step.status == .undoing && step.undoWait?.signal == "binned" && step.wait == nil)
    #expect(step.undoWait?.until == saga.now + Undo.defaultWaitTimeout && step.inFlight == nil)
    #expect(step.undo.count == 0 && step.undo.startedAt == saga.now)
    #expect(saga.status == .compensating && saga.calls == [])
    #expect(saga.state?.snapshot["schema"] == 8)
    #expect(try saga.when(.recover) == [], "a restart changes nothing")
    #expect(try saga.when(Self.give()) == ["signal binned", "b undone answered", "undo a 1"])
    #expect(try saga.when(Self.give()) == [], "a repeat")
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(try saga.when(Self.give()) == [], "a repeat after the end")
    #expect(saga.state?.signals.first?.fate == .taken([.init(step: "b", round: 1, phase: .undo)]))
    #expect(saga.state?.snapshot["schema"] == 8)
  }

  @Test("A step whose outcome is unknown is undone by the signal, too, unless the file says otherwise")
  func unknown() throws {
    for (more, words) in [
      (#", "appliesTo": ["succeeded"]"#, ["b failed unknown timeout turnsBack", "turnedBack stepFailed", "undo a 1"]),
      ("", ["b failed unknown timeout turnsBack", "turnedBack stepFailed", "undo b waits"]),
    ] {
      let step = Self.binned("", more, step: #", "retry": {"maxAttempts": 1}"#)
      var saga = try Saga("[\(Saga.http("a")), \(step)]")
      try saga.start()
      try saga.succeed("a")
      #expect(try saga.lose("b") == words)
    }
  }

  @Test("A signal that does not come fails the undo, and an operator retries the wait or resolves it")
  func timeout() throws {
    var saga = try waiting(Self.binned("", #", "timeout": "2h""#))
    #expect(try saga.wakeWhenDue() == ["b undo failed signal.timeout blocks"])
    #expect(saga.status == .stuck && saga.now == Saga.startedAt + .seconds(7_200))
    #expect(try saga.when(Self.give()) == ["signal binned refused signal.tooLate"])
    guard let refusal = (saga.log.last?.what as? SignalRefused)?.refusal else {
      Issue.record("the history lacks the refusal")
      return
    }
    #expect(refusal.message.contains("the undo of b is failed") && refusal.message.contains("stuck on b"))
    var resolved = saga
    #expect(try saga.operate(.retry(step: "b")) == ["b retried", "undo b waits"])
    #expect(try saga.step("b").undoWait?.until == saga.now + .seconds(7_200), "the whole time again")
    #expect(try saga.when(Self.give([:], "s2")) == ["signal binned", "b undone answered", "undo a 1"])
    #expect(try resolved.operate(.resolve(step: "b", .undone)) == ["b resolved undone", "undo a 1"])
  }

  @Test("An optional undo whose signal does not come lets the saga go on")
  func optional() throws {
    var saga = try waiting(Self.binned("", #", "timeout": "2h", "onFailure": "continue""#))
    #expect(try saga.wakeWhenDue() == ["b undo failed signal.timeout", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("A body that the schema or the condition refuses is recorded, and the undo goes on waiting")
  func refused() throws {
    let step = Self.binned(
      #", "schema": {"required": ["tube"]}, "accept": "$.signal.tube == $.steps.b.output.tube""#,
      #", "appliesTo": ["succeeded"]"#)
    var saga = try waiting(step)
    #expect(try saga.when(Self.give([:], "1")) == ["signal binned refused signal.invalid"])
    #expect(try saga.when(Self.give(["tube": "T2"], "2")) == ["signal binned refused signal.refused"])
    guard let refusal = (saga.log.last?.what as? SignalRefused)?.refusal else {
      Issue.record("the history lacks the refusal")
      return
    }
    #expect(refusal.step == "b" && refusal.message.contains("undo of step b doesn't accept"))
    #expect(try saga.step("b").undoWait != nil)
    #expect(try saga.when(Self.give(["tube": "T1"], "3")).first == "signal binned")
    #expect(try saga.step("b").status == .undone)
  }

  @Test("People are reminded of the undo, and a pause shifts its times")
  func reminders() throws {
    var saga = try waiting(Self.binned("", #", "timeout": "5h", "remind": {"after": "1h", "every": "30m"}"#))
    #expect(try saga.wakeWhenDue() == ["b reminded 1"])
    #expect(saga.now == Saga.startedAt + .seconds(3_600))
    try saga.operate(.pause)
    saga.pass(86_400_000)
    #expect(try saga.when(.wake) == [] && saga.due == nil)
    try saga.operate(.resume)
    #expect(try saga.step("b").undoWait?.until == Saga.startedAt + .seconds(5 * 3_600 + 86_400))
    #expect(try saga.wakeWhenDue() == ["b reminded 2"])
    #expect(saga.now == Saga.startedAt + .seconds(5_400 + 86_400))
    #expect(try saga.step("b").undoWait?.reminders == 2)
  }

  @Test("A signal that comes during a pause ends the wait, and the next undo begins with the resume")
  func paused() throws {
    var saga = try waiting()
    try saga.operate(.pause)
    #expect(try saga.when(Self.give()) == ["signal binned", "b undone answered"])
    #expect(try saga.operate(.resume) == ["sagaResumed", "undo a 1"])
  }

  @Test("An undo that waits longer than expected is overdue once")
  func overdue() throws {
    var saga = try waiting(Self.binned("", #", "timeout": "5h", "expected": "1h""#))
    #expect(try saga.wakeWhenDue() == ["undo b overdue declared"])
    #expect(try saga.wakeWhenDue().first == "b undo failed signal.timeout blocks")
  }

  @Test("A wait for the undo can be extended, and no other verb ends it")
  func verbs() throws {
    var saga = try waiting(Self.binned("", #", "timeout": "2h""#))
    #expect(saga.allowed == ["extend b", "pause"])
    for (verb, code) in [
      (OperatorVerb.runNow(step: "b"), EngineErrorCode.stepNothingDue),
      (.skip(step: "b", output: nil), EngineErrorCode.stepNotSkippable),
      (.retry(step: "b"), EngineErrorCode.stepNotRetryable),
      (.resolve(step: "b", .undone), EngineErrorCode.stepNotResolvable),
      (.abandon, EngineErrorCode.sagaNotStuck), (.cancel, EngineErrorCode.sagaTurningBack),
    ] {
      #expect(try saga.refusal(of: verb) == code)
    }
    #expect(try saga.operate(.extend(step: "b", .by(.seconds(3_600)))) == ["b extended"])
    #expect(try saga.step("b").undoWait?.until == Saga.startedAt + .seconds(10_800))
    let why = Explanation(try #require(saga.state), saga.definition, now: saga.now)
    #expect(why.kind == .compensating && why.step == "b" && why.phase == .undo)
    #expect(why.until == Saga.startedAt + .seconds(10_800))
    #expect(why.sentence.contains("undo of step b waits for the signal “binned”"))
    #expect(why.next.contains { $0.verb == "signal" && $0.signal == "binned" && $0.step == "b" })
  }

  @Test("A stored snapshot of undos that wait is read, and one of a later shape is not")
  func storedSnapshot() throws {
    let (at, later) = (Saga.startedAt, Saga.startedAt + .seconds(3_600))
    func stored(_ schema: Int) throws -> JSON {
      try JSON(
        parsing: #"""
          {"schema": \#(schema), "version": 9, "startedAt": "\#(at)",
           "start": {"id": "\#(Saga.id)", "workflow": "spec", "version": 1, "definition": "d", "steps": ["b", "pool"],
                     "input": {}, "deadline": "\#(later)", "by": "test"},
           "steps": [
             {"id": "b", "status": "undoing", "round": 1, "outcome": "succeeded", "forward": {"count": 1},
              "undo": {"count": 0, "startedAt": "\#(at)"}, "undoWait": {"signal": "binned"}, "waitUntil": "\#(later)",
              "remindAt": "\#(later)", "reminders": 1, "startedAt": "\#(at)", "endedAt": "\#(at)",
              "underWaySince": "\#(at)"},
             {"id": "pool", "status": "undoing", "round": 1, "outcome": "succeeded", "forward": {"count": 1},
              "undo": {"count": 2, "startedAt": "\#(at)"}, "undoWait": {},
              "undoChild": {"child": "\#(UndoChildTests.link().saga)", "workflow": "unpool", "version": 1},
              "undoChildrenEnded": 1, "startedAt": "\#(at)", "endedAt": "\#(at)", "underWaySince": "\#(at)"}],
           "turnBack": {"at": "\#(at)", "reason": {"cause": "timeout", "code": "saga.timeout", "message": "Late."}}}
          """#)
    }
    let state = try SagaState(snapshot: stored(8))
    #expect(
      state.step("b")?.undoWait == StepStage.Wait(signal: "binned", until: later, remindAt: later, reminders: 1))
    let pool = try #require(state.step("pool"))
    #expect(
      pool.awaitedUndoChild == UndoChildTests.link() && pool.undoChildrenEnded == 1 && pool.undoWait?.until == nil)
    #expect(state.snapshot["schema"] == 8)
    #expect(try SagaState(snapshot: state.snapshot) == state)
    #expect(throws: UnreadableEvent.self) { try SagaState(snapshot: stored(11)) }
  }

  // MARK: Early signals

  @Test("A signal that comes before the saga turns back is kept, and its undo takes it")
  func early() throws {
    var saga = try Saga("[\(Self.binned()), \(Saga.http("z"))]")
    try saga.start()
    #expect(try saga.when(Self.give()) == ["signal binned"])
    let answer = try #require(saga.state).answer(
      to: SignalGiven(name: "binned", id: "s1", body: [:], by: "anna"), isRepeat: true, saga.definition)
    #expect(answer.word == .kept && answer.candidates == ["b"])
    try saga.succeed("b")
    #expect(
      try saga.refuse("z") == [
        "z failed failed http.422 turnsBack", "turnedBack stepFailed", "undo b waits", "kept signal binned to b",
        "b undone answered", "sagaCompensated",
      ])
  }

  @Test("Behind a passed pivot no undo comes, so its signal is refused")
  func behindPivot() throws {
    var saga = try Saga("[\(Self.binned()), \(Saga.http("p", #""pivot": true"#)), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("b")
    try saga.succeed("p")
    #expect(try saga.when(Self.give()) == ["signal binned refused signal.tooLate"])
  }

  @Test("A step and its undo may wait for one signal: each takes one, and the document names the sender of the first")
  func sameName() throws {
    let step = #"""
      {"id": "s", "signal": {"name": "binned"},
       "compensation": {"signal": {"name": "binned", "accept": "$.signal.undone == true"}}}
      """#
    var saga = try Saga("[\(step), \(Saga.http("z"))]")
    #expect(try saga.start() == ["sagaStarted", "s waits"])
    #expect(try saga.when(Self.give([:], "1")) == ["signal binned", "s succeeded", "z 1"])
    try saga.refuse("z")
    #expect(try saga.when(Self.give([:], "2")) == ["signal binned refused signal.refused"])
    #expect(
      try saga.when(Self.give(["undone": true], "3", by: "bert")).prefix(2) == ["signal binned", "s undone answered"])
    #expect(saga.state?.document["steps"]?["s"]?["by"] == "anna")
    #expect(saga.status == .compensated)
  }

  // MARK: Rewinds and cancels

  @Test("A rewind waits for the signal, and drops kept signals that were sent for the same undo")
  func rewind() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.binned()), \(Saga.signal("s"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    try saga.when(Self.give([:], "1"))
    try saga.when(Self.give([:], "2"))
    #expect(
      try saga.operate(.rewind(step: "b")) == [
        "rewind b s", "s failed none saga.waitEnded settles", "undo b waits", "kept signal binned to b",
        "b undone answered", "rewound to b", "b 1",
      ])
    #expect(saga.state?.signals.map(\.fate) == [.taken([.init(step: "b", round: 1, phase: .undo)]), .dropped])
  }

  @Test("A saga that is cancelled while a rewind waits for the signal goes on waiting, and undoes the rest after it")
  func cancelled() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.binned()), \(Saga.signal("s"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    #expect(
      try saga.operate(.rewind(step: "b")) == [
        "rewind b s", "s failed none saga.waitEnded settles", "undo b waits",
      ])
    #expect(try saga.when(.cancel(by: "m", reason: "r")) == ["turnedBack cancelled"])
    #expect(try saga.when(Self.give()) == ["signal binned", "b undone answered", "undo a 1"])
  }

  @Test("A stuck saga can be abandoned while an undo waits")
  func abandoned() throws {
    let free = #", "dependsOn": []"#
    var saga = try Saga(
      "[\(Self.binned(step: free)), \(Self.binned("", #", "timeout": "1h""#, id: "c", step: free)), \(Saga.http("z", #""dependsOn": ["b", "c"]"#))]"
    )
    try saga.start()
    try saga.succeed("b")
    try saga.succeed("c")
    #expect(try saga.refuse("z").suffix(2) == ["undo b waits", "undo c waits"])
    #expect(try saga.wakeWhenDue() == ["c undo failed signal.timeout blocks"])
    #expect(try saga.operate(.abandon) == ["sagaAbandoned"])
    #expect(throws: Refusal.self) { try saga.when(Self.give()) }
    #expect(saga.due == nil)
  }

  // MARK: Items

  @Test("The undos of items take the signals of their items, also early ones, a few at a time")
  func items() throws {
    let step = #"""
      {"id": "tubes", "forEach": {"items": "${input.tubes[*]}", "as": "tube", "key": "${tube}", "maxParallel": 2},
       "http": {"service": "lab", "method": "PUT", "path": "/${tube}"},
       "compensation": {"signal": {"name": "binned", "accept": "$.signal.tube == $.tube"}}}
      """#
    var saga = try Saga("[\(Saga.http("a")), \(step), \(Saga.http("z"))]")
    try saga.start(input: ["tubes": ["T1", "T2", "T3"]])
    try saga.succeed("a")
    for tube in ["T1", "T2", "T3"] { try saga.succeed("tubes[\(tube)]") }
    #expect(try saga.refuse("z").suffix(2) == ["undo tubes[T3] waits", "undo tubes[T2] waits"])
    #expect(try saga.when(Self.give(["tube": "T1"], "1")) == ["signal binned"], "its undo is to come")
    #expect(
      try saga.when(Self.give(["tube": "T3"], "3")) == [
        "signal binned", "tubes[T3] undone answered", "undo tubes[T1] waits", "kept signal binned to tubes[T1]",
        "tubes[T1] undone answered",
      ])
    #expect(saga.state?.snapshot["schema"] == 9)
    #expect(
      try saga.when(Self.give(["tube": "T2"], "2")) == [
        "signal binned", "tubes[T2] undone answered", "tubes undone", "undo a 1",
      ])
  }
}
