import JSON
import JSONSchema
import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("The tests of the shipped workflows", .timeLimit(.minutes(15)), .inTurn)
struct ShippedTestsTests {
  static let folder = "workflows/tests"
  static let files = (try? Repository.names(in: folder, ending: ".tests.json")) ?? []

  static func check(_ file: String) throws -> TestFileCheck {
    TestFileChecker.check(try Repository.bytes("\(folder)/\(file)"), file: file) { path in
      guard let bytes = try? Repository.bytes("\(folder)/\(path)"),
        let definition = WorkflowChecker.check(bytes).definition
      else { return .unusable("it can't be read") }
      return .definition(definition)
    }
  }

  @Test("Every shipped workflow has a test file")
  func all() throws {
    let workflows = try Repository.names(in: "workflows", ending: ".json")
    #expect(workflows.count >= 2)
    #expect(Self.files == workflows.map { $0.replacing(".json", with: ".tests.json") }.sorted())
  }

  @Test("Every case passes, and together they reach every path", arguments: files)
  func pass(_ file: String) throws {
    let check = try Self.check(file)
    #expect(check.findings == [])
    let tests = try #require(check.tests)
    var coverage = Coverage(of: tests.workflow)
    for test in tests.cases {
      let result = tests.play(test)
      let details = result.differences.flatMap(\.details)
      #expect(result.said == [], "\(test.name): \(details)")
      if let run = result.run { coverage.note(run) }
    }
    #expect(coverage.missed.map(\.words) == [])
    #expect(coverage.points.count >= 3 * tests.workflow.steps.count)
  }

  @Test("The schema for editors takes them", arguments: files)
  func schema(_ file: String) throws {
    let schema = try TestSchema.compiled()
    let verdict = try schema.validate(JSON(parsing: Repository.bytes("\(Self.folder)/\(file)")))
    #expect(verdict.violations.map { "\($0.instance) \($0.message)" } == [])
  }
}

/// The schema of test files, for editors.
enum TestSchema {
  static func compiled() throws -> JSONSchema {
    let compilation = JSONSchema.compile(try JSON(parsing: Repository.bytes("docs/schema/tests.schema.json")))
    #expect(compilation.findings.isEmpty, "\(compilation.findings)")
    return try #require(compilation.schema)
  }
}
