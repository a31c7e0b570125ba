import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

/// Publishes 10,000 sagas' events through a broker on the wire, while a consumer that isn't ours reads them. The engine
/// is killed five times. The broker is frozen twice for at least 20 seconds. `TRACSEQ_STORM_SAGAS` sets another number.
@Suite("The echo in a storm", .serialized, .timeLimit(.minutes(15)), .apart)
struct EchoStormTests {
  static let sagas = ProcessInfo.processInfo.environment["TRACSEQ_STORM_SAGAS"].flatMap { Int($0) } ?? 10_000
  static let kills = 5
  static let freezes = 2
  static let freeze = Duration.seconds(20)
  private let clock = SystemClock()

  static let workflow: JSON = [
    "name": "storm", "version": 1, "timeout": "10m",
    "steps": [
      ["id": "one", "delay": ["for": "0s"]], ["id": "two", "delay": ["for": "0s"]],
      ["id": "three", "delay": ["for": "200ms"]],
    ],
    "output": ["number": "${input.number}"],
  ]

  @Test("Every event arrives, in order for each saga, and repeats have equal shard and position")
  func storm() async throws {
    let site = try await KafkaSite(partitions: 16)
    var engine = try await site.startEngine()
    let read = ReadEvents()
    let reader = try KcatReader(topic: site.topic("events"), brokers: site.broker.brokers)
    let reading = Task { for await line in reader.lines { await read.add(line) } }
    var started = 0

    // 1. Commands come over Kafka; the engine is killed while it works on them.
    let perKill = Self.sagas * 6 / 10 / Self.kills
    for _ in 0..<Self.kills {
      let numbers = started..<(started + perKill)
      try await Kcat.send(numbers.map(Self.command), to: site.topic("commands"), at: site.broker.brokers)
      try await site.until("a third of them have started", engine) { $0 >= started + perKill / 3 }
      await engine.killNow()
      started += perKill
      engine = try await site.startEngine()
    }
    try await site.until("all commands have been taken", engine) { $0 >= started }

    // 2. The broker is frozen; sagas continue, and the echo waits.
    let perFreeze = (Self.sagas - started) / Self.freezes
    for round in 0..<Self.freezes {
      if !site.broker.isMock { break }
      try await site.broker.freeze()
      let thaw = clock.now() + Self.freeze
      let last = round == Self.freezes - 1 ? Self.sagas : started + perFreeze
      try await start(started..<last, at: engine, site)
      started = last
      try await site.until("sagas complete while the broker stands still", engine, of: "completed") { $0 >= started }
      // However long a busy machine needed.
      #expect(site.broker.isFrozen, "the sagas completed while the broker stood still")
      try await eventually("the freeze has lasted its time") { clock.now() >= thaw }
      site.broker.thaw()
    }
    if started < Self.sagas { try await start(started..<Self.sagas, at: engine, site) }

    // 3. All end, and the echo catches up.
    try await site.until("all complete", engine, of: "completed") { $0 >= Self.sagas }
    let stats = try await site.call("GET", "\(engine.url)/v1/stats").body["sagas"]?.objectValue ?? [:]
    let all = stats.reduce(0) { $0 + ($1.value.intValue ?? 0) }
    #expect(all == Self.sagas, "one saga a command, however often it was delivered: \(stats)")
    let events = try await site.caughtUp(engine)
    await read.wait(for: events)

    // 4. What the consumer saw is what the store holds.
    #expect(await !read.lostByBroker, "the mock cluster threw messages away before they were read: run it slower")
    let complaints = await read.complaints
    #expect(complaints.isEmpty, "\(complaints)")
    #expect(await read.count == events)
    #expect(await read.countOfSagas() == Self.sagas)
    try await compareSomeHistories(site, engine, read)
    print("storm: \(Self.sagas) sagas, \(events) events, \(await read.repeats) repeats")

    #expect(await engine.stop() == 0)
    reader.stop()
    _ = await reading.result
    await site.close()
  }

  private static func command(_ number: Int) -> String {
    let command: JSON = ["command": "start", "workflow": "storm", "input": ["number": .int(number)]]
    return "k\(number)|\(command.text())"
  }

  private func start(_ numbers: Range<Int>, at engine: SagaProcess, _ site: KafkaSite) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, number) in numbers.enumerated() {
        if index >= 32 { try await group.next() }
        group.addTask {
          let answer = try await site.call(
            "POST", "\(engine.url)/v1/workflows/storm/sagas", body: ["input": ["number": .int(number)]],
            headers: ["Idempotency-Key": "storm-\(number)"])
          #expect(answer.status == 201)
        }
      }
      try await group.waitForAll()
    }
  }

  private func compareSomeHistories(_ site: KafkaSite, _ engine: SagaProcess, _ read: ReadEvents) async throws {
    let page = try await site.call("GET", "\(engine.url)/v1/sagas?limit=50").body["sagas"]?.arrayValue ?? []
    #expect(page.count == min(50, Self.sagas))
    for saga in page.compactMap({ $0["id"]?.stringValue }) {
      let told = try await site.call("GET", "\(engine.url)/v1/sagas/\(saga)/events").body["events"]?.arrayValue ?? []
      let seen = await read.history(of: saga)
      #expect(seen.map(\.type) == told.map { "dev.tracseq.saga." + ($0["type"]?.stringValue ?? "") })
      for (one, other) in zip(seen, told) { #expect(try JSON(parsing: Array(one.value.utf8)) == other["data"]) }
    }
  }
}
