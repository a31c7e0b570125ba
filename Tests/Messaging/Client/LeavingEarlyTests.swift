import Messaging
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("A consumer is stopped before it has joined its group", .timeLimit(.minutes(15)), .inTurn)
struct LeavingEarlyTests {
  /// Cancels a task, also when the cancellation comes before the task is known.
  private final class Canceller: Sendable {
    private let state = Mutex<(task: Task<Void, any Error>?, isWanted: Bool)>((nil, false))

    func cancels(_ task: Task<Void, any Error>) {
      state.withLock { $0.task = task }
      if state.withLock({ $0.isWanted }) { task.cancel() }
    }

    func cancel() {
      state.withLock { state in
        state.isWanted = true
        return state.task
      }?.cancel()
    }
  }

  /// librdkafka before 2.3 aborts the whole process here. The time window is short, so twelve consumers try to hit it.
  @Test("A consumer that is stopped before its first assignment ends, and the process continues")
  func stopsWhileJoining() async throws {
    let bench = try await WireTests.Bench(properties: [.init("debug", "cgrp")])
    await withDiscardingTaskGroup { group in
      for number in 0..<12 {
        group.addTask {
          let canceller = Canceller()
          let log = Log { _, _, values in
            if values.contains(where: { $0.1.contains("JoinGroup response: GenerationId") }) { canceller.cancel() }
          }
          let consumer = KafkaConsumer(
            .init(cluster: bench.cluster, group: "\(bench.group)-\(number)", topics: [bench.topic]),
            handlers: MessageHandlers { _ in }, deadLetters: bench.deadLetters, environment: .system, log: log)
          let running = Task { try await consumer.run() }
          canceller.cancels(running)
          let result = await running.result
          #expect(throws: CancellationError.self) { try result.get() }
        }
      }
    }
  }
}
