import Foundation
public import Runtime
import Values

/// Reads topics as a member of a consumer group and calls a handler for each message.
///
/// Messages of one key are handled in order, messages of different keys in parallel. An offset is committed only when the
/// handlers of this message and of all messages before it in its partition have returned. So each message is handled at
/// least once. The consumer pauses a partition that has too many waiting messages, until the handlers have caught up.
/// A message becomes a dead letter when its handler throws `Poison`. After any other error the handler is called again,
/// with growing backoff and without a limit: no message is skipped.
public final class KafkaConsumer: Sendable {
  /// The topics, the group and the limits of a consumer.
  public struct Configuration: Sendable {
    public var cluster: KafkaCluster
    public var group: String
    public var topics: [String]
    /// The largest number of messages of one partition that are handled at once.
    public var maxInFlight: Int
    /// The backoff after a handler's first failure. It doubles with each further failure.
    public var backoff = Backoff(first: .milliseconds(100), limit: .seconds(10))
    /// The time that running handlers have to end when a partition is given up or the consumer stops.
    public var drainTime = Duration.seconds(10)
    /// The time without a heartbeat after which the group gives a member's partitions to others.
    public var sessionTimeout = Duration.seconds(6)

    public init(cluster: KafkaCluster, group: String, topics: [String], maxInFlight: Int = 64) {
      self.cluster = cluster
      self.group = group
      self.topics = topics
      self.maxInFlight = maxInFlight
    }

    /// Checks the configuration: makes a client, and destroys it again.
    /// - Throws: `kafka.configurationInvalid`, as `run` would.
    public func check() throws(KafkaError) { _ = try ConsumerLoop.client(self) }
  }

  private let configuration: Configuration
  private let handlers: MessageHandlers
  private let deadLetters: DeadLetters
  private let environment: Environment
  private let log: Log
  private let assignment: ConsumerAssignment

  /// - Parameters:
  ///   - configuration: the topics, the group and the limits.
  ///   - handlers: the handlers by message type.
  ///   - deadLetters: the topic of poison messages.
  ///   - environment: the clock of the backoff between attempts.
  ///   - log: receives warnings about failed messages.
  public init(
    _ configuration: Configuration, handlers: MessageHandlers, deadLetters: DeadLetters, environment: Environment,
    log: Log = .silent
  ) {
    self.configuration = configuration
    self.handlers = handlers
    self.deadLetters = deadLetters
    self.environment = environment
    self.log = log
    assignment = ConsumerAssignment(configuration)
  }

  /// Reads until the task is cancelled. Then it waits for running handlers, commits, and leaves the group.
  /// - Throws: `kafka.configurationInvalid`, or the error that broke the client for good (for example another member took
  ///   its `group.instance.id`). It waits for a broker that is unavailable.
  public func run() async throws {
    let (started, starting) = AsyncStream.makeStream(of: ConsumerAssignment.Started.self)
    let loop = try ConsumerLoop(configuration, assignment: assignment, starting: starting, log: log)
    let working = Task { await work(started, assignment: assignment) }
    let fatal = await withTaskCancellationHandler {
      await loop.run()
    } onCancel: {
      loop.stop()
    }
    // The next reader of the partition handles a message again when its handler did not end in time.
    working.cancel()
    await working.value
    try Task.checkCancellation()
    if let fatal { throw fatal }
  }

  /// Returns the consumer's lag, counts and problem.
  public func status() -> ConsumerStatus { assignment.status }

  private func work(_ started: AsyncStream<ConsumerAssignment.Started>, assignment: ConsumerAssignment) async {
    await withDiscardingTaskGroup { group in
      for await one in started {
        group.addTask {
          if await self.handle(one) { assignment.finished(one) }
        }
      }
      group.cancelAll()
    }
  }

  /// - Returns: false when the partition was given up, or the consumer stopped, before the message was handled.
  private func handle(_ started: ConsumerAssignment.Started) async -> Bool {
    let message = started.message
    var attempts = 0
    var isBuried = false
    while !Task.isCancelled, assignment.begins(started) {
      attempts += 1
      do {
        do {
          try await handlers.handle(message)
        } catch let poison as Poison {
          log.warning(
            "A message is poison; moving it to the dead letters", ("place", message.place), ("code", poison.code),
            ("reason", poison.message))
          try await deadLetters.bury(message, code: poison.code, reason: poison.message, attempts: attempts)
          isBuried = true
        }
        assignment.note(nil, at: started, isBuried: isBuried)
        return true
      } catch {
        if Task.isCancelled { return false }
        let said = (error as? any CodedError)?.message ?? "\(error)"
        assignment.note(said, at: started)
        if attempts == 1 || attempts % 10 == 0 {
          log.warning(
            "Could not handle a message; will retry", ("place", message.place), ("attempt", "\(attempts)"),
            ("error", "\(error)"))
        }
        assignment.backsOff(started)
        do {
          try await environment.sleep(for: configuration.backoff.pause(after: attempts))
        } catch {
          return false
        }
      }
    }
    return false
  }
}
