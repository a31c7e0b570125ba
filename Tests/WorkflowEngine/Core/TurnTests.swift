import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Turns of a key", .timeLimit(.minutes(15)), .inTurn)
struct TurnTests {
  typealias Saga = SagaSpecification

  private static let turn = #""concurrency": {"key": "${input.instrument}", "limit": 1}"#
  private static let once = #""retry": {"maxAttempts": 1}"#

  private func started(_ steps: String, members: String = "", input: JSON = ["instrument": "HiSeq-1"]) throws -> Saga {
    var saga = try Saga(steps, members: members)
    try saga.start(input: input)
    return saga
  }

  private func comes(_ saga: inout Saga, _ step: String?, _ key: String = "HiSeq-1") throws -> [String] {
    try saga.when(.takeTurns([TurnOffer(step: step, key: key)]))
  }

  private static let two = "[\(Saga.http("a", turn)), \(Saga.http("b"))]"

  @Test("A step waits for its turn, begins with it, and releases it when it has succeeded")
  func step() throws {
    var saga = try Saga(Self.two)
    #expect(try saga.start(input: ["instrument": "HiSeq-1"]) == ["sagaStarted", "a asks HiSeq-1"])
    #expect(saga.state?.step("a")?.status == .waiting && saga.state?.step("a")?.isQueued == true)
    #expect(saga.state?.step("a")?.startedAt == nil, "the wait is not the step's own time")
    #expect(saga.state?.awaitedTurns == [TurnOffer(step: "a", key: "HiSeq-1")])
    #expect(saga.calls.isEmpty)
    saga.pass(60_000)
    #expect(try comes(&saga, "a") == ["a takes HiSeq-1", "a 1"])
    #expect(saga.state?.step("a")?.startedAt == Saga.startedAt + .seconds(60))
    #expect(saga.state?.turn(of: "a")?.isTaken == true)
    #expect(try saga.succeed("a") == ["a succeeded", "b 1", "a releases HiSeq-1"])
    #expect(saga.state?.hasTurns == false)
  }

  @Test("A step holds its turn over its attempts")
  func attempts() throws {
    var saga = try started(Self.two)
    _ = try comes(&saga, "a")
    #expect(try saga.lose("a") == ["a unknown timeout"])
    #expect(saga.state?.turn(of: "a")?.isTaken == true)
    #expect(try saga.wakeWhenDue() == ["a 2"])
    #expect(try saga.succeed("a").last == "a releases HiSeq-1")
  }

  @Test("A wait for a turn is never overdue: the expected time counts from the turn on")
  func expected() throws {
    var saga = try started("[\(Saga.http("a", Self.turn + #", "expected": "10s""#))]")
    saga.pass(60_000)
    #expect(try saga.when(.wake) == [])
    _ = try comes(&saga, "a")
    #expect(saga.due == 70_000)
    #expect(try saga.wakeWhenDue() == ["a overdue declared"])
  }

  @Test("An offer that is not waited for, or repeats, changes nothing")
  func otherOffers() throws {
    var saga = try started(Self.two)
    #expect(try comes(&saga, "b") == [])
    #expect(try comes(&saga, nil) == [])
    #expect(try comes(&saga, "a", "HiSeq-2") == [])
    _ = try comes(&saga, "a")
    #expect(try comes(&saga, "a") == [])
  }

  @Test("A number is a key")
  func number() throws {
    let saga = try started(Self.two, input: ["instrument": 4])
    #expect(saga.state?.turn(of: "a")?.key == "4")
  }

