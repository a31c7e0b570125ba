import Foundation
import JSON
import TestSupport
import Testing
import Workflows

/// Runs the official compliance suite of RFC 9535. The suite is not part of this repository.
/// `JSONPATH_COMPLIANCE_SUITE=/path/to/cts.json` names its file. Our own tables are beside this file and always run.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct ComplianceSuiteTests {
  static let path = ProcessInfo.processInfo.environment["JSONPATH_COMPLIANCE_SUITE"]

  @Test func `the official compliance suite`() throws {
    guard let path = Self.path else {
      print("JSONPath compliance suite: NOT RUN. Set JSONPATH_COMPLIANCE_SUITE to the path of its cts.json.")
      return
    }
    let suite = try JSON(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    let cases = try #require(suite["tests"]?.arrayValue)
    try #require(!cases.isEmpty)
    for one in cases { try check(one) }
    print("JSONPath compliance suite: \(cases.count) cases were run.")
  }

  private func check(_ one: JSON) throws {
    let name = try #require(one["name"]?.stringValue)
    let selector = try #require(one["selector"]?.stringValue)
    if one["invalid_selector"]?.boolValue == true {
      #expect(throws: JSONPathError.self, "\(name): \(selector)") { try JSONPath(selector) }
      return
    }
    let query: JSONPath
    do {
      query = try JSONPath(selector)
    } catch {
      Issue.record("\(name): \(selector) was refused: \(error)")
      return
    }
    let document = try #require(one["document"])
    let nodes = try query.nodes(in: document)
    let values = JSON.array(nodes.map(\.value))
    let paths = JSON.array(nodes.map { .string($0.path.description) })
    #expect(allowed(one["result"], one["results"]).contains(values), "\(name): \(selector) found \(values.text())")
    #expect(
      allowed(one["result_paths"], one["results_paths"]).contains(paths), "\(name): \(selector) found \(paths.text())")
    #expect(.array(try query.values(in: document)) == values, "\(name): values without their paths")
  }

  private func allowed(_ only: JSON?, _ several: JSON?) -> [JSON] { only.map { [$0] } ?? several?.arrayValue ?? [] }
}
