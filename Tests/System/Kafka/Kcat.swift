import Foundation
import TestSupport

/// `kcat`, Debian's Kafka client. None of our code is between the broker and its output.
enum Kcat {
  struct Missing: Error, CustomStringConvertible {
    let description = "kcat is not installed; `make test` installs it, as does: apt install kcat"
  }

  /// Returns the path of the program.
  static func program() throws -> String {
    let places = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/bin"]
    guard
      let program = places.map({ "\($0)/kcat" }).first(where: { FileManager.default.isExecutableFile(atPath: $0) })
    else { throw Missing() }
    return program
  }

  /// Sends lines `KEY|VALUE`, and returns when the broker has them.
  static func send(_ lines: [String], to topic: String, at brokers: String) async throws {
    _ = try await run(
      ["-P", "-b", brokers, "-t", topic, "-K", "|", "-X", "message.timeout.ms=60000"],
      input: Array((lines.joined(separator: "\n") + "\n").utf8))
  }

  struct Failed: Error { let status: Int32 }
}

/// A reader that follows a topic from its beginning, as anyone outside would.
final class KcatReader: Sendable {
  /// One message.
  struct Line: Sendable {
    let partition: Int
    let offset: Int64
    let key: String
    let headers: [String: String]
    let value: String
  }

  private let process: TestProcess
  let lines: AsyncStream<Line>

  init(topic: String, brokers: String) throws {
    // Unit separators, which neither keys nor JSON hold. With -E a broker that is frozen for long ends no reader.
    process = try TestProcess(
      Kcat.program(),
      ["-C", "-E", "-b", brokers, "-t", topic, "-o", "beginning", "-u", "-f", "%p\u{1F}%o\u{1F}%k\u{1F}%h\u{1F}%s\n"],
      errors: .discarded)
    let text = process.lines
    let (lines, lining) = AsyncStream.makeStream(of: Line.self)
    self.lines = lines
    Task {
      for await line in text {
        if let read = Self.read(line) { lining.yield(read) }
      }
      lining.finish()
    }
  }

  /// `kcat` takes a polite request for a wish.
  func stop() { process.send(SIGKILL) }

  private static func read(_ text: String) -> Line? {
    let parts = text.split(separator: "\u{1F}", maxSplits: 4, omittingEmptySubsequences: false)
    guard parts.count == 5, let partition = Int(parts[0]), let offset = Int64(parts[1]) else { return nil }
    var headers: [String: String] = [:]
    for header in parts[3].split(separator: ",") {
      guard let equals = header.firstIndex(of: "=") else { continue }
      headers[String(header[..<equals])] = String(header[header.index(after: equals)...])
    }
    return Line(
      partition: partition, offset: offset, key: String(parts[2]), headers: headers, value: String(parts[4]))
  }
}
