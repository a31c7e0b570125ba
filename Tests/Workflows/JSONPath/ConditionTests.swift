import JSON
import TestSupport
import Testing
import Workflows

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct ConditionTests {
  static let document: JSON = [
    "input": ["priority": "urgent", "lanes": 2, "tubes": [["ok": true], ["ok": false]]],
    "steps": ["qc": ["status": "succeeded", "output": ["score": 31]]],
  ]

  @Test(arguments: [
    ("$.input.priority == 'urgent'", true), ("@.input.priority == 'urgent'", true), (" $.input.lanes > 2\n", false),
    ("$.steps.qc.output.score >= 30 && !$.steps.load", true), ("$.input.tubes[?@.ok == true]", true),
    ("count(@.input.tubes[?!@.ok]) == 1", false), ("$.input.tubes[?@.score == $.steps.qc.output.score]", false),
    ("match($.steps.qc.status, 'succ.*') || $.none", true), ("$", true),
  ])
  func `holds`(_ text: String, _ holds: Bool) throws {
    #expect(try JSONPathCondition(text).holds(in: Self.document) == holds)
  }

  @Test(arguments: [("", 0), ("  ", 2), ("$.a ==", 6), ("$.a; $.b", 3), ("$.a)", 3), ("a == 1", 0)])
  func `what is none is refused`(_ text: String, _ place: Int) throws {
    let error = try #require(throws: JSONPathError.self) { try JSONPathCondition(text) }
    #expect(error.at == place)
  }

  @Test func `all that a condition reads is seen`() throws {
    let condition = try JSONPathCondition(
      "@.input.a == 1 && $.steps.qc.output[?@.x == $.steps['load'].output[0]] || count($.steps.*) > length($.saga.id)")
    #expect(
      condition.referencedQueries.map(\.text) == [
        "@.input.a", "$.steps.qc.output[?@.x == $.steps['load'].output[0]]", "$.steps['load'].output[0]", "$.steps.*",
        "$.saga.id",
      ])
    #expect(
      condition.referencedQueries.map { JSONPointer($0.leadingTokens).description } == [
        "/input/a", "/steps/qc/output", "/steps/load/output/0", "/steps", "/saga/id",
      ])
    #expect(condition.referencedQueries.map(\.isSingular) == [true, false, true, false, true])
    #expect(condition.referencedQueries.map(\.at) == [0, 18, 44, 80, 100])
  }

  @Test func `all that a query reads is seen`() throws {
    let query = try JSONPath("$.steps.load.output[?match(@.id, $.input.pattern)].name")
    #expect(query.singularTokens == nil)
    #expect(
      query.referencedQueries.map { JSONPointer($0.leadingTokens).description } == [
        "/steps/load/output", "/input/pattern",
      ])
    #expect(try JSONPath("$.a['b'][-1]").singularTokens == [.name("a"), .name("b"), .index(-1)])
    #expect(try JSONPath("$").singularTokens == [])
    #expect(try JSONPath("$..a").referencedQueries.map(\.leadingTokens) == [[]])
  }

  @Test func `a pattern that can't be meant is told of`() throws {
    let condition = try JSONPathCondition("match($.a, '\\\\d+') || search($.a, '[0-9]+')")
    #expect(condition.patternFaults.map(\.code) == [JSONPathErrorCode.pattern])
    #expect(condition.patternFaults.map(\.at) == [11])
    #expect(try JSONPath("$[?match(@, '[0-9]+')]").patternFaults.isEmpty)
  }
}
