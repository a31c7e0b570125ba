import Foundation
import Synchronization

/// A Kafka on the wire: the one that `KAFKA_BROKERS` names, or librdkafka's mock cluster in a process of its own.
public final class TestBroker: Sendable {
  /// `host:port,…`
  public let brokers: String
  /// Nil when the tests did not start the broker. Such a broker can't be frozen or made to fail.
  private let process: Mutex<Process>?
  private let input: FileHandle?
  private let answers: AsyncStream<String>?

  public struct DidNotStart: Error, CustomStringConvertible {
    public let description: String
  }

  /// Whether tests run against a real Kafka.
  public static var named: String? { ProcessInfo.processInfo.environment["KAFKA_BROKERS"] }

  /// - Parameter topics: those that the mock cluster begins with, `NAME:PARTITIONS`. Against a real Kafka, tests create
  ///   their own through the client, under unique names.
  public static func start(topics: [String] = []) async throws -> TestBroker {
    if let named { return TestBroker(brokers: named, process: nil, input: nil, answers: nil) }
    return try await mock(topics: topics)
  }

  /// Starts a mock cluster, also when a real Kafka is configured, for faults that only the mock cluster can produce.
  public static func mock(topics: [String] = [], brokers: Int = 1) async throws -> TestBroker {
    let process = Process()
    process.executableURL = TestProgram.url("kafka-broker")
    process.arguments = ["--brokers", "\(brokers)"] + topics
    let (output, input) = (Pipe(), Pipe())
    process.standardOutput = output
    // Should the tests die, their end of the pipe closes, and the process stops.
    process.standardInput = input
    let lines = TestProgram.lines(of: output.fileHandleForReading)
    try process.run()
    for await line in lines {
      guard line.hasPrefix("BOOTSTRAP ") else { continue }
      return TestBroker(
        brokers: String(line.dropFirst(10)), process: process, input: input.fileHandleForWriting, answers: lines)
    }
    throw DidNotStart(description: "kafka-broker did not say where it listens")
  }

  private init(brokers: String, process: Process?, input: FileHandle?, answers: AsyncStream<String>?) {
    self.brokers = brokers
    self.process = process.map { Mutex($0) }
    self.input = input
    self.answers = answers
  }

  deinit { process?.withLock { $0.terminate() } }

  public var isMock: Bool { process != nil }

  /// Tells the mock cluster to misbehave (see `Tests/KafkaBroker`), and returns when it does.
  public func tell(_ line: String) async {
    input?.write(Data((line + "\n").utf8))
    guard let answers else { return }
    for await answer in answers where answer == "OK" { return }
  }

  /// The next requests of an API (0 is Produce) are answered with an error code.
  public func fail(api: Int, code: Int, count: Int) async { await tell("fail \(api) \(code) \(count)") }

  /// Stops the process with SIGSTOP: connections stay, nothing is answered. Returns when it has stopped.
  public func freeze() {
    guard let id = process?.withLock({ $0.processIdentifier }) else { return }
    kill(id, SIGSTOP)
    while !Self.stands(id) {}
  }

  /// Whether every thread of the process has stopped.
  public var isFrozen: Bool { process?.withLock { Self.stands($0.processIdentifier) } ?? false }

  /// Returns whether every thread of a process has stopped.
  public static func stands(_ id: Int32) -> Bool { threads(of: id).allSatisfy { $0 == "T" } }

  /// Returns the state of each thread of a process as the kernel's one character; empty when the kernel has none.
  private static func threads(of id: Int32) -> [Character] {
    let tasks = "/proc/\(id)/task"
    return (try? FileManager.default.contentsOfDirectory(atPath: tasks))?.compactMap { thread in
      let stat = try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)
      return stat?.split(separator: ")").last?.first { $0 != " " }
    } ?? []
  }

  public func thaw() { process?.withLock { _ = kill($0.processIdentifier, SIGCONT) } }
}
