import Foundation
import TestSupport
import Testing

@Suite("Error codes", .timeLimit(.minutes(15)), .inTurn)
struct ErrorCodeTests {
  struct Code {
    let code: String
    let place: String
  }

  /// Every code that a module declares, in its `…ErrorCodes.swift`.
  static func declared() throws -> [Code] {
    try Tree.files(under: "Sources", extension: "swift")
      .filter { $0.path.hasSuffix("ErrorCodes.swift") }
      .flatMap { file in
        file.code.compactMap { number, line -> Code? in
          guard line.contains("static let"), let start = line.firstIndex(of: "\""),
            let end = line.lastIndex(of: "\""), start < end
          else { return nil }
          return Code(code: String(line[line.index(after: start)..<end]), place: "\(file.path):\(number)")
        }
      }
  }

  @Test("Every code has a page that says what happened, why, and what to do")
  func pages() throws {
    let codes = try Self.declared()
    #expect(codes.count > 30, "Found \(codes.count) codes: the rule reads the wrong files")
    for code in codes {
      let path = "docs/errors/\(code.code).md"
      guard Tree.exists(path) else {
        Issue.record("\(code.place): \(code.code) has no page \(path)")
        continue
      }
      let page = try String(contentsOf: Tree.root.appendingPathComponent(path), encoding: .utf8)
      #expect(page.hasPrefix("# \(code.code)\n"), "\(path) is not titled with its code")
      for heading in ["## What happened", "## Why", "## What to do"] {
        #expect(page.contains(heading), "\(path) has no “\(heading)”")
      }
    }
  }

  @Test("Every page is of a code that exists")
  func noStrayPages() throws {
    let codes = Set(try Self.declared().map(\.code))
    for page in try Tree.files(under: "docs/errors", extension: "md") {
      let code = page.path.dropFirst("docs/errors/".count).dropLast(3)
      if code == "README" { continue }
      #expect(codes.contains(String(code)), "\(page.path) explains a code that nothing gives")
    }
  }

  @Test("A code is declared once, and written as dotted words")
  func spelling() throws {
    let codes = try Self.declared()
    let counts = Dictionary(grouping: codes, by: \.code).filter { $0.value.count > 1 }
    for (code, places) in counts { Issue.record("\(code) is declared at \(places.map(\.place))") }
    for code in codes {
      #expect(code.code.wholeMatch(of: /[a-z][A-Za-z0-9]*(\.[a-zA-Z0-9]+)*/) != nil, "\(code.place): \(code.code)")
    }
  }
}
