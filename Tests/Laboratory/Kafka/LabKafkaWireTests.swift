import HTTP
import JSON
import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("The laboratory over Kafka, on the wire", .timeLimit(.minutes(15)), .inTurn)
struct LabKafkaWireTests {
  @Test("A laboratory that is killed between effect and answer answers when it is back; every command took effect once")
  func killed() async throws {
    let wire = try await Wire()
    let store = MemoryStore(environment: .system)
    let holding = HoldingStore(store)
    let sagas = (0..<20).map { "saga-\($0)" }

    // 1. The laboratory stops: some commands are answered, some took effect without an answer, some have not begun.
    let first = try await wire.lab(on: holding)
    let running = Task { try await first.kafka.run() }
    for saga in sagas {
      try await wire.send(.samples, "create", LabBench.tube("TS-\(saga)"), saga: saga)
      try await wire.send(.storage, "allocate", LabBench.place(saga), saga: saga)
    }
    await holding.waitUntilHeld(3)
    running.cancel()
    _ = await running.result
    await first.participants.close()
    let heldKeys = Set(holding.keys)
    #expect(heldKeys.count >= 3)

    // 2. The next one on the same store and in the same group has the rest, and what was not answered.
    let second = try await wire.lab(on: store)
    let again = Task { try await second.kafka.run() }
    let wanted = Set(sagas.flatMap { ["\($0)/create/1", "\($0)/allocate/1"] })
    let replies = await wire.replies.wait { Set($0.compactMap { $0.header("idempotency-key") }).isSuperset(of: wanted) }
    for reply in replies {
      let body = try JSON(parsing: reply.value ?? [])
      #expect(body["outcome"] == "succeeded", "\(body.text())")
      #expect(reply.key.map { String(decoding: $0, as: UTF8.self) } == reply.header("ce_subject"))
    }
    // The first answers come again, not others.
    for (key, all) in Dictionary(grouping: replies, by: { $0.header("idempotency-key") ?? "" }) {
      #expect(Set(all.map(\.value)).count == 1, "\(key) was answered in several ways")
      if heldKeys.contains(key) { #expect(all.count == 1, "\(key) was answered by the one that was killed") }
    }
    let effects = try await second.effects()
    #expect(effects.filter { wanted.contains($0.key) } == Dictionary(uniqueKeysWithValues: wanted.map { ($0, 1) }))

    // 3. Every event that is stored is published, those of one thing in their order.
    var stored: [StoredEvent] = []
    for shard in 0..<store.shardCount { stored += try await store.tail(shard: shard, after: 0, limit: 1_000) }
    let places = Set(stored.map { "\($0.shard)/\($0.position)" })
    let published = await wire.events.wait { Set($0.map(Self.place)).isSuperset(of: places) }
    #expect(Set(published.map(Self.place)) == places)
    for (place, events) in Dictionary(grouping: published, by: { "\($0.topic) \($0.header("ce_shard") ?? "")" }) {
      var seen: [Int64] = []
      for position in events.compactMap({ $0.header("ce_position").flatMap { Int64($0) } }) {
        // A repeat is one that was published before.
        if seen.contains(position) { continue }
        #expect(position > seen.last ?? 0, "\(place): \(position) after \(seen)")
        seen.append(position)
      }
    }
    let created = try #require(published.first { $0.header("ce_type") == "sample.created" })
    #expect(created.topic == wire.topics[.events(.samples)] && created.header("ce_source") == "/laboratory/samples")
    #expect(created.key == created.header("ce_subject").map { Array($0.utf8) })
    again.cancel()
    _ = await again.result
    await second.participants.close()
    await wire.close()
  }

  @Test(
    "A poison message is answered and becomes a dead letter, and a fault that withholds an answer blocks no other command"
  )
  func poison() async throws {
    let wire = try await Wire()
    let lab = try await wire.lab(on: MemoryStore(environment: .system), faults: "samples.create:timeout,match=TS-LOST")
    let running = Task { try await lab.kafka.run() }
    try await wire.send(.samples, "create", LabBench.tube("TS-LOST"), saga: "one")
    try await wire.send(.samples, "crate", [:], saga: "one")
    try await wire.send(.samples, "create", LabBench.tube("TS-1"), saga: "one", key: "after")
    let replies = await wire.replies.wait(for: 2)
    let codes = try replies.map { try JSON(parsing: $0.value ?? [])["code"]?.stringValue }
    #expect(codes == ["lab.commandUnknown", nil])
    #expect(replies.map { $0.header("idempotency-key") } == ["one/crate/1", "after"])
    let deadLetter = try #require(await wire.deadLetters.wait(for: 1).first)
    #expect(deadLetter.header("dl_code") == "lab.commandUnknown" && deadLetter.header("ce_type") == "samples.crate")
    #expect(try await lab.effects()["one/create/1"] == nil)
    running.cancel()
    _ = await running.result
    #expect(lab.kafka.status().handled == 2 && lab.kafka.status().deadLettered == 1)
    await lab.participants.close()
    await wire.close()
  }

  @Test("The laboratory runs without a broker, but does not start with an invalid setting")
  func unreachable() async throws {
    let store = MemoryStore(environment: .system)
    func server(_ properties: KafkaCluster.Property...) -> LabServer {
      LabServer(
        store: store, environment: .system, layout: .standard(boxesPerZone: 1),
        kafka: LabKafka.Configuration(cluster: KafkaCluster(brokers: "127.0.0.1:1", properties: properties)))
    }
    let wrong = await #expect(throws: KafkaError.self) { try await server(.init("no.such", "1")).start() }
    #expect(wrong?.code == MessagingErrorCode.configurationInvalid)
    let lab = server()
    let url = "http://127.0.0.1:\(try await lab.start())"
    let client = HTTPClient()
    let tube = LabBench.tube("TS-1").bytes()
    let made = try await client.send(
      HTTPClientRequest(
        method: "PUT", url: url + LabBench.sample("s"),
        headers: ["Idempotency-Key": "k", "Content-Type": "application/json"], body: tube))
    #expect(made.status == 201)
    let shown = try await client.send(HTTPClientRequest(method: "GET", url: url + "/lab/kafka"))
    #expect(try JSON(parsing: shown.body)["commands"]?["handled"] == 0)
    await client.shutdown()
    await lab.shutdown()
    await store.close()
  }

  private static func place(_ message: KafkaMessage) -> String {
    "\(message.header("ce_shard") ?? "")/\(message.header("ce_position") ?? "")"
  }
}

/// A broker with the laboratory's topics, and readers of what the laboratory writes.
private struct Wire {
  let broker: TestBroker
  let cluster: KafkaCluster
  let topics: LabKafka.Topics
  let replyTopic: String
  let group: String
  let producer: KafkaProducer
  let replies = Heard()
  let events = Heard()
  let deadLetters = Heard()
  private let reading: Task<Void, Never>

