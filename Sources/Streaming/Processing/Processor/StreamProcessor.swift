import Messaging
public import Persistence
public import Runtime
import Synchronization
import Values

// The stream processor (`Streaming/Processing`) is beside the product.
//
// It transforms, counts and joins events of Kafka topics, with its state in an event store. `saga streams` runs it. The
// engine and the event publisher (`Streaming/Echo`) use none of its types; `Tests/Rules` checks it.

/// Runs a stream: reads its topics, sends its outputs, and stores its state and its offsets.
///
/// Outputs are delivered at least once. An output is delivered before its state is written; after a crash in between it is
/// sent again with the same id. State and offsets are written in one transaction, so no event counts twice.
public final class StreamProcessor: Sendable {
  /// The backoff and the intervals of a processor.
  public struct Configuration: Sendable {
    /// The backoff after a failure. It doubles with each further failure.
    public var backoff = Backoff(first: .milliseconds(200), limit: .seconds(30))
    /// How often the processor checks whether topics have more partitions.
    public var lookInterval = Duration.seconds(60)

    public init() {}
  }

  private let definition: StreamDefinition
  private let store: any EventStore
  private let source: any StreamSource
  private let sink: any StreamSink
  private let environment: Environment
  private let configuration: Configuration
  private let log: Log
  private let state: Mutex<StreamStatus>

  /// - Parameters:
  ///   - definition: the stream.
  ///   - store: stores its state.
  ///   - source: reads its topics; used by this stream only.
  ///   - sink: sends its outputs.
  ///   - environment: the clock.
  ///   - log: receives warnings and errors.
  public init(
    _ definition: StreamDefinition, store: any EventStore, source: any StreamSource, sink: any StreamSink,
    environment: Environment, configuration: Configuration = Configuration(), log: Log = .silent
  ) {
    self.definition = definition
    self.store = store
    self.source = source
    self.sink = sink
    self.environment = environment
    self.configuration = configuration
    self.log = log
    state = Mutex(StreamStatus(name: definition.name))
  }

  /// Returns the stream's status.
  public func status() -> StreamStatus { state.withLock { $0 } }

  /// Deletes a stream's state and offsets. Its next run begins with the oldest message that its topics keep.
  public static func reset(_ name: String, in store: any EventStore) async throws(StoreError) {
    let follower = StreamSession.follower(name)
    try await store.reset(follower: follower, collections: [follower])
  }

  /// Works until the task is cancelled. It retries after temporary errors, with growing backoff.
  /// - Throws: `CancellationError`; or an error that a retry does not remove: `stream.definitionChanged`, `stream.offsetGone`,
  ///   `stream.stateUnreadable`, `store.closed`, `kafka.configurationInvalid` and the like.
  public func run() async throws {
    var failures = 0
    while true {
      do {
        try await work { failures = 0 }
      } catch {
        try Task.checkCancellation()
        guard Self.isTemporary(error) else {
          note(error)
          throw error
        }
        failures += 1
        note(error)
        log.warning(
          "A stream failed; will load its stored state and retry", ("stream", definition.name),
          ("failures", "\(failures)"), ("error", "\(error)"))
        try await environment.sleep(for: configuration.backoff.pause(after: failures))
      }
    }
  }

  /// Runs one session. Returns when a topic has more partitions, so that the next session reads them too.
  private func work(_ succeeded: () -> Void) async throws {
    var session = try await StreamSession(
      definition, store: store, source: source, sink: sink, environment: environment, log: log)
    note(session, problem: nil)
    var nextLook = environment.now() + configuration.lookInterval
    while true {
      let batch = try await source.nextBatch()
      try Task.checkCancellation()
      try await session.take(batch)
      if !batch.messages.isEmpty { succeeded() }
      note(session, problem: batch.problem)
      if environment.now() >= nextLook {
        guard try await session.seesAllPartitions() else {
          log.info("A topic has more partitions; loading the stream again", ("stream", definition.name))
          return
        }
        nextLook = environment.now() + configuration.lookInterval
      }
    }
  }

  private func note(_ session: StreamSession, problem: String?) {
    let machine = session.machine
    state.withLock { status in
      status.totals = machine.totals
      status.watermark = machine.watermark
      status.kept = machine.kept
      status.offsets = machine.offsets
      status.problem = problem
    }
  }

  private func note(_ error: any Error) {
    let said = (error as? any CodedError)?.description ?? "\(error)"
    state.withLock { $0.problem = said }
  }

  private static func isTemporary(_ error: any Error) -> Bool {
    switch error {
    case is StreamError: return false
    case let error as KafkaError:
      return error.code != MessagingErrorCode.configurationInvalid && error.code != MessagingErrorCode.closed
    case let error as StoreError:
      switch error.kind {
      // Another process that runs the stream has written, or the store is unavailable for a while.
      case .checkpointConflict, .unavailable, .outcomeUnknown, .notOwner: return true
      case .versionConflict, .startKeyTaken, .claimTaken, .definitionConflict, .invalid, .closed, .corrupt, .locked,
        .foreign, .newerVersion, .olderVersion:
        return false
      }
    default: return true
    }
  }
}
