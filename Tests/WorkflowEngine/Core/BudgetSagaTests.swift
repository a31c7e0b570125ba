import JSON
import Persistence
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Sagas whose expressions ask for too much", .timeLimit(.minutes(15)), .apart)
struct BudgetSagaTests {
  typealias Saga = SagaSpecification

  static let numbers: JSON = [
    "a": .array(Array(repeating: 0, count: 6_000)), "x": .string(String(repeating: "x", count: 1 << 20)),
  ]
  static let expensive = "count($.input.a[?count($.input.a[*])>@])>1"
  static let budget = WorkflowErrorCode.expressionBudget

  @Test("a step whose condition exceeds its budget fails before anything is sent, and the saga compensates")
  func when() throws {
    var saga = try Saga(#"[\#(Saga.http("a")), \#(Saga.http("b", "\"when\": \"\(Self.expensive)\""))]"#)
    try saga.start(input: Self.numbers)
    #expect(
      try saga.succeed("a") == [
        "a succeeded", "b failed none \(Self.budget) turnsBack", "turnedBack stepFailed",
      ])
    #expect(saga.state?.step("b")?.failure?.message.hasPrefix("The step's condition") == true)
    // The decision has computed its share, and the next one continues.
    #expect(try saga.when(.wake) == ["undo a 1"])
  }

  @Test("a call that would be too large fails its step before anything is sent")
  func body() throws {
    let values = Array(repeating: "\"${input.x}\"", count: 4_000).joined(separator: ",")
    var saga = try Saga(
      #"[{"id": "a", "http": {"service": "lab", "method": "PUT", "path": "/a", "body": [\#(values)]}, "compensation": "none"}]"#
    )
    #expect(
      try saga.start(input: Self.numbers) == [
        "sagaStarted", "a failed none rendering.tooLarge turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
    #expect(saga.calls.isEmpty)
  }

  @Test("a path, a header or a parameter of more than 64 KiB fails its step", arguments: ["path", "header", "query"])
  func longText(_ place: String) throws {
    let more =
      switch place {
      case "path": #""path": "/${input.x}""#
      case "header": #""path": "/a", "headers": {"X-A": "${input.x}"}"#
      default: #""path": "/a", "query": {"a": "${input.x}"}"#
      }
    var saga = try Saga(
      #"[{"id": "a", "http": {"service": "lab", "method": "PUT", \#(more)}, "compensation": "none"}]"#)
    #expect(try saga.start(input: Self.numbers).contains("a failed none rendering.tooLarge turnsBack"))
  }

  @Test("an undo that exceeds its budget is a failed undo")
  func undo() throws {
    let undo = #"{"http": {"service": "lab", "method": "DELETE", "path": "/${input.a[?count($.input.a[*])<@]}"}}"#
    var saga = try Saga(
      #"[{"id": "a", "http": {"service": "lab", "method": "PUT", "path": "/a"}, "compensation": \#(undo)}, \#(Saga.http("b"))]"#
    )
    try saga.start(input: Self.numbers)
    try saga.succeed("a")
    #expect(try saga.refuse("b").contains("a undo failed \(Self.budget) blocks"))
    #expect(saga.status == .stuck)
  }

  @Test("an output that exceeds its budget is null, with its error beside it")
  func output() throws {
    var saga = try Saga("[\(Saga.http("a"))]", members: #""output": "${input.a[?count($.input.a[*])<@]}","#)
    try saga.start(input: Self.numbers)
    #expect(try saga.succeed("a") == ["a succeeded", "sagaCompleted"])
    #expect(saga.state?.end?.output == .null)
    #expect(saga.state?.end?.outputErrors.map(\.code) == [Self.budget])
  }

  @Test("a signal whose condition exceeds its budget is refused, and the step still waits")
  func accept() throws {
    var saga = try Saga(#"[{"id": "w", "signal": {"name": "go", "accept": "\#(Self.expensive)"}}]"#)
    try saga.start(input: Self.numbers)
    #expect(
      try saga.when(.signal(name: "go", signalID: nil, body: 1, by: "qa")) == ["signal go refused \(Self.budget)"])
    #expect(saga.state?.step("w")?.status == .waiting)
  }

  @Test("a decision starts no more steps after its share of work, and the next decision continues")
  func share() throws {
    // Each condition takes about a third of a decision's share.
    let some = "count($.input.b[?count($.input.b[*])>=@])>1"
    let steps = (0..<12).map { #"{"id": "s\#($0)", "dependsOn": [], "when": "\#(some)", "delay": {"for": "0s"}}"# }
    let definition = try #require(
      WorkflowChecker.check(Array(#"{"name": "w", "version": 1, "steps": [\#(steps.joined(separator: ","))]}"#.utf8))
        .definition)
    let start = SagaStart(
      id: Saga.id, workflow: "w", version: 1, definitionDigest: "d", steps: definition.steps.map(\.id),
      input: ["b": .array(Array(repeating: 0, count: 2_200))], deadline: Saga.startedAt + .seconds(300),
      idempotencyKey: nil, tags: [], by: "test")
    var state: SagaState?
    var command = SagaCommand.start(start)
    var decisions = 0
    while true {
      let decision = try Decider.decision(command, state, definition: definition, now: Saga.startedAt)
      decisions += 1
      for event in decision.events { state = try SagaState.evolve(state, event) }
      guard decision.isUnfinished, decisions < 20 else { break }
      #expect(!decision.events.isEmpty)
      command = .wake
    }
    #expect(state?.status == .completed)
    #expect((3...10).contains(decisions), "\(decisions)")
  }

  @Test("a document has only the steps that are read")
  func reads() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    let state = try #require(saga.state)
    let onlyB = try JSONPathCondition("$.steps.b.output == 1").reads
    #expect(state.document(reading: onlyB)["steps"]?.objectValue?.keys == ["b"])
    #expect(state.document["steps"]?.objectValue?.keys == ["a", "b"])
    func read(_ reads: StepReads) -> [String] { ["a", "b"].filter { reads.steps?.contains($0) ?? true } }
    #expect(read(saga.definition.steps[0].action.reads) == ["a"])
    #expect(read(try JSONPathCondition("$.steps.a.output == 1 || $.input.x").reads) == ["a"])
    #expect(try JSONPathCondition("$.steps[?@.status == 'failed']").reads == .all)
    #expect(try JSONPathCondition("$..status").reads == .all)
    #expect(read(try JSONPathCondition("@.steps.b.output").reads) == ["b"])
  }

  @Test("a step's uuid is made only for an expression that may read it")
  func uuids() throws {
    #expect(try !JSONPathCondition("$.steps.a.output.uuid == 1").reads.uuids)
    for text in ["$.steps.a.uuid == 'x'", "$.steps.a", "$.steps.a.*", "$.steps.a[?@ == 'x']", "$..uuid"] {
      #expect(try JSONPathCondition(text).reads.uuids, "\(text)")
    }
  }
}
