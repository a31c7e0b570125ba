import Foundation
import JSON
import TestSupport
import Testing
import Values

@Suite("Engine and laboratory over Kafka", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct KafkaLabTests {
  static let count = 60

  /// The workflow of the repository, with less patience: a test doesn't wait half a minute for an answer that was lost.
  private static func workflow() throws -> JSON {
    let text = String(decoding: try Repository.bytes("workflows/sample-processing-kafka.json"), as: UTF8.self)
    return try JSON(
      parsing: Array(
        text.replacing(#/"timeout": "[0-9]+s"/#, with: #""timeout": "7s""#)
          .replacing(#""initialInterval": "5s""#, with: #""initialInterval": "200ms""#).utf8))
  }

  @Test(
    "When both are killed amid 60 sagas with lost answers, all sagas end and every command took effect once",
    arguments: Site.Store.allCases)
  func kills(store: Site.Store) async throws {
    try #require(
      store != .postgres || Site.hasPostgres, "No Postgres: run the tests with scripts/with-postgres in front")
    let site = try await KafkaSite(store: store, more: KafkaSite.labTopics, workflow: try Self.workflow())
    let faults = [
      "notification.send:drop-answer,every=19", "storage.store:fail=ARM_JAMMED,every=17",
      "sequencing.schedule:status=503,every=13",
    ]
    var lab = try await site.startLab(faults[0], faults[1], faults[2])
    var engine = try await site.startEngineOfLab()

    // 1. Commands over Kafka; then the engine dies, and then the laboratory.
    try await Kcat.send(
      (0..<Self.count).map { number in
        let command: JSON = [
          "command": "start", "workflow": "sample-processing-kafka", "input": Site.tube(number),
          "key": .string("tube-\(number)"),
        ]
        return "tube-\(number)|\(command.text())"
      }, to: site.topic("commands"), at: site.broker.brokers)
    try await site.until("some have completed", engine, of: "completed") { $0 >= 8 }
    await engine.killNow()
    engine = try await site.startEngineOfLab()
    try await site.until("more have completed", engine, of: "completed") { $0 >= 16 }
    await lab.killNow()
    lab = try await site.startLab(faults[0], faults[1], faults[2])

    // 2. All end.
    try await site.until("all have ended", engine, "/v1/stats") { answer in
      let sagas = answer.body["sagas"]
      return (sagas?["completed"]?.intValue ?? 0) + (sagas?["compensated"]?.intValue ?? 0) == Self.count
    }
    let page = try await site.call("GET", "\(engine.url)/v1/sagas?limit=100").body["sagas"]?.arrayValue ?? []
    let sagas = page.map {
      KillTests.Ended(id: $0["id"]?.stringValue ?? "", status: $0["status"]?.stringValue ?? "none")
    }
    #expect(sagas.count == Self.count)

    // 3. The laboratory's own store is right, and all its events were published.
    let keys = try await KillTests.everyCommandOnce(site.site, lab, sagas: sagas)
    try await everyEventTold(site, lab, keys: keys)
    let letters = try await Kcat.dump(site.topic("dead-letter"), "%h\n", at: site.broker.brokers)
    #expect(letters.isEmpty, "\(letters)")
    let events = try await site.caughtUp(engine)
    let told = try await Kcat.dump(site.topic("events"), "%h\n", at: site.broker.brokers)
    #expect(Set(told.map(Self.place)).count == events)

    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  private func everyEventTold(_ site: KafkaSite, _ lab: SagaProcess, keys: Set<String>) async throws {
    try await site.until("the laboratory has published everything", lab, "/lab/kafka") {
      $0.body["events"]?["waiting"] == 0
    }
    var places: [Int: Set<Int>] = [:]
    var causes: Set<String> = []
    for topic in site.labEventTopics {
      let lines = try await Kcat.dump(topic, "%h\n", at: site.broker.brokers)
      #expect(!lines.isEmpty, "\(topic)")
      for line in lines {
        let place = Self.place(line)
        places[place.shard, default: []].insert(place.position)
        if let cause = Self.header("ce_causationid", line) { causes.insert(String(cause)) }
      }
    }
    for (shard, positions) in places {
      #expect(positions == Set(1...positions.count), "shard \(shard) has gaps")
    }
    #expect(keys.isSubset(of: causes), "\(keys.subtracting(causes).prefix(5)) took effect, and nobody was told")
  }

  private struct Place: Hashable {
    let shard: Int
    let position: Int
  }

  private static func place(_ headers: Substring) -> Place {
    func number(_ name: String) -> Int { header(name, headers).flatMap { Int($0) } ?? -1 }
    return Place(shard: number("ce_shard"), position: number("ce_position"))
  }

  private static func header(_ name: String, _ headers: Substring) -> Substring? {
    headers.split(separator: ",").first { $0.hasPrefix(name + "=") }?.dropFirst(name.count + 1)
  }
}