  @Test(
    "A key that is neither a text nor a number, is empty or is too long fails the step",
    arguments: [
      JSON.bool(true), .null, [], "", .string(String(repeating: "x", count: 201)), "a\u{7}b",
    ])
  func badKey(value: JSON) throws {
    var saga = try Saga(Self.two)
    #expect(
      try saga.start(input: ["instrument": value]) == [
        "sagaStarted", "a failed none concurrency.badKey turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("A key of 200 characters is one")
  func longestKey() throws {
    let key = String(repeating: "é", count: 200)
    #expect(try started(Self.two, input: ["instrument": .string(key)]).state?.turn(of: "a")?.key == key)
  }

  @Test("A step that is skipped by its condition asks for no turn")
  func condition() throws {
    var saga = try Saga("[\(Saga.http("a", Self.turn + #", "when": "$.input.x == 1""#)), \(Saga.http("b"))]")
    #expect(try saga.start(input: ["instrument": "HiSeq-1"]) == ["sagaStarted", "a skipped", "b 1"])
  }

  // MARK: The ends of a wait and of a turn

  @Test("A cancelled wait is given up")
  func cancelWait() throws {
    var saga = try started(Self.two)
    #expect(
      try saga.when(.cancel(by: "mia", reason: "no")) == [
        "turnedBack cancelled", "a failed none saga.waitEnded settles", "sagaCompensated",
      ])
    #expect(saga.state?.hasTurns == false)
  }

  @Test("The saga's timeout ends a wait")
  func sagaTimeout() throws {
    var saga = try started(Self.two)
    #expect(saga.due == 300_000)
    #expect(
      try saga.wakeWhenDue() == ["turnedBack timeout", "a failed none saga.waitEnded settles", "sagaCompensated"])
  }

  @Test("The timeout of a signal limits its wait for a turn, and counts again for the signal")
  func waitTimeout() throws {
    let signal = #"[{"id": "s", "signal": {"name": "go"}, "timeout": "10s", \#(Self.turn)}]"#
    var late = try started(signal)
    #expect(late.due == 10_000)
    #expect(
      try late.wakeWhenDue() == [
        "s failed none concurrency.timeout turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
    var saga = try started(signal)
    saga.pass(9_000)
    #expect(try comes(&saga, "s") == ["s takes HiSeq-1", "s waits"])
    #expect(saga.due == 19_000)
  }

  @Test("A wait for a turn that is over is given up, and an operator's retry asks again")
  func retriedWait() throws {
    var saga = try started(
      #"[{"id": "s", "signal": {"name": "go"}, "timeout": "10s", "onFailure": "stuck", \#(Self.turn)}]"#)
    #expect(try saga.wakeWhenDue() == ["s failed none concurrency.timeout blocks", "s releases HiSeq-1"])
    #expect(saga.state?.hasTurns == false)
    saga.pass(60_000)
    #expect(try saga.when(.retry(step: "s", by: "mia", reason: "again")) == ["s retried", "s asks HiSeq-1"])
    #expect(saga.due == 80_000)
    #expect(try comes(&saga, "s") == ["s takes HiSeq-1", "s waits"])
  }

  @Test("A signal that comes before the turn is kept")
  func signalBefore() throws {
    var saga = try started(#"[{"id": "s", "signal": {"name": "go"}, \#(Self.turn)}]"#)
    let signal = SignalGiven(name: "go", id: "1", body: .null, by: "mia")
    #expect(try saga.when(.give(signal)) == ["signal go"])
    #expect(saga.state?.step("s")?.isQueued == true)
    let answer = try #require(saga.state).answer(to: signal, isRepeat: false, saga.definition)
    #expect(answer.word == .kept && answer.candidates == ["s"])
    #expect(
      try comes(&saga, "s") == [
        "s takes HiSeq-1", "s waits", "kept signal go to s", "s succeeded", "sagaCompleted",
      ])
  }

  @Test("An operator skips a step that waits for its turn")
  func skip() throws {
    var saga = try started(Self.two)
    let act = OperatorAct(by: "mia", reason: "by hand")
    #expect(
      try saga.when(.operate(OperatorRequest(.skip(step: "a", output: nil), by: act))) == [
        "a skipped by operator", "b 1", "a releases HiSeq-1",
      ])
  }

  @Test("A step on which the saga is stuck keeps its turn until the operator's word", arguments: [true, false])
  func stuck(resolves: Bool) throws {
    var saga = try started("[\(Saga.http("a", Self.turn + ", " + Self.once + #", "onFailure": "stuck""#))]")
    _ = try comes(&saga, "a")
    #expect(try saga.lose("a") == ["a failed unknown timeout blocks"])
    #expect(saga.state?.turn(of: "a")?.isTaken == true)
    if resolves {
      let events = try saga.when(.resolve(step: "a", .happened(output: .null), by: "mia", reason: "looked"))
      #expect(events == ["a resolved happened", "sagaCompleted"])
    } else {
      #expect(try saga.when(.retry(step: "a", by: "mia", reason: "again")) == ["a retried", "a 2"])
      #expect(try saga.succeed("a") == ["a succeeded", "sagaCompleted"])
    }
    #expect(saga.state?.hasTurns == false)
  }

  @Test("A retry with another input releases the turn of the old key and asks for the new one")
  func otherKey() throws {
    var saga = try started("[\(Saga.http("a", Self.turn + ", " + Self.once + #", "onFailure": "stuck""#))]")
    _ = try comes(&saga, "a")
    try saga.refuse("a")
    let act = OperatorAct(by: "mia", reason: "the other one")
    let verb = OperatorVerb.retry(step: "a", input: ["instrument": "HiSeq-2"])
    #expect(
      try saga.when(.operate(OperatorRequest(verb, by: act))) == [
        "a retried with input", "a releases HiSeq-1", "a asks HiSeq-2",
      ])
    #expect(try comes(&saga, "a", "HiSeq-2") == ["a takes HiSeq-2", "a 1"])
  }

