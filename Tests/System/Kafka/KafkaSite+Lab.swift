import Foundation
import JSON
import Runtime
import TestSupport
import Testing
import Values

// A laboratory that takes its commands over the same Kafka.
extension KafkaSite {
  private static let services = [
    "samples", "storage", "sequencing", "notification", "accession", "qc", "pipeline", "library-prep", "pooling",
  ]
  private static let events = [
    "samples": "sample", "storage": "storage", "sequencing": "sequencing", "notification": "notification",
    "accession": "accession", "qc": "qc", "pipeline": "pipeline", "library-prep": "library-prep",
    "pooling": "pooling",
  ]

  /// The laboratory's topics for the mock cluster, `NAME:PARTITIONS`.
  static let labTopics =
    services.map { "laboratory.\($0).commands:4" } + events.values.sorted().map { "laboratory.\($0).events:4" }

  /// The names of the topics of the events that sample-processing causes. It asks for no accession number, no
  /// quality control, no files, no libraries and no pool.
  var labEventTopics: [String] {
    Self.events.values.sorted().filter { !["accession", "qc", "pipeline", "library-prep", "pooling"].contains($0) }.map
    {
      topic("laboratory.\($0).events")
    }
  }

  func startLab(_ faults: String...) async throws -> SagaProcess {
    let topics = Self.services.flatMap { service in
      [
        "--kafka-topic", "\(service).commands=\(topic("laboratory.\(service).commands"))",
        "--kafka-topic", "\(service).events=\(topic("laboratory.\(Self.events[service] ?? "").events"))",
      ]
    }
    return try await .listening(
      [
        "lab", "--store", "sqlite:\(site.folder.path)/lab.db", "--port", "0", "--kafka", broker.brokers,
        "--kafka-group", topic("lab"), "--kafka-topic", "dead-letter=\(topic("dead-letter"))",
      ] + topics + faults.flatMap { ["--fault", $0] }, in: site.folder)
  }

  func startEngineOfLab() async throws -> SagaProcess {
    try await startEngine(
      with: Self.services.flatMap { ["--kafka-service", "\($0)=\(topic("laboratory.\($0).commands")),tombstones"] })
  }

  /// Asks a process again and again until what it says satisfies.
  func until(
    _ fact: String, _ process: SagaProcess, _ path: String, within time: Duration = .seconds(240),
    _ holds: (Site.Answer) -> Bool
  ) async throws {
    var last = ""
    try await eventually("\(fact): \(last); the log: \(process.said.suffix(2_000))", within: time) {
      let answer = try await call("GET", process.url + path)
      last = String(answer.body.text().prefix(500))
      return holds(answer)
    }
  }
}
