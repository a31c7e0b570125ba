import Testing

@Suite("Banned calls", .timeLimit(.minutes(3)))
struct BannedCallTests {
  /// Time, ids and randomness come through `Environment`, so that a test or a simulation can hand in its own.
  static let banned = [
    "Date()", "Task.sleep", "Task.detached", "UUID()", "SystemRandomNumberGenerator", ".random(in", "Thread.sleep",
    "usleep(", "DispatchQueue.main", "fatalError(", "try!", "as!",
  ]
  /// Each with its reason.
  static let exceptions: [String: Set<String>] = [
    // The one place where the process meets its surroundings.
    "Sources/Runtime/SystemEnvironment.swift": ["Date()", "Task.sleep", "SystemRandomNumberGenerator"]
  ]

  @Test("No source uses a banned call", arguments: banned)
  func sources(call: String) throws {
    for file in try Tree.files(under: "Sources", extension: "swift") {
      if Self.exceptions[file.path]?.contains(call) == true { continue }
      for (number, line) in file.code {
        #expect(!line.contains(call), "\(file.path):\(number) uses \(call)")
      }
    }
  }

  @Test("No test sleeps", arguments: ["Task.sleep", "Thread.sleep", "usleep(", " sleep("])
  func tests(call: String) throws {
    for file in try Tree.files(under: "Tests", extension: "swift") where !file.path.hasPrefix("Tests/Rules/") {
      for (number, line) in file.code where !line.contains("func sleep(") && !line.contains("clock.sleep(") {
        #expect(!line.contains(call), "\(file.path):\(number) uses \(call)")
      }
    }
  }

  @Test("Every @unchecked Sendable and nonisolated(unsafe) says why it is sound")
  func unchecked() throws {
    for file in try Tree.files(under: "Sources", extension: "swift") {
      let lines = file.lines
      for (index, line) in lines.enumerated() {
        let isComment = line.drop { $0 == " " }.hasPrefix("//")
        guard !isComment, line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") else { continue }
        let above = index > 0 ? lines[index - 1].drop { $0 == " " } : ""
        let isExplained = line.contains("//") || above.hasPrefix("//")
        #expect(isExplained, "\(file.path):\(index + 1) does not say why it is sound")
      }
    }
  }
}
