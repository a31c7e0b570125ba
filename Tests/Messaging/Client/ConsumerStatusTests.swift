import Messaging
import Runtime
import TestSupport
import Testing
import Values

@Suite("How a consumer says that it stands")
struct ConsumerStatusTests {
  @Test("A broker that went is told, and that it is back, though no message comes")
  func comeBack() async throws {
    let broker = try await TestBroker.mock(topics: ["quiet:1", "letters:1"])
    let cluster = KafkaCluster(brokers: broker.brokers, properties: [.init("statistics.interval.ms", "100")])
    let producer = try KafkaProducer(cluster, name: "test")
    let consumer = KafkaConsumer(
      .init(cluster: cluster, group: "g", topics: ["quiet"]), handlers: MessageHandlers { _ in },
      deadLetters: DeadLetters(producer: producer, topic: "letters", environment: .system), environment: .system)
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
    let clock = SystemClock()
    let deadline = clock.now() + .seconds(60)
    while !holds(consumer.status()) {
      try #require(clock.now() < deadline, "It stays \(consumer.status()).")
      try await clock.sleep(until: clock.now() + .milliseconds(20))
    }
  }
}
