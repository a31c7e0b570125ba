import TestSupport
import Testing

@Suite("Suites are bounded", .timeLimit(.minutes(15)), .inTurn)
struct SuiteTests {
  /// A type that has tests.
  struct Found: Hashable {
    let name: String
    /// The attribute `@Suite` with its traits; nil without one.
    let attribute: String?

    var isBounded: Bool {
      guard let attribute else { return false }
      return attribute.contains(".timeLimit(") && (attribute.contains(".inTurn") || attribute.contains(".apart"))
    }
  }

  @Test("Every suite has a time limit, and its tests wait for their turn")
  func bounded() throws {
    var count = 0
    for file in try Tree.files(under: "Tests", extension: "swift") {
      for suite in Self.suites(in: file.lines) {
        count += 1
        #expect(suite.isBounded, "\(file.path): \(suite.name) needs .timeLimit(…) and .inTurn or .apart")
      }
    }
    #expect(count > 200, "the rule checks too little")
  }

  @Test(
    "A suite without a limit or a turn is found",
    arguments: [
      ("@Suite(\"A\", .timeLimit(.minutes(15)), .inTurn)\nstruct A {\n  @Test func a() {}\n}", true),
      (
        "@Suite(\n  \"A\", .serialized,\n  .timeLimit(.minutes(15)), .apart)\nfinal class A {\n  @Test func a() {}\n}",
        true
      ),
      ("@Suite(\"A\", .timeLimit(.minutes(15)))\nstruct A {\n  @Test func a() {}\n}", false),
      ("@Suite(\"A\", .inTurn)\nstruct A {\n  @Test(\"a\")\n  func a() {}\n}", false),
      ("struct A {\n  @Test func a() {}\n}", false),
      (
        "@Suite(.timeLimit(.minutes(15)), .inTurn)\nstruct B {}\n\nstruct A {\n  struct C {}\n  @Test func a() {}\n}",
        false
      ),
    ])
  func examples(text: String, isBounded: Bool) throws {
    let found = Self.suites(in: text.split(separator: "\n", omittingEmptySubsequences: false))
    #expect(found.map(\.name) == ["A"])
    #expect(found.allSatisfy { $0.isBounded == isBounded })
  }

  /// Returns the types whose members are tests. The tests of an extension belong to a suite that is found where it is
  /// declared.
  static func suites(in lines: [Substring]) -> [Found] {
    var found: [Found] = []
    for (index, line) in lines.enumerated() where line.drop(while: { $0 == " " }).hasPrefix("@Test") {
      let depth = indentation(line)
      guard
        let owner = lines[..<index].lastIndex(where: { indentation($0) < depth && declaredType($0) != nil }),
        let name = declaredType(lines[owner])
      else { continue }
      // The lines of the attribute are directly above the declaration.
      let above = lines[..<owner].suffix(8)
      let start = above.lastIndex { $0.drop { $0 == " " }.hasPrefix("@Suite") }
      let isTouching = start.map { above[$0...].allSatisfy { !$0.isEmpty && !$0.hasSuffix("}") } } ?? false
      let suite = Found(name: name, attribute: isTouching ? start.map { above[$0...].joined(separator: " ") } : nil)
      if !found.contains(suite) { found.append(suite) }
    }
    return found
  }

  private static func indentation(_ line: Substring) -> Int { line.prefix { $0 == " " }.count }

  /// Returns the name of the type that a line declares.
  private static func declaredType(_ line: Substring) -> String? {
    var words = line.split(separator: " ").drop { ["private", "fileprivate", "public", "final"].contains($0) }
    guard let kind = words.popFirst(), ["struct", "class", "actor", "enum"].contains(kind), let name = words.first
    else {
      return nil
    }
    return String(name.prefix { $0.isLetter || $0.isNumber })
  }
}
