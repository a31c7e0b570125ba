import Foundation

/// Files of the repository, found from here.
public enum Repository {
  public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  public static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: root.appendingPathComponent(path)))
  }

  /// The code blocks of a page in one language, in order.
  public static func blocks(_ language: String, of path: String) throws -> [String] {
    String(decoding: try bytes(path), as: UTF8.self)
      .components(separatedBy: "```\(language)\n").dropFirst().compactMap { $0.components(separatedBy: "\n```").first }
  }

  /// The names of the files in a folder that end so, in order.
  public static func names(in folder: String, ending: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(folder).path)
      .filter { $0.hasSuffix(ending) }.sorted()
  }

  /// Whether the tests are to write the copies and stored files that they otherwise compare with.
  public static var renewsCopies: Bool { ProcessInfo.processInfo.environment["RENEW_COPIES"] == "1" }

  public static func write(_ text: String, to path: String) throws {
    try text.write(to: root.appendingPathComponent(path), atomically: true, encoding: .utf8)
  }
}