  @Test("A step begins with the turn for which it waited, also when the saga has moved to a version with another key")
  func movedWhileWaiting() throws {
    func steps(_ key: String) -> String {
      let turn = #""concurrency": {"key": "\#(key)"}"#
      return "[\(Saga.http("a", turn + ", " + Self.once + #", "onFailure": "stuck""#))]"
    }
    var saga = try started(steps("${input.instrument}"))
    _ = try comes(&saga, "a")
    try saga.refuse("a")
    try saga.operate(.retry(step: "a", input: ["instrument": "HiSeq-2"]))
    #expect(saga.state?.step("a")?.isQueued == true)
    let target = try Saga(steps("line/${input.instrument}"), version: 2).definition
    #expect(try saga.operate(.migrate(to: 2), to: target) == ["moved to 2"])
    #expect(try comes(&saga, "a", "HiSeq-2") == ["a takes HiSeq-2", "a 1"])
    #expect(try saga.succeed("a") == ["a succeeded", "sagaCompleted"])
    #expect(saga.state?.hasTurns == false)
  }

  @Test("An abandoned saga holds nothing")
  func abandon() throws {
    var saga = try started("[\(Saga.http("a", Self.turn + ", " + Self.once + #", "onFailure": "stuck""#))]")
    _ = try comes(&saga, "a")
    try saga.lose("a")
    #expect(try saga.when(.abandon(by: "mia", reason: "thrown away")) == ["sagaAbandoned"])
    #expect(saga.state?.hasTurns == false)
  }

  @Test("A step whose failure the saga goes past releases its turn")
  func goesOn() throws {
    var saga = try started("[\(Saga.http("a", Self.turn + #", "onFailure": "continue""#)), \(Saga.http("b"))]")
    _ = try comes(&saga, "a")
    #expect(try saga.refuse("a") == ["a failed failed http.422 goesOn", "b 1", "a releases HiSeq-1"])
  }

  // MARK: Undo

