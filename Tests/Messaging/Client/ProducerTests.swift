import Runtime
import TestSupport
import Testing
import Values

@testable import Messaging

// These tests control the broker, so they use the mock cluster.
@Suite("A producer in trouble, on the wire", .timeLimit(.minutes(15)), .inTurn)
struct ProducerTests {
  typealias Report = KafkaProducer.Report

  struct Bench {
    let broker: TestBroker
    let cluster: KafkaCluster
    let told = Told<Report>()
    let producer: KafkaProducer

    init(
      patience: KafkaProducer.Patience = .forever, lingering: Duration = .milliseconds(1), stopsAtGaps: Bool = false,
      _ properties: KafkaCluster.Property...
    ) async throws {
      broker = try await TestBroker.mock(topics: ["work:1"])
      cluster = KafkaCluster(brokers: broker.brokers, properties: properties)
      producer = try KafkaProducer(
        cluster, name: "test", patience: patience, lingering: lingering, stopsAtGaps: stopsAtGaps
      ) { [told] in told.add($0) }
    }

    func record(_ number: Int) -> KafkaRecord {
      KafkaRecord(topic: "work", key: Array("k".utf8), value: Array("\(number)".utf8))
    }

    /// Returns when the client has its connection and its producer id, and no message is on its way.
    func connect() async throws {
      _ = try await producer.send(record(0))
      try await eventually("nothing is on its way") { producer.countOnTheWay == 0 }
    }

    func enqueue(_ numbers: ClosedRange<Int>) throws {
      for number in numbers { try producer.enqueue(record(number), token: UInt64(number)) }
    }

    /// Returns the messages of the topic, up to this one.
    func read(to last: Int) async -> [Int] {
      let seen = Seen<Int>()
      let consumer = KafkaConsumer(
        .init(cluster: KafkaCluster(brokers: broker.brokers), group: "reader", topics: ["work"]),
        handlers: MessageHandlers { await seen.add(Int($0.text) ?? -1) },
        deadLetters: DeadLetters(producer: producer, topic: "dead-letters", environment: .system), environment: .system)
      let reading = Task { try await consumer.run() }
      let all = await seen.wait { $0.contains(last) }
      reading.cancel()
      _ = await reading.result
      return all
    }
  }

