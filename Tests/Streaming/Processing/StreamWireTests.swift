import Foundation
import JSON
import Messaging
import Persistence
import Runtime
import Streaming
import TestSupport
import Testing
import Values
import Workflows

@Suite("Streams on the wire", .timeLimit(.minutes(15)), .inTurn)
struct StreamWireTests {
  struct Bench: Sendable {
    let broker: TestBroker
    let cluster: KafkaCluster
    let names: [String: String]

    init(_ topics: [String: Int]) async throws {
      broker = try await TestBroker.start(topics: topics.map { "\($0.key):\($0.value)" })
      cluster = KafkaCluster(brokers: broker.brokers)
      var names: [String: String] = [:]
      for (topic, partitions) in topics {
        guard !broker.isMock else {
          names[topic] = topic
          continue
        }
        let unique = "\(topic)-\(Environment.system.newID())"
        _ = try await KafkaTopics(cluster).ensure([KafkaTopic(unique, partitions: partitions)])
        names[topic] = unique
      }
      self.names = names
    }

    func topic(_ name: String) -> String { names[name] ?? name }

    /// Reads a topic's one partition until it has so many messages.
    func read(_ topic: String, _ count: Int) async throws -> [KafkaMessage] {
      let reader = try KafkaReader(cluster, name: "wire-test")
      try await reader.assign([.init(topic: self.topic(topic), number: 0): 0])
      var messages: [KafkaMessage] = []
      while messages.count < count {
        messages += try await reader.next(atMost: 1_000, waiting: .milliseconds(200)).messages
      }
      await reader.close()
      return messages
    }

    func run(_ definition: StreamDefinition, _ store: any EventStore, until isDone: (StreamStatus) -> Bool)
      async throws -> StreamStatus
    {
      let source = try KafkaStreamSource(cluster, name: definition.name, atMost: 20, waiting: .milliseconds(50))
      let sink = try KafkaStreamSink(cluster, deadLetters: topic("dead-letters"), environment: .system)
      let processor = StreamProcessor(
        definition, store: store, source: source, sink: sink, environment: .system)
      let running = Task { try await processor.run() }
      try await eventually("the stream is done", within: .seconds(180), every: .milliseconds(5)) {
        isDone(processor.status())
      }
      running.cancel()
      _ = await running.result
      await sink.close(flushWithin: .seconds(1))
      await source.close()
      return processor.status()
    }
  }

  private static func withFile(_ body: (String) async throws -> Void) async throws {
    try await body(TestFolder.new("streams").appendingPathComponent("streams.db").path)
  }

