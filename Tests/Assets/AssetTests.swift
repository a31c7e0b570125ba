import Assets
import Foundation
import TestSupport
import Testing

@Suite("Files that the program carries", .timeLimit(.minutes(15)), .inTurn)
struct AssetTests {
  static let folders = [
    ("console", ""), ("docs/errors", ".md"), ("docs/schema", ".json"), ("docs/schema/events", ".json"),
  ]

  @Test("The program carries every file of these folders, and no other")
  func list() throws {
    let files = try Self.folders.flatMap { folder, ending in
      try Repository.names(in: folder, ending: ending).map { "\(folder)/\($0)" }
        .filter { !Self.isFolder($0) }
    }
    #expect(files.count > 200)
    #expect(Assets.paths == files.sorted(), "Run scripts/list-assets")
  }

  @Test("Each file's bytes are those that it has in the repository")
  func bytes() throws {
    for path in Assets.paths {
      // Compared before the expectation: a report of whole files helps no reader.
      let isSame = try Assets.bytes(path) == Repository.bytes(path)
      #expect(isSame, "\(path)")
    }
  }

  @Test("A path that the program doesn't carry gives nil")
  func unknown() {
    #expect(Assets.bytes("README.md") == nil)
    #expect(Assets.text("console/") == nil)
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(
      atPath: Repository.root.appendingPathComponent(path).path, isDirectory: &isFolder) && isFolder.boolValue
  }
}
