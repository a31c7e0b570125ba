import Messaging
import TestSupport
import Testing
import Values

@Suite("Dead letters that are too large for their topic", .timeLimit(.minutes(15)), .inTurn)
struct LargeDeadLetterTests {
  @Test("The value, and then key and headers, are omitted so that source and reason fit")
  func shortened() async throws {
    let bench = try await WireTests.Bench(properties: [.init("message.max.bytes", "2000")])
    let large = [UInt8](repeating: 0x61, count: 3_000)
    func message(_ offset: Int64, key: [UInt8]?, value: [UInt8], header: [UInt8]) -> KafkaMessage {
      KafkaMessage(
        topic: "somewhere", partition: 3, offset: offset, key: key, value: value, headers: [KafkaHeader("own", header)])
    }
    for (offset, one) in [
      message(0, key: [1], value: [2], header: [0x78]), message(1, key: [1], value: large, header: [0x78]),
      message(2, key: [1], value: large, header: large), message(3, key: large, value: [2], header: [0x78]),
    ].enumerated() {
      // A reason may be as long as the message that it quotes.
      let reason = offset == 0 ? "short" : String(repeating: "r", count: 100)
      try await bench.deadLetters.bury(one, code: "test.bad", reason: reason, attempts: 1)
    }
    await #expect(throws: Never.self) {
      try await bench.deadLetters.bury(
        message(4, key: nil, value: [2], header: []), code: "test.bad", reason: String(repeating: "é", count: 500),
        attempts: 1)
    }
    let seen = Seen<KafkaMessage>()
    let reader = bench.consumer(
      bench.deadLetterTopic, group: "dead-letters", handlers: MessageHandlers { await seen.add($0) })
    let reading = Task { try await reader.run() }
    let deadLetters = await seen.wait(for: 5).sorted { $0.header("dl_offset") ?? "" < $1.header("dl_offset") ?? "" }
    #expect(deadLetters.map { $0.header("dl_offset") } == ["0", "1", "2", "3", "4"])
    #expect(deadLetters.allSatisfy { $0.header("dl_topic") == "somewhere" && $0.header("dl_code") == "test.bad" })
    #expect(deadLetters.map { $0.value?.count } == [1, nil, nil, nil, 1])
    #expect(deadLetters.map { $0.key?.count } == [1, 1, nil, nil, nil])
    #expect(deadLetters.map { $0.header("own") != nil } == [true, true, false, false, true])
    #expect(deadLetters[1].header("dl_value_omitted") == "3000 bytes, sha256 \(Digest.hex(large))")
    #expect(deadLetters[3].header("dl_key_omitted") == "3000 bytes, sha256 \(Digest.hex(large))")
    reading.cancel()
    _ = await reading.result
  }

  @Test("A property on which delivery depends can't be changed, but may be set to its own value")
  func settled() throws {
    for (name, value) in [
      ("enable.auto.commit", "true"), ("acks", "1"), ("partition.assignment.strategy", "range"),
      ("transactional.id", "x"), ("message.timeout.ms", "1000"),
    ] {
      let cluster = KafkaCluster(brokers: "127.0.0.1:1", properties: [.init(name, value)])
      let error = #expect(throws: KafkaError.self) { try KafkaProducer(cluster, name: "test") }
      #expect(error?.code == MessagingErrorCode.configurationInvalid && error?.message.contains(name) == true)
    }
    _ = try KafkaProducer(
      KafkaCluster(brokers: "127.0.0.1:1", properties: [.init("acks", "all"), .init("enable.idempotence", "true")]),
      name: "test")
  }
}