  @Test("A broker that freezes and thaws loses nothing and changes no order")
  func frozen() async throws {
    let bench = try await Bench()
    try await bench.connect()
    try bench.enqueue(1...500)
    try await bench.broker.freeze()
    try bench.enqueue(501...1_000)
    #expect(bench.told.all.count < 1_000)
    bench.broker.thaw()
    let told = await bench.told.wait(for: 1_000)
    #expect(told.map(\.token) == (1...1_000).map { UInt64($0) })
    let offsets = try told.map { try $0.result.get().offset }
    #expect(offsets == Array(1...1_000))
    #expect(await bench.read(to: 1_000) == Array(0...1_000))
    #expect(bench.producer.problem == nil)
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("When the queue is full, enqueue throws, and send waits for room without polling")
  func full() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "10"))
    try await bench.connect()
    try await bench.broker.freeze()
    try bench.enqueue(1...10)
    let error = #expect(throws: KafkaError.self) { try bench.enqueue(11...11) }
    #expect(error?.code == MessagingErrorCode.queueFull && error?.isRetriable == true)
    #expect(error?.mayHaveBeenSent == false)
    // 1. Callers wait for room while no message leaves.
    let order = Told<String>()
    let waiting = Task { [producer = bench.producer] in
      await producer.room()
      order.add("room")
    }
    let sending = Task { try await bench.producer.send(bench.record(12)) }
    try await eventually("two callers wait for room") { bench.producer.countWaitingForRoom == 2 }
    order.add("thaw")
    // 2. They continue when messages have left.
    bench.broker.thaw()
    _ = try await sending.value
    await waiting.value
    #expect(order.all == ["thaw", "room"])
    #expect(await bench.told.wait(for: 10).allSatisfy { (try? $0.result.get()) != nil })
    await bench.producer.room()
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Many messages that are sent through a small queue are delivered, each once")
  func crowd() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "7"))
    let offsets = try await withThrowingTaskGroup(of: Int64.self) { group in
      for number in 1...300 { group.addTask { try await bench.producer.send(bench.record(number)).offset } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(offsets.sorted() == Array(0..<300))
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("A cancelled caller stops waiting for room")
  func cancelled() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "1"))
    try await bench.connect()
    try await bench.broker.freeze()
    let underWay = Task { try await bench.producer.send(bench.record(1)) }
    try await eventually("a message is on its way") { bench.producer.countOnTheWay > 0 }
    let waiting = Task { try await bench.producer.send(bench.record(2)) }
    underWay.cancel()
    waiting.cancel()
    let (first, second) = (await underWay.failure, await waiting.failure)
    #expect(first?.code == MessagingErrorCode.notDelivered && first?.mayHaveBeenSent == true)
    #expect(second?.code == MessagingErrorCode.notDelivered && second?.mayHaveBeenSent == false)
    let third = Task { try await bench.producer.send(bench.record(3)) }
    third.cancel()
    #expect(await third.failure?.mayHaveBeenSent == false)
    bench.broker.thaw()
    #expect(await bench.read(to: 1) == [0, 1], "it had been sent all the same")
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("When the patience is over, the error says whether the message may have been sent")
  func patience() async throws {
    // 1. Without a broker it was not sent.
    let alone = try KafkaProducer(
      KafkaCluster(brokers: "127.0.0.1:1"), name: "test", patience: .atMost(.milliseconds(200)))
    let lost = await #expect(throws: KafkaError.self) {
      try await alone.send(KafkaRecord(topic: "work", value: [1]))
    }
    #expect(lost?.code == MessagingErrorCode.notDelivered && lost?.mayHaveBeenSent == false)
    #expect(lost?.isRetriable == true && lost?.isFatal == false)
    #expect(alone.problem != nil)
    await alone.close(flushWithin: .zero)
    // 2. With a broker that doesn't answer it may have been sent.
    let bench = try await Bench(patience: .atMost(.milliseconds(1_200)))
    try await bench.connect()
    try await bench.broker.freeze()
    let unknown = await #expect(throws: KafkaError.self) { try await bench.producer.send(bench.record(1)) }
    #expect(unknown?.code == MessagingErrorCode.notDelivered && unknown?.mayHaveBeenSent == true)
    bench.broker.thaw()
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Only a message that the broker refuses alone is refused")
  func refused() async throws {
    let bench = try await Bench(lingering: .milliseconds(50))
    try await bench.connect()
    // 1. A request with five messages is refused: each of them is sent again alone.
    await bench.broker.fail(api: 0, code: 10, count: 1)
    let offsets = try await withThrowingTaskGroup(of: Int64.self) { group in
      for number in 1...5 { group.addTask { try await bench.producer.send(bench.record(number)).offset } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(offsets.sorted() == [1, 2, 3, 4, 5])
    // 2. A message is refused, and refused again alone.
    await bench.broker.fail(api: 0, code: 10, count: 2)
    let error = await #expect(throws: KafkaError.self) { try await bench.producer.send(bench.record(6)) }
    #expect(error?.code == MessagingErrorCode.messageRefused && error?.kafkaName == "MSG_SIZE_TOO_LARGE")
    #expect(error?.isRetriable == false && error?.mayHaveBeenSent == false && error?.refusesTheMessage == true)
    // 3. The next message is delivered.
    #expect(try await bench.producer.send(bench.record(7)).offset == 6)
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("A client that breaks for good is replaced after all its messages have failed")
  func renewed() async throws {
    let bench = try await Bench(lingering: .milliseconds(50), stopsAtGaps: true)
    try await bench.connect()
    let before = bench.producer.client
    await bench.broker.fail(api: 0, code: 10, count: 1)
    try bench.enqueue(1...20)
    let told = await bench.told.wait(for: 20)
    #expect(told.allSatisfy { (try? $0.result.get()) == nil })
    #expect(Set(told.map(\.token)) == Set(1...20))
    try await eventually("the client is replaced") { bench.producer.client != before }
    // 1. A message for the old client isn't given to the new one.
    let error = #expect(throws: KafkaError.self) {
      try bench.producer.enqueue(bench.record(21), token: 21, client: before)
    }
    #expect(error?.code == MessagingErrorCode.notDelivered && error?.mayHaveBeenSent == false)
    // 2. The new one works as the old one did.
    for number in 22...30 {
      try bench.producer.enqueue(bench.record(number), token: UInt64(number), client: bench.producer.client)
    }
    let after = await bench.told.wait(for: 29).suffix(9)
    #expect(after.map(\.token) == Array(22...30) && after.allSatisfy { (try? $0.result.get()) != nil })
    #expect(try await bench.producer.send(bench.record(31)).topic == "work")
    #expect(await bench.read(to: 31) == [0] + Array(22...31))
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Every message that is sent while the client breaks gets an answer")
  func sendingMeanwhile() async throws {
    let bench = try await Bench(lingering: .zero, stopsAtGaps: true)
    try await bench.connect()
    let delivered = await withTaskGroup(of: Bool.self) { group in
      for number in 1...400 {
        if number % 100 == 0 { await bench.broker.fail(api: 0, code: 10, count: 1) }
        group.addTask {
          // The broker refuses a number of requests, not particular messages.
          for _ in 0..<10_000 { if (try? await bench.producer.send(bench.record(number))) != nil { return true } }
          return false
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(delivered == 400)
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Closing delivers the messages on their way within its time; later messages are refused")
  func closing() async throws {
    let bench = try await Bench()
    try bench.enqueue(1...2_000)
    await bench.producer.close(flushWithin: .seconds(20))
    #expect(bench.told.all.count == 2_000)
    #expect(bench.told.all.allSatisfy { (try? $0.result.get()) != nil })
    let late = #expect(throws: KafkaError.self) { try bench.enqueue(2_001...2_001) }
    #expect(late?.code == MessagingErrorCode.closed)
    let sent = await #expect(throws: KafkaError.self) { try await bench.producer.send(bench.record(1)) }
    #expect(sent?.code == MessagingErrorCode.closed)
    await bench.producer.room()
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Closing with a frozen broker ends within its time and answers all callers")
  func closingInTrouble() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "50"))
    try await bench.connect()
    try await bench.broker.freeze()
    try bench.enqueue(1...49)
    let sending = Task { try await bench.producer.send(bench.record(50)) }
    let waiting = Task { try await bench.producer.send(bench.record(51)) }
    try await eventually("50 messages are on their way") { bench.producer.countOnTheWay >= 50 }
    await bench.producer.close(flushWithin: .milliseconds(100))
    #expect(bench.told.all.count == 49 && bench.told.all.allSatisfy { (try? $0.result.get()) == nil })
    #expect(await sending.failure != nil)
    #expect(await waiting.failure != nil)
    bench.broker.thaw()
  }
}

extension Task where Failure == any Error {
  /// The Kafka error with which the task failed; nil when it succeeded.
  fileprivate var failure: KafkaError? {
    get async {
      do {
        _ = try await value
        return nil
      } catch {
        return error as? KafkaError
      }
    }
  }
}