  init() async throws {
    let mark = Environment.system.newID()
    var topics = LabKafka.Topics()
    for role in LabKafka.Topics.Role.allCases { topics[role] = "\(topics[role])-\(mark)" }
    let replyTopic = "saga.replies-\(mark)"
    let names = topics.all + [replyTopic]
    broker = try await TestBroker.start(topics: names.map { "\($0):4" })
    cluster = KafkaCluster(brokers: broker.brokers)
    if !broker.isMock { _ = try await KafkaTopics(cluster).ensure(names.map { KafkaTopic($0, partitions: 4) }) }
    producer = try KafkaProducer(cluster, name: "test")
    self.topics = topics
    self.replyTopic = replyTopic
    group = "laboratory-\(mark)"
    let unused = DeadLetters(producer: producer, topic: topics.deadLetter, environment: .system)
    let eventTopics = LabService.allCases.map { topics[.events($0)] }
    let reader = KafkaConsumer(
      .init(
        cluster: cluster, group: "reader-\(mark)", topics: eventTopics + [replyTopic, topics.deadLetter],
        maxInFlight: 1),
      handlers: MessageHandlers { [replies, events, deadLetters] message in
        switch message.topic {
        case replyTopic: await replies.add(message)
        case topics.deadLetter: await deadLetters.add(message)
        default: await events.add(message)
        }
      }, deadLetters: unused, environment: .system)
    reading = Task { try? await reader.run() }
  }

  struct Lab {
    let participants: Participants
    let kafka: LabKafka

    /// How often each key took effect.
    func effects() async throws -> [String: Int] {
      let response = await participants.handle(try HTTPServerRequest("GET", "/lab/effects"))
      let effects = try JSON(parsing: response.body.bytes ?? [])["effects"]?.objectValue ?? [:]
      return Dictionary(uniqueKeysWithValues: effects.map { ($0.name, $0.value.intValue ?? 0) })
    }
  }

  func lab(on store: any EventStore, faults: String...) async throws -> Lab {
    let participants = try await Participants.open(
      store: store, environment: .system, faults: FaultPlan(parsing: faults), layout: .standard(boxesPerZone: 2))
    var configuration = LabKafka.Configuration(cluster: cluster, topics: topics, group: group)
    configuration.drainTime = .milliseconds(500)
    return Lab(
      participants: participants,
      kafka: try LabKafka(configuration, participants: participants, environment: .system))
  }

  func send(_ service: LabService, _ command: String, _ body: JSON, saga: String, key: String? = nil) async throws {
    let key = key ?? "\(saga)/\(command)/1"
    var record = CloudEvent(
      id: "\(key)#1", source: "/sagas/test", type: "\(service.rawValue).\(command)", subject: saga, data: body.bytes()
    ).record(topic: topics[.commands(service)], key: saga)
    record.headers += [
      KafkaHeader("idempotency-key", key), KafkaHeader("saga-id", saga), KafkaHeader("saga-step", command),
      KafkaHeader("saga-attempt", "1"), KafkaHeader("reply-topic", replyTopic),
    ]
    _ = try await producer.send(record)
  }

  func close() async {
    reading.cancel()
    await reading.value
    await producer.close(flushWithin: .seconds(1))
  }
}

/// Messages that were read, and a way to wait for them.
private actor Heard {
  private let messages = Told<KafkaMessage>()
  var all: [KafkaMessage] { messages.all }

  func add(_ message: KafkaMessage) { messages.add(message) }

  /// Returns the messages as soon as they are enough, or when the task is cancelled.
  func wait(until enough: @escaping @Sendable ([KafkaMessage]) -> Bool) async -> [KafkaMessage] {
    await messages.wait(until: enough)
  }

  func wait(for count: Int) async -> [KafkaMessage] { await wait { $0.count >= count } }
}
