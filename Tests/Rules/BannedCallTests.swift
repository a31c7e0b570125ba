import TestSupport
import Testing

@Suite("Banned calls", .timeLimit(.minutes(15)), .inTurn)
struct BannedCallTests {
  /// Time, ids and randomness come through `Environment`, so that a test or a simulation can hand in its own.
  static let banned = [
    "Date()", "Task.sleep", "Task.detached", "UUID()", "SystemRandomNumberGenerator", ".random(in", "Thread.sleep",
    "usleep(", "DispatchQueue.main", "fatalError(", "try!", "as!",
    // It computes with floating-point numbers and may give one millisecond less: `wholeMilliseconds`.
    "/ .milliseconds(1)",
  ]
  /// Each with its reason.
  static let exceptions: [String: Set<String>] = [
    // The one place where the process meets its surroundings.
    "Sources/Runtime/SystemEnvironment.swift": ["Date()", "Task.sleep", "SystemRandomNumberGenerator"],
    // librdkafka takes parts of a millisecond here.
    "Sources/Messaging/Client/KafkaProducer.swift": ["/ .milliseconds(1)"],
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

  /// The calls of tests that are allowed, with their number, which may only fall.
  static let testExceptions: [String: [String: Int]] = [
    // The one place where a test lets time pass.
    "Tests/TestSupport/Eventually.swift": [".sleep(": 1],
    // They test a clock.
    "Tests/Runtime/SteadyTimeTests.swift": [".sleep(": 1],
    "Tests/Values/IdentityTests.swift": [".sleep(": 2],
  ]

  @Test(
    "A test waits for a fact: it neither sleeps nor yields, and starts no process whose start depends on open files",
    arguments: ["Task.yield", ".sleep(", " sleep(", "usleep(", " Process()"])
  func tests(call: String) throws {
    for file in try Tree.files(under: "Tests", extension: "swift") where !file.path.hasPrefix("Tests/Rules/") {
      let uses = file.code.filter { $0.text.contains(call) && !$0.text.contains("func sleep(") }
      let allowed = Self.testExceptions[file.path]?[call, default: 0] ?? 0
      let lines = uses.map { "\($0.number)" }.joined(separator: ", ")
      #expect(
        uses.count <= allowed, "\(file.path):\(lines) uses \(call), \(allowed) allowed: see eventually(_:within:)")
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
