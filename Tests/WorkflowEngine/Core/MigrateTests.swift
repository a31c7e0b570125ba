import JSON
import JSONSchema
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("A saga moves to another version", .timeLimit(.minutes(15)), .inTurn)
struct MigrateTests {
  typealias Saga = SagaSpecification

  /// The second version of the workflow of a test.
  private func second(_ steps: String, members: String = "", version: Int = 2) throws -> WorkflowDefinition {
    try Saga(steps, members: members, version: version).definition
  }

  /// The message with which a move is refused. Nothing changes.
  private func refused(
    _ saga: inout Saga, _ target: WorkflowDefinition, code: String = EngineErrorCode.sagaNotMovable
  ) throws -> String? {
    let before = (saga.state, saga.log.count)
    do {
      try saga.operate(.migrate(to: target.version), to: target)
      return nil
    } catch let refusal as Refusal {
      #expect(refusal.code == code)
      #expect(saga.state == before.0 && saga.log.count == before.1)
      return refusal.message
    }
  }

  @Test("Begun steps keep their state, and everything else comes from the new version")
  func moves() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b")), \(Saga.http("c"))]")
    try saga.start()
    try saga.succeed("a", ["id": "S-1"])
    let key = try #require(saga.calls.first)
    // The new version begins with a step of its own, so that every step has another index, and has no step c.
    let target = try second(
      "[\(Saga.http("z", #""dependsOn": []"#)), \(Saga.http("a", #""dependsOn": []"#)), \(Saga.http("b")), \(Saga.http("d"))]"
    )
    #expect(try saga.operate(.migrate(to: 2), to: target) == ["moved to 2", "z 1"])
    let state = try #require(saga.state)
    #expect(
      state.definition == SagaDefinition(workflow: "spec", version: 2, digest: "d2", steps: ["z", "a", "b", "d"]))
    #expect(state.start.version == 1 && state.start.steps == ["a", "b", "c"])
    #expect(state.steps.map(\.id) == ["z", "a", "b", "d"])
    #expect(state.step("a")?.output == ["id": "S-1"] && state.step("a")?.status == .succeeded)
    #expect(state.step("c") == nil && state.step("d")?.status == .pending)
    #expect(state.document["saga"]?["version"] == 2)
    #expect(state.lastAct?.verb == "migrate" && state.lastAct?.by == "mia")
    // The attempt that was under way goes on under its key.
    #expect(saga.calls.contains(key) && key == "b/1")
    #expect(try saga.succeed("b") == ["b succeeded", "d 1"])
    #expect(try saga.succeed("z") == ["z succeeded"])
    #expect(try saga.succeed("d") == ["d succeeded", "sagaCompleted"])
  }

  @Test("A saga moves back as long as it has begun nothing that only the newer version has")
  func back() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    let first = saga.definition
    let target = try second("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.operate(.migrate(to: 2), to: target)
    #expect(try saga.operate(.migrate(to: 1), to: first) == ["moved to 1"])
    #expect(saga.state?.steps.map(\.id) == ["a"])
    try saga.operate(.migrate(to: 2), to: target)
    try saga.succeed("a")
    #expect(
      try refused(&saga, first)
        == "The saga can't move to version 1: it has begun step b, and there: the step is removed.")
  }

  @Test(
    "A history that does not fit is refused with the first step and the reason",
    arguments: [
      ("[\(Saga.http("b")), \(Saga.http("c"))]", "it has begun step a, and there: the step is removed"),
      ("[\(Saga.delay("a", "1s")), \(Saga.http("b"))]", "it has begun step a, and there: its action changed"),
      (
        "[\(Saga.http("a", #""pivot": true"#)), \(Saga.http("b"))]",
        "it has begun step a, and there: it is a pivot now"
      ),
      ("[\(Saga.http("n")), \(Saga.http("a")), \(Saga.http("b"))]", "it has begun step a, and there: new before it: n"),
      (
        "[\(Saga.http("a")), \(Saga.http("n")), \(Saga.http("b"))]",
        "it has begun step b, and there: new before it: n"
      ),
    ])
  func obstacles(_ steps: String, _ why: String) throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b")), \(Saga.http("c"))]")
    try saga.start()
    try saga.succeed("a")
    #expect(try refused(&saga, try second(steps)) == "The saga can't move to version 2: \(why).")
  }

  @Test("A step that a rewind put back to pending still counts as begun")
  func rewound() throws {
    var waiting = try Saga("[\(Saga.http("a")), \(Saga.signal("s")), \(Saga.http("c"))]")
    try waiting.start()
    try waiting.succeed("a")
    try waiting.operate(.rewind(step: "a"))
    let target = try second("[\(Saga.http("a")), \(Saga.http("c"))]")
    #expect(
      try refused(&waiting, target, code: EngineErrorCode.sagaRewinding)?.contains("being rewound to step a") == true)
    try waiting.succeed("a")
    #expect(waiting.state?.step("s")?.status == .pending && waiting.state?.step("s")?.round == 2)
    #expect(
      try refused(&waiting, target)
        == "The saga can't move to version 2: it has begun step s, and there: the step is removed.")
  }

  @Test("A group that is over takes no new member, and an open group does")
  func groups() throws {
    func group(_ members: String...) -> String { #"{"id": "g", "steps": [\#(members.joined(separator: ", "))]}"# }
    let target = try second("[\(group(Saga.http("a"), Saga.http("n"))), \(Saga.signal("s"))]")
    var open = try Saga("[\(group(Saga.http("a"))), \(Saga.signal("s"))]")
    try open.start()
    #expect(try open.operate(.migrate(to: 2), to: target) == ["moved to 2"])
    #expect(try open.succeed("a") == ["a succeeded", "n 1"])
    #expect(try open.succeed("n") == ["n succeeded", "g succeeded", "s waits"])

    var over = try Saga("[\(group(Saga.http("a"))), \(Saga.signal("s"))]")
    try over.start()
    try over.succeed("a")
    // The step behind the group has begun, and the new member would come before it.
    #expect(try refused(&over, target)?.hasSuffix("it has begun step s, and there: new before it: n.") == true)
    let side = try second(
      "[\(group(Saga.http("a"), Saga.http("n"))), \(Saga.signal("s", #""dependsOn": []"#))]",
      members: #""timeout": "1h","#)
    var beside = try Saga("[\(group(Saga.http("a"))), \(Saga.signal("s", #""dependsOn": []"#))]")
    try beside.start()
    try beside.succeed("a")
    #expect(beside.state?.step("g")?.status == .succeeded)
    #expect(
      try refused(&beside, side) == "The saga can't move to version 2: it has begun step g, and there: new in it: n.")
  }

  @Test("The items of a step go on after the move, at another index")
  func items() throws {
    var saga = try Saga("[\(ForEachTests.wells(#""maxParallel": 1"#)), \(Saga.http("after"))]")
    try saga.start(input: ForEachTests.input(["A", "B", "C"]))
    try saga.succeed("run[A]", ["n": 1])
    let root = #""dependsOn": []"#
    let steps =
      "[\(Saga.signal("s", root)), \(ForEachTests.wells(#""maxParallel": 2"#, root)), \(Saga.http("after"))]"
    let target = try second(steps)
    // Two items may be under way now.
    #expect(try saga.operate(.migrate(to: 2), to: target) == ["moved to 2", "s waits", "run[C] 1"])
    #expect(saga.state?.index(of: "run[A]") == ItemPlace(step: 1, number: 0).index)
    #expect(saga.state?.items(of: "run")?.count(of: .succeeded) == 1)
    #expect(try saga.succeed("run[C]") == ["run[C] succeeded"])
    #expect(try saga.succeed("run[B]") == ["run[B] succeeded", "run succeeded", "after 1"])
    // Other items, or other keys, are another step.
    let other = try second(steps.replacing(#""key": "$"#, with: #""key": "w$"#), version: 3)
    #expect(
      try refused(&saga, other)
        == "The saga can't move to version 3: it has begun step run, and there: its items changed.")
  }

  @Test("A longer timeout gives the saga more time, and a shorter one takes none")
  func deadlines() throws {
    var saga = try Saga("[\(Saga.signal("s"))]", members: #""timeout": "10m","#)
    try saga.start()
    let before = try #require(saga.state?.deadline)
    let longer = try second("[\(Saga.signal("s"))]", members: #""timeout": "1h","#)
    #expect(try saga.operate(.migrate(to: 2), to: longer) == ["moved to 2"])
    #expect(saga.state?.deadline == before + .seconds(3_000))
    let shorter = try second("[\(Saga.signal("s"))]", members: #""timeout": "1m","#, version: 3)
    try saga.operate(.migrate(to: 3), to: shorter)
    #expect(saga.state?.deadline == before + .seconds(3_000))
    #expect((saga.log.last?.what as? SagaMoved)?.deadline == nil)
  }

  @Test("An input that doesn't meet the schema of the new version keeps the saga, with the violations")
  func input() throws {
    var saga = try Saga("[\(Saga.signal("s"))]")
    try saga.start(input: ["n": 1])
    let target = try second("[\(Saga.signal("s"))]", members: #""inputSchema": {"required": ["barcode"]},"#)
    #expect(try refused(&saga, target)?.contains("barcode is missing") == true)
    let refusal = #expect(throws: Refusal.self) { try saga.operate(.migrate(to: 2), to: target) }
    #expect(refusal?.violations.map(\.instance.description) == ["/input"])
    let kinder = try second("[\(Saga.signal("s"))]", members: #""inputSchema": {"required": ["n"]},"#, version: 3)
    #expect(try saga.operate(.migrate(to: 3), to: kinder) == ["moved to 3"])
  }

  @Test("A saga that turns back moves too, and its undos follow the new version")
  func turningBack() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.refuse("b")
    #expect(saga.status == .compensating)
    let patient = Saga.http("a").replacing(
      #""compensation": {"#, with: #""compensation": {"retry": {"maxAttempts": 2, "jitter": 0}, "#)
    #expect(try saga.operate(.migrate(to: 2), to: try second("[\(patient), \(Saga.http("b"))]")) == ["moved to 2"])
    #expect(try saga.lose("a") == ["undo a unknown timeout"])
    _ = try saga.wakeWhenDue()
    // The first version would have tried ten times.
    #expect(try saga.lose("a") == ["a undo failed timeout blocks"])
    #expect(saga.status == .stuck)
  }

  @Test("A paused saga moves, and begins nothing until it is resumed")
  func paused() throws {
    var waiting = try Saga("[\(Saga.signal("s"))]")
    try waiting.start()
    try waiting.operate(.pause)
    let target = try second("[\(Saga.signal("s")), \(Saga.http("b", #""dependsOn": []"#))]")
    #expect(try waiting.operate(.migrate(to: 2), to: target) == ["moved to 2"])
    #expect(try waiting.operate(.resume) == ["sagaResumed", "b 1"])
  }

  @Test("The same version, an unknown one and an ended saga are refused")
  func others() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    let same = saga.definition
    let message = try refused(&saga, same, code: EngineErrorCode.sagaAlreadyOnVersion)
    #expect(message == "The saga is on version 1 already.")
    #expect(try saga.refusal(of: .migrate(to: 9)) == EngineErrorCode.sagaNotMovable)
    let target = try second("[\(Saga.http("a"))]").asDraft(3)
    #expect(try saga.operate(.migrate(to: -3), to: target, key: "k") == ["moved to -3"])
    #expect(saga.state?.document["saga"]?["version"] == -3)
    try saga.succeed("a")
    // A repeat of the request is recognised, also after the end.
    #expect(try saga.operate(.migrate(to: -3), to: target, key: "k") == [])
    #expect(try saga.refusal(of: .migrate(to: 1), to: target) == EngineErrorCode.sagaEnded)
  }

  @Test("An event that loses a begun step can't be folded")
  func fold() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    func moved(from: Int, _ steps: [String]) -> SagaMoved {
      SagaMoved(
        from: from, to: SagaDefinition(workflow: "spec", version: 2, digest: "d2", steps: steps),
        act: OperatorAct(by: "m", reason: "r"))
    }
    let state = try #require(saga.state)
    for event in [moved(from: 1, ["b"]), moved(from: 3, ["a"])] {
      #expect(throws: HistoryError.self) { try SagaState.evolve(state, SagaEvent(at: saga.now, event)) }
    }
    let next = try SagaState.evolve(state, SagaEvent(at: saga.now, moved(from: 1, ["n", "a"])))
    #expect(next.steps.map(\.id) == ["n", "a"] && next.step("a")?.status == .running)
    #expect(next.snapshot["schema"] == 7 && state.snapshot["schema"] == 3)
  }
}
