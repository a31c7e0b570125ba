import Messaging
import Runtime
import TestSupport
import Testing

@Suite("A consumer is stopped before it belongs to its group", .timeLimit(.minutes(1)))
struct LeavingEarlyTests {
  /// librdkafka before 2.3 aborts the whole process here.
  @Test("Stopped while it joins, it ends, and nothing else does")
  func stopsWhileJoining() async throws {
    let bench = try await WireTests.Bench(properties: [.init("debug", "cgrp")])
    let said = Seen<String>()
    let (lines, saying) = AsyncStream.makeStream(of: String.self)
    let log = Log { _, _, values in
      for value in values { saying.yield(value.1) }
    }
    let keeping = Task { for await line in lines { await said.add(line) } }
    let consumer = KafkaConsumer(
      .init(cluster: bench.cluster, group: bench.group, topics: [bench.topic]), handlers: MessageHandlers { _ in },
      deadLetters: bench.deadLetters, environment: .system, log: log)
    let running = Task { try await consumer.run() }
    _ = await said.wait { $0.contains { $0.contains("wait-join") } }
    running.cancel()
    _ = await running.result
    #expect(await !said.all.contains { $0.contains("steady") }, "it was stopped before its first assignment")
    keeping.cancel()
  }
}
