import Foundation
import JSON
import TestSupport
import Testing

// Whole messages, byte for byte: what lines can't say.
extension Kcat {
  /// Sends one message from a file, and returns when the broker has it.
  static func send(
    _ bytes: [UInt8], to topic: String, key: String, headers: [String: String] = [:], partition: Int = 0,
    at site: KafkaSite
  ) async throws {
    let file = site.site.folder.appendingPathComponent("message")
    try Data(bytes).write(to: file)
    let named = headers.sorted { $0.key < $1.key }.flatMap { ["-H", "\($0.key)=\($0.value)"] }
    _ = try await run(
      [
        "-P", "-b", site.broker.brokers, "-t", topic, "-p", "\(partition)", "-k", key, "-X",
        "message.max.bytes=20000000",
      ]
        + named + [file.path])
  }

  /// Returns all messages that are in a topic now, as lines of a format.
  static func dump(_ topic: String, _ format: String, at brokers: String) async throws -> [Substring] {
    let bytes = try await run(["-C", "-q", "-e", "-b", brokers, "-t", topic, "-o", "beginning", "-f", format])
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  }

  /// Runs it to its end.
  /// - Returns: what it printed.
  static func run(_ arguments: [String], input: [UInt8] = []) async throws -> [UInt8] {
    let result = try await TestProcess.run(program(), arguments, input: input, errors: .discarded)
    guard result.status == 0 else { throw Failed(status: result.status) }
    return result.bytes
  }
}

/// The dead letters of a topic as they come, with every byte of them.
final class LetterReader: Sendable {
  struct Letter: Sendable {
    let key: String
    /// In their order; a name may come more than once.
    let headers: [(name: String, value: String)]
    let value: [UInt8]

    func header(_ name: String) -> String? { headers.last { $0.name == name }?.value }
  }

  private let process: TestProcess
  let letters: AsyncThrowingStream<Letter, any Error>

  init(topic: String, brokers: String) throws {
    process = try TestProcess(
      Kcat.program(), ["-C", "-q", "-u", "-b", brokers, "-t", topic, "-o", "beginning", "-f", "%p %o\n"],
      errors: .discarded)
    let places = process.lines
    let (letters, coming) = AsyncThrowingStream.makeStream(of: Letter.self)
    self.letters = letters
    Task {
      do {
        for await place in places {
          let words = place.split(separator: " ").map(String.init)
          coming.yield(try await Self.read(topic, partition: words[0], offset: words[1], brokers))
        }
        coming.finish()
      } catch {
        coming.finish(throwing: error)
      }
    }
  }

  func stop() { process.send(SIGKILL) }

  private static func read(_ topic: String, partition: String, offset: String, _ brokers: String) async throws -> Letter
  {
    let one = ["-C", "-q", "-b", brokers, "-t", topic, "-p", partition, "-o", offset, "-c", "1"]
    // Headers as JSON, as a reason holds commas; the value by itself, as it may be no text.
    // It comes last, and what is before it is short.
    let line = String(decoding: try await Kcat.run(one + ["-J"]).prefix(60_000), as: UTF8.self)
    let head = line.range(of: #","payload":"#).map { line[..<$0.lowerBound] + "}" } ?? Substring(line)
    let envelope = try JSON(parsing: Array(head.utf8))
    let texts = envelope["headers"]?.arrayValue?.map { $0.stringValue ?? "" } ?? []
    return Letter(
      key: envelope["key"]?.stringValue ?? "",
      headers: stride(from: 0, to: texts.count - 1, by: 2).map { (texts[$0], texts[$0 + 1]) },
      value: try await Kcat.run(one + ["-f", "%s"]))
  }
}
