import Foundation
import JSON
import Runtime
import Streaming
import TestSupport
import Testing
import Values

@testable import saga

@Suite("saga streams", .timeLimit(.minutes(15)), .inTurn)
struct StreamsTests {
  static func stream(_ name: String, from: String, to: String) -> String {
    """
    { "name": "\(name)", "to": "\(to)",
      "transform": { "from": "\(from)", "output": "${data}" } }
    """
  }

  /// Files in a folder of their own.
  private func withFiles(_ texts: String..., body: ([String]) async throws -> Void) async throws {
    let folder = try TestFolder.new("streams")
    let paths = texts.indices.map { folder.appendingPathComponent("\($0).json").path }
    for (path, text) in zip(paths, texts) { try text.write(toFile: path, atomically: true, encoding: .utf8) }
    try await body(paths)
  }

  @Test("check shows each mistake with its line and a caret, and counts them")
  func check() async throws {
    let wrong = Self.stream("hop", from: "samples", to: "out").replacing("\"from\"", with: "\"form\"")
    let result = await TestTool(input: [wrong]).run("streams", "check", "-")
    #expect(result.status == .failure)
    try Golden.expect(result.output, is: "streams-check", width: 160)
    let right = await TestTool(input: [Self.stream("hop", from: "samples", to: "out")]).run("streams", "check", "-")
    #expect(right.status == .success)
    #expect(right.output == "1 file checked: 0 errors\n")
  }

  @Test("check finds a repeated name and a cycle across files")
  func between() async throws {
    try await withFiles(
      Self.stream("a", from: "one", to: "two"), Self.stream("b", from: "two", to: "three"),
      Self.stream("a", from: "three", to: "one"), Self.stream("d", from: "one", to: "five")
    ) { files in
      let tool = TestTool()
      let result = await tool.run("streams", "check", "--json", files[0], files[1], files[2], files[3])
      #expect(result.status == .failure)
      let findings = try JSON(parsing: result.output).arrayValue ?? []
      let told = findings.map { file in (file["findings"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue } }
      #expect(told == [["/to"], ["/to"], ["/name", "/to"], []])
      #expect(findings[1]["findings"]?[0]?["message"]?.stringValue?.contains("through other streams") == true)
      #expect(findings[1]["findings"]?[0]?["line"]?.intValue == 1)
    }
  }

  @Test("it does not start with an invalid file, or without Kafka")
  func refusals() async throws {
    try await withFiles(Self.stream("a", from: "one", to: "one"), Self.stream("b", from: "one", to: "two")) { files in
      let wrong = await TestTool().run("streams", files[0], "--kafka", "127.0.0.1:1", "--store", "memory")
      #expect(wrong.status == .failure)
      #expect(wrong.complaint.contains("its own output would come back for ever"))
      let noKafka = await TestTool().run("streams", files[1])
      #expect(noKafka.status == .usage)
      #expect(noKafka.complaint.contains("streams wants --kafka BROKERS"))
      let noTopic = await TestTool().run("streams", files[1], "--kafka", "127.0.0.1:1", "--dead-letters", "a b")
      #expect(noTopic.status == .usage)
    }
  }

  @Test("reset deletes the stored state and prints that")
  func reset() async throws {
    try await withFiles(Self.stream("a", from: "one", to: "two")) { files in
      let store = URL(fileURLWithPath: files[0]).deletingLastPathComponent().appendingPathComponent("s.db").path
      let result = await TestTool().run("streams", "reset", files[0], "--store", "sqlite:\(store)")
      #expect(result.status == .success)
      #expect(result.output == "a starts again with its next run.\n")
    }
  }

  @Test("a stream's line shows its status, counts and problem")
  func line() {
    var status = StreamStatus(name: "per-hour")
    status.totals.read = 3
    #expect(StreamLine.text(of: status) == "per-hour: read 3, sent 0")
    status.watermark = Golden.now
    status.totals.late = 1
    status.totals.lost = 2
    status.totals.refused = 4
    status.kept = 5
    status.problem = "Kafka is out of reach"
    status.offsets = [.init(topic: "b", number: 0): 9, .init(topic: "a", number: 1): 7]
    #expect(
      StreamLine.full(of: status) == [
        "per-hour: read 3, sent 0, late 1, watermark 2026-03-01T08:15:45.000Z, kept 5, dead letters 4, LOST 2; "
          + "blocked: Kafka is out of reach", "  a/1 next offset 7", "  b/0 next offset 9",
      ])
  }
}
