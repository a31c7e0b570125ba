import Foundation
import JSON
import JSONSchema
import TestSupport
import Testing

/// Runs the required cases of the official suite for draft 2020-12. The suite is not part of this repository.
/// `JSON_SCHEMA_TEST_SUITE=/path` names its folder. Our own tables are beside this file and always run.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct OfficialSuiteTests {
  static let path = ProcessInfo.processInfo.environment["JSON_SCHEMA_TEST_SUITE"]
  /// The address under which the suite expects the documents of its folder `remotes`.
  static let remotes = "http://localhost:1234/"

  @Test func `the official suite`() throws {
    guard let path = Self.path else {
      print("JSON Schema suite: NOT RUN. Set JSON_SCHEMA_TEST_SUITE to the path of its folder.")
      return
    }
    let root = URL(fileURLWithPath: path)
    let library = SchemaLibrary(
      try files(under: root.appendingPathComponent("remotes/draft2020-12")).map {
        (Self.remotes + "draft2020-12/" + $0.name, $0.json)
      })
    var count = 0
    var alone = 0
    for (name, json) in try files(under: root.appendingPathComponent("tests/draft2020-12")) {
      if name.contains("/") { continue }
      for group in try #require(json.arrayValue) {
        let label = "\(name): \(group["description"]?.stringValue ?? "")"
        let document = try #require(group["schema"])
        // The documents of the suite's folder are given; without them, only schemas that need them are refused.
        let schema = try compiled(document, library, label)
        let own = JSONSchema.compile(document)
        if own.schema == nil {
          let codes = Set(own.findings.map(\.code))
          #expect(
            codes.isSubset(of: [SchemaErrorCode.remoteReference, SchemaErrorCode.dialect]), "\(label): \(own.findings)")
        }
        for test in try #require(group["tests"]?.arrayValue) {
          let data = try #require(test["data"])
          let expected = try #require(test["valid"]?.boolValue as Bool?)
          let what = "\(label): \(test["description"]?.stringValue ?? "")"
          count += 1
          try expect(schema, data, expected, what)
          if let own = own.schema {
            alone += 1
            try expect(own, data, expected, "\(what), without the library")
          }
        }
      }
    }
    try #require(count > 1_000)
    print("JSON Schema suite: \(count) cases were run, \(alone) of them also without remote documents.")
  }

  private func expect(_ schema: JSONSchema?, _ data: JSON, _ expected: Bool, _ what: String) throws {
    guard let schema else { return }
    let verdict = try schema.validate(data)
    #expect(verdict.isValid == expected, "\(what): \(verdict.violations.map(\.message))")
    #expect(verdict.violations.isEmpty == expected, "\(what)")
    #expect(try schema.accepts(data) == expected, "\(what)")
  }

  private func compiled(_ document: JSON, _ library: SchemaLibrary, _ label: String) throws -> JSONSchema? {
    let result = JSONSchema.compile(document, library: library)
    #expect(result.schema != nil, "\(label): \(result.findings.filter(\.isError))")
    return result.schema
  }

  private func files(under root: URL) throws -> [(name: String, json: JSON)] {
    let names = try #require(FileManager.default.enumerator(atPath: root.path)).compactMap { $0 as? String }
    return try names.filter { $0.hasSuffix(".json") }.sorted().map {
      ($0, try JSON(parsing: Array(Data(contentsOf: root.appendingPathComponent($0)))))
    }
  }
}
