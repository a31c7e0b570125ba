import Messaging
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("Producer and consumer on the wire", .timeLimit(.minutes(15)), .inTurn)
struct WireTests {
  struct Bench {
    let broker: TestBroker
    let cluster: KafkaCluster
    let topic: String
    let deadLetterTopic: String
    let producer: KafkaProducer
    let deadLetters: DeadLetters
    let group = "group-\(Environment.system.newID())"

    init(partitions: Int = 4, properties: [KafkaCluster.Property] = []) async throws {
      broker = try await TestBroker.start(topics: ["work:\(partitions)", "dead-letters:1"])
      cluster = KafkaCluster(brokers: broker.brokers, properties: properties)
      topic = try await newTopic("work", partitions: partitions, on: cluster, broker: broker)
      deadLetterTopic = try await newTopic("dead-letters", partitions: 1, on: cluster, broker: broker)
      producer = try KafkaProducer(cluster, name: "test")
      deadLetters = DeadLetters(producer: producer, topic: deadLetterTopic, environment: .system)
    }

    func consumer(
      _ topic: String? = nil, group: String? = nil, maxInFlight: Int = 8, handlers: MessageHandlers
    ) -> KafkaConsumer {
      KafkaConsumer(
        .init(cluster: cluster, group: group ?? self.group, topics: [topic ?? self.topic], maxInFlight: maxInFlight),
        handlers: handlers, deadLetters: deadLetters, environment: .system)
    }

    func send(_ texts: [String], key: String? = nil) async throws {
      for text in texts {
        _ = try await producer.send(
          KafkaRecord(
            topic: topic, key: (key ?? text).map { Array(String($0).utf8) }.reduce([], +), value: Array(text.utf8)))
      }
    }
  }

  @Test("Sent messages come with key and headers, in order for their key")
  func roundTrip() async throws {
    let bench = try await Bench()
    let seen = Seen<KafkaMessage>()
    let consumer = bench.consumer(handlers: MessageHandlers { await seen.add($0) })
    let running = Task { try await consumer.run() }
    let delivery = try await bench.producer.send(
      KafkaRecord(
        topic: bench.topic, key: Array("k".utf8), value: Array("one".utf8),
        headers: [KafkaHeader("a", "1"), KafkaHeader("a", "2"), KafkaHeader("empty", "")]))
    for number in 2...20 {
      _ = try await bench.producer.send(
        KafkaRecord(topic: bench.topic, key: Array("k".utf8), value: Array("\(number)".utf8)))
    }
    let all = await seen.wait(for: 20)
    #expect(all.map(\.text) == ["one"] + (2...20).map(String.init))
    #expect(all[0].headers == [KafkaHeader("a", "1"), KafkaHeader("a", "2"), KafkaHeader("empty", "")])
    #expect(all[0].key == Array("k".utf8))
    #expect(all[0].partition == delivery.partition && all[0].offset == delivery.offset)
    #expect(all[0].timestamp != nil)
    running.cancel()
    _ = await running.result
    await bench.producer.close(flushWithin: .seconds(1))
  }

  @Test("An offset is committed only after its handler: a message that was not handled comes again to the next member")
  func offsetsBehindEffects() async throws {
    let bench = try await Bench(partitions: 1)
    try await bench.send(["a", "b", "c", "d"])
    // 1. The third handler never ends: it is given up when the consumer stops.
    let first = Seen<String>()
    let stuck = bench.consumer(
      handlers: MessageHandlers { message in
        await first.add(message.text)
        if message.text == "c" {
          await untilCancelled()
          throw CancellationError()
        }
      })
    let running = Task { try await stuck.run() }
    _ = await first.wait(for: 4)
    running.cancel()
    _ = await running.result
    // 2. The next member gets the third message and later ones again, but no earlier ones.
    let second = Seen<String>()
    let next = bench.consumer(handlers: MessageHandlers { await second.add($0.text) })
    let again = Task { try await next.run() }
    let got = await second.wait { $0.contains("c") && $0.contains("d") }
    #expect(!got.contains("a") && !got.contains("b"), "\(got)")
    again.cancel()
    _ = await again.result
  }

