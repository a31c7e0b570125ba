import JSON
import JSONSchema
import TestSupport
import Testing
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Schemas of signals", .timeLimit(.minutes(15)), .inTurn)
struct SignalSchemaTests {
  typealias Saga = SagaSpecification

  static func wait(_ id: String, _ schema: String, _ more: String = "") -> String {
    #"{"id": "\#(id)", "signal": {"name": "approve", "schema": \#(schema)}, "compensation": "none"\#(more)}"#
  }

  static let approved =
    #"{"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}"#

  /// Returns the refusal that the sender of a signal gets.
  private static func refusal(_ saga: Saga, _ id: String, _ body: JSON) throws -> Refusal? {
    let state = try #require(saga.state)
    let signal = SignalGiven(name: "approve", id: id, body: body, by: "anna")
    return #expect(throws: Refusal.self) { try state.answer(to: signal, isRepeat: true, saga.definition) }?
      .withViolations(of: signal, saga.definition)
  }

  @Test("A waiting step refuses a body that doesn't meet its schema, and the refusal is recorded")
  func refused() throws {
    var saga = try Saga("[\(Self.wait("a", Self.approved))]")
    try saga.start()
    #expect(try saga.when(SignalTests.approve("1", ["approved": "yes"])) == ["signal approve refused signal.invalid"])
    #expect(try saga.step("a").status == .waiting)
    let recorded = (saga.log.last?.what as? SignalRefused)?.refusal
    #expect(recorded?.step == "a")
    #expect(
      recorded?.message
        == "The body doesn't meet the schema of the signal “approve”: approved is a string; the schema allows only true or "
        + "false.")
    let refusal = try Self.refusal(saga, "1", ["approved": "yes"])
    #expect(refusal?.code == EngineErrorCode.signalInvalid)
    #expect(
      refusal?.violations == [
        SchemaViolation(
          instance: JSONPointer.root.appending("approved"), keyword: "/properties/approved/type",
          message: "approved is a string; the schema allows only true or false")
      ])
    #expect(try saga.when(SignalTests.approve("2", ["approved": true])).last == "sagaCompleted")
  }

  @Test("A signal goes to the first waiting step whose schema takes it")
  func toldApart() throws {
    let free = #", "dependsOn": []"#
    let steps = [
      Self.wait("tube", #"{"required": ["barcode"]}"#, free), Self.wait("plate", #"{"required": ["well"]}"#, free),
    ]
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    #expect(try saga.when(SignalTests.approve("0", [:])) == ["signal approve refused signal.invalid"])
    let refusal = try #require(try Self.refusal(saga, "0", [:]))
    let violation = try #require(refusal.violations.first)
    #expect(
      refusal.violations.count == 1 && refusal.message.contains(violation.message), "words and places are of one step")
    #expect(try saga.when(SignalTests.approve("1", ["well": "A1"])) == ["signal approve", "plate succeeded"])
    #expect(try saga.when(SignalTests.approve("2", ["well": "A2"])) == ["signal approve refused signal.invalid"])
    #expect(try saga.when(SignalTests.approve("3", ["barcode": "T"])).last == "sagaCompleted")
  }

  @Test("A signal that comes early is kept only when the schema of a later step takes it")
  func early() throws {
    var saga = try Saga("[\(Saga.http("first")), \(Self.wait("a", Self.approved))]")
    try saga.start()
    #expect(try saga.when(SignalTests.approve("1", [:])) == ["signal approve refused signal.invalid"])
    #expect(
      try Self.refusal(saga, "1", [:])?.violations.map(\.message) == ["approved is missing; the schema requires it"])
    #expect(try saga.when(SignalTests.approve("2", ["approved": false])) == ["signal approve"])
    #expect(try saga.succeed("first").suffix(2) == ["a succeeded", "sagaCompleted"])
  }

  @Test("A schema that exceeds the budget refuses the body with the code of the budget")
  func budget() throws {
    let loop = ##"{"anyOf": [{"type": "string"}, {"$ref": "#"}]}"##
    var saga = try Saga("[\(Self.wait("a", loop))]")
    try saga.start()
    #expect(
      try saga.when(SignalTests.approve("1", 1)) == ["signal approve refused \(SchemaErrorCode.budget)"])
    #expect(try saga.when(SignalTests.approve("2", "text")).last == "sagaCompleted")
  }
}