  @Test("A count over two partitions is stopped and continues with its stored state; poison becomes a dead letter")
  func count() async throws {
    let bench = try await Bench(["samples": 2, "out": 1, "dead-letters": 1])
    let plan = CountPlan(
      input: StreamInput(topic: bench.topic("samples"), key: try JSONPath("$.data.type")), size: .seconds(3_600),
      timing: StreamTiming(lateness: .seconds(60)))
    let definition = StreamDefinition(name: "per-hour", work: .count(plan), to: bench.topic("out"))
    let producer = try KafkaProducer(bench.cluster, name: "test")
    func send(_ range: Range<Int>) async throws {
      for number in range {
        for partition in 0..<2 {
          var record = StreamProcessorTests.record(
            bench.topic("samples"), "\(partition)-\(number)",
            Timestamp(milliseconds: at("08:00").milliseconds + Int64(number * 60_000)), subject: "s",
            data: ["type": .string(number % 2 == 0 ? "dna" : "rna")])
          record.partition = partition
          _ = try await producer.send(record)
        }
      }
    }
    try await send(0..<150)
    _ = try await producer.send(KafkaRecord(topic: bench.topic("samples"), partition: 1, value: Array("{".utf8)))
    try await Self.withFile { path in
      let first = try await SQLiteStore.open(path: path, environment: .system)
      let stopped = try await bench.run(definition, first) { $0.totals.read >= 60 }
      #expect(stopped.totals.read < 301)
      await first.close()

      let second = try await SQLiteStore.open(path: path, environment: .system)
      let half = try await bench.run(definition, second) { $0.totals.read == 301 }
      #expect(half.totals.refused == 1 && half.totals.late == 0)
      try await send(150..<242)
      let status = try await bench.run(definition, second) { $0.totals.read == 485 }
      #expect(status.totals.sent == 8 && status.kept == 2 && status.problem == nil)
      await second.close()
    }
    await producer.close(flushWithin: .seconds(1))
    // Sixty of each type an hour, four hours, from both partitions.
    let events = try await bench.read("out", 8).compactMap { try CloudEvent($0) }
    #expect(Set(events.map(\.id)).count == 8)
    #expect(
      events.map { String(decoding: $0.data, as: UTF8.self) }.sorted().allSatisfy { $0.hasSuffix("\"count\":60}") })
    let deadLetter = try #require(try await bench.read("dead-letters", 1).first)
    #expect(deadLetter.header("dl_code") == MessagingErrorCode.messageNotJSON)
    #expect(deadLetter.header("dl_topic") == bench.topic("samples"))
  }

  @Test("A join pairs the events of two topics")
  func join() async throws {
    let bench = try await Bench(["samples": 2, "runs": 2, "out": 1, "dead-letters": 1])
    let producer = try KafkaProducer(bench.cluster, name: "test")
    for number in 0..<30 {
      let time = Timestamp(milliseconds: at("08:00").milliseconds + Int64(number * 60_000))
      let sample = StreamProcessorTests.record(
        bench.topic("samples"), "a\(number)", time, subject: "s\(number)", data: [:])
      let run = StreamProcessorTests.record(
        bench.topic("runs"), "x\(number)", time + .seconds(number % 3 == 0 ? 601 : 600), type: "run.scheduled",
        subject: "r\(number)", data: ["sampleId": .string("s\(number)")])
      // Now this one first, now that.
      for record in number % 2 == 0 ? [sample, run] : [run, sample] { _ = try await producer.send(record) }
    }
    await producer.close(flushWithin: .seconds(1))
    let plan = JoinPlan(
      left: StreamInput(
        topic: bench.topic("samples"), when: try JSONPathCondition("$.type == 'sample.created'"),
        key: try JSONPath("$.subject")),
      right: StreamInput(
        topic: bench.topic("runs"), when: try JSONPathCondition("$.type == 'run.scheduled'"),
        key: try JSONPath("$.data.sampleId")), within: .seconds(600), timing: StreamTiming(lateness: .seconds(3_600)))
    let definition = StreamDefinition(name: "sequenced", work: .join(plan), to: bench.topic("out"))
    let store = MemoryStore(environment: .system)
    let status = try await bench.run(definition, store) { $0.totals.read == 60 }
    #expect(status.totals.sent == 20 && status.totals.late == 0)
    let keys = try await bench.read("out", 20).compactMap { try CloudEvent($0)?.subject }
    #expect(Set(keys) == Set((0..<30).filter { $0 % 3 != 0 }.map { "s\($0)" }))
  }

  @Test("An output that the broker refuses for good becomes a dead letter, and the stream continues")
  func refusedOutput() async throws {
    let bench = try await Bench(["samples": 1, "out": 1, "dead-letters": 1])
    guard bench.broker.isMock else { return }
    let producer = try KafkaProducer(bench.cluster, name: "test")
    for id in ["a", "b"] {
      _ = try await producer.send(
        StreamProcessorTests.record(bench.topic("samples"), id, at("08:00"), subject: id, data: [:]))
    }
    await producer.close(flushWithin: .seconds(1))
    let plan = TransformPlan(
      input: StreamInput(topic: bench.topic("samples")), output: try Template(["id": "${id}"]), key: nil)
    let definition = StreamDefinition(name: "t", work: .transform(plan), to: bench.topic("out"))
    // Once: 10 is MSG_SIZE_TOO_LARGE, of Produce. Both are one batch.
    await bench.broker.fail(api: 0, code: 10, count: 1)
    let status = try await bench.run(definition, MemoryStore(environment: .system)) { $0.totals.read == 2 }
    #expect(status.totals.sent == 2)
    let deadLetters = try await bench.read("dead-letters", 1)
    #expect(deadLetters.first?.header("dl_code") == MessagingErrorCode.messageRefused)
    #expect(deadLetters.first?.header("dl_topic") == "out")
  }
}
