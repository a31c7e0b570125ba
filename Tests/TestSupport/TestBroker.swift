import Foundation

/// A Kafka on the wire: the one that `KAFKA_BROKERS` names, or librdkafka's mock cluster in a process of its own.
public final class TestBroker: Sendable {
  /// `host:port,…`
  public let brokers: String
  /// Nil when the tests did not start the broker. Such a broker can't be frozen or made to fail.
  private let process: TestProcess?

  public struct DidNotStart: Error, CustomStringConvertible {
    public let description: String
  }

  /// Whether tests run against a real Kafka.
  public static var named: String? { ProcessInfo.processInfo.environment["KAFKA_BROKERS"] }

  /// - Parameter topics: those that the mock cluster begins with, `NAME:PARTITIONS`. Against a real Kafka, tests create
  ///   their own through the client, under unique names.
  public static func start(topics: [String] = []) async throws -> TestBroker {
    if let named { return TestBroker(brokers: named, process: nil) }
    return try await mock(topics: topics)
  }

  /// Starts a mock cluster, also when a real Kafka is configured, for faults that only the mock cluster can produce.
  public static func mock(topics: [String] = [], brokers: Int = 1) async throws -> TestBroker {
    // When the tests end, so does its standard input, and the process stops.
    let process = try TestProcess(
      TestProgram.path("kafka-broker"), ["--brokers", "\(brokers)"] + topics, errors: .inherited, keepsInput: true)
    for await line in process.lines where line.hasPrefix("BOOTSTRAP ") {
      return TestBroker(brokers: String(line.dropFirst(10)), process: process)
    }
    throw DidNotStart(description: "kafka-broker did not say where it listens")
  }

  private init(brokers: String, process: TestProcess?) {
    self.brokers = brokers
    self.process = process
  }

  deinit { process?.send(SIGTERM) }

  public var isMock: Bool { process != nil }

  /// Tells the mock cluster to misbehave (see `Tests/KafkaBroker`), and returns when it does.
  public func tell(_ line: String) async {
    guard let process else { return }
    process.write(Array((line + "\n").utf8))
    for await answer in process.lines where answer == "OK" { return }
  }

  /// The next requests of an API (0 is Produce) are answered with an error code.
  public func fail(api: Int, code: Int, count: Int) async { await tell("fail \(api) \(code) \(count)") }

  /// Stops the process with a SIGSTOP: connections stay open, and it answers nothing. Returns when it has stopped.
  public func freeze() async throws { try await process?.freeze() }

  /// Whether every thread of the process has stopped.
  public var isFrozen: Bool { process?.isFrozen ?? false }

  public func thaw() { process?.thaw() }
}
