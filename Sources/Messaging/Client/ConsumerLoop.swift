import CKafka
import Dispatch
import Foundation
import Runtime
import Synchronization
import Values

/// The thread of a consumer: begins with a client, ends when it is told to or its work is done.
final class ConsumerLoop: Sendable {
  private struct State {
    var isStopping = false
    /// Until the thread takes it.
    var handle: KafkaHandle?
    var fatal: KafkaError?
  }

  private let configuration: KafkaConsumer.Configuration
  private let board: ConsumerBoard
  private let starting: AsyncStream<ConsumerBoard.Started>.Continuation
  private let log: Log
  private let state: Mutex<State>
  /// What broke the client for good; nil when the thread was told to end.
  private let end = Once<KafkaError?>()

  init(
    _ configuration: KafkaConsumer.Configuration, board: ConsumerBoard,
    starting: AsyncStream<ConsumerBoard.Started>.Continuation, log: Log
  ) throws(KafkaError) {
    self.configuration = configuration
    self.board = board
    self.starting = starting
    self.log = log
    state = Mutex(State(handle: try Self.client(configuration)))
    board.begin(starting)
  }

  static func client(_ configuration: KafkaConsumer.Configuration) throws(KafkaError) -> KafkaHandle {
    let sessionTimeout = Int(configuration.sessionTimeout / .milliseconds(1))
    // librdkafka waits as long as this for the answer to a request to join, when that was lost. The thread looks for news
    // all the time, and when it gives partitions up within drain time and patience.
    let given = configuration.cluster.properties.last { $0.name == "session.timeout.ms" }.flatMap { Int($0.value) }
    let longestPause = max(30_000, sessionTimeout, given ?? 0)
    return try KafkaHandle(
      .consumer, configuration.cluster, name: configuration.group,
      settings: [
        ("group.id", configuration.group), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"), ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "\(sessionTimeout)"), ("heartbeat.interval.ms", "\(max(100, sessionTimeout / 6))"),
        ("max.poll.interval.ms", "\(longestPause)"),
        ("queued.max.messages.kbytes", "16384"), ("fetch.wait.max.ms", "100"),
      ])
  }

  /// Returns when the thread has ended. For one call only.
  /// - Returns: what broke the client for good, when that ended it.
  func run() async -> KafkaError? {
    let thread = Thread { self.work() }
    thread.name = "kafka \(configuration.group)"
    thread.start()
    return await end.value()
  }

  func stop() { state.withLock { $0.isStopping = true } }

  private func work() {
    // The client goes first: who is told that this has ended may end the process.
    _ = read()?.wait(timeout: .now() + .seconds(2))
    starting.finish()
    end.give(state.withLock { $0.fatal })
  }

  /// - Returns: what is signalled when the client is gone.
  private func read() -> DispatchSemaphore? {
    guard let handle = state.withLock({ $0.handle.take() }) else { return nil }
    let fatal = ConsumerThread(handle, configuration, board, log).work { self.state.withLock { !$0.isStopping } }
    state.withLock { $0.fatal = fatal }
    return handle.destroyed
  }
}
