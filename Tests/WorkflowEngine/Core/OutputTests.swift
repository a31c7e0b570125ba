import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("The output of a completed saga", .timeLimit(.minutes(15)), .inTurn)
struct OutputTests {
  typealias Saga = SagaSpecification

  @Test("A member that can't be computed is null and named; the others have their values")
  func members() throws {
    var saga = try Saga(
      "[\(Saga.http("a"))]",
      members: #"""
        "output": {
          "id": "${steps.a.output.id}", "lane": "${steps.a.output.lane}", "fixed": 7,
          "more": {"a/b": ["${input.x}", "${input.list[*]}", "run ${input.run} of ${steps.a.output.id}"]}
        },
        """#)
    try saga.start(input: ["x": 1, "list": [1, 2]])
    try saga.succeed("a", ["id": "S-1"])
    let end = try #require(saga.state?.end)
    #expect(end.status == .completed)
    #expect(end.output == ["id": "S-1", "lane": .null, "fixed": 7, "more": ["a/b": [1, .null, .null]]])
    #expect(end.outputErrors.map(\.path) == ["/lane", "/more/a~1b/1", "/more/a~1b/2"])
    #expect(end.outputErrors.map(\.expression) == ["steps.a.output.lane", "input.list[*]", "input.run"])
    #expect(end.outputErrors.map(\.code) == ["expression.empty", "expression.many", "expression.empty"])
    #expect(end.outputErrors.allSatisfy { !$0.message.isEmpty })
  }

  @Test("An output that is one expression and finds nothing is null as a whole")
  func whole() throws {
    var saga = try Saga("[\(Saga.http("a"))]", members: #""output": "${input.nothing}","#)
    try saga.start()
    try saga.succeed("a")
    let end = try #require(saga.state?.end)
    #expect(end.output == .null)
    #expect(end.outputErrors.map(\.path) == [""])
    #expect(end.outputErrors.map(\.expression) == ["input.nothing"])
  }

  @Test("An output that can be computed has no errors; neither has a workflow without an output")
  func fine() throws {
    for members in [#""output": {"a": "${input.a}", "null": null},"#, ""] {
      var saga = try Saga("[\(Saga.http("a"))]", members: members)
      try saga.start(input: ["a": .null])
      try saga.succeed("a")
      #expect(saga.state?.end?.outputErrors == [])
      #expect(saga.log.last?.data["outputErrors"] == nil)
    }
  }

  @Test("A failure of the whole output that an older version stored is shown as one error without an expression")
  func older() throws {
    let data = try JSON(
      parsing: #"""
        {"at": "2026-03-01T08:00:00.000Z", "output": null,
         "outputProblem": {"code": "expression.empty", "message": "nothing is found"}}
        """#)
    let event = try SagaEvent(type: "sagaCompleted", schema: 1, data: data)
    guard let completed = event.what as? SagaCompleted, completed.output.isNull else { throw Unexpected() }
    let errors = completed.errors
    #expect(errors.map(\.path) == [""] && errors.map(\.code) == ["expression.empty"])
    #expect(errors.map(\.expression) == [nil])
    #expect(event.data == data, "and is written as it was")
  }

  private struct Unexpected: Error {}
}
