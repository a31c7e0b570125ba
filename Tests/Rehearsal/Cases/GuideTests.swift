import Foundation
import JSON
import TestSupport
import Testing
import Workflows

@testable import Rehearsal

/// Every example of `docs/testing-workflows.md` is played: a workflow, a test file, or a case of the test file before it.
@Suite("The guide to tests", .timeLimit(.minutes(15)), .inTurn)
struct GuideTests {
  private static func blocks() throws -> [String] {
    try Repository.blocks("json", of: "docs/testing-workflows.md")
  }

  @Test("Every example passes")
  func examples() throws {
    let blocks = try Self.blocks()
    let first = try JSON(parsing: try #require(blocks.first)).objectValue
    var workflows: [String: WorkflowDefinition] = [:]
    var cases = 0
    for block in blocks {
      var json = try JSON(parsing: block)
      if json["steps"]?.arrayValue != nil {
        let result = WorkflowChecker.check(Array(block.utf8))
        #expect(result.findings == [])
        let definition = try #require(result.definition)
        workflows["../\(definition.name).json"] = definition
        continue
      }
      if json["cases"] == nil {
        // A case alone belongs to the first test file, which is about sample-processing.
        var file = try #require(first)
        file["cases"] = [json]
        json = .object(file)
      }
      let check = TestFileChecker.check(json.bytes(), file: "guide") { path in
        if let known = workflows[path] { return .definition(known) }
        guard let bytes = try? Repository.bytes("workflows/tests/\(path)"),
          let definition = WorkflowChecker.check(bytes).definition
        else { return .unusable("it can't be read") }
        return .definition(definition)
      }
      #expect(check.findings == [], "\(block)")
      let tests = try #require(check.tests)
      for test in tests.cases {
        let result = tests.play(test)
        #expect(result.said == [], "\(test.name): \(result.differences)")
        cases += 1
      }
    }
    #expect(cases == 9)
  }
}
