import JSON
import Messaging
import Persistence
import Runtime
import Streaming
import Synchronization
import TestSupport
import Testing
import Values

@Suite("A stream processor in trouble", .timeLimit(.minutes(15)), .inTurn)
struct StreamTroubleTests {
  /// A processor on topics and a store in memory, and what it needs to be begun again.
  struct Bench: Sendable {
    let kafka: MemoryKafka
    let store: any EventStore
    let clock = FakeClock(at("20:00"))
    let source: MemorySource
    let trouble: @Sendable (Bool) async throws -> Void

    init(
      _ topics: [String: Int] = ["samples": 1, "out": 1, "late": 1], store: (any EventStore)? = nil,
      kafka: MemoryKafka? = nil, trouble: @escaping @Sendable (Bool) async throws -> Void = { _ in }
    ) {
      self.kafka = kafka ?? MemoryKafka(topics)
      self.store = store ?? MemoryStore(environment: .fake())
      self.trouble = trouble
      source = MemorySource(self.kafka)
    }

    func processor(_ definition: StreamDefinition, log: Log = .silent) -> StreamProcessor {
      StreamProcessor(
        definition, store: store, source: source, sink: MemorySink(kafka, trouble: trouble),
        environment: .fake(clock: clock), log: log)
    }

    /// Runs until something is so, then stops.
    func run(
      _ definition: StreamDefinition, until isEnough: @escaping @Sendable (MemoryKafka, StreamStatus) -> Bool
    ) async -> StreamStatus {
      let processor = processor(definition)
      let running = Task { try await processor.run() }
      // Each batch that is taken makes a reader look again, and then all watchers.
      await kafka.wait { isEnough($0, processor.status()) }
      running.cancel()
      _ = await running.result
      return processor.status()
    }

    func send(_ id: String, _ time: String?, type: JSON? = "blood", partition: Int = 0) {
      kafka.append(
        StreamProcessorTests.record(
          "samples", id, time.map { at($0) }, subject: "s", data: type.map { ["type": $0] } ?? [:]),
        partition: partition)
    }

    func failure(of definition: StreamDefinition) async -> String? {
      do {
        try await processor(definition).run()
        return nil
      } catch { return (error as? any CodedError)?.code }
    }
  }

