import Messaging
import Runtime
import TestSupport
import Testing
import Values

// The mock cluster gathers the members of a group for one second less than their session. When the machine stalls it for
// longer than that second, it forgets a waiting member's request to join. The client asks again after 33 seconds, and may
// have to do so several times. So these tests have much time.
@Suite("A consumer gives up a partition, or stops", .timeLimit(.minutes(15)), .apart)
struct GivenUpTests {
  private static let longest = Duration.seconds(600)

  private func consumer(
    _ bench: WireTests.Bench, maxInFlight: Int = 1, drainTime: Duration = .milliseconds(200),
    _ handlers: MessageHandlers
  ) -> KafkaConsumer {
    var configuration = KafkaConsumer.Configuration(
      cluster: bench.cluster, group: bench.group, topics: [bench.topic], maxInFlight: maxInFlight)
    configuration.drainTime = drainTime
    return KafkaConsumer(configuration, handlers: handlers, deadLetters: bench.deadLetters, environment: .system)
  }

  @Test("A partition that was given up while it was paused is read again when it comes back")
  func pausedAndBack() async throws {
    let bench = try await WireTests.Bench(partitions: 2)
    func send(_ text: String, to partition: Int) async throws {
      _ = try await bench.producer.send(
        KafkaRecord(topic: bench.topic, partition: partition, key: [UInt8(partition)], value: Array(text.utf8)))
    }
    // 1. The first member has both partitions, with more messages than it takes at once in each.
    let gate = Seen<Int>()
    let seen = Seen<String>()
    let first = consumer(
      bench,
      MessageHandlers { message in
        _ = await gate.wait(for: 1)
        await seen.add("\(message.partition) \(message.text)")
      })
    let running = Task { try await first.run() }
    for number in 0..<20 {
      for partition in 0..<2 { try await send("\(number)", to: partition) }
    }
    try await eventually("the first member has 40 messages", within: Self.longest) { first.status().lag == 40 }
    // 2. A second member takes one of them, and leaves again.
    let others = Seen<String>()
    let second = consumer(bench, MessageHandlers { await others.add($0.text) })
    let visiting = Task { try await second.run() }
    _ = await others.wait { $0.contains("19") }
    visiting.cancel()
    _ = await visiting.result
    try await eventually("the first member has both partitions", within: Self.longest) {
      first.status().partitions == 2
    }
    // 3. The first member reads both.
    await gate.add(1)
    for partition in 0..<2 { try await send("last", to: partition) }
    _ = await seen.wait { $0.contains("0 last") && $0.contains("1 last") }
    running.cancel()
    _ = await running.result
  }

  @Test(
    "A consumer whose request to join the group is never answered asks again within a minute",
    .enabled(if: TestBroker.named == nil))
  func joinsAgain() async throws {
    let bench = try await WireTests.Bench(partitions: 1)
    let seen = Seen<String>()
    let consumer = consumer(bench, MessageHandlers { await seen.add($0.text) })
    let began = ContinuousClock.now
    let running = Task { try await consumer.run() }
    try await bench.send(["a"])
    // The broker gathers members for three seconds. While it is frozen for longer than a session, it forgets the request.
    try await eventually("a second has passed") { ContinuousClock.now - began > .seconds(1) }
    try await bench.broker.freeze()
    let frozen = ContinuousClock.now
    try await eventually("nine seconds have passed") { ContinuousClock.now - frozen > .seconds(9) }
    bench.broker.thaw()
    let thawed = ContinuousClock.now
    _ = await seen.wait { $0.contains("a") }
    #expect(ContinuousClock.now - thawed < .seconds(60))
    running.cancel()
    _ = await running.result
  }

  @Test("A handler in backoff does not keep its consumer from stopping", .timeLimit(.minutes(15)))
  func stopsWhileResting() async throws {
    let bench = try await WireTests.Bench(partitions: 1)
    let tries = Seen<String>()
    let consumer = consumer(
      bench, drainTime: .seconds(600),
      MessageHandlers { message in
        await tries.add(message.text)
        throw KafkaError.closed
      })
    let running = Task { try await consumer.run() }
    try await bench.send(["a"])
    _ = await tries.wait(for: 3)
    running.cancel()
    // Within the test's time limit, not after the drain time of ten minutes.
    _ = await running.result
  }

  @Test(
    "A consumer stops although the broker is silent and a poison message waits for its dead letter",
    .enabled(if: TestBroker.named == nil), .timeLimit(.minutes(15)))
  func stopsWhileBrokerIsSilent() async throws {
    let bench = try await WireTests.Bench(partitions: 1)
    let seen = Seen<String>()
    let consumer = consumer(
      bench, maxInFlight: 2,
      MessageHandlers { message in
        if message.text == "bad" { try await bench.broker.freeze() }
        await seen.add(message.text)
        guard message.text == "bad" else { return }
        throw Poison("test.bad", "it is bad")
      })
    let running = Task { try await consumer.run() }
    try await bench.send(["good", "bad"], key: nil)
    _ = await seen.wait { $0.contains("bad") }
    running.cancel()
    _ = await running.result
    bench.broker.thaw()
  }

  @Test(
    "A client that its group has fenced ends its consumer with the reason",
    .enabled(if: TestBroker.named == nil), .timeLimit(.minutes(15)))
  func fenced() async throws {
    let bench = try await WireTests.Bench(properties: [.init("group.instance.id", "one")])
    // The broker answers a JoinGroup with FENCED_INSTANCE_ID.
    await bench.broker.fail(api: 11, code: 82, count: 1)
    let consumer = consumer(bench, MessageHandlers { _ in })
    let error = await #expect(throws: KafkaError.self) { try await consumer.run() }
    #expect(error?.isFatal == true && error?.kafkaName == "FENCED_INSTANCE_ID")
    #expect(consumer.status().problem == error?.message)
  }
}
