import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

/// An engine in a folder of its own, and a Kafka on the wire.
final class KafkaSite: Sendable {
  let site: Site
  let broker: TestBroker
  private let suffix: String
  private let workflows: URL
  private let clock = SystemClock()

  /// - Parameters:
  ///   - partitions: of the topic of events.
  ///   - more: further topics of the mock cluster, `NAME:PARTITIONS`.
  ///   - workflow: what the engine brings along.
  init(
    partitions: Int = 4, store: Site.Store = .sqlite, more: [String] = [], workflow: JSON = EchoStormTests.workflow
  ) async throws {
    site = try await Site(store)
    // On a Kafka that others use too, the names are unique. The engine creates the topics.
    suffix = TestBroker.named == nil ? "" : "-\(Environment.system.newID())"
    broker = try await TestBroker.start(
      topics: [
        "laboratory.saga.events:\(partitions)", "saga.commands:8", "saga.replies:4", "laboratory.dead-letter:1",
      ] + more)
    workflows = site.folder.appendingPathComponent("workflows")
    try FileManager.default.createDirectory(at: workflows, withIntermediateDirectories: true)
    try Data(workflow.bytes()).write(to: workflows.appendingPathComponent("workflow.json"))
  }

  func topic(_ role: String) -> String {
    let names = [
      "events": "laboratory.saga.events", "commands": "saga.commands", "replies": "saga.replies",
      "dead-letter": "laboratory.dead-letter",
    ]
    return (names[role] ?? role) + suffix
  }

  func startEngine(_ more: String...) async throws -> SagaProcess { try await startEngine(with: more) }

  func startEngine(with more: [String]) async throws -> SagaProcess {
    let topics = ["events", "commands", "replies", "dead-letter"].flatMap { ["--kafka-topic", "\($0)=\(topic($0))"] }
    return try await .listening(
      [
        "serve", "--store", site.engineStore, "--port", "0", "--workflows", workflows.path, "--kafka", broker.brokers,
        "--kafka-group", "group\(suffix)",
      ] + topics + more, in: site.folder)
  }

  func call(
    _ method: String, _ url: String, body: JSON? = nil, headers: [String: String] = [:]
  ) async throws -> Site.Answer {
    try await site.call(method, url, body: body, headers: headers)
  }

  func close() async { await site.close() }

  // MARK: Waiting for facts

  /// Asks again and again until so many sagas are there, or are in a status.
  func until(
    _ fact: String, _ engine: SagaProcess, of status: String? = nil, within time: Duration = .seconds(240),
    _ isEnough: (Int) -> Bool
  ) async throws {
    var last = 0
    try await eventually("\(fact) (\(last)); the engine's log: \(engine.said.suffix(2_000))", within: time) {
      let sagas = try await call("GET", "\(engine.url)/v1/stats").body["sagas"]?.objectValue ?? [:]
      last = 0
      for (name, count) in sagas where status == nil || name == status { last += count.intValue ?? 0 }
      return isEnough(last)
    }
  }

  /// Waits until the echo has delivered everything.
  /// - Returns: how many events there are.
  func caughtUp(_ engine: SagaProcess, within time: Duration = .seconds(240)) async throws -> Int {
    var echo = JSON.null
    return try await eventualValue(
      "the echo caught up: \(echo.text().prefix(300)); the engine's log: \(engine.said.suffix(2_000))", within: time
    ) {
      echo = try await call("GET", "\(engine.url)/v1/echo").body
      let shards = echo["shards"]?.arrayValue ?? []
      guard echo["lagEvents"]?.intValue == 0, !shards.isEmpty else { return nil }
      return shards.reduce(0) { $0 + ($1["head"]?.intValue ?? 0) }
    }
  }
}
