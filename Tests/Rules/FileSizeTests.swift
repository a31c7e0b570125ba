import TestSupport
import Testing

@Suite("Files stay small", .timeLimit(.minutes(15)), .inTurn)
struct FileSizeTests {
  @Test("No Swift file is longer than 600 lines", arguments: ["Sources", "Tests"])
  func lengths(folder: String) throws {
    for file in try Tree.files(under: folder, extension: "swift") {
      #expect(file.lines.count <= 600, "\(file.path) has \(file.lines.count) lines: does it hold one thing?")
    }
  }
}
