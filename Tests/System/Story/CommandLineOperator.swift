import Foundation
import JSON
import TestSupport
import Testing

/// Does it in a terminal.
struct CommandLineOperator: StoryOperator {
  private let story: Story

  init(_ story: Story) { self.story = story }

  func findStuck() async throws -> [String: String] {
    let lines = try await saga("list", "--stuck", "--workflow", "sample-processing", "--all", "--full-ids")
    var found: [String: String] = [:]
    for line in lines where line.contains("! stuck") {
      let id = try #require(line.split(separator: " ").first.map(String.init))
      found[id] = try await saga("why", id).joined(separator: " ")
    }
    return found
  }

  func previewRetry() async throws -> (takes: Int, refuses: Int, selection: String) {
    let lines = try await saga("ops", "preview", "retry", "--stuck", "--workflow", "sample-processing")
    let counts = try #require(lines.first?.firstMatch(of: #/(\d+) sagas?: (\d+) accept retry, (\d+) refuse it/#))
    let selection = try #require(lines.compactMap { $0.firstMatch(of: #/--selection (\w+)/#) }.first)
    return (Int(counts.output.2) ?? -1, Int(counts.output.3) ?? -1, String(selection.output.1))
  }

  func runRetry(selection: String, reason: String) async throws -> String {
    let lines = try await saga(
      "ops", "run", "retry", "--stuck", "--workflow", "sample-processing", "--selection", selection, "--rate", "10",
      "--reason", reason, "--wait")
    #expect(lines.contains { $0.contains("\(Story.turning) done, 0 refused, 0 left") }, "\(lines)")
    let end = try #require(lines.first { $0.contains("✓ finished") })
    return try #require(end.split(separator: " ").first.map(String.init))
  }

  func resolve(_ saga: String, step: String, reason: String) async throws {
    _ = try await self.saga("resolve", saga, "--step", step, "--undone", "--reason", reason)
  }

  /// Runs a command to its end.
  /// - Returns: the lines that it printed; none is wider than a terminal.
  private func saga(_ words: String...) async throws -> [String] {
    let result = try await TestProcess.run(
      TestProgram.path("saga"), words, variables: ["SAGA_SERVER": story.engine.url, "SAGA_USER": Story.person])
    let said = String(decoding: result.bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .map(String.init).dropLast()
    #expect(result.status == 0, "saga \(words.joined(separator: " ")): \(said)")
    // A command to be pasted stays in one piece.
    let wide = said.filter { $0.count > 80 && !$0.hasPrefix("  saga ") }
    #expect(wide == [])
    return Array(said)
  }
}
