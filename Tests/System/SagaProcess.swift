import Foundation
import Synchronization
import TestSupport

/// The real program, as a process of its own.
final class SagaProcess: Sendable {
  /// The URL on which it says that it listens.
  let url: String
  private let process: TestProcess
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
    // When the tests end, so does its standard input, and the process stops.
    let process = try TestProcess(
      TestProgram.path("saga"), arguments + ["--stop-with-input"], in: folder, variables: variables, keepsInput: true)
    var said: [String] = []
    for await line in process.lines {
      said.append(line)
      // Others may be spoken of before: a registry that is away.
      if let match = line.firstMatch(of: #/listens on (https?://[0-9A-Za-z.\[\]:]+:[0-9]+)/#) {
        let started = SagaProcess(url: String(match.output.1), process: process, said: said)
        started.listen()
        return started
      }
    }
    process.send(SIGKILL)
    throw DidNotListen(arguments: arguments, said: said)
  }

  private init(url: String, process: TestProcess, said: [String]) {
    self.url = url
    self.process = process
    heard = Mutex(said)
  }

  /// The text that it has printed so far.
  var said: String { heard.withLock { $0.joined(separator: "\n") } }

  /// `kill -9`: the process has no chance to do anything more.
  func killNow() async { await process.killNow() }

  /// Stops the process with a SIGSTOP. Returns when every thread of it has stopped.
  func freeze() async throws { try await process.freeze() }

  func thaw() { process.thaw() }

  func send(_ signal: Int32) { process.send(signal) }

  /// Waits for its end.
  /// - Returns: its exit status; negative when a signal ended it.
  func status() async -> Int32 { await process.status() }

  /// Sends a SIGTERM and waits for the end.
  /// - Returns: its exit status; negative when a signal ended it.
  func stop() async -> Int32 { await process.stop() }

  private func listen() {
    Task { for await line in process.lines { heard.withLock { $0.append(line) } } }
  }
}
