import Foundation
import TestSupport

/// A group of folders whose house words are counted together.
struct WordGroup: Sendable, CustomStringConvertible {
  let name: String
  let suffixes: [String]
  /// The folders below it that are groups of their own.
  var without: [String] = []

  var description: String { name }

  static let all = [
    WordGroup(name: "Sources", suffixes: ["swift"]),
    WordGroup(name: "docs", suffixes: ["md", "json"], without: ["docs/errors/"]),
    WordGroup(name: "docs/errors", suffixes: ["md"]),
    WordGroup(name: "console", suffixes: ["js", "html", "css"]),
    WordGroup(name: "Tests", suffixes: ["swift"]),
  ]

  /// These files contain the words themselves.
  private static let own: Set = ["Tests/Rules/WordTests.swift", "Tests/Rules/HouseWords.swift"]

  func uses() throws -> [WordUse] {
    var uses: [WordUse] = []
    for suffix in suffixes {
      for file in try Tree.files(under: name, extension: suffix) {
        if Self.own.contains(file.path) || without.contains(where: { file.path.hasPrefix($0) }) { continue }
        uses += WordReader.uses(in: file.text, path: file.path)
      }
    }
    return uses
  }

  /// Returns the lines that were added since the commit that last changed the ceilings. Empty where git does not know.
  func linesChangedSinceCeilings() async -> Set<WordUse.Line> {
    guard
      let commit = await Self.git("log", "-1", "--format=%H", "--", "Tests/Rules/WordTests.swift")?.split(
        separator: "\n"
      )
      .first,
      let diff = await Self.git("diff", "-U0", "--no-color", String(commit), "--", name)
    else { return [] }
    var lines: Set<WordUse.Line> = []
    var path = ""
    for line in diff.split(separator: "\n") {
      if line.hasPrefix("+++ b/") {
        path = String(line.dropFirst(6))
      } else if line.hasPrefix("+") {
        lines.insert(.init(path: path, text: String(line.dropFirst().drop { $0 == " " })))
      }
    }
    return lines
  }

  private static func git(_ arguments: String...) async -> String? {
    let result = try? await TestProcess.run("git", arguments, in: Tree.root, errors: .discarded)
    return result?.status == 0 ? result.map { String(decoding: $0.bytes, as: UTF8.self) } : nil
  }
}
