import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("The coverage of a workflow's tests", .timeLimit(.minutes(15)), .inTurn)
struct CoverageTests {
  @Test("lists every path of a workflow that no case reaches")
  func missed() throws {
    let definition = try CaseBench.definition()
    var coverage = Coverage(of: definition)
    #expect(
      coverage.points.map(\.words) == [
        "book runs", "book fails for good", "the outcome of book is unknown", "book is undone",
        "the undo of book fails for good", "approve runs", "approve refuses a signal", "no signal comes for approve",
        "hurry runs", "the condition of hurry holds", "the condition of hurry does not hold", "hurry fails for good",
        "the outcome of hurry is unknown", "load runs", "load fails for good", "the outcome of load is unknown",
        "load is undone", "the undo of load fails for good",
      ])
    #expect(coverage.missed.count == coverage.points.count)
    try note(#"\#(CaseBench.approval), "expect": { "status": "completed" }"#, &coverage)
    #expect(count(.steps, coverage) == [3, 4])
    #expect(count(.conditions, coverage) == [1, 2])
    #expect(count(.failures, coverage) == [0, 8])
    #expect(count(.undos, coverage) == [0, 4])
    try note(
      """
      "input": { "urgent": true }, "answers": { "hurry": { "status": 500 }, "load": { "status": 409 } },
      "undo": { "book": { "status": 409 } },
      "signals": [
        { "name": "approval", "body": { "ok": false }, "refused": "signal.refused" },
        { "name": "approval", "body": { "ok": true, "name": "anna" }, "after": "1s" }
      ], "expect": { "status": "stuck" }
      """, &coverage)
    #expect(
      coverage.missed.map(\.words) == [
        "book fails for good", "the outcome of book is unknown", "book is undone", "no signal comes for approve",
        "the outcome of load is unknown", "load is undone", "the undo of load fails for good",
      ])
  }

  @Test("counts a step that fails on purpose as a step that runs")
  func fail() throws {
    let text = """
      { "name": "refuse", "version": 1, "steps": [
        { "id": "refuse", "when": "$.input.bad == true", "fail": { "code": "BAD" } } ] }
      """
    var coverage = Coverage(of: try CaseBench.definition(text))
    let result = try CaseBench.play(
      #""input": { "bad": true }, "expect": { "status": "compensated", "error": "BAD" }"#, workflow: text,
      defaults: "{}")
    #expect(result.said == [])
    coverage.note(try #require(result.run))
    #expect(coverage.missed.map(\.words) == ["the condition of refuse does not hold"])
  }

  @Test("follows groups: their conditions, their timeouts, and members that are skipped with them")
  func groups() throws {
    let text = """
      { "name": "extract", "version": 1, "timeout": "1d", "steps": [
        { "id": "lysis", "when": "$.input.dna == true", "timeout": "1h", "steps": [
          { "id": "heat", "when": "$.input.hot == true", "delay": { "for": "30m" } },
          { "id": "look", "signal": { "name": "seen" } } ] } ] }
      """
    let defaults = #"{ "input": { "dna": true, "hot": false } }"#
    var coverage = Coverage(of: try CaseBench.definition(text))
    func note(_ members: String) throws {
      let result = try CaseBench.play(members, workflow: text, defaults: defaults)
      #expect(result.said == [])
      coverage.note(try #require(result.run))
    }
    try note(#""input": { "dna": false }, "expect": { "status": "completed", "steps": { "heat": "skipped" } }"#)
    #expect(
      coverage.missed.map(\.words) == [
        "lysis runs", "the condition of lysis holds", "the group lysis is not done in time", "heat runs",
        "the condition of heat holds", "the condition of heat does not hold", "look runs",
      ])
    try note(#""expect": { "status": "compensated", "failedStep": "lysis", "takes": "1h" }"#)
    #expect(coverage.missed.map(\.words) == ["heat runs", "the condition of heat holds"])
    try note(
      #""input": { "hot": true }, "signals": [{ "name": "seen", "after": "5m" }], "expect": { "status": "completed" }"#)
    #expect(coverage.missed == [])
  }

  private func count(_ kind: Coverage.Kind, _ coverage: Coverage) -> [Int] {
    let count = coverage.count(kind)
    return [count.reached, count.all]
  }

  private func note(_ members: String, _ coverage: inout Coverage) throws {
    let result = try CaseBench.play(members)
    #expect(result.said == [])
    coverage.note(try #require(result.run))
  }
}
