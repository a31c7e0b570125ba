import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("An answer that can't be read", .timeLimit(.minutes(15)), .inTurn)
struct UnreadAnswerTests {
  typealias Saga = SagaSpecification
  static let problem = StepFailure(
    code: "http.answerNotJSON", message: "lab answered 200 with a body that is not JSON.")

  private static func reader(_ member: String, _ more: String = "") -> String {
    #"{"id": "b", "http": {"service": "lab", "method": "PUT", "path": "/b", "body": \#(member)}, "compensation": "none"\#(more)}"#
  }

  @Test("A step with an unreadable answer has succeeded, and the saga continues")
  func goesOn() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    #expect(try saga.settle("a", .succeededUnread(Self.problem)) == ["a succeeded", "b 1"])
    #expect(saga.state?.step("a")?.outputProblem == Self.problem)
    #expect(try saga.succeed("b") == ["b succeeded", "sagaCompleted"])
  }

  @Test("An undo is done by its status alone")
  func undo() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.refuse("b")
    try saga.settle("a", .succeededUnread(Self.problem))
    #expect(saga.status == .compensated)
  }

  @Test(
    "A step that reads the answer fails with the reason, before anything is sent",
    arguments: [#""${steps.a.output}""#, #"{"x": "${steps.a.output.id}"}"#, #"{"x": "id ${steps.a.output['id']}"}"#])
  func read(body: String) throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.reader(body))]")
    try saga.start()
    try saga.settle("a", .succeededUnread(Self.problem))
    let failure = saga.state?.step("b")?.failure
    #expect(failure?.code == Self.problem.code)
    #expect(failure?.message.contains(Self.problem.message) == true)
    #expect(saga.state?.step("b")?.forward.count == 0)
    #expect(saga.state?.step("a")?.status == .undoing)
  }

  @Test("A condition that tests for the answer finds none; a condition that reads it fails")
  func conditions() throws {
    var asking = try Saga(
      "[\(Saga.http("a")), \(Self.reader("1", #", "when": "$.steps.a.output && $.steps.a.output.n > 1""#))]")
    try asking.start()
    #expect(try asking.settle("a", .succeededUnread(Self.problem)).contains("b skipped"))
    var reading = try Saga("[\(Saga.http("a")), \(Self.reader("1", #", "when": "$.steps.a.output.n > 1""#))]")
    try reading.start()
    try reading.settle("a", .succeededUnread(Self.problem))
    #expect(reading.state?.step("b")?.failure?.code == Self.problem.code)
  }

  @Test("The reason itself can be read")
  func reason() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.reader(#""${steps.a.outputError.code}""#))]")
    try saga.start()
    #expect(try saga.settle("a", .succeededUnread(Self.problem)) == ["a succeeded", "b 1"])
  }

  @Test("A saga's output that reads the answer names the reason why it is missing")
  func output() throws {
    var saga = try Saga("[\(Saga.http("a"))]", members: #""output": "${steps.a.output.id}","#)
    try saga.start()
    try saga.settle("a", .succeededUnread(Self.problem))
    #expect(saga.status == .completed && saga.state?.end?.output == .null)
    #expect(saga.state?.end?.outputErrors.map(\.code) == [Self.problem.code])
  }
}
