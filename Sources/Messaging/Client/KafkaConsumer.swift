import Foundation
public import Runtime
import Synchronization
import Values

/// Reads topics as a member of a group and has their messages handled.
///
/// Messages of one key are handled in their order, others side by side. An offset is committed only when the handler of
/// it and of everything before it in its partition has returned, so a message is handled at least once. A partition that
/// has enough waiting is paused until its handlers have caught up. What a handler calls `Poison` goes to the dead letters;
/// what fails otherwise is tried again, later and later, for as long as it takes: nothing is passed over.
public final class KafkaConsumer: Sendable {
  /// What a consumer reads, and how.
  public struct Configuration: Sendable {
    public var cluster: KafkaCluster
    public var group: String
    public var topics: [String]
    /// How many messages of one partition may be under way at once.
    public var maxInFlight: Int
    /// The wait after a handler's first failure; it doubles with each further one.
    public var backoff = Backoff(first: .milliseconds(100), limit: .seconds(10))
    /// How long handlers may take to end when a partition is given up or the consumer stops.
    public var drainTime = Duration.seconds(10)
    /// After how long without a sign of life the group gives a member's partitions to others.
    public var sessionTimeout = Duration.seconds(6)

    public init(cluster: KafkaCluster, group: String, topics: [String], maxInFlight: Int = 64) {
      self.cluster = cluster
      self.group = group
      self.topics = topics
      self.maxInFlight = maxInFlight
    }

    /// Makes a client of it, and lets go of that again.
    /// - Throws: `kafka.configurationInvalid`, which `run` would throw.
    public func check() throws(KafkaError) { _ = try ConsumerLoop.client(self) }
  }

  private let configuration: Configuration
  private let handlers: MessageHandlers
  private let deadLetters: DeadLetters
  private let environment: Environment
  private let log: Log
  private let board: ConsumerBoard

  /// - Parameters:
  ///   - configuration: what is read.
  ///   - handlers: what is done with messages.
  ///   - deadLetters: where poison goes.
  ///   - environment: the clock of the pauses between tries.
  ///   - log: where it says what goes wrong.
  public init(
    _ configuration: Configuration, handlers: MessageHandlers, deadLetters: DeadLetters, environment: Environment,
    log: Log = .silent
  ) {
    self.configuration = configuration
    self.handlers = handlers
    self.deadLetters = deadLetters
    self.environment = environment
    self.log = log
    board = ConsumerBoard(configuration)
  }

  /// Works until the task is cancelled; then lets what is under way end, commits, and leaves the group.
  /// - Throws: `kafka.configurationInvalid`, or what broke the client for good (another took its `group.instance.id`). A
  ///   broker that is out of reach is waited for.
  public func run() async throws {
    let (started, starting) = AsyncStream.makeStream(of: ConsumerBoard.Started.self)
    let loop = try ConsumerLoop(configuration, board: board, starting: starting, log: log)
    let working = Task { await work(started, board: board) }
    let fatal = await withTaskCancellationHandler {
      await loop.run()
    } onCancel: {
      loop.stop()
    }
    // What could not end in time is handled again by whoever reads the partition next.
    working.cancel()
    await working.value
    try Task.checkCancellation()
    if let fatal { throw fatal }
  }

  /// How it stands.
  public func status() -> ConsumerStatus { board.status }

  private func work(_ started: AsyncStream<ConsumerBoard.Started>, board: ConsumerBoard) async {
    await withDiscardingTaskGroup { group in
      for await one in started {
        group.addTask {
          if await self.handle(one) { board.finished(one) }
        }
      }
      group.cancelAll()
    }
  }

  /// - Returns: false when it was given up before it was done.
  private func handle(_ started: ConsumerBoard.Started) async -> Bool {
    let message = started.message
    var attempts = 0
    var isBuried = false
    while !Task.isCancelled, board.goesOn(started) {
      attempts += 1
      do {
        do {
          try await handlers.handle(message)
        } catch let poison as Poison {
          log.warning(
            "A message can't be handled and goes to the dead letters", ("place", message.place), ("code", poison.code),
            ("reason", poison.message))
          try await deadLetters.bury(message, code: poison.code, reason: poison.message, attempts: attempts)
          isBuried = true
        }
        board.note(nil, at: started, isBuried: isBuried)
        return true
      } catch {
        if Task.isCancelled { return false }
        let said = (error as? any CodedError)?.message ?? "\(error)"
        board.note(said, at: started)
        if attempts == 1 || attempts % 10 == 0 {
          log.warning(
            "A message could not be handled and is tried again", ("place", message.place), ("attempt", "\(attempts)"),
            ("error", "\(error)"))
        }
        board.rests(started)
        do {
          try await environment.clock.sleep(until: environment.now() + configuration.backoff.pause(after: attempts))
        } catch {
          return false
        }
      }
    }
    return false
  }
}
