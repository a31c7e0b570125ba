import Foundation
import JSON
import TestSupport
import Testing
import Values

@Suite("An engine on Kafka is stopped with care, under load", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct GracefulStopTests {
  /// Ends in the append that it begins with, so that what is stored says what was handled.
  static let workflow: JSON = [
    "name": "instant", "version": 1, "timeout": "10m",
    "steps": [
      ["id": "one", "delay": ["for": "0s"]], ["id": "two", "delay": ["for": "0s"]],
      ["id": "three", "delay": ["for": "0s"]],
    ],
    "output": ["number": "${input.number}"],
  ]
  static let commands = 4_000
  /// The number of them that come when the engine has ended. So something is left, however fast it is.
  static let late = 100

  @Test(
    "A stopped engine has published every stored event, and no handled message is handled again",
    arguments: Site.Store.allCases)
  func stops(store: Site.Store) async throws {
    try #require(
      store != .postgres || Site.hasPostgres, "No Postgres: run the tests with scripts/with-postgres in front")
    let site = try await KafkaSite(partitions: 16, store: store, more: ["nothing:1"], workflow: Self.workflow)
    var engine = try await site.startEngine()

    // 1. SIGTERM while commands come faster than they are handled.
    let lines = (0..<Self.commands).map { number in
      let command: JSON = ["command": "start", "workflow": "instant", "input": ["number": .int(number)]]
      return "k\(number)|\(command.text())"
    }
    let sending = Task {
      try await Kcat.send(Array(lines.dropLast(Self.late)), to: site.topic("commands"), at: site.broker.brokers)
    }
    try await site.until("some have been handled", engine, "/v1/echo") { Self.handled($0.body, site) >= 100 }
    #expect(await engine.stop() == 0)
    try await sending.value
    try await Kcat.send(Array(lines.suffix(Self.late)), to: site.topic("commands"), at: site.broker.brokers)

    // 2. What the store holds, by the word of an engine to which no command comes: there is nothing left to tell.
    let told = try await read(site)
    engine = try await site.startEngine("--kafka-topic", "commands=\(site.topic("nothing"))")
    let stored = try await site.caughtUp(engine)
    let echo = try await site.call("GET", "\(engine.url)/v1/echo").body
    #expect(echo["delivered"] == 0 && echo["lagEvents"] == 0, "\(echo.text().prefix(300))")
    let each = try await eventsOfOne(site, engine)
    #expect(await engine.stop() == 0)
    let handled = stored / each
    #expect((100..<Self.commands).contains(handled), "it was stopped in the midst of them")
    #expect(told.count == stored && Set(told).count == stored, "every event that was committed is in Kafka, once")

    // 3. The next one continues where it ended.
    engine = try await site.startEngine()
    try await site.until("the rest is handled", engine) { $0 >= Self.commands }
    let events = try await site.caughtUp(engine)
    #expect(try await count(site, engine) == Self.commands, "a command is a saga")
    #expect(events == Self.commands * each)
    let now = try await site.call("GET", "\(engine.url)/v1/echo").body
    #expect(Self.handled(now, site) == Self.commands - handled, "none was handled twice")
    let all = try await read(site)
    #expect(all.count == events && Set(all).count == events, "and none was told twice")
    #expect(await engine.stop() == 0, "\(engine.said)")
    await site.close()
  }

  /// Shard and position of every event in Kafka.
  private func read(_ site: KafkaSite) async throws -> [String] {
    try await Kcat.dump(site.topic("events"), "%h\n", at: site.broker.brokers).map { headers in
      headers.split(separator: ",").filter { $0.hasPrefix("ce_shard=") || $0.hasPrefix("ce_position=") }
        .joined(separator: " ")
    }
  }

  /// How many commands an engine has handled since it began.
  private static func handled(_ echo: JSON, _ site: KafkaSite) -> Int {
    let topic = JSON.string(site.topic("commands"))
    return echo["consumers"]?.arrayValue?.first { $0["topics"]?[0] == topic }?["handled"]?.intValue ?? 0
  }

  private func count(_ site: KafkaSite, _ engine: SagaProcess) async throws -> Int {
    let sagas = try await site.call("GET", "\(engine.url)/v1/stats").body["sagas"]?.objectValue ?? [:]
    return sagas.reduce(0) { $0 + ($1.value.intValue ?? 0) }
  }

  private func eventsOfOne(_ site: KafkaSite, _ engine: SagaProcess) async throws -> Int {
    let sagas = try await site.call("GET", "\(engine.url)/v1/sagas?limit=1").body["sagas"]?.arrayValue ?? []
    let id = try #require(sagas.first?["id"]?.stringValue)
    let events = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events").body["events"]?.arrayValue ?? []
    #expect(events.last?["type"] == "sagaCompleted")
    return events.count
  }
}
