import Foundation
import Synchronization

/// Another `saga` process that this one starts. It stops with this process: it watches its standard input, which ends
/// then.
final class ChildProcess: Sendable {
  let name: String
  private let process: Mutex<Process>
  private let input: Pipe
  private let ended: AsyncStream<Int32>

  /// - Parameters:
  ///   - arguments: the words after `saga`.
  ///   - log: the file for its standard error.
  init(_ name: String, arguments: [String], log: URL) throws {
    self.name = name
    let process = Process()
    let input = Pipe()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: Self.program)
    process.arguments = arguments
    process.standardInput = input
    process.standardOutput = output
    _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    process.standardError = try FileHandle(forWritingTo: log)
    let (ended, ending) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { process in
      ending.yield(process.terminationStatus)
      ending.finish()
    }
    lines = Self.lines(of: output.fileHandleForReading)
    try process.run()
    self.process = Mutex(process)
    self.input = input
    self.ended = ended
  }

  /// The lines of its standard output, until it ends.
  let lines: AsyncStream<String>

  /// This program's own file.
  static var program: String { Bundle.main.executablePath ?? CommandLine.arguments[0] }

  /// Asks it to stop and waits until it has.
  func stop() async {
    process.withLock { if $0.isRunning { $0.terminate() } }
    for await _ in ended {}
  }

  private static func lines(of handle: FileHandle) -> AsyncStream<String> {
    let (lines, lining) = AsyncStream.makeStream(of: String.self)
    let thread = Thread {
      var rest: [UInt8] = []
      // An empty read is the end.
      while case let bytes = handle.availableData, !bytes.isEmpty {
        rest += bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          lining.yield(String(decoding: rest[..<end], as: UTF8.self))
          rest.removeFirst(end + 1)
        }
      }
      lining.finish()
    }
    thread.start()
    return lines
  }
}
