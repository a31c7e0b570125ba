import Foundation
import TestSupport

/// Writes the console's files into the Swift files that the server answers from.
enum ConsoleCopy {
  static let folder = "Sources/Server/Console/Text"

  /// The files as they lie in `console/`.
  static func originals() throws -> [(name: String, text: String)] {
    try FileManager.default.contentsOfDirectory(atPath: Repository.root.appendingPathComponent("console").path)
      .sorted().map { ($0, String(decoding: try Repository.bytes("console/\($0)"), as: UTF8.self)) }
  }

  /// What the folder has to hold, by the names of its files.
  static func swift(_ files: [(name: String, text: String)]) -> [String: String] {
    var copies: [String: String] = [:]
    for (name, text) in files {
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        .map { $0.isEmpty ? "" : "    \($0)" }.joined(separator: "\n")
      copies["\(identifier(name)).swift"] = """
        // `console/\(name)`. A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this file again.
        extension ConsoleText {
          static let \(identifier(name)) = #\"""
        \(lines)

            \"""#
        }

        """
    }
    let list = files.map { "    (\"\($0.name)\", \(identifier($0.name)))," }.joined(separator: "\n")
    copies["ConsoleText.swift"] = """
      /// The files of `console/`. A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this folder
      /// again.
      enum ConsoleText {
        static let files: [(name: String, text: String)] = [
      \(list)
        ]
      }

      """
    return copies
  }

  private static func identifier(_ name: String) -> String {
    let words = name.split { $0 == "." || $0 == "-" }
    return words.prefix(1).joined() + words.dropFirst().map(\.capitalized).joined()
  }
}
