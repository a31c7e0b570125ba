import Foundation
import TestSupport
import Testing

@Suite("The README's Swift is a program that is built", .timeLimit(.minutes(15)), .inTurn)
struct ReadmeTests {
  @Test("Each line of the README's Swift is a line of the example, in the same order")
  func excerpt() throws {
    let readme = try String(contentsOf: Tree.root.appendingPathComponent("README.md"), encoding: .utf8)
    let example = try Tree.files(under: "Examples/Embedding", extension: "swift").first { $0.text.contains("@main") }
    var lines = try #require(example).lines.map(Self.trimmed)[...]
    let excerpt = Self.swift(in: readme.split(separator: "\n", omittingEmptySubsequences: false).map(Self.trimmed))
    #expect(excerpt.count > 10, "The README has no Swift: the rule would check nothing")
    for line in excerpt {
      guard let place = lines.firstIndex(of: line) else {
        Issue.record("Examples/Embedding has no line “\(line)” behind the one before")
        continue
      }
      lines = lines[(place + 1)...]
    }
  }

  private static func trimmed(_ line: Substring) -> String { String(line.drop { $0 == " " }) }

  /// The lines between ```swift and ```.
  private static func swift(in lines: [String]) -> [String] {
    guard let start = lines.firstIndex(of: "```swift") else { return [] }
    return Array(lines[(start + 1)...].prefix { $0 != "```" })
  }
}
