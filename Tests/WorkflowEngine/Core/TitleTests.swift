import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("The title and the labels of a saga", .timeLimit(.minutes(15)), .inTurn)
struct TitleTests {
  private typealias Saga = SagaSpecification
  private static let wait = #"[{"id": "go", "signal": {"name": "go"}}]"#

  private func saga(_ members: String, input: JSON) throws -> SagaSpecification {
    var saga = try Saga(Self.wait, members: members)
    #expect(try saga.start(input: input) == ["sagaStarted", "go waits"])
    return saga
  }

  @Test("A saga gets its title and labels from its input when it starts, and keeps them")
  func made() throws {
    var saga = try saga(
      #""title": "${input.barcode} for ${saga.startedBy}", "labels": {"patient": "${input.patientId}", "priority": "${input.priority}", "urgent": "${input.urgent}", "lab": "north"},"#,
      input: ["barcode": "TUBE-0001", "patientId": " P-17\n", "priority": 3, "urgent": true])
    let labels = [Label("patient", "P-17"), Label("priority", "3"), Label("urgent", "true"), Label("lab", "north")]
    #expect(saga.state?.start.title == "TUBE-0001 for test")
    #expect(saga.state?.start.labels == labels)
    // They are in the event: a later version of the workflow, or of the engine, does not change them.
    let started = try #require(saga.log.first)
    #expect(started.data["saga"]?["title"] == "TUBE-0001 for test")
    #expect(
      started.data["saga"]?["labels"] == ["patient": "P-17", "priority": "3", "urgent": "true", "lab": "north"])
    try saga.when(.signal(name: "go", signalID: nil, body: 1, by: "qa"))
    #expect(saga.state?.start.title == "TUBE-0001 for test" && saga.state?.start.labels == labels)
  }

  @Test("A workflow without them gives none, and the event has neither member")
  func none() throws {
    let saga = try saga("", input: [:])
    #expect(saga.state?.start.title == nil && saga.state?.start.labels == [])
    #expect(saga.log.first?.data["saga"]?["title"] == nil && saga.log.first?.data["saga"]?["labels"] == nil)
  }

  @Test(
    "A text that can't be made is left out, and the saga starts",
    arguments: [
      ("${input.missing}", nil), ("${input.a ?? nothing}", nil), ("${input.object}", nil), ("${input.blank}", nil),
      ("${input.long}", nil), ("x${input.missing}", nil), ("${1 / input.zero}", nil),
      ("${input.missing ?? 'none'}", "none"), ("${upper(input.name)}", "ANNA"), ("${input.lines}", "one two"),
    ] as [(String, String?)])
  func leftOut(template: String, value: String?) throws {
    let saga = try saga(
      "\"title\": \"\(template)\", \"labels\": {\"a\": \"\(template)\", \"b\": \"${input.name}\"},",
      input: [
        "object": [:], "blank": " \u{200B}", "long": .string(String(repeating: "x", count: 201)), "zero": 0,
        "name": "anna", "lines": "one\r\ntwo",
      ])
    #expect(saga.state?.start.labels == (value.map { [Label("a", $0)] } ?? []) + [Label("b", "anna")])
    let cut = template == "${input.long}" ? String(repeating: "x", count: 199) + "…" : value
    #expect(saga.state?.start.title == cut)
  }

  @Test("All texts share one budget, and a saga starts when it is used up")
  func budget() throws {
    let expensive = "${input.a[?count($.input.a[*])<@]}"
    let definition = try #require(
      WorkflowChecker.check(
        Array(
          #"{"name": "w", "version": 1, "title": "${input.name}", "labels": {"a": "\#(expensive)", "b": "${input.name}"}, "steps": \#(Self.wait)}"#
            .utf8)
      ).definition)
    let start = SagaStart(
      id: Saga.id, workflow: "w", version: 1, definitionDigest: "d", steps: ["go"],
      input: ["name": "anna", "a": .array((0..<20_000).map { .int($0) })], deadline: Saga.startedAt + .seconds(300),
      idempotencyKey: nil, tags: [], by: "test")
    let decision = try Decider.decision(.start(start), nil, definition: definition, now: Saga.startedAt)
    var state = try SagaState(folding: decision.events)
    #expect(state.start.title == "anna")
    #expect(state.start.labels == [])
    // The start has used up the decision's share of work. The next one begins the steps.
    #expect(decision.isUnfinished && state.steps[0].status == .pending)
    let next = try Decider.decision(.wake, state, definition: definition, now: Saga.startedAt)
    for event in next.events { state = try SagaState.evolve(state, event) }
    #expect(!next.isUnfinished && state.steps[0].status == .waiting)
  }

  @Test("An event and a snapshot of an older version have neither, and a label that is not a text is unreadable")
  func older() throws {
    let saga = try saga(#""title": "t", "labels": {"a": "b"},"#, input: [:])
    let event = try #require(saga.log.first)
    func changed(_ name: String, _ value: JSON?) throws -> SagaEvent {
      var data = try #require(event.data.objectValue)
      var inner = try #require(data["saga"]?.objectValue)
      inner[name] = value
      data["saga"] = .object(inner)
      return try SagaEvent(type: "sagaStarted", schema: 1, data: .object(data))
    }
    let old = try SagaState(folding: [changed("title", nil)])
    #expect(old.start.title == nil && old.start.labels == [Label("a", "b")])
    #expect(throws: UnreadableEvent.self) { try changed("labels", ["a": 1]) }
    #expect(throws: UnreadableEvent.self) { try changed("labels", "a") }
  }
}
