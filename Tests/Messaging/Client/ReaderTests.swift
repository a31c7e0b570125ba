import Messaging
import TestSupport
import Testing
import Values

@Suite("Reading by offsets, on the wire", .timeLimit(.minutes(15)), .inTurn)
struct ReaderTests {
  private struct Bench {
    let broker: TestBroker
    let topic: String
    let cluster: KafkaCluster
    let reader: KafkaReader

    init(partitions: Int = 2) async throws {
      broker = try await TestBroker.start(topics: ["read:\(partitions)"])
      cluster = KafkaCluster(brokers: broker.brokers)
      topic = try await newTopic("read", partitions: partitions, on: cluster, broker: broker)
      reader = try KafkaReader(cluster, name: "reader-test")
    }

    func partition(_ number: Int) -> KafkaReader.Partition { .init(topic: topic, number: number) }

    func send(_ texts: ClosedRange<Int>, to partition: Int) async throws {
      let producer = try KafkaProducer(cluster, name: "test")
      for text in texts {
        _ = try await producer.send(KafkaRecord(topic: topic, partition: partition, value: Array("\(text)".utf8)))
      }
      await producer.close(flushWithin: .seconds(1))
    }

    /// Reads until the partitions have ended.
    func read(toEndOf partitions: Set<KafkaReader.Partition>, atMost most: Int = 7) async throws -> [KafkaMessage] {
      var messages: [KafkaMessage] = []
      var ended: Set<KafkaReader.Partition> = []
      while !ended.isSuperset(of: partitions) {
        let batch = try await reader.next(atMost: most, waiting: .milliseconds(200))
        #expect(batch.messages.count <= most)
        messages += batch.messages
        ended.subtract(batch.messages.map { .init(topic: $0.topic, number: $0.partition) })
        ended.formUnion(batch.ended)
      }
      return messages
    }
  }

  @Test("The reader reads each partition in order from its given offset, and reports the end")
  func offsets() async throws {
    let bench = try await Bench()
    #expect(try await bench.reader.partitionCount(of: bench.topic) == 2)
    let (first, second) = (bench.partition(0), bench.partition(1))
    try await bench.send(0...19, to: 0)
    try await bench.send(0...4, to: 1)
    #expect(try await bench.reader.bounds(of: first) == 0..<20)
    try await bench.reader.assign([first: 12, second: 0])
    let messages = try await bench.read(toEndOf: [first, second])
    #expect(messages.filter { $0.partition == 0 }.map(\.offset) == Array(12..<20))
    #expect(messages.filter { $0.partition == 0 }.map(\.text) == (12..<20).map(String.init))
    #expect(messages.filter { $0.partition == 1 }.map(\.text) == (0..<5).map(String.init))

    // Then nothing, without an end to waiting; then what comes.
    let nothing = try await bench.reader.next(atMost: 7, waiting: .milliseconds(50))
    #expect(nothing.messages.isEmpty && nothing.ended.isEmpty)
    try await bench.send(20...22, to: 0)
    #expect(try await bench.read(toEndOf: [first]).map(\.text) == ["20", "21", "22"])

    // Back again, and one partition only: of the other nothing comes any more.
    try await bench.send(5...5, to: 1)
    try await bench.reader.assign([first: 21])
    #expect(try await bench.read(toEndOf: [first]).map(\.text) == ["21", "22"])
    await bench.reader.close()
  }

  @Test("An offset that does not exist is an error; the reader skips nothing")
  func outOfRange() async throws {
    let bench = try await Bench(partitions: 1)
    try await bench.send(0...3, to: 0)
    try await bench.reader.assign([bench.partition(0): 40])
    var error: KafkaError?
    for _ in 0..<50 where error == nil {
      do {
        let batch = try await bench.reader.next(atMost: 10, waiting: .milliseconds(200))
        #expect(batch.messages.isEmpty)
      } catch let thrown { error = thrown }
    }
    #expect(error?.kafkaName == "_AUTO_OFFSET_RESET", "\(String(describing: error))")
    // The reader continues from an existing offset.
    try await bench.reader.assign([bench.partition(0): 3])
    #expect(try await bench.read(toEndOf: [bench.partition(0)]).map(\.text) == ["3"])
    await bench.reader.close()
  }

  @Test("A missing topic and a missing broker are errors")
  func unknown() async throws {
    let bench = try await Bench()
    await #expect(throws: KafkaError.self) { try await bench.reader.partitionCount(of: "no-such-topic") }
    do {
      _ = try await bench.reader.partitionCount(of: "no-such-topic")
    } catch { #expect(error.code == MessagingErrorCode.topicUnknown, "\(error)") }
    await bench.reader.close()

    let alone = try KafkaReader(KafkaCluster(brokers: "127.0.0.1:1"), name: "alone")
    do {
      _ = try await alone.partitionCount(of: "any", within: .milliseconds(300))
      Issue.record("no broker can have answered")
    } catch { #expect(error.code == MessagingErrorCode.unavailable, "\(error)") }
    await alone.close()
  }
}