  @Test(
    "Poison becomes a dead letter with its reason, a temporary failure is retried, and other messages are handled meanwhile"
  )
  func poison() async throws {
    let bench = try await Bench(partitions: 1)
    let seen = Seen<String>()
    let tries = Mutex(0)
    let consumer = bench.consumer(
      handlers: MessageHandlers { message in
        switch message.text {
        case "bad": throw Poison("test.bad", "it is bad")
        case "busy"
        where tries.withLock({ tries in
          tries += 1
          return tries < 3
        }):
          throw KafkaError.closed
        default: await seen.add(message.text)
        }
      })
    let running = Task { try await consumer.run() }
    _ = try await bench.producer.send(
      KafkaRecord(topic: bench.topic, key: [1, 2], value: Array("bad".utf8), headers: [KafkaHeader("own", "x")]))
    try await bench.send(["busy", "good"])
    let all = await seen.wait(for: 2)
    #expect(Set(all) == ["busy", "good"])
    let deadLetters = Seen<KafkaMessage>()
    let reader = bench.consumer(
      bench.deadLetterTopic, group: "dead-letters", handlers: MessageHandlers { await deadLetters.add($0) })
    let reading = Task { try await reader.run() }
    let deadLetter = try #require(await deadLetters.wait(for: 1).first)
    #expect(deadLetter.text == "bad" && deadLetter.key == [1, 2] && deadLetter.header("own") == "x")
    #expect(deadLetter.header("dl_code") == "test.bad" && deadLetter.header("dl_reason") == "it is bad")
    #expect(deadLetter.header("dl_topic") == bench.topic && deadLetter.header("dl_offset") == "0")
    #expect(deadLetter.header("dl_partition") == "0" && deadLetter.header("dl_attempts") == "1")
    #expect(consumer.status().deadLettered == 1)
    for task in [running, reading] {
      task.cancel()
      _ = await task.result
    }
  }

  @Test("Two members share the partitions; when one leaves, the other takes its partitions")
  func rebalance() async throws {
    let bench = try await Bench(partitions: 4)
    let seen = Seen<String>()
    let one = bench.consumer(handlers: MessageHandlers { await seen.add("1 \($0.text)") })
    let two = bench.consumer(handlers: MessageHandlers { await seen.add("2 \($0.text)") })
    let first = Task { try await one.run() }
    let second = Task { try await two.run() }
    var round = 0
    // Until both have had messages.
    while Set(await seen.all.map { $0.prefix(1) }).count < 2 {
      round += 1
      try await bench.send((0..<8).map { "\(round)-\($0)" })
      // A message may come again when its partition moves to the other member, so distinct messages are counted.
      let wanted = round * 8
      _ = await seen.wait { Set($0.map { $0.dropFirst(2) }).count == wanted }
    }
    first.cancel()
    _ = await first.result
    try await bench.send((0..<8).map { "last-\($0)" })
    // Distinct messages, because any may come again.
    let all = await seen.wait { Set($0.filter { $0.hasPrefix("2 last-") }).count >= 8 }
    let last = all.filter { $0.dropFirst(2).hasPrefix("last-") }
    #expect(Set(last) == Set((0..<8).map { "2 last-\($0)" }), "all came to the remaining member")
    second.cancel()
    _ = await second.result
  }

  @Test("The lag counts messages that come while their partition is paused")
  func lagWhilePaused() async throws {
    let bench = try await Bench(partitions: 1)
    let gate = Seen<Int>()
    let consumer = bench.consumer(maxInFlight: 1, handlers: MessageHandlers { _ in _ = await gate.wait(for: 1) })
    let running = Task { try await consumer.run() }
    // 1. With four waiting messages the partition is paused.
    try await bench.send((0..<10).map { "\($0)" })
    try await eventually("the lag has the first messages", within: .seconds(60)) { consumer.status().lag == 10 }
    // 2. No fetch tells of later messages.
    try await bench.send((10..<30).map { "\($0)" })
    try await eventually("the lag has the later messages", within: .seconds(60)) { consumer.status().lag == 30 }
    await gate.add(1)
    try await eventually("all messages are handled", within: .seconds(60)) { consumer.status().lag == 0 }
    running.cancel()
    _ = await running.result
  }

  @Test("A partition with too many waiting messages is paused, and read again when the handlers have caught up")
  func backpressure() async throws {
    let bench = try await Bench(partitions: 1)
    let gate = Seen<Int>()
    let seen = Seen<String>()
    let consumer = bench.consumer(
      maxInFlight: 2,
      handlers: MessageHandlers { message in
        _ = await gate.wait(for: 1)
        await seen.add(message.text)
      })
    let running = Task { try await consumer.run() }
    try await bench.send((0..<200).map { "\($0)" })
    #expect(await seen.all.isEmpty)
    await gate.add(1)
    let all = await seen.wait(for: 200)
    #expect(Set(all).count == 200)
    running.cancel()
    _ = await running.result
  }
}
