import CKafka
import Dispatch
import Foundation
import Runtime
import Synchronization
import Values

/// Starts a consumer's thread, and stops it on request. The thread also ends when its client breaks for good.
final class ConsumerLoop: Sendable {
  private struct State {
    var isStopping = false
    /// The client; nil once the thread has taken it.
    var handle: KafkaHandle?
    var fatal: KafkaError?
  }

  private let configuration: KafkaConsumer.Configuration
  private let assignment: ConsumerAssignment
  private let starting: AsyncStream<ConsumerAssignment.Started>.Continuation
  private let log: Log
  private let state: Mutex<State>
  /// What broke the client for good; nil when the thread was told to end.
  private let end = Once<KafkaError?>()

  init(
    _ configuration: KafkaConsumer.Configuration, assignment: ConsumerAssignment,
    starting: AsyncStream<ConsumerAssignment.Started>.Continuation, log: Log
  ) throws(KafkaError) {
    self.configuration = configuration
    self.assignment = assignment
    self.starting = starting
    self.log = log
    state = Mutex(State(handle: try Self.client(configuration)))
    assignment.begin(starting)
  }

  static func client(_ configuration: KafkaConsumer.Configuration) throws(KafkaError) -> KafkaHandle {
    let sessionTimeout = configuration.sessionTimeout.wholeMilliseconds
    // librdkafka waits this long for the answer to a lost request to join. The thread polls all the time; while it gives
    // up partitions, it polls again after drain time and patience at the latest.
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

  /// Runs the thread, and returns when it has ended. To be called once.
  /// - Returns: the error that broke the client for good; nil after `stop`.
  func run() async -> KafkaError? {
    let thread = Thread { self.work() }
    thread.name = "kafka \(configuration.group)"
    thread.start()
    return await end.value()
  }

  func stop() { state.withLock { $0.isStopping = true } }

  private func work() {
    // Destroy the client first: the caller of `run` may end the process as soon as this returns.
    _ = read()?.wait(timeout: .now() + .seconds(2))
    starting.finish()
    end.give(state.withLock { $0.fatal })
  }

  /// - Returns: a semaphore that is signalled when the client is destroyed.
  private func read() -> DispatchSemaphore? {
    guard let handle = state.withLock({ $0.handle.take() }) else { return nil }
    let fatal = ConsumerThread(handle, configuration, assignment, log).work { self.state.withLock { !$0.isStopping } }
    state.withLock { $0.fatal = fatal }
    return handle.destroyed
  }
}