  @Test("An undo asks again after its step has released the turn")
  func undoAsks() throws {
    var saga = try started(Self.two)
    _ = try comes(&saga, "a")
    try saga.succeed("a")
    #expect(
      try saga.refuse("b") == ["b failed failed http.422 turnsBack", "turnedBack stepFailed", "undo a asks HiSeq-1"])
    #expect(saga.state?.step("a")?.status == .succeeded)
    #expect(try comes(&saga, "a") == ["undo a takes HiSeq-1", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("A step that fails and is undone at once keeps its turn for the undo")
  func undoKeeps() throws {
    var saga = try started("[\(Saga.http("a", Self.turn + ", " + Self.once)), \(Saga.http("b"))]")
    _ = try comes(&saga, "a")
    #expect(try saga.lose("a") == ["a failed unknown timeout turnsBack", "turnedBack stepFailed", "undo a 1"])
    #expect(saga.state?.turn(of: "a")?.isTaken == true)
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("An undo that waits for its turn can be ended by abandoning the saga")
  func abandonUndo() throws {
    var saga = try started(Self.two)
    _ = try comes(&saga, "a")
    try saga.succeed("a")
    try saga.refuse("b")
    #expect(saga.due == nil, "no timeout limits an undo")
    #expect(try saga.when(.abandon(by: "mia", reason: "both wait")) == ["sagaAbandoned"])
  }

  // MARK: Groups and items

  private static let group = #"""
    [{"id": "g", \#(turn), "timeout": "1m", "steps": [\#(Saga.http("a")), \#(Saga.http("b", once))]}, \#(Saga.http("c"))]
    """#

  @Test("A group takes its turn before its first member, and releases it after its last")
  func group() throws {
    var saga = try started(Self.group)
    #expect(saga.log.map(\.words) == ["sagaStarted", "g asks HiSeq-1"])
    #expect(saga.due == 60_000)
    saga.pass(30_000)
    #expect(try comes(&saga, "g") == ["g takes HiSeq-1", "g opens", "a 1"])
    #expect(saga.state?.step("g")?.groupDeadline == Saga.startedAt + .seconds(90), "its time begins with its turn")
    #expect(try saga.succeed("a") == ["a succeeded", "b 1"])
    #expect(saga.state?.turn(of: "g")?.isTaken == true)
    #expect(try saga.succeed("b") == ["b succeeded", "g succeeded", "c 1", "g releases HiSeq-1"])
  }

  @Test("A group that fails keeps its turn until its members are undone")
  func groupUndone() throws {
    var saga = try started(Self.group)
    _ = try comes(&saga, "g")
    try saga.succeed("a")
    #expect(
      try saga.refuse("b") == [
        "b failed failed http.422 turnsBack", "turnedBack stepFailed", "g failed none saga.waitEnded settles",
        "undo a 1",
      ])
    #expect(saga.state?.turn(of: "g")?.isTaken == true)
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("The undo of a group that was done asks for the group's turn once")
  func groupAsksForUndo() throws {
    var saga = try started(Self.group)
    _ = try comes(&saga, "g")
    try saga.succeed("a")
    try saga.succeed("b")
    #expect(try saga.refuse("c").suffix(1) == ["undo g asks HiSeq-1"])
    #expect(try comes(&saga, "g") == ["undo g takes HiSeq-1", "undo b 1"])
    #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("A group whose turn does not come in time fails")
  func groupTimeout() throws {
    var saga = try started(Self.group)
    #expect(
      try saga.wakeWhenDue() == [
        "g failed none concurrency.timeout turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("A step inside a group that holds a turn of the same key needs none of its own")
  func sameKeyInside() throws {
    var saga = try started(#"[{"id": "g", \#(Self.turn), "steps": [\#(Saga.http("a", Self.turn))]}]"#)
    #expect(try comes(&saga, "g") == ["g takes HiSeq-1", "g opens", "a 1"])
    #expect(try saga.succeed("a") == ["a succeeded", "g succeeded", "sagaCompleted"])
  }

  @Test("A member with a key of its own waits inside its group")
  func nested() throws {
    var saga = try started(
      #"[{"id": "g", \#(Self.turn), "steps": [\#(Saga.http("a", #""concurrency": {"key": "robot"}"#))]}]"#)
    #expect(try comes(&saga, "g") == ["g takes HiSeq-1", "g opens", "a asks robot"])
    #expect(try comes(&saga, "a", "robot") == ["a takes robot", "a 1"])
    #expect(try saga.succeed("a") == ["a succeeded", "g succeeded", "sagaCompleted"])
  }

  @Test("A step with forEach takes one turn for all its items, and one for their undo")
  func items() throws {
    let steps = #"""
      [{"id": "a", "forEach": {"items": "${input.tubes[*]}", "maxParallel": 2},
        "http": {"service": "lab", "method": "PUT", "path": "/a/${item}"}, \#(Self.turn),
        "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/a/${item}"}}}, \#(Saga.http("b"))]
      """#
    var saga = try started(steps, input: ["instrument": "HiSeq-1", "tubes": ["x", "y"]])
    #expect(try comes(&saga, "a") == ["a takes HiSeq-1", "a opens 2", "a[0] 1", "a[1] 1"])
    try saga.succeed("a[0]")
    #expect(saga.state?.turn(of: "a")?.isTaken == true)
    #expect(try saga.succeed("a[1]") == ["a[1] succeeded", "a succeeded", "b 1", "a releases HiSeq-1"])
    #expect(try saga.refuse("b").last == "undo a asks HiSeq-1")
    #expect(try comes(&saga, "a") == ["undo a takes HiSeq-1", "undo a[1] 1", "undo a[0] 1"])
  }

  // MARK: The saga's own turn

  private static let own = #""concurrency": {"key": "${input.instrument}", "limit": 2}, "timeout": "1m","#

  @Test("A saga waits with its first steps, and its timeout begins with its turn")
  func own() throws {
    var saga = try started("[\(Saga.http("a"))]", members: Self.own)
    #expect(saga.log.map(\.words) == ["sagaStarted", "saga asks HiSeq-1"])
    #expect(saga.due == nil)
    saga.pass(600_000)
    #expect(try saga.when(.wake) == [])
    #expect(saga.state?.isOverdue(at: saga.now) == false)
    #expect(try comes(&saga, nil) == ["saga takes HiSeq-1", "a 1"])
    #expect(saga.state?.deadline == Saga.startedAt + .seconds(660))
    #expect(try saga.succeed("a") == ["a succeeded", "sagaCompleted"])
    #expect(saga.state?.hasTurns == false)
  }

  @Test("A saga that waits for its own turn can be cancelled")
  func cancelOwn() throws {
    var saga = try started("[\(Saga.http("a"))]", members: Self.own)
    #expect(try saga.when(.cancel(by: "mia", reason: "no")) == ["turnedBack cancelled", "sagaCompensated"])
  }

  @Test("A saga whose key has no text does not start")
  func ownBadKey() throws {
    var saga = try Saga("[\(Saga.http("a"))]", members: Self.own)
    do {
      try saga.start(input: ["instrument": false])
      Issue.record("The saga started.")
    } catch let refusal as Refusal {
      #expect(refusal.code == "concurrency.badKey")
    }
  }

  @Test("A saga holds its turn until its last undo")
  func ownUndo() throws {
    var saga = try started("[\(Saga.http("a")), \(Saga.http("b"))]", members: Self.own)
    _ = try comes(&saga, nil)
    try saga.succeed("a")
    #expect(try saga.refuse("b").last == "undo a 1")
    #expect(saga.state?.ownTurn?.isTaken == true)
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(saga.state?.hasTurns == false)
  }

  // MARK: Pause and rewind

  @Test("A pause keeps what is held, takes nothing, and stops the wait's clock")
  func pause() throws {
    var saga = try started(Self.group)
    let act = OperatorAct(by: "mia", reason: "wait")
    try saga.when(.operate(OperatorRequest(.pause, by: act)), after: 10_000)
    #expect(saga.state?.awaitedTurns == [])
    #expect(try comes(&saga, "g") == [])
    try saga.when(.operate(OperatorRequest(.resume, by: act)), after: 100_000)
    #expect(saga.due == 160_000)
    #expect(saga.state?.turn(of: "g")?.askedAt == Saga.startedAt, "it keeps its place")
    _ = try comes(&saga, "g")
    try saga.when(.operate(OperatorRequest(.pause, by: act)))
    #expect(saga.state?.turn(of: "g")?.isTaken == true)
  }

  @Test("A rewind gives the turn back, and the step asks again")
  func rewind() throws {
    var saga = try started(Self.two)
    _ = try comes(&saga, "a")
    try saga.succeed("a")
    let act = OperatorAct(by: "mia", reason: "again")
    #expect(
      try saga.when(.operate(OperatorRequest(.rewind(step: "a"), by: act))) == ["rewind a b"])
    #expect(try saga.refuse("b") == ["b failed failed http.422 settles", "undo a asks HiSeq-1"])
    #expect(try comes(&saga, "a") == ["undo a takes HiSeq-1", "undo a 1"])
    #expect(
      try saga.succeed("a") == [
        "a undone answered", "rewound to a", "a releases HiSeq-1", "a asks HiSeq-1",
      ])
    #expect(try comes(&saga, "a") == ["a takes HiSeq-1", "a 1"])
  }

  @Test("The turns can be read from their events alone")
  func foldedAlone() throws {
    var saga = try started(Self.two)
    _ = try comes(&saga, "a")
    var turns: [String: SagaCore.Turn] = [:]
    for event in saga.log { event.fold(into: &turns) }
    #expect(turns["a"]?.isTaken == true && turns["a"]?.key == "HiSeq-1")
    try saga.succeed("a")
    for event in saga.log { event.fold(into: &turns) }
    #expect(turns.isEmpty)
  }
}
