import JSON
import Messaging
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Streaming

/// Faults that only our own mock broker can produce.
@Suite("The echo in trouble", .timeLimit(.minutes(15)), .inTurn)
struct EchoTroubleTests {
  @Test("With a frozen broker writers continue, and the echo reports its lag and catches up in order")
  func frozen() async throws {
    let bench = try await EchoBench(shards: 8)
    let echo = try bench.echo()
    try await running(echo) {
      try await bench.append(20)
      try await bench.waitUntilDone(echo)
      try await bench.broker.freeze()
      try await bench.append(2_000)
      let behind = try await bench.wait(for: echo) { $0.lagEvents == 2_000 && $0.lag > .zero }
      #expect(behind.shards.allSatisfy { $0.checkpoint <= $0.delivered && $0.delivered < $0.head })
      bench.broker.thaw()
      let status = try await bench.waitUntilDone(echo)
      #expect(status.lagEvents == 0 && status.lag == .zero && status.problem == nil && status.state == .current)
      try await bench.readAll()
    }
  }

  @Test("A broker that is down is a problem until it is up")
  func down() async throws {
    let bench = try await EchoBench(shards: 2)
    let echo = try bench.echo()
    try await running(echo) {
      try await bench.append(10)
      try await bench.waitUntilDone(echo)
      await bench.broker.tell("down")
      try await bench.append(500)
      let held = try await bench.wait(for: echo) { $0.state == .held }
      #expect(held.problem?.code == MessagingErrorCode.unavailable && held.lagEvents > 0)
      await bench.broker.tell("up")
      let status = try await bench.waitUntilDone(echo)
      #expect(status.problem == nil && status.state == .current)
      try await bench.readAll()
    }
  }

  @Test("While nothing can be sent, events wait in the store, not in memory")
  func memory() async throws {
    let bench = try await EchoBench(shards: 4, .init("queue.buffering.max.messages", "100"))
    let worker = try EchoWorker(
      store: bench.store, configuration: bench.configuration { $0.pageSize = 10 }, map: { try bench.told($0) },
      prepare: { nil }, environment: .system, log: .silent, delivered: nil)
    let task = Task { try await worker.run() }
    try await bench.append(20)
    try await eventually("20 events are delivered", within: .seconds(90)) { await worker.status().delivered == 20 }
    try await bench.broker.freeze()
    for round in 1...20 {
      try await bench.append(200)
      try await eventually("the echo knows all events of round \(round)", within: .seconds(90)) {
        await worker.status().lagEvents >= round * 200
      }
      #expect(await worker.countBuffered <= 4 * 10, "round \(round)")
    }
    bench.broker.thaw()
    try await eventually("all events are delivered", within: .seconds(90)) { await worker.status().delivered >= 4_020 }
    try await bench.readAll()
    worker.inbox.stop()
    try await task.value
  }

  @Test("A shard with many events does not block the other shards when the queue is small")
  func fair() async throws {
    let bench = try await EchoBench(shards: 4, .init("queue.buffering.max.messages", "20"))
    try await bench.append(8_000, to: [0])
    try await bench.append(10, to: [3])
    let echo = try bench.echo { $0.pageSize = 20 }
    try await running(echo) {
      let status = try await bench.wait(for: echo) { $0.shards.last?.delivered == 10 }
      #expect(status.shards.first?.delivered ?? 0 < 4_000, "\(status)")
    }
  }

