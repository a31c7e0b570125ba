import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Invariants", .timeLimit(.minutes(15)), .inTurn)
struct InvariantTests {
  /// Whether an invariant holds when the saga is completed, `a` succeeded and happened, and `b` is undone.
  private func holds(_ text: String) throws -> Bool {
    try Invariant(text).holds(end: .completed) { fact, step in
      ["succeeded a", "happened a", "undone b"].contains("\(fact) \(step)")
    }
  }

  @Test(
    "An invariant is true or false of a run",
    arguments: [
      ("completed", true), ("compensated", false), ("!stuck", true), ("succeeded(a)", true), ("failed(a)", false),
      ("completed => succeeded(a)", true), ("completed => succeeded(b)", false), ("stuck => succeeded(b)", true),
      ("completed && undone(b)", true), ("skipped(a) || happened(a)", true), ("!(skipped(a) || happened(a))", false),
      // The signs bind in the order !, &&, ||, =>; and a => b => c is a => (b => c).
      ("completed || stuck && abandoned", true), ("(completed || stuck) && abandoned", false),
      ("!stuck && completed", true), ("stuck => completed => stuck", true), ("completed => stuck => abandoned", true),
      ("(completed => stuck) => abandoned", true), ("completed\n=>\t!!undone( b )", true),
    ])
  func truth(text: String, isTrue: Bool) throws { #expect(try holds(text) == isTrue) }

  @Test(
    "A mistake has its place, and the word that was meant",
    arguments: [
      ("", 0, nil), ("  ", 0, nil), ("completed =>", 12, nil), ("complete => stuck", 0, "completed"),
      ("stuck => succeded(a)", 9, "succeeded"), ("undone", 0, nil), ("stuck(a)", 0, nil), ("undone(a", 8, nil),
      ("(stuck", 6, nil), ("stuck)", 5, nil), ("stuck completed", 6, nil), ("stuck -> completed", 6, "=>"),
      ("stuck & completed", 6, "&&"), ("stuck | completed", 6, "||"), ("stuck → completed", 6, "=>"),
      ("undone()", 7, nil), ("undone(!)", 7, nil), ("undone(a, b)", 8, nil), ("&& stuck", 0, nil),
    ] as [(String, Int, String?)])
  func mistakes(text: String, at: Int, near: String?) {
    do {
      _ = try Invariant(text)
      Issue.record("“\(text)” was read.")
    } catch {
      #expect(error.at == at, "\(error)")
      #expect(error.near == near, "\(error)")
    }
  }

  @Test("Length and depth have limits")
  func limits() throws {
    let deep = String(repeating: "(", count: 32) + "stuck" + String(repeating: ")", count: 32)
    _ = try Invariant(deep)
    #expect(throws: InvariantMistake.self) { try Invariant("(" + deep + ")") }
    #expect(throws: InvariantMistake.self) { try Invariant(String(repeating: "!", count: 33) + "stuck") }
    #expect(throws: InvariantMistake.self) {
      try Invariant(Array(repeating: "stuck", count: 34).joined(separator: " => "))
    }
    _ = try Invariant(Array(repeating: "stuck", count: 100).joined(separator: "||"))
    #expect(throws: InvariantMistake.self) { try Invariant("stuck" + String(repeating: " ", count: 996)) }
  }

  @Test("The checker reports every mistake with its place in the file")
  func findings() {
    let more = #""invariants": ["stuck => undone(aa)", "complete", "stuck"],"#
    #expect(
      errors(Sample.workflow("[\(Sample.get("aaa"))]", more: more)) == [
        Found("workflow.unknownStep", "/invariants/0", 1, 62, near: "aaa"),
        Found("workflow.badInvariant", "/invariants/1", 1, 69, near: "completed"),
      ])
    #expect(
      errors(Sample.workflow("[\(Sample.get("a"))]", more: #""invariants": "stuck","#)).map(\.code) == [
        "workflow.wrongType"
      ])
    let many = (0...100).map { "\"stuck => !stuck \(String(repeating: " ", count: $0))\"" }.joined(separator: ",")
    #expect(
      errors(Sample.workflow("[\(Sample.get("a"))]", more: "\"invariants\": [\(many)],")).map(\.code) == [
        "workflow.badInvariant"
      ])
  }

  @Test("A definition has its invariants, and so has the stored one")
  func definitions() throws {
    let text = Sample.workflow("[\(Sample.get("a"))]", more: #""invariants": ["completed => succeeded(a)"],"#)
    #expect(try definition(text).invariants.map(\.text) == ["completed => succeeded(a)"])
    #expect(try StoredWorkflow.decode(Array(text.utf8)).invariants == definition(text).invariants)
    #expect(try definition(Sample.workflow("[\(Sample.get("a"))]")).invariants.isEmpty)
  }

  @Test("A stored definition with an invariant of another version of the language still decodes")
  func stored() throws {
    let text = Sample.workflow("[\(Sample.get("a"))]", more: #""invariants": ["eventually undone(b)", "stuck"],"#)
    #expect(try StoredWorkflow.decode(Array(text.utf8)).invariants.map(\.text) == ["stuck"])
  }

  @Test("The schema of workflow files knows invariants")
  func schema() throws {
    let schema = SchemaValidator(document: try JSON(parsing: try Repository.bytes("docs/schema/workflow.schema.json")))
    let text = Sample.workflow("[\(Sample.get("a"))]", more: #""invariants": ["stuck => undone(a)"],"#)
    #expect(try schema.accepts(try JSON(parsing: text)))
    #expect(try !schema.accepts(try JSON(parsing: text.replacing("[\"stuck => undone(a)\"]", with: "\"stuck\""))))
  }
}