  @Test("A message that can't be used becomes a dead letter with its reason, and the stream continues")
  func deadLetters() async throws {
    let bench = Bench()
    bench.kafka.append(KafkaRecord(topic: "samples", value: Array("{".utf8)))
    bench.send("no key", "10:00", type: nil)
    bench.send("no time", nil)
    bench.send("ahead", "20:11")
    bench.send("good", "10:30")
    bench.send("next", "11:30")
    let status = await bench.run(try WindowCountTests.count(lateness: .zero)) { kafka, status in
      !kafka.messages("out").isEmpty && status.totals.read == 6
    }
    #expect(
      bench.kafka.deadLetters.map(\.code) == [
        MessagingErrorCode.messageNotJSON, StreamingErrorCode.streamNoKey, StreamingErrorCode.streamNoTime,
        StreamingErrorCode.streamTimeAhead,
      ])
    #expect(bench.kafka.deadLetters.map(\.message.offset) == [0, 1, 2, 3])
    #expect(bench.kafka.deadLetters.allSatisfy { !$0.reason.isEmpty })
    #expect(status.totals.refused == 4 && status.totals.sent == 1)
    #expect(status.offsets == [StreamPartition(topic: "samples", number: 0): 6])
  }

  @Test("A late event is counted, and goes to the topic for late events if there is one", arguments: [true, false])
  func late(hasTopic: Bool) async throws {
    let bench = Bench()
    let plan = try WindowCountTests.count(lateness: .zero)
    let definition = StreamDefinition(
      name: "per-hour", work: plan.work, to: "out", late: hasTopic ? "late" : nil)
    bench.send("a", "10:00")
    bench.send("b", "11:00")
    bench.send("late", "10:59")
    let status = await bench.run(definition) { _, status in status.totals.read == 3 }
    #expect(status.totals.late == 1 && status.kept == 1 && status.watermark == at("11:00"))
    let late = bench.kafka.messages("late")
    #expect(late.map { $0.header("ce_id") } == (hasTopic ? ["late"] : []))
    if hasTopic { #expect(late[0].header("late_reason")?.contains("had been closed") == true) }
  }

  @Test("When another process has written the stream's state, the stream loads it again, and nothing is lost")
  func interference() async throws {
    let store = MemoryStore(environment: .fake())
    let meddled = Mutex(0)
    let bench = Bench(
      store: store,
      trouble: { delivered in
        guard delivered,
          meddled.withLock({
            $0 += 1
            return $0 == 1
          })
        else { return }
        // Between delivery and transaction: an older state, as somebody else saw it, under the next revision.
        let revision = try await store.checkpoint("stream/per-hour", shard: 0)
        try await store.apply(
          ProjectionBatch(follower: "stream/per-hour", shard: 0, from: revision, to: revision + 1))
      })
    bench.send("a", "10:00")
    bench.send("b", "11:00")
    bench.send("c", "12:00")
    let processor = bench.processor(try WindowCountTests.count(lateness: .zero))
    let running = Task { try await processor.run() }
    // The loser waits a little, then continues.
    await bench.clock.waitForSleepers { !$0.isEmpty }
    #expect(processor.status().problem?.contains(StoreErrorCode.checkpointConflict) == true)
    bench.clock.advance(by: .seconds(1))
    await bench.kafka.wait { _ in processor.status().totals.read == 3 }
    running.cancel()
    _ = await running.result
    let ids = bench.kafka.messages("out").map { $0.header("ce_id") }
    #expect(ids.count == 4 && Set(ids).count == 2)
    #expect(processor.status().totals.sent == 2)
    #expect(bench.source.assignments == 2)
    #expect(processor.status().problem == nil)
  }

  @Test("A sink that fails is retried with growing backoff until it works")
  func failingSink() async throws {
    struct Broken: Error {}
    let attempts = Mutex(0)
    let bench = Bench(trouble: { delivered in
      guard !delivered else { return }
      if attempts.withLock({
        $0 += 1
        return $0 <= 3
      }) {
        throw Broken()
      }
    })
    bench.send("a", "10:00")
    bench.send("b", "11:00")
    let processor = bench.processor(try WindowCountTests.count(lateness: .zero))
    let running = Task { try await processor.run() }
    for pause in [200, 400, 800] {
      await bench.clock.waitForSleepers { !$0.isEmpty }
      #expect(bench.clock.deadlines.map { $0 - bench.clock.now() } == [.milliseconds(pause)])
      #expect(processor.status().problem != nil && bench.kafka.messages("out").isEmpty)
      bench.clock.advance(by: .milliseconds(pause))
    }
    await bench.kafka.wait { _ in processor.status().totals.sent == 1 }
    running.cancel()
    _ = await running.result
    #expect(bench.kafka.messages("out").count == 1)
    #expect(processor.status().problem == nil)
  }

  @Test("A stream waits for a missing topic")
  func noTopic() async throws {
    let bench = Bench(["out": 1])
    let processor = bench.processor(try WindowCountTests.count(lateness: .zero))
    let running = Task { try await processor.run() }
    await bench.clock.waitForSleepers { !$0.isEmpty }
    bench.kafka.set("samples", [.init()])
    bench.send("a", "10:00")
    bench.clock.advance(by: .seconds(1))
    await bench.kafka.wait { _ in processor.status().totals.read == 1 }
    running.cancel()
    _ = await running.result
  }

  @Test("Partitions that a topic gets later are read too")
  func newPartitions() async throws {
    let bench = Bench()
    bench.send("a", "10:00")
    let processor = bench.processor(try WindowCountTests.count(lateness: .zero))
    let running = Task { try await processor.run() }
    await bench.kafka.wait { _ in processor.status().totals.read == 1 }
    bench.kafka.set("samples", (bench.kafka.partitions("samples") ?? []) + [.init()])
    bench.send("b", "10:00", partition: 1)
    bench.clock.advance(by: .seconds(61))
    await bench.kafka.wait { _ in processor.status().totals.read == 2 }
    running.cancel()
    _ = await running.result
    #expect(processor.status().offsets.count == 2)
  }

  @Test("When no message comes any more, the clock closes the last windows, and that is stored too")
  func silence() async throws {
    let bench = Bench()
    bench.send("a", "19:30")
    let definition = try WindowCountTests.count(lateness: .zero, closeAfter: .seconds(1_800))
    let processor = bench.processor(definition)
    let running = Task { try await processor.run() }
    await bench.kafka.wait { _ in processor.status().totals.read == 1 }
    #expect(bench.kafka.messages("out").isEmpty)
    bench.clock.advance(by: .seconds(1_799))
    bench.kafka.changed()
    bench.clock.advance(by: .seconds(1))
    await bench.kafka.wait { kafka in
      // Each look is one at the clock.
      kafka.messages("out").count == 1 && processor.status().totals.sent == 1
    }
    running.cancel()
    _ = await running.result
    #expect(processor.status().watermark == at("20:00"))
    // A second time nothing is sent: what was closed is stored as closed.
    bench.send("b", "20:29")
    let again = await bench.run(definition) { _, status in status.totals.read == 2 }
    #expect(again.totals.sent == 1 && again.kept == 1)
  }

  @Test(
    "Messages that were deleted before they were read are counted as lost; messages before the stream began are not")
  func lost() async throws {
    let bench = Bench()
    for number in 0..<5 { bench.send("\(number)", "10:0\(number)") }
    bench.kafka.delete("samples", 0, before: 2)
    let definition = try WindowCountTests.count(lateness: .zero)
    let begun = await bench.run(definition) { _, status in status.totals.read == 3 }
    #expect(begun.totals.lost == 0)
    for number in 5..<9 { bench.send("\(number)", "10:0\(number)") }
    bench.kafka.delete("samples", 0, before: 7)
    let gone = await bench.run(definition) { _, status in status.totals.read == 5 }
    #expect(gone.totals.lost == 2)
    // It is logged once.
    bench.send("9", "10:09")
    let after = await bench.run(definition) { _, status in status.totals.read == 6 }
    #expect(after.totals.lost == 2)
  }

  @Test("An error that a retry does not remove ends the stream with its code")
  func fatal() async throws {
    let bench = Bench()
    let definition = try WindowCountTests.count(lateness: .zero)
    for number in 0..<3 { bench.send("\(number)", "10:00") }
    _ = await bench.run(definition) { _, status in status.totals.read == 3 }
    #expect(
      await bench.failure(of: try WindowCountTests.count(size: .seconds(60)))
        == StreamingErrorCode.streamDefinitionChanged)

    // The topic was deleted and made again.
    bench.kafka.set("samples", [.init()])
    #expect(await bench.failure(of: definition) == StreamingErrorCode.streamOffsetGone)

    let name = "stream/per-hour"
    let revision = try await bench.store.checkpoint(name, shard: 0)
    try await bench.store.apply(
      ProjectionBatch(
        follower: name, shard: 0, from: revision, to: revision + 1,
        upserts: [Document(collection: name, id: "window/1/x", sort: "", data: Array("{".utf8))]))
    #expect(await bench.failure(of: definition) == StreamingErrorCode.streamStateUnreadable)

    // After a reset it runs.
    try await StreamProcessor.reset("per-hour", in: bench.store)
    bench.send("x", "10:00")
    let status = await bench.run(definition) { _, status in status.totals.read == 1 }
    #expect(status.kept == 1)

    await bench.store.close()
    #expect(await bench.failure(of: definition) == StoreErrorCode.closed)
  }

  @Test("State with more documents than one page is loaded completely")
  func manyDocuments() async throws {
    let bench = Bench()
    for number in 0..<2_300 { bench.send("\(number)", "10:00", type: .string("t\(number)")) }
    let definition = try WindowCountTests.count(lateness: .zero)
    let first = await bench.run(definition) { _, status in status.totals.read == 2_300 }
    #expect(first.kept == 2_300)
    bench.send("last", "11:00")
    let second = await bench.run(definition) { _, status in status.totals.read == 2_301 }
    #expect(second.totals.sent == 2_300 && second.kept == 1)
    #expect(try await bench.store.documents(DocumentQuery(collection: "stream/per-hour", limit: 10)).count == 3)
  }
}
