import Foundation
import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The page of the language", .timeLimit(.minutes(15)), .inTurn)
struct LanguagePageTests {
  /// The blocks of `docs/workflow-language.md` that are JSON objects: workflows, and steps.
  static let examples = blocks(of: "docs/workflow-language.md")
  /// The workflows of `docs/patterns.md`.
  static let patterns = blocks(of: "docs/patterns.md")

  /// The workflows of the README.
  static let readme = blocks(of: "README.md").filter { $0.contains("\"steps\":") }

  private static func blocks(of path: String) -> [String] {
    ((try? Repository.blocks("json", of: path)) ?? []).filter { $0.hasPrefix("{") }
  }

  @Test("The page's examples have no findings", arguments: examples)
  func example(text: String) throws {
    let isWorkflow = try JSON(parsing: text)["name"] != nil
    let result = check(isWorkflow ? text : Sample.workflow("[\(text)]", more: "\"timeout\": \"3d\","))
    #expect(result.findings.isEmpty, "\(result.findings.map(\.description).joined(separator: "\n"))")
    let schema = SchemaValidator(document: try JSON(parsing: try Repository.bytes("docs/schema/workflow.schema.json")))
    #expect(try schema.accepts(try JSON(parsing: isWorkflow ? text : Sample.workflow("[\(text)]"))))
  }

  @Test("Each pattern is a workflow that the checker accepts without a warning", arguments: patterns)
  func pattern(text: String) {
    let result = check(text)
    #expect(result.findings.isEmpty, "\(result.findings.map(\.description).joined(separator: "\n"))")
  }

  @Test("Each workflow of the README is one that the checker accepts without a warning", arguments: readme)
  func inReadme(text: String) {
    let result = check(text)
    #expect(result.findings.isEmpty, "\(result.findings.map(\.description).joined(separator: "\n"))")
  }

  @Test("The README has a call, a task, a turn and a child")
  func readmeKinds() {
    let steps = Self.readme.flatMap { check($0).definition?.steps ?? [] }
    #expect(Set(steps.map(\.action.kind)).isSuperset(of: ["http", "task", "workflow"]))
    #expect(steps.contains { $0.concurrency != nil })
  }

  @Test("The page of patterns has workflows")
  func patternsExist() { #expect(Self.patterns.count >= 9) }

  @Test("The page has examples of a call, a command, a task, a poll, a wait, a failure and a group, and of each undo")
  func kinds() {
    let actions = Self.examples.flatMap { text in
      let isWorkflow = text.contains("\"version\"")
      let result = check(isWorkflow ? text : Sample.workflow("[\(text)]", more: "\"timeout\": \"3d\","))
      return result.definition?.steps.map(\.action.kind) ?? []
    }
    #expect(Set(actions) == ["http", "kafka", "task", "workflow", "signal", "fail", "group"])
    let undos = Self.examples.flatMap { text in
      let isWorkflow = text.contains("\"version\"")
      let result = check(isWorkflow ? text : Sample.workflow("[\(text)]", more: "\"timeout\": \"3d\","))
      return result.definition?.steps.compactMap { $0.undo?.action.kind } ?? []
    }
    #expect(Set(undos) == ["http", "kafka", "task", "signal", "workflow"])
    let polls = Self.examples.flatMap { text in
      check(Sample.workflow("[\(text)]", more: "\"timeout\": \"3d\",")).definition?.steps.compactMap(\.poll) ?? []
    }
    #expect(polls.map(\.every) == [.seconds(300)])
  }
}
