import Foundation
import JSON
import TestSupport
import Testing

/// Runs the README's commands about Kafka as they are written, with another broker's address.
@Suite("The README's section on Kafka", .timeLimit(.minutes(15)), .inTurn)
struct ReadmeTests {
  /// The blocks of the section, as they are.
  static let blocks: [String] = {
    let text = (try? Repository.bytes("README.md")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let section = text.components(separatedBy: "\n## ").first { $0.hasPrefix("Follow it on Kafka") } ?? ""
    return section.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 1 }.map {
      $0.element.trimmingCharacters(in: .newlines)
    }
  }()

  private static func commands(_ start: String) -> [String] { blocks.filter { $0.contains(start) } }

  @Test("The commands of the README work, and print what the README shows")
  func commandsAndOutput() async throws {
    let site = try await KafkaSite(
      workflow: try JSON(parsing: try Repository.bytes("workflows/sample-processing.json")))
    let engine = try await site.startEngine()
    try Data(Repository.bytes("workflows/examples/tube.json")).write(
      to: site.site.folder.appendingPathComponent("tube.json"))

    // 1. A message is a saga.
    let starting = try #require(Self.commands("kcat -P").first)
    _ = try await run(starting, site)
    try await site.until("the message has started a saga", engine) { $0 == 1 }
    _ = try await site.caughtUp(engine)

    // 2. Its events, as JSON, and their headers.
    let reading = Self.commands("kcat -C")
    #expect(reading.count == 2)
    let data = try await run(try #require(reading.first), site)
    #expect(!data.isEmpty)
    let schema = SchemaValidator(
      document: try JSON(parsing: try Repository.bytes("docs/schema/events/saga-event.v1.json")))
    let shownData = try #require(Self.blocks.first { $0.hasPrefix("{") }).split(separator: "\n").map(String.init)
    for line in data + shownData { #expect(try schema.accepts(JSON(parsing: Array(line.utf8))), "\(line)") }
    let headers = try await run(try #require(reading.last), site)
    let shown = try #require(Self.blocks.first { $0.contains("\nce_specversion=") }).split(separator: "\n")
    #expect(Self.names(headers[1]) == Self.names(String(shown[1])))
    #expect(headers[0].count == shown[0].count, "the key is a saga's id")

    #expect(await engine.stop() == 0)
    await site.close()
  }

  private static func names(_ headers: String) -> [String] {
    headers.split(separator: ",").map { String($0.prefix { $0 != "=" }) }
  }

  private func run(_ command: String, _ site: KafkaSite) async throws -> [String] {
    let here =
      command.replacing("127.0.0.1:9092", with: site.broker.brokers)
      .replacing("laboratory.saga.events", with: site.topic("events"))
      .replacing("saga.commands", with: site.topic("commands"))
    let result = try await TestProcess.run("/bin/sh", ["-c", here], in: site.site.folder, errors: .inherited)
    return String(decoding: result.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
