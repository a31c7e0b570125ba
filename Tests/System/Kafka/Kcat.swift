import Foundation
import Synchronization
import TestSupport

/// `kcat`, Debian's Kafka client. None of our code is between the broker and its output.
enum Kcat {
  struct Missing: Error, CustomStringConvertible {
    let description = "kcat is not installed; `make test` installs it, as does: apt install kcat"
  }

  static func process(_ arguments: [String]) throws -> Process {
    let places = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/bin"]
    guard
      let program = places.map({ URL(fileURLWithPath: "\($0)/kcat") })
        .first(where: { FileManager.default.isExecutableFile(atPath: $0.path) })
    else { throw Missing() }
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    return process
  }

  /// Sends lines `KEY|VALUE`, and returns when the broker has them.
  static func send(_ lines: [String], to topic: String, at brokers: String) async throws {
    let process = try process(["-P", "-b", brokers, "-t", topic, "-K", "|", "-X", "message.timeout.ms=60000"])
    let input = Pipe()
    process.standardInput = input
    process.standardError = FileHandle.nullDevice
    let (ended, ending) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { process in
      ending.yield(process.terminationStatus)
      ending.finish()
    }
    try process.run()
    let bytes = Data((lines.joined(separator: "\n") + "\n").utf8)
    // Writing blocks when the pipe is full, so it has a thread of its own.
    Thread {
      input.fileHandleForWriting.write(bytes)
      try? input.fileHandleForWriting.close()
    }.start()
    for await status in ended where status != 0 { throw Failed(status: status) }
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

  private let process: Mutex<Process>
  let lines: AsyncStream<Line>

  init(topic: String, brokers: String) throws {
    // Unit separators, which neither keys nor JSON hold.
    let process = try Kcat.process([
      "-C", "-b", brokers, "-t", topic, "-o", "beginning", "-u", "-f", "%p\u{1F}%o\u{1F}%k\u{1F}%h\u{1F}%s\n",
    ])
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    let text = TestProgram.lines(of: output.fileHandleForReading)
    try process.run()
    self.process = Mutex(process)
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
  func stop() { process.withLock { _ = kill($0.processIdentifier, SIGKILL) } }

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