  @Test("Only the event that the broker refuses becomes a dead letter, and the echo continues")
  func refused() async throws {
    // The client waits for a second before it sends, so that one request has all events.
    let bench = try await EchoBench(shards: 2, partitions: 1, .init("linger.ms", "1000"))
    let echo = try bench.echo()
    try await running(echo) {
      try await bench.append(5, to: [0])
      try await bench.waitUntilDone(echo)
      // A request with many is refused, then the first of them alone.
      await bench.broker.fail(api: 0, code: 10, count: 2)
      try await bench.append(100, to: [0])
      let status = try await bench.waitUntilDone(echo)
      try #require(status.deadLettered == 1 && status.problem == nil)
      let deadLetter = try #require(try await bench.read(bench.deadLetterTopic, 1).first)
      let position = try #require(deadLetter.header("dl_position").flatMap { Int($0) })
      let event = try await bench.stored()[0][position - 1]
      #expect(position > 5 && deadLetter.header("dl_shard") == "0" && deadLetter.value == event.data)
      #expect(deadLetter.header("dl_stream") == event.stream.description && deadLetter.header("dl_version") == "1")
      #expect(
        deadLetter.header("dl_code") == MessagingErrorCode.messageRefused
          && deadLetter.header("dl_topic") == bench.topic)
      #expect(deadLetter.header("ce_position") == "\(position)" && deadLetter.header("dl_attempts") == "1")
      #expect(deadLetter.key == Array(event.stream.description.utf8) && deadLetter.header("dl_value_omitted") == nil)
      #expect(deadLetter.header("dl_reason")?.contains("too large") == true)
      // The other shard continues, too.
      try await bench.append(50, to: [1])
      try await bench.waitUntilDone(echo)
      try await bench.readAll(missing: ["0/\(position)"])
    }
  }

  @Test("When a request is refused and each of its events is accepted alone, none becomes a dead letter")
  func refusedTogether() async throws {
    let bench = try await EchoBench(shards: 4, partitions: 1)
    let echo = try bench.echo()
    try await running(echo) {
      try await bench.append(5)
      try await bench.waitUntilDone(echo)
      await bench.broker.fail(api: 0, code: 10, count: 1)
      try await bench.append(200)
      let status = try await bench.waitUntilDone(echo)
      #expect(status.deadLettered == 0)
      try await bench.readAll()
    }
  }

  @Test("A dead letter that is refused is retried and reported, and other shards continue")
  func deadLetterRefused() async throws {
    let bench = try await EchoBench(shards: 2, partitions: 1)
    let echo = try bench.echo(
      map: { event in
        guard event.shard == 0 else { return try bench.told(event) }
        // This event can't be published.
        throw CancellationError()
      })
    // The topic of the dead letters refuses the first messages.
    try await running(echo) {
      try await bench.append(10, to: [1])
      try await bench.waitUntilDone(echo)
      await bench.broker.fail(api: 0, code: 10, count: 6)
      try await bench.append(1, to: [0])
      let held = try await bench.wait(for: echo) { $0.state == .held }
      #expect(held.problem?.code == MessagingErrorCode.messageRefused && held.lagEvents == 1)
      let status = try await bench.waitUntilDone(echo)
      #expect(status.deadLettered == 1 && status.problem == nil && status.delivered == 10)
      let deadLetter = try #require(try await bench.read(bench.deadLetterTopic, 1).first)
      #expect(deadLetter.header("dl_position") == "1" && deadLetter.header("dl_shard") == "0")
    }
  }

  @Test("Without its topic the echo waits, reports the command that creates it, and begins when the topic exists")
  func topicMissing() async throws {
    let bench = try await EchoBench(shards: 2)
    try await bench.append(30)
    let late = KafkaTopic("late", partitions: 2)
    let echo = try bench.echo(
      { $0.topics = [late] },
      map: { event in
        var told = try bench.told(event)
        told?.topic = "late"
        return told
      })
    try await running(echo) {
      let held = try await bench.wait(for: echo) { $0.state == .held }
      #expect(held.problem?.code == MessagingErrorCode.topicUnknown)
      #expect(held.problem?.message.contains(late.command(brokers: bench.broker.brokers)) == true, "\(held)")
      #expect(held.lagEvents == 30 && held.lag > .zero, "how long they wait is known all the same")
      await bench.broker.tell("topic late 2")
      let status = try await bench.waitUntilDone(echo)
      #expect(status.problem == nil && status.delivered == 30)
      #expect(try await bench.read("late", 30).count == 30)
    }
  }

  @Test("The preparation is retried until it succeeds, and its framing is used for every event")
  func preparing() async throws {
    struct NotYet: CodedError {
      let code = "registry.unavailable"
      let message = "not yet"
    }
    let bench = try await EchoBench(shards: 1, partitions: 1)
    let tries = Mutex(0)
    let echo = try Echo(
      store: bench.store, configuration: bench.configuration(), map: { try bench.told($0) },
      prepare: {
        let tries = tries.withLock { tries in
          tries += 1
          return tries
        }
        if tries < 4 { throw NotYet() }
        return { [0] + $0 }
      }, environment: .system)
    try await bench.append(5)
    try await running(echo) {
      let held = try await bench.wait(for: echo) { $0.problem != nil }
      #expect(held.problem?.code == "registry.unavailable" && held.state == .held)
      try await bench.waitUntilDone(echo)
      let values = try await bench.read(nil, 5).map { $0.value ?? [] }
      let framed: [[UInt8]] = try await bench.stored()[0].map { [0] + $0.data }
      #expect(values == framed)
    }
  }

  @Test("The echo waits for an unavailable store, at the beginning and later")
  func store() async throws {
    let front = Mutex<AbsentStore?>(nil)
    let bench = try await EchoBench(
      shards: 2,
      inFrontOf: { store in
        let absent = AbsentStore(store)
        front.withLock { $0 = absent }
        return absent
      })
    let store = try #require(front.withLock { $0 })
    try await bench.append(20)
    store.isAbsent = true
    let echo = try bench.echo { $0.feedLimit = 1 }
    try await running(echo) {
      let held = try await bench.wait(for: echo) { $0.state == .held }
      #expect(held.problem?.code == StoreErrorCode.unavailable)
      store.isAbsent = false
      try await bench.waitUntilDone(echo)
      // The feed gives one event and a hint: the rest has to be read.
      store.isAbsent = true
      try await bench.append(20)
      let again = try await bench.wait(for: echo) { $0.state == .held }
      #expect(again.problem?.code == StoreErrorCode.unavailable)
      store.isAbsent = false
      #expect(try await bench.waitUntilDone(echo).problem == nil)
      try await bench.readAll()
    }
  }

  @Test("A closed store ends the echo")
  func closed() async throws {
    let bench = try await EchoBench(shards: 2)
    try await bench.append(20)
    let echo = try bench.echo()
    await bench.store.close()
    let error = await #expect(throws: StoreError.self) { try await echo.run() }
    #expect(error?.kind == .closed)
  }

  // MARK: Rewinds

  @Test("A rewind sends the same events again, and is recorded as an event with person, reason and origin")
  func rewind() async throws {
    let bench = try await EchoBench(shards: 2, partitions: 1)
    let echo = try bench.echo()
    try await running(echo) {
      try await bench.append(20, to: [0])
      try await bench.append(10, to: [1])
      try await bench.waitUntilDone(echo)
      #expect(try await echo.rewind(shard: 0, to: 5, by: "ada", reason: "ticket 4711") == 15)
      try await bench.waitUntilDone(echo)
      let event = try #require(try await bench.stored()[0].last)
      #expect(event.type == "echoRewound" && event.position == 21)
      let data = try JSON(parsing: event.data)
      #expect(data["by"] == "ada" && data["reason"] == "ticket 4711" && data["shard"] == 0)
      #expect(data["to"] == 5 && data["from"] == 20)
      #expect(data["at"]?.stringValue.flatMap { Timestamp($0) } != nil)
      // All shards, from the beginning.
      #expect(try await echo.rewind(shard: nil, to: 0, by: "ada", reason: "again") == 31)
      try await bench.waitUntilDone(echo)
      // 30, the rewind, 15 again, two rewinds, 31 again.
      let all = try await bench.readAll(79)
      #expect(all.count == 79)
      #expect(all.filter { $0.echoed == "0/6" }.count == 3 && all.filter { $0.echoed == "0/5" }.count == 2)
      // Nothing to do: nothing is done, and nothing recorded.
      #expect(try await echo.rewind(shard: 1, to: 11, by: "ada", reason: "?") == 0)
      #expect(try await bench.stored()[1].count == 11)
      for (shard, position) in [(2, 0), (-1, 0), (0, -1), (0, 1_000)] as [(Int, Int64)] {
        let refusal = await #expect(throws: EchoRefusal.self) {
          try await echo.rewind(shard: shard, to: position, by: "ada", reason: "?")
        }
        #expect(refusal?.code == StreamingErrorCode.echoRewindInvalid)
      }
    }
  }

  @Test("A rewind during publishing loses and skips nothing")
  func rewindMeanwhile() async throws {
    let bench = try await EchoBench(shards: 4)
    let echo = try bench.echo { $0.pageSize = 50 }
    try await running(echo) {
      try await withThrowingDiscardingTaskGroup { group in
        group.addTask { for _ in 0..<20 { try await bench.append(100) } }
        group.addTask {
          for position in 0..<10 {
            try await bench.wait(for: echo) { $0.shards.allSatisfy { $0.delivered > 20 } }
            _ = try await echo.rewind(shard: nil, to: Int64(position), by: "ada", reason: "\(position)")
          }
        }
      }
      try await bench.waitUntilDone(echo)
      try await bench.readAll()
    }
  }
}

/// A store whose reads fail while `isDown` is set.
private final class AbsentStore: StoreInFront {
  let store: any EventStore
  private let state = Mutex(false)

  init(_ store: any EventStore) { self.store = store }

  var isAbsent: Bool {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }

  func head(shard: Int) async throws(StoreError) -> Int64 {
    if isAbsent { throw StoreError.unavailable("it is absent") }
    return try await store.head(shard: shard)
  }

  func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    if isAbsent { throw StoreError.unavailable("it is absent") }
    return try await store.tail(shard: shard, after: position, limit: limit)
  }
}
