import Runtime
import TestSupport
import Testing
import Values

@testable import Messaging

/// What only a broker of our own can be told to do.
@Suite("A producer in trouble, on the wire", .timeLimit(.minutes(2)))
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

    /// The client is there, with its connection and its id as a producer, and nothing is on its way.
    func connect() async throws {
      _ = try await producer.send(record(0))
      while producer.countOnTheWay > 0 { await Task.yield() }
    }

    func enqueue(_ numbers: ClosedRange<Int>) throws {
      for number in numbers { try producer.enqueue(record(number), token: UInt64(number)) }
    }

    /// What stands in the topic, up to the last of these.
    func read(to last: Int) async -> [Int] {
      let seen = Seen<Int>()
      let consumer = KafkaConsumer(
        .init(cluster: KafkaCluster(brokers: broker.brokers), group: "reader", topics: ["work"]),
        handlers: MessageHandlers { await seen.add(Int($0.text) ?? -1) },
        deadLetters: DeadLetters(producer: producer, topic: "letters", environment: .system), environment: .system)
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
    bench.broker.freeze()
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

  @Test("When too much is on its way, enqueue says so, and send waits for room without turning in circles")
  func full() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "10"))
    try await bench.connect()
    bench.broker.freeze()
    try bench.enqueue(1...10)
    let error = #expect(throws: KafkaError.self) { try bench.enqueue(11...11) }
    #expect(error?.code == MessagingErrorCode.queueFull && error?.isRetriable == true)
    #expect(error?.mayHaveBeenSent == false)
    // 1. Whoever wants room waits, for as long as nothing leaves.
    let order = Told<String>()
    let waiting = Task { [producer = bench.producer] in
      await producer.room()
      order.add("room")
    }
    let sending = Task { try await bench.producer.send(bench.record(12)) }
    while bench.producer.countWaitingForRoom < 2 { await Task.yield() }
    order.add("thaw")
    // 2. And goes on when something has left.
    bench.broker.thaw()
    _ = try await sending.value
    await waiting.value
    #expect(order.all == ["thaw", "room"])
    #expect(await bench.told.wait(for: 10).allSatisfy { (try? $0.result.get()) != nil })
    await bench.producer.room()
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Many that send through a small queue all come through, each once")
  func crowd() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "7"))
    let offsets = try await withThrowingTaskGroup(of: Int64.self) { group in
      for number in 1...300 { group.addTask { try await bench.producer.send(bench.record(number)).offset } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(offsets.sorted() == Array(0..<300))
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Who doesn't wait for room any more is let go of")
  func cancelled() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "1"))
    try await bench.connect()
    bench.broker.freeze()
    let underWay = Task { try await bench.producer.send(bench.record(1)) }
    while bench.producer.countOnTheWay == 0 { await Task.yield() }
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

  @Test("Patience that is over says whether the message may have been sent")
  func patience() async throws {
    // 1. Nobody there: it was not.
    let nobody = try KafkaProducer(
      KafkaCluster(brokers: "127.0.0.1:1"), name: "test", patience: .atMost(.milliseconds(200)))
    let lost = await #expect(throws: KafkaError.self) {
      try await nobody.send(KafkaRecord(topic: "work", value: [1]))
    }
    #expect(lost?.code == MessagingErrorCode.notDelivered && lost?.mayHaveBeenSent == false)
    #expect(lost?.isRetriable == true && lost?.isFatal == false)
    #expect(nobody.problem != nil)
    await nobody.close(flushWithin: .zero)
    // 2. Somebody who doesn't answer: perhaps.
    let bench = try await Bench(patience: .atMost(.milliseconds(1_200)))
    try await bench.connect()
    bench.broker.freeze()
    let unknown = await #expect(throws: KafkaError.self) { try await bench.producer.send(bench.record(1)) }
    #expect(unknown?.code == MessagingErrorCode.notDelivered && unknown?.mayHaveBeenSent == true)
    bench.broker.thaw()
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("What the broker refuses alone is refused, and nothing else is")
  func refused() async throws {
    let bench = try await Bench(lingering: .milliseconds(50))
    try await bench.connect()
    // 1. A request with five messages is refused: each of them is asked about alone.
    await bench.broker.fail(api: 0, code: 10, count: 1)
    let offsets = try await withThrowingTaskGroup(of: Int64.self) { group in
      for number in 1...5 { group.addTask { try await bench.producer.send(bench.record(number)).offset } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(offsets.sorted() == [1, 2, 3, 4, 5])
    // 2. One that is refused alone, too.
    await bench.broker.fail(api: 0, code: 10, count: 2)
    let error = await #expect(throws: KafkaError.self) { try await bench.producer.send(bench.record(6)) }
    #expect(error?.code == MessagingErrorCode.messageRefused && error?.kafkaName == "MSG_SIZE_TOO_LARGE")
    #expect(error?.isRetriable == false && error?.mayHaveBeenSent == false && error?.refusesTheMessage == true)
    // 3. The next one doesn't hear of it.
    #expect(try await bench.producer.send(bench.record(7)).offset == 6)
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("A client that breaks for good is made anew, behind what had been given to it")
  func renewed() async throws {
    let bench = try await Bench(lingering: .milliseconds(50), stopsAtGaps: true)
    try await bench.connect()
    let before = bench.producer.client
    await bench.broker.fail(api: 0, code: 10, count: 1)
    try bench.enqueue(1...20)
    let told = await bench.told.wait(for: 20)
    #expect(told.allSatisfy { (try? $0.result.get()) == nil })
    #expect(Set(told.map(\.token)) == Set(1...20))
    while bench.producer.client == before { await Task.yield() }
    // 1. What is meant for the old client isn't given to the new one.
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

  @Test("What is sent while the client breaks is answered, every one of it")
  func sendingMeanwhile() async throws {
    let bench = try await Bench(lingering: .zero, stopsAtGaps: true)
    try await bench.connect()
    let delivered = await withTaskGroup(of: Bool.self) { group in
      for number in 1...400 {
        if number % 100 == 0 { await bench.broker.fail(api: 0, code: 10, count: 1) }
        group.addTask {
          // The broker means none of them: it fails by number.
          for _ in 0..<10_000 { if (try? await bench.producer.send(bench.record(number))) != nil { return true } }
          return false
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(delivered == 400)
    await bench.producer.close(flushWithin: .zero)
  }

  @Test("Closing delivers what is on its way, in the time that it has; then nothing is taken any more")
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

  @Test("Closing in front of a frozen broker ends in its time, and answers everybody")
  func closingInTrouble() async throws {
    let bench = try await Bench(.init("queue.buffering.max.messages", "50"))
    try await bench.connect()
    bench.broker.freeze()
    try bench.enqueue(1...49)
    let sending = Task { try await bench.producer.send(bench.record(50)) }
    let waiting = Task { try await bench.producer.send(bench.record(51)) }
    while bench.producer.countOnTheWay < 50 { await Task.yield() }
    await bench.producer.close(flushWithin: .milliseconds(100))
    #expect(bench.told.all.count == 49 && bench.told.all.allSatisfy { (try? $0.result.get()) == nil })
    #expect(await sending.failure != nil)
    #expect(await waiting.failure != nil)
    bench.broker.thaw()
  }
}

extension Task where Failure == any Error {
  /// How it failed with Kafka, when it did.
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
