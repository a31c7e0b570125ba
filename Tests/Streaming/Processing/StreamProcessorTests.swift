import Foundation
import JSON
import Messaging
import Persistence
import Runtime
import Streaming
import Synchronization
import TestSupport
import Testing
import Values

@Suite("A processor keeps state and offsets together", .timeLimit(.minutes(15)), .inTurn)
struct StreamProcessorTests {
  /// A store in memory or in a file.
  enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case memory, sqlite
    var testDescription: String { rawValue }
  }

  private func withStore(
    _ kind: Kind, _ body: @Sendable (_ open: @Sendable () async throws -> any EventStore) async throws -> Void
  ) async throws {
    let environment = Environment.fake()
    switch kind {
    case .memory:
      let store = MemoryStore(environment: environment)
      try await body { store }
    case .sqlite:
      let path = try TestFolder.new("streams").appendingPathComponent("streams.db").path
      try await body { try await SQLiteStore.open(path: path, environment: environment) }
    }
  }

  /// An event as a laboratory sends it.
  static func record(
    _ topic: String, _ id: String, _ time: Timestamp?, type: String = "sample.created", subject: String, data: JSON,
    position: Int64? = nil
  ) -> KafkaRecord {
    let place =
      position.map { [CloudEvent.Extension("shard", "0"), CloudEvent.Extension("position", "\($0)")] } ?? []
    return CloudEvent(
      id: id, source: "/lab", type: type, subject: subject, time: time, extensions: place, data: data.bytes()
    ).record(topic: topic, key: subject)
  }

  static func text(_ message: KafkaMessage) throws -> String {
    let event = try #require(try CloudEvent(message))
    return "\(event.id) \(String(decoding: event.data, as: UTF8.self))"
  }

  // MARK: Crashes

  /// The place at which a run is cut off.
  enum CrashPoint: CaseIterable, CustomTestStringConvertible {
    case beforeDelivery, afterDelivery
    var testDescription: String { "\(self)" }
  }

  /// Two partitions of samples, four minutes apart, and at their ends one that closes all windows before it.
  private static func samples() -> MemoryKafka {
    let kafka = MemoryKafka(["samples": 2, "out": 1])
    for partition in 0..<2 {
      for number in 0...30 {
        let minutes = number == 30 ? 600 : number * 4 + partition
        let time = Timestamp(milliseconds: at("08:00").milliseconds + Int64(minutes * 60_000))
        kafka.append(
          record(
            "samples", "\(partition)-\(number)", time, subject: "s\(number % 3)",
            data: ["type": .string("t\(number % 3)")]), partition: partition)
      }
    }
    return kafka
  }

  /// Runs until everything is out; a process that is cut off is followed by another on the same store.
  /// - Returns: how many deliveries there were.
  private static func run(
    _ definition: StreamDefinition, _ kafka: MemoryKafka, cutAt cut: Int?, _ point: CrashPoint,
    isDone: @escaping @Sendable (MemoryKafka) -> Bool, _ open: @Sendable () async throws -> any EventStore
  ) async throws -> Int {
    enum News { case cut, done, ended }
    let clock = FakeClock(at("20:00"))
    let deliveries = Mutex(0)
    while true {
      let store = try await open()
      let (news, telling) = AsyncStream.makeStream(of: News.self)
      let sink = MemorySink(kafka) { delivered in
        let count = deliveries.withLock { count in
          if !delivered { count += 1 }
          return count
        }
        guard count == cut, delivered == (point == .afterDelivery) else { return }
        // This process gets no further.
        deliveries.withLock { $0 += 1 }
        telling.yield(.cut)
        await untilCancelled()
        throw CancellationError()
      }
      let processor = StreamProcessor(
        definition, store: store, source: MemorySource(kafka, seed: UInt64(cut ?? 0)), sink: sink,
        environment: .fake(clock: clock))
      let running = Task {
        defer { telling.yield(.ended) }
        try await processor.run()
      }
      let watching = Task {
        await kafka.wait(until: isDone)
        telling.yield(.done)
      }
      let first = await news.first { _ in true }
      running.cancel()
      watching.cancel()
      let result = await running.result
      await watching.value
      if store is SQLiteStore { await store.close() }
      switch first {
      case .done: return deliveries.withLock { $0 }
      case .cut: continue
      // The processor ended by itself, or the test was cancelled by its time limit.
      case .ended, nil:
        try result.get()
        throw CancellationError()
      }
    }
  }

  @Test(
    "Cut off at any delivery and begun again, it sends the same; what it sends twice has the same id",
    arguments: Kind.allCases, CrashPoint.allCases)
  func crashes(kind: Kind, point: CrashPoint) async throws {
    let definition = try WindowCountTests.count(advance: .seconds(1_800), lateness: .seconds(60))
    try await withStore(kind) { open in
      let whole = Self.samples()
      // The window from 9:30 to 10:30 is the last that events before the evening are in.
      let isDone: @Sendable (MemoryKafka) -> Bool = { kafka in
        kafka.messages("out").filter { String(decoding: $0.value ?? [], as: UTF8.self).contains("10:30:00.000Z\"}") }
          .count >= 3
      }
      let deliveries = try await Self.run(definition, whole, cutAt: nil, point, isDone: isDone, open)
      let expected = try whole.messages("out").map(Self.text)
      #expect(expected.count > 10 && Set(expected).count == expected.count && deliveries > 2)
      for cut in 1...deliveries {
        let store = try await open()
        try await StreamProcessor.reset(definition.name, in: store)
        if kind == .sqlite { await store.close() }
        let kafka = Self.samples()
        _ = try await Self.run(definition, kafka, cutAt: cut, point, isDone: isDone, open)
        let told = try kafka.messages("out").map(Self.text)
        #expect(Set(told) == Set(expected), "cut at \(cut)")
        if point == .beforeDelivery { #expect(told.count == expected.count, "cut at \(cut)") }
      }
    }
  }
}
