import Foundation

/// The source tree as the rules read it.
enum Tree {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  struct File {
    /// Relative to the root.
    let path: String
    let text: String
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    /// Lines without their comments, numbered from 1.
    var code: [(number: Int, text: Substring)] {
      lines.enumerated().map { index, line in
        (index + 1, line.range(of: "//").map { line[..<$0.lowerBound] } ?? line)
      }
    }
  }

  static func files(under folder: String, extension suffix: String) throws -> [File] {
    let base = root.appendingPathComponent(folder)
    guard let names = FileManager.default.enumerator(atPath: base.path) else { return [] }
    var files: [File] = []
    for case let name as String in names where name.hasSuffix("." + suffix) {
      let text = try String(contentsOf: base.appendingPathComponent(name), encoding: .utf8)
      files.append(File(path: "\(folder)/\(name)", text: text))
    }
    return files.sorted { $0.path < $1.path }
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }
}
