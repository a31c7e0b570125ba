import Foundation
import Synchronization
import TestSupport

/// The real program, as a process of its own.
final class SagaProcess: Sendable {
  /// The URL on which it says that it listens.
  let url: String
  private let process: Mutex<Process>
  private let ended: AsyncStream<Int32>
  private let heard: Mutex<[String]>

  struct DidNotListen: Error, CustomStringConvertible {
    let arguments: [String]
    let said: [String]
    var description: String { "saga \(arguments.joined(separator: " ")) did not say where it listens: \(said)" }
  }

  /// Starts it and waits until it says where it listens.
  /// - Parameter variables: set beside those of the tests.
  static func listening(
    _ arguments: [String], in folder: URL, variables: [String: String] = [:]
  ) async throws -> SagaProcess {
    let process = Process()
    process.executableURL = TestProgram.url("saga")
    // Should the tests die, their end of the pipe closes, and the process stops.
    process.arguments = arguments + ["--stop-with-input"]
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = Pipe()
    let (ended, ending) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { process in
      ending.yield(process.terminationStatus)
      ending.finish()
    }
    let lines = TestProgram.lines(of: output.fileHandleForReading)
    try process.run()
    var said: [String] = []
    for await line in lines {
      said.append(line)
      // Others may be spoken of before: a registry that is away.
      if let match = line.firstMatch(of: #/listens on (https?://[0-9A-Za-z.\[\]:]+:[0-9]+)/#) {
        let started = SagaProcess(url: String(match.output.1), process: process, ended: ended, said: said)
        started.listen(to: lines)
        return started
      }
    }
    throw DidNotListen(arguments: arguments, said: said)
  }

  private init(url: String, process: Process, ended: AsyncStream<Int32>, said: [String]) {
    self.url = url
    self.process = Mutex(process)
    self.ended = ended
    heard = Mutex(said)
  }

  /// The text that it has printed so far.
  var said: String { heard.withLock { $0.joined(separator: "\n") } }

  /// `kill -9`: the process has no chance to do anything more.
  func killNow() async {
    process.withLock { process in
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
    for await _ in ended {}
  }

  /// Stops the process with SIGSTOP. Returns when every thread of it has stopped.
  func freeze() {
    let id = process.withLock { $0.processIdentifier }
    kill(id, SIGSTOP)
    while !TestBroker.stands(id) {}
  }

  func thaw() { send(SIGCONT) }

  func send(_ signal: Int32) { process.withLock { if $0.isRunning { kill($0.processIdentifier, signal) } } }

  /// Waits for its end.
  /// - Returns: its exit status; negative when a signal ended it.
  func status() async -> Int32 {
    for await _ in ended {}
    return process.withLock { $0.terminationReason == .exit ? $0.terminationStatus : -$0.terminationStatus }
  }

  /// Asks it to stop with care.
  /// - Returns: its exit status.
  func stop() async -> Int32 {
    process.withLock { if $0.isRunning { $0.terminate() } }
    for await status in ended { return status }
    return process.withLock { $0.terminationStatus }
  }

  private func listen(to lines: AsyncStream<String>) {
    Task { for await line in lines { heard.withLock { $0.append(line) } } }
  }
}
