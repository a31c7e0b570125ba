import Foundation
import KafkaGateway
import Messaging
import Persistence
import Runtime
import Streaming
import Synchronization
import Values
import WorkflowEngine

/// What the echo to Kafka reaches, and beside it, in the same minutes, what librdkafka alone does with messages of the
/// same size on the same broker:
///
///     kafka-bench BROKERS latency|backlog|cost [--rate N] [--seconds N] [--events N] [--rounds N] [--stores …]
@main
struct KafkaBench {
  static func main() async {
    // At once off the main actor: hops to it would cost more than the work.
    await run()
  }

  @concurrent
  static func run() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    func option(_ name: String, _ standard: Int) -> Int {
      arguments.firstIndex(of: "--\(name)").flatMap { Int(arguments[$0 + 1]) } ?? standard
    }
    let stores =
      arguments.firstIndex(of: "--stores").map { arguments[$0 + 1].split(separator: ",").map(String.init) }
      ?? ["memory", "sqlite", "postgres"]
    guard arguments.count >= 2 else {
      print("usage: kafka-bench BROKERS latency|backlog|cost [--rate N] …")
      exit(64)
    }
    let lingering = arguments.firstIndex(of: "--linger").map { [KafkaCluster.Property("linger.ms", arguments[$0 + 1])] }
    let cluster = KafkaCluster(brokers: arguments[0], properties: lingering ?? [])
    do {
      switch arguments[1] {
      case "latency":
        for round in 1...option("rounds", 3) {
          for rate in [1_000, 10_000] {
            try await Latency.measure(cluster, rate: rate, seconds: option("seconds", 10), round: round)
          }
        }
      case "backlog":
        for round in 1...option("rounds", 3) {
          try await Backlog.measure(cluster, events: option("events", 500_000), stores: stores, round: round)
        }
      case "cost":
        for round in 1...option("rounds", 3) {
          try await Cost.measure(cluster, sagas: option("sagas", 5_000), stores: stores, round: round)
        }
      default: throw Failure("there is no benchmark \(arguments[1])")
      }
    } catch {
      print("The benchmark failed: \(error)")
      exit(1)
    }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  /// About what a saga's event is.
  static let data =
    Array(
      #"{"at":"2026-03-01T08:15:30.250Z","step":"storeSample","output":{"#.utf8)
    + Array(#""position":"F80-1/B07/C11","note":"\#(String(repeating: "x", count: 200))"}}"#.utf8)
  static let meta = Array(#"{"schema":1}"#.utf8)

  static func echo(
    _ store: any EventStore, _ cluster: KafkaCluster, delivered: (@Sendable (Int, Int64) -> Void)? = nil
  ) throws -> Echo {
    try Echo(
      store: store,
      configuration: Echo.Configuration(
        cluster: cluster, topics: [KafkaTopic("laboratory.saga.events")], deadLetters: KafkaTopic("dead")),
      map: { SagaEventEcho.event($0, topic: "laboratory.saga.events") }, environment: .system, delivered: delivered)
  }
}

/// Nanoseconds, and what lies where among them.
struct Spread {
  private let sorted: [Int64]
  init(_ values: [Int64]) { sorted = values.sorted() }
  func percentile(_ share: Double) -> Double {
    guard !sorted.isEmpty else { return .nan }
    return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1e6
  }
  var text: String {
    func shown(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
    return #""p50Ms": \#(shown(percentile(0.5))), "p99Ms": \#(shown(percentile(0.99))), "#
      + #""maxMs": \#(shown(percentile(1)))"#
  }
}

func monotonic() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
