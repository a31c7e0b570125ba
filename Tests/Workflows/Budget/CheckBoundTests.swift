import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The checker's work and answers are bounded", .timeLimit(.minutes(15)), .inTurn)
struct CheckBoundTests {
  static func workflow(_ members: String) -> [UInt8] {
    Array(
      #"{"name": "w", "version": 1, \#(members)"steps": [{"id": "a", "delay": {"for": "1s"}, "compensation": "none"}]}"#
        .utf8)
  }

  /// Files with more and more mistakes of one kind.
  static let kinds: [(String, @Sendable (Int) -> [UInt8])] = [
    ("unknown members", { count in workflow((0..<count).map { "\"k\($0)\": 1, " }.joined()) }),
    (
      "unknown dependencies",
      { count in
        Array(
          (#"{"name": "w", "version": 1, "steps": [{"id": "a", "delay": {"for": "1s"}}, {"id": "b", "dependsOn": ["#
            + (0..<count).map { "\"x\($0)\"" }.joined(separator: ",") + #"], "delay": {"for": "1s"}}]}"#).utf8)
      }
    ),
    (
      "the same dependency",
      { count in
        Array(
          (#"{"name": "w", "version": 1, "steps": [{"id": "a", "delay": {"for": "1s"}}, {"id": "b", "dependsOn": ["#
            + (0..<count).map { _ in "\"a\"" }.joined(separator: ",") + #"], "delay": {"for": "1s"}}]}"#).utf8)
      }
    ),
    (
      "unknown roots",
      { count in workflow("\"output\": [\((0..<count).map { "\"${r\($0)}\"" }.joined(separator: ","))], ") }
    ),
    (
      "unclosed templates",
      { count in workflow("\"output\": [\((0..<count).map { _ in "\"${\"" }.joined(separator: ","))], ") }
    ),
  ]

  @Test("a file with many mistakes lists a hundred and counts the rest", arguments: kinds.indices)
  func bounded(_ kind: Int) throws {
    let (name, make) = Self.kinds[kind]
    let counts = [400, 800].map { count -> (listed: Int, all: Int, bytes: Int) in
      let result = WorkflowChecker.check(make(count))
      #expect(result.definition == nil, "\(name)")
      let bytes = result.findings.reduce(0) { $0 + $1.json.bytes().count }
      return (result.findings.count, result.findings.count + result.omitted, bytes)
    }
    #expect(counts.allSatisfy { $0.listed <= 2 * Report.most }, "\(name): \(counts)")
    #expect(counts[0].all >= 399 && counts[1].all >= 799, "\(name): \(counts)")
    #expect(counts[1].bytes < counts[0].bytes * 11 / 10, "\(name): \(counts)")
    try #require(counts[1].bytes < 64 << 10)
  }

  @Test("long names are shortened in findings")
  func longNames() {
    let name = String(repeating: "n", count: 200_000)
    let result = WorkflowChecker.check(Self.workflow("\"\(name)\": {\"\(name)\": 1}, "))
    #expect(result.findings.first?.code == WorkflowErrorCode.unknownKey)
    #expect(result.findings.reduce(0) { $0 + $1.json.bytes().count + $1.description.utf8.count } < 8_000)
  }

  @Test("near names are computed only for findings that are listed")
  func nearNames() throws {
    let bytes = Self.workflow("")
    let report = Report(document: try JSONDocument(parsing: bytes), bytes: bytes, file: nil)
    var looked = 0
    for number in 0..<1_000 {
      report.error(
        "c", "m \(number)", at: .root,
        near: {
          looked += 1
          return nil
        }())
    }
    #expect(looked == Report.most)
    #expect(report.omitted == 900)
    #expect(report.hasErrors)
  }

  @Test("a workflow may have 10,000 expressions; one that was registered with more is still read")
  func expressions() {
    func file(_ count: Int) -> [UInt8] {
      Self.workflow("\"output\": [\(Array(repeating: "\"${input.x}\"", count: count).joined(separator: ","))], ")
    }
    #expect(WorkflowChecker.check(file(10_000)).definition != nil)
    #expect(WorkflowChecker.check(file(10_001)).findings.map(\.code) == [WorkflowErrorCode.tooLarge])
    #expect((try? StoredWorkflow.decode(file(10_001))) != nil)
  }

  @Test("the pauses of all attempts are added up in one pass", arguments: [1.0, 1.0001, 1.5, 2, 1_000])
  func pauses(_ coefficient: Double) {
    for attempts in [1, 2, 3, 50, 1_000] {
      let policy = RetryPolicy(
        maxAttempts: attempts, initialInterval: .milliseconds(250), backoffCoefficient: coefficient,
        maxInterval: .seconds(60))
      let expected = (1..<max(2, attempts)).reduce(Duration.zero) {
        attempts > 1 ? $0 + policy.interval(afterAttempt: $1) : $0
      }
      #expect(policy.longestPauses == expected, "\(attempts) attempts")
    }
  }
}
