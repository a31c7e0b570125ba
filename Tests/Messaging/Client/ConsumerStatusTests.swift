import Messaging
import Runtime
import TestSupport
import Testing
import Values

@Suite("The status of a consumer", .timeLimit(.minutes(15)), .inTurn)
struct ConsumerStatusTests {
  @Test("The status shows that the broker is down, and that it is up again, although no message comes")
  func comeBack() async throws {
    let broker = try await TestBroker.mock(topics: ["quiet:1", "dead-letters:1"])
    let cluster = KafkaCluster(brokers: broker.brokers, properties: [.init("statistics.interval.ms", "100")])
    let producer = try KafkaProducer(cluster, name: "test")
    let consumer = KafkaConsumer(
      .init(cluster: cluster, group: "g", topics: ["quiet"]), handlers: MessageHandlers { _ in },
      deadLetters: DeadLetters(producer: producer, topic: "dead-letters", environment: .system), environment: .system)
    let running = Task { try await consumer.run() }
    try await wait(for: consumer) { $0.partitions == 1 && $0.problem == nil }
    await broker.tell("down")
    try await wait(for: consumer) { $0.problem != nil }
    await broker.tell("up")
    try await wait(for: consumer) { $0.problem == nil }
    running.cancel()
    _ = await running.result
    await producer.close(flushWithin: .zero)
  }

  private func wait(for consumer: KafkaConsumer, until holds: (ConsumerStatus) -> Bool) async throws {
    try await eventually("the status changes", within: .seconds(120)) { holds(consumer.status()) }
  }
}
