import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Steps that are done for each item", .timeLimit(.minutes(15)), .inTurn)
struct ForEachTests {
  typealias Saga = SagaSpecification

  /// A step `run` whose items are the wells of the input.
  /// - Parameters:
  ///   - forEach: further members of `forEach`.
  ///   - more: further members of the step.
  static func wells(_ forEach: String = "", _ more: String = #""retry": {"maxAttempts": 1}"#) -> String {
    #"""
    {"id": "run", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well.id}"\#(forEach.isEmpty ? "" : ", " + forEach)},
     "http": {"service": "lab", "method": "PUT", "path": "/wells/${steps.run.uuid}", "body": {"id": "${well.id}", "n": "${index}"}},
     "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/wells/${steps.run.uuid}"}}\#(more.isEmpty ? "" : ", " + more)}
    """#
  }

  static func input(_ ids: [String]) -> JSON { ["wells": .array(ids.map { ["id": .string($0)] })] }

  private func started(
    _ steps: String = "[\(wells()), \(Saga.http("after"))]", _ ids: [String] = ["A", "B", "C"]
  ) throws -> Saga {
    var saga = try Saga(steps)
    try saga.start(input: Self.input(ids))
    return saga
  }

  private func act(_ verb: OperatorVerb) -> SagaCommand {
    .operate(OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "r")))
  }

  // MARK: Going forward

  @Test("Items begin in their order, and the step succeeds with the last one")
  func inOrder() throws {
    var saga = try Saga("[\(Self.wells(#""maxParallel": 2"#)), \(Saga.http("after"))]")
    #expect(
      try saga.start(input: Self.input(["A", "B", "C"])) == ["sagaStarted", "run opens 3", "run[A] 1", "run[B] 1"])
    #expect(saga.calls == ["run/A/1", "run/B/1"])
    #expect(try saga.succeed("run[B]") == ["run[B] succeeded", "run[C] 1"])
    #expect(saga.state?.step("run")?.status == .running && saga.status == .running)
    #expect(try saga.succeed("run[A]") == ["run[A] succeeded"])
    #expect(try saga.succeed("run[C]") == ["run[C] succeeded", "run succeeded", "after 1"])
    #expect(try saga.succeed("after") == ["after succeeded", "sagaCompleted"])
    #expect(saga.state?.steps.map(\.id) == ["run", "after"], "the items are not among the steps of the workflow")
    #expect(saga.state?.items(of: "run")?.count(of: .succeeded) == 3)
  }

  @Test("Each item is rendered with its value, its number and a UUID of its own")
  func rendering() throws {
    let saga = try started()
    let state = try #require(saga.state)
    let calls = Decider.effects(of: state, definition: saga.definition).compactMap { effect -> RenderedHTTP? in
      guard case .call(let call) = effect, case .http(let http) = call.action else { return nil }
      return http
    }
    #expect(calls.map(\.body) == [["id": "A", "n": 0], ["id": "B", "n": 1], ["id": "C", "n": 2]])
    let uuid = UniqueID.derived(from: "\(Saga.id)/run/B/1")
    #expect(calls[1].path == "/wells/\(uuid)")
    #expect(Set(calls.map(\.path)).count == 3)
  }

  @Test("A key with a slash is escaped in the idempotency key")
  func slash() throws {
    let saga = try started("[\(Self.wells())]", ["P1/A", "P1/B"])
    #expect(saga.calls == ["run/P1%2FA/1", "run/P1%2FB/1"])
    #expect(saga.state?.step("run[P1/A]")?.status == .running)
  }

  @Test("A step without items succeeds at once")
  func none() throws {
    var saga = try Saga("[\(Self.wells()), \(Saga.http("after"))]")
    #expect(try saga.start(input: ["wells": []]) == ["sagaStarted", "run opens 0", "run succeeded", "after 1"])
    #expect(saga.state?.document["steps"]?["run"]?["items"] == [])
  }

  @Test(
    "Items that can't be found fail the step before anything is sent",
    arguments: [
      (["wells": [["id": "A"], ["id": "A"]]], "forEach.sameKey"), (["wells": [["id": "A B"]]], "forEach.badKey"),
      (["wells": [["x": 1]]], "expression.empty"),
    ] as [(JSON, String)])
  func noItems(input: JSON, code: String) throws {
    var saga = try Saga("[\(Self.wells())]")
    #expect(
      try saga.start(input: input) == [
        "sagaStarted", "run failed none \(code) turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("A false condition skips the step with all items")
  func skipped() throws {
    let step = Self.wells("", #""when": "$.input.go == true""#)
    var saga = try Saga("[\(step), \(Saga.http("after"))]")
    #expect(try saga.start(input: Self.input(["A"])) == ["sagaStarted", "run skipped", "after 1"])
    #expect(saga.state?.items(of: "run") == nil)
  }

  @Test("An item has the attempts of its step, and its pause does not block the others")
  func attempts() throws {
    let step = Self.wells(#""maxParallel": 1"#, #""retry": {"maxAttempts": 2, "jitter": 0}"#)
    var saga = try started("[\(step)]", ["A", "B"])
    #expect(try saga.lose("run[A]") == ["run[A] unknown timeout"])
    #expect(saga.due == 1_000, "an item between two attempts is under way, so the next one waits")
    #expect(try saga.wakeWhenDue() == ["run[A] 2"])
    #expect(try saga.succeed("run[A]") == ["run[A] succeeded", "run[B] 1"])
  }

  @Test("A restart settles the items under way as unknown, and they are tried again under their keys")
  func restart() throws {
    var saga = try started("[\(Self.wells("", #""retry": {"maxAttempts": 2, "jitter": 0}"#))]", ["A", "B"])
    try saga.succeed("run[A]")
    #expect(try saga.when(.recover) == ["run[B] unknown engine.attemptInterrupted"])
    #expect(try saga.wakeWhenDue() == ["run[B] 2"])
    #expect(saga.calls == ["run/B/1"])
    #expect(try saga.succeed("run[B]").last == "sagaCompleted")
  }

  @Test("A history without the values of its items computes them again")
  func computedAgain() throws {
    var saga = try Saga("[\(Self.wells(#""maxParallel": 1"#))]")
    try saga.start(input: Self.input(["A", "B"]))
    let state = try SagaState(folding: saga.log)
    #expect(state.items(of: "run")?.values == nil)
    let command = SagaCommand.attemptSettled(step: "run[A]", phase: .forward, attempt: 1, outcome: .succeeded(.null))
    let events = try Decider.decide(command, state, definition: saga.definition, now: saga.now)
    #expect(events.map(\.words) == ["run[A] succeeded", "run[B] 1"])
    let other = try SagaState(
      folding: [SagaEvent(at: saga.now, SagaStarted(state.start))]
        + [SagaEvent(at: saga.now, ItemsOpened(step: "run", count: 2, digest: "another"))])
    #expect(
      try Decider.decide(.wake, other, definition: saga.definition, now: saga.now).map(\.words) == [
        "run failed none forEach.changed turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  // MARK: Failures

  @Test("A failure that is not tolerated ends the step when the other items have settled")
  func failure() throws {
    var saga = try started("[\(Self.wells(#""maxParallel": 2"#))]")
    #expect(
      try saga.refuse("run[A]") == ["run[A] failed failed http.422 goesOn"], "B settles first, and C never begins")
    #expect(
      try saga.succeed("run[B]") == [
        "run[B] succeeded", "run failed none forEach.failures turnsBack", "turnedBack stepFailed", "undo run[B] 1",
      ])
    #expect(saga.state?.step("run")?.failure?.message == "1 of 3 items failed, and 0 may fail: A (http.422).")
    #expect(try saga.succeed("run[B]") == ["run[B] undone answered", "run undone", "sagaCompensated"])
    #expect(saga.state?.step("run[C]") == nil)
    #expect(saga.state?.items(of: "run")?.count(of: .pending) == 1)
  }

  @Test("Tolerated failures let the step succeed, and later steps see them")
  func tolerated() throws {
    let after =
      #"{"id": "after", "http": {"service": "lab", "method": "PUT", "path": "/x", "body": "${list(steps.run.items[*])}"}, "compensation": "none"}"#
    var saga = try started("[\(Self.wells(#""toleratedFailures": "34%""#)), \(after)]")
    try saga.refuse("run[B]")
    try saga.succeed("run[C]", ["reads": 7])
    #expect(try saga.succeed("run[A]", ["reads": 5]).suffix(2) == ["run succeeded", "after 1"])
    guard case .call(let call)? = saga.state.map({ Decider.effects(of: $0, definition: saga.definition) })?.first,
      case .http(let http) = call.action
    else {
      Issue.record("no call")
      return
    }
    #expect(
      http.body == [
        ["item": ["id": "A"], "key": "A", "status": "succeeded", "output": ["reads": 5]],
        ["item": ["id": "B"], "key": "B", "status": "failed", "error": ["code": "http.422", "message": "no"]],
        ["item": ["id": "C"], "key": "C", "status": "succeeded", "output": ["reads": 7]],
      ])
  }

  @Test("What may have happened of a tolerated failure is undone when the saga turns back later")
  func toleratedUnknown() throws {
    var saga = try started("[\(Self.wells(#""toleratedFailures": 2"#)), \(Saga.http("after"))]")
    try saga.lose("run[A]")
    try saga.refuse("run[B]")
    #expect(try saga.succeed("run[C]").suffix(2) == ["run succeeded", "after 1"])
    #expect(try saga.refuse("after").suffix(2) == ["undo run[C] 1", "undo run[A] 1"], "B has not happened")
    #expect(saga.calls == ["run/A/1/undo", "run/C/1/undo"])
    #expect(try saga.succeed("run[A]") == ["run[A] undone answered"])
    #expect(try saga.succeed("run[C]") == ["run[C] undone answered", "run undone", "sagaCompensated"])
    #expect(saga.state?.step("run")?.status == .undone)
  }

  @Test("With onFailure continue the saga goes on after too many failures")
  func goesOn() throws {
    var saga = try started(
      "[\(Self.wells(#""maxParallel": 1"#, #""onFailure": "continue", "retry": {"maxAttempts": 1}"#)), \(Saga.http("after"))]"
    )
    #expect(
      try saga.refuse("run[A]") == [
        "run[A] failed failed http.422 goesOn", "run failed none forEach.failures goesOn", "after 1",
      ])
    let items = saga.state?.document["steps"]?["run"]?["items"]
    #expect(items?[2] == ["item": ["id": "C"], "key": "C", "status": "pending"])
  }

  // MARK: Undo

  @Test("Items are undone in parallel, the last first, and then the step before")
  func undone() throws {
    var saga = try Saga("[\(Saga.http("before")), \(Self.wells(#""maxParallel": 2"#)), \(Saga.http("after"))]")
    try saga.start(input: Self.input(["A", "B", "C", "D"]))
    try saga.succeed("before")
    for well in ["A", "B", "C", "D"] { try saga.succeed("run[\(well)]") }
    #expect(try saga.refuse("after").suffix(2) == ["undo run[D] 1", "undo run[C] 1"])
    #expect(try saga.succeed("run[C]") == ["run[C] undone answered", "undo run[B] 1"])
    #expect(try saga.succeed("run[D]") == ["run[D] undone answered", "undo run[A] 1"])
    #expect(try saga.succeed("run[B]") == ["run[B] undone answered"])
    #expect(try saga.succeed("run[A]") == ["run[A] undone answered", "run undone", "undo before 1"])
    #expect(try saga.succeed("before").last == "sagaCompensated")
  }

  @Test("An undo that fails for good occupies a place until an operator acts")
  func undoFails() throws {
    let undo =
      #""compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/w/${steps.run.uuid}"}, "retry": {"maxAttempts": 1}}"#
    let step = #"""
      {"id": "run", "forEach": {"items": "${input.wells[*]}", "key": "${item.id}", "maxParallel": 1},
       "http": {"service": "lab", "method": "PUT", "path": "/w/${steps.run.uuid}"}, \#(undo)}
      """#
    var saga = try started("[\(step), \(Saga.http("after"))]", ["A", "B"])
    try saga.succeed("run[A]")
    try saga.succeed("run[B]")
    try saga.refuse("after")
    #expect(try saga.refuse("run[B]") == ["run[B] undo failed http.422 blocks"])
    #expect(saga.status == .stuck && saga.state?.blockers.map(\.step) == ["run[B]"])
    let allowed = try Verbs.allowed(#require(saga.state), saga.definition)
    #expect(allowed.first { $0.verb == .retry }?.steps == ["run[B]"])
    #expect(allowed.first { $0.verb == .resolve }?.steps == ["run[B]"])
    #expect(try saga.when(act(.resolve(step: "run[B]", .undone))) == ["run[B] resolved undone", "undo run[A] 1"])
    #expect(try saga.succeed("run[A]") == ["run[A] undone answered", "run undone", "sagaCompensated"])
  }

  @Test("Turning back lets items settle, ends their pauses, and begins no further one")
  func turnsBackWhileOpen() throws {
    let step = Self.wells(#""maxParallel": 2"#, #""retry": {"maxAttempts": 3}"#)
    var saga = try started("[\(step)]")
    try saga.lose("run[A]")
    #expect(
      try saga.when(act(.compensate)) == [
        "turnedBack compensate", "run failed none saga.waitEnded settles", "run[A] failed unknown timeout settles",
      ])
    #expect(try saga.succeed("run[B]") == ["run[B] succeeded", "undo run[B] 1", "undo run[A] 1"])
    try saga.succeed("run[A]")
    #expect(try saga.succeed("run[B]").last == "sagaCompensated")
  }

  // MARK: Operators

  private func stuck(_ more: String = "") throws -> Saga {
    try started(
      "[\(Self.wells(more, #""onFailure": "stuck", "retry": {"maxAttempts": 1}"#)), \(Saga.http("after"))]")
  }

  @Test("An operator retries one item of a step on which the saga is stuck, and the step goes on")
  func retryOne() throws {
    var saga = try stuck(#""maxParallel": 2"#)
    try saga.refuse("run[A]")
    #expect(try saga.succeed("run[B]").last == "run failed none forEach.failures blocks")
    #expect(saga.status == .stuck && saga.state?.blockers.map(\.step) == ["run"])
    #expect(try saga.when(act(.retry(step: "run[A]"))) == ["run[A] retried", "run[A] 2", "run[C] 1"])
    #expect(saga.status == .running && saga.calls == ["run/A/1", "run/C/1"])
    try saga.succeed("run[A]")
    #expect(try saga.succeed("run[C]") == ["run[C] succeeded", "run succeeded", "after 1"])
  }

  @Test("A retry of the whole step begins all failed items again, at most maxParallel at a time")
  func retryAll() throws {
    var saga = try stuck()
    for well in ["A", "B", "C"] { try saga.refuse("run[\(well)]") }
    #expect(saga.state?.step("run")?.failure?.message.contains("A (http.422), B (http.422), C (http.422).") == true)
    #expect(
      try saga.when(.retry(step: nil, by: "mia", reason: "r")) == ["run retried", "run[A] 2", "run[B] 2", "run[C] 2"])
    try saga.succeed("run[A]")
    try saga.succeed("run[B]")
    #expect(try saga.refuse("run[C]").last == "run failed none forEach.failures blocks")
    #expect(throws: Refusal.self) { try saga.when(act(.retry(step: "run", input: [:]))) }
    #expect(try saga.when(act(.retry(step: "run"))) == ["run retried", "run[C] 3"])
  }

  @Test("A retry of the whole step gives each failed item all its attempts again")
  func attemptsAgain() throws {
    let step = Self.wells("", #""onFailure": "stuck", "retry": {"maxAttempts": 2, "jitter": 0}"#)
    var saga = try started("[\(step)]", ["A"])
    try saga.lose("run[A]")
    try saga.wakeWhenDue()
    #expect(try saga.lose("run[A]").last == "run failed none forEach.failures blocks")
    #expect(try saga.when(act(.retry(step: "run"))) == ["run retried", "run[A] 3"])
    #expect(try saga.lose("run[A]") == ["run[A] unknown timeout"])
    #expect(try saga.wakeWhenDue() == ["run[A] 4"])
  }

  @Test("A retry with other input is a new round of one item")
  func retryWithInput() throws {
    var saga = try stuck()
    for well in ["A", "B"] { try saga.succeed("run[\(well)]") }
    try saga.refuse("run[C]")
    #expect(
      try saga.when(act(.retry(step: "run[C]", input: ["wells": []]))) == ["run[C] retried with input", "run[C] 1"])
    #expect(saga.calls == ["run/C/2"])
    #expect(try saga.succeed("run[C]").suffix(2) == ["run succeeded", "after 1"])
  }

  @Test("A failed item is retried while the step still runs, and counts as no failure until it has failed again")
  func retryWhileOpen() throws {
    var saga = try started("[\(Self.wells(#""maxParallel": 2, "toleratedFailures": 1"#))]", ["A", "B", "C", "D"])
    try saga.refuse("run[A]")
    #expect(try saga.when(act(.retry(step: "run[A]"))) == ["run[A] retried"], "B and C are under way")
    #expect(throws: Refusal.self, "it is on its way") { try saga.when(act(.retry(step: "run[A]"))) }
    #expect(try saga.succeed("run[B]") == ["run[B] succeeded", "run[A] 2"])
    #expect(try saga.refuse("run[C]") == ["run[C] failed failed http.422 goesOn", "run[D] 1"])
    try saga.succeed("run[A]")
    #expect(try saga.succeed("run[D]").suffix(2) == ["run succeeded", "sagaCompleted"])
  }

  @Test("A skipped item does not count as a failure, and a resolved one has succeeded")
  func skipAndResolve() throws {
    var saga = try stuck()
    try saga.refuse("run[A]")
    try saga.lose("run[B]")
    try saga.succeed("run[C]")
    #expect(saga.status == .stuck)
    #expect(throws: Refusal.self, "it may have happened") { try saga.when(act(.skip(step: "run[B]", output: nil))) }
    #expect(
      try saga.when(act(.skip(step: "run[A]", output: ["reads": 1]))) == [
        "run[A] skipped by operator", "run failed none forEach.failures blocks",
      ])
    #expect(
      try saga.when(act(.resolve(step: "run[B]", .happened(output: ["reads": 2])))) == [
        "run[B] resolved happened", "run succeeded", "after 1",
      ])
    let items = saga.state?.document["steps"]?["run"]?["items"]
    #expect(items?[0]?["output"] == ["reads": 1] && items?[1]?["output"] == ["reads": 2])
  }

  @Test("An item that did not happen stays failed and is not undone")
  func didNotHappen() throws {
    var saga = try stuck()
    try saga.lose("run[A]")
    try saga.succeed("run[B]")
    try saga.succeed("run[C]")
    #expect(try saga.when(act(.resolve(step: "run[A]", .didNotHappen))) == ["run[A] resolved didNotHappen"])
    #expect(saga.status == .stuck)
    #expect(
      try saga.when(act(.compensate)) == ["turnedBack compensate", "undo run[C] 1", "undo run[B] 1"])
  }

  @Test("The step as a whole is neither skipped nor resolved once it has begun, and an item is not rewound")
  func refusals() throws {
    var saga = try stuck()
    func code(_ verb: OperatorVerb) -> String? {
      do {
        var saga = saga
        try saga.when(act(verb))
        return nil
      } catch {
        return (error as? Refusal)?.code
      }
    }
    #expect(code(.skip(step: "run", output: nil)) == "step.notSkippable")
    #expect(code(.rewind(step: "run[A]")) == "step.notRewindable")
    #expect(code(.retry(step: "run[A]")) == "step.notRetryable")
    #expect(code(.retry(step: "run[X]")) == "step.unknown")
    try saga.refuse("run[A]")
    try saga.succeed("run[B]")
    try saga.succeed("run[C]")
    #expect(code(.skip(step: "run", output: nil)) == "step.notSkippable")
    #expect(code(.resolve(step: "run", .happened(output: .null))) == "step.notResolvable")
  }

  @Test("A step is skipped before its turn with all its items")
  func skippedBefore() throws {
    var saga = try Saga("[\(Saga.http("before")), \(Self.wells())]")
    try saga.start(input: Self.input(["A"]))
    #expect(try saga.when(act(.skip(step: "run", output: nil))) == ["run skipped by operator"])
    #expect(try saga.succeed("before") == ["before succeeded", "sagaCompleted"])
  }

  @Test("A rewind undoes all items, and they begin again in a round that is new for each")
  func rewound() throws {
    var second = try stuck()
    for well in ["A", "B"] { try second.succeed("run[\(well)]") }
    try second.refuse("run[C]")
    try second.when(act(.retry(step: "run[C]", input: [:])))
    try second.lose("run[C]")
    #expect(
      try second.when(act(.rewind(step: "run"))) == [
        "rewind run after", "undo run[C] 1", "undo run[B] 1", "undo run[A] 1",
      ])
    try second.succeed("run[A]")
    try second.succeed("run[B]")
    #expect(
      try second.succeed("run[C]") == [
        "run[C] undone answered", "run undone", "rewound to run", "run opens 3", "run[A] 1", "run[B] 1", "run[C] 1",
      ])
    #expect(second.calls == ["run/A/3", "run/B/3", "run/C/3"], "C has had two rounds")
  }

  @Test("A pause shifts the pauses of items")
  func paused() throws {
    var saga = try started("[\(Self.wells("", #""retry": {"maxAttempts": 2, "jitter": 0}"#))]", ["A"])
    try saga.lose("run[A]")
    try saga.when(act(.pause))
    saga.pass(60_000)
    try saga.when(act(.resume))
    #expect(saga.due == 61_000)
    #expect(try saga.wakeWhenDue() == ["run[A] 2"])
  }

  // MARK: Other actions

  @Test("Each item takes the signal that is meant for it, also one that came early")
  func signals() throws {
    let step = #"""
      {"id": "run", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well.id}", "maxParallel": 1},
       "signal": {"name": "ready", "accept": "$.signal.well == $.well.id"}}
      """#
    var saga = try started("[\(step)]", ["A", "B"])
    #expect(saga.log.map(\.words).suffix(2) == ["run opens 2", "run[A] waits"])
    func ready(_ well: String) -> SagaCommand {
      .signal(name: "ready", signalID: well, body: ["well": .string(well)], by: "m")
    }
    #expect(try saga.when(ready("B")) == ["signal ready"], "it is kept for B")
    #expect(
      try saga.when(ready("A")) == [
        "signal ready", "run[A] succeeded", "run[B] waits", "kept signal ready to run[B]", "run[B] succeeded",
        "run succeeded", "sagaCompleted",
      ])
  }

  @Test("A signal for no item is refused by the items that wait")
  func signalForNone() throws {
    let step = #"""
      {"id": "run", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well.id}"},
       "signal": {"name": "ready", "accept": "$.signal.well == $.well.id"}}
      """#
    var saga = try started("[\(step)]", ["A"])
    #expect(
      try saga.when(.signal(name: "ready", signalID: "1", body: ["well": "X"], by: "m")) == [
        "signal ready refused signal.refused"
      ])
  }

  @Test("Each item polls by itself")
  func polls() throws {
    let step = #"""
      {"id": "run", "forEach": {"items": ["A", "B"], "key": "${item}"},
       "http": {"service": "lab", "method": "GET", "path": "/runs/${item}"},
       "poll": {"every": "10s", "until": "$.answer.body.of == $.item"}}
      """#
    var saga = try Saga("[\(step)]")
    #expect(try saga.start() == ["sagaStarted", "run opens 2", "run[A] polls", "run[B] polls"])
    #expect(saga.dueLooks.map(\.step) == ["run[A]", "run[B]"])
    #expect(saga.dueLooks.map { String($0.idempotencyKey.dropFirst(37)) } == ["run/A/1/look/1", "run/B/1/look/1"])
    let answer = LookAnswer(status: 200, headers: [:], body: ["of": "A"])
    #expect(try saga.look("run[A]", .answered(answer)) == ["run[A] succeeded"])
    #expect(try saga.look("run[B]", .answered(answer)) == ["run[B] look 1 A"])
  }

  @Test("A delay and a failure on purpose are done for each item")
  func delaysAndFailures() throws {
    var saga = try Saga(#"[{"id": "run", "forEach": {"items": [1, 2], "maxParallel": 1}, "delay": {"for": "1m"}}]"#)
    #expect(try saga.start() == ["sagaStarted", "run opens 2", "run[0] waits"])
    #expect(try saga.wakeWhenDue() == ["run[0] succeeded", "run[1] waits"])
    #expect(try saga.wakeWhenDue().suffix(2) == ["run succeeded", "sagaCompleted"])
    var failing = try Saga(
      #"[{"id": "run", "forEach": {"items": [1, 2], "toleratedFailures": 1}, "fail": {"code": "NO"}}]"#)
    #expect(
      try failing.start() == [
        "sagaStarted", "run opens 2", "run[0] failed none NO goesOn", "run[1] failed none NO goesOn",
        "run failed none forEach.failures turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("An answer over Kafka for an item of an earlier round changes nothing")
  func lateAnswer() throws {
    let step = #"""
      {"id": "run", "forEach": {"items": ["A", "B"], "key": "${item}", "maxParallel": 1},
       "kafka": {"service": "lab", "command": "make"},
       "compensation": {"kafka": {"service": "lab", "command": "unmake"}}}
      """#
    var saga = try Saga("[\(step)]")
    try saga.start()
    func answer(_ item: String, round: Int = 1) -> SagaCommand {
      .answered(
        StepAnswer(step: item, phase: .forward, round: round, attempt: 1, id: "m", content: .settled(.succeeded(.null)))
      )
    }
    #expect(try saga.when(answer("run[A]")) == ["run[A] succeeded", "run[B] 1"])
    #expect(try saga.when(answer("run[A]")) == ["run[A] 1 repeated succeeded"])
    #expect(try saga.refuse("run[B]").last == "undo run[A] 1")
    var rewound = try Saga("[\(step)]")
    try rewound.start()
    try rewound.when(answer("run[A]"))
    try rewound.when(act(.rewind(step: "run")))
    try rewound.succeed("run[B]")
    try rewound.succeed("run[B]")
    #expect(try rewound.succeed("run[A]").suffix(2) == ["run opens 2", "run[A] 1"])
    #expect(try rewound.when(answer("run[B]")) == ["run[B] 1 late succeeded"], "B has not begun in this round")
    #expect(throws: Refusal.self) { try rewound.when(answer("walk[B]")) }
  }

  @Test("An item is overdue by the expected time of its step")
  func overdue() throws {
    var saga = try started("[\(Self.wells("", #""expected": "10s""#))]", ["A"])
    #expect(saga.due == 10_000)
    #expect(try saga.wakeWhenDue() == ["run[A] overdue declared"])
  }
}
