import Messaging
public import Persistence
public import Runtime
import Synchronization
import Values

/// Runs a stream: reads its topics, sends its outputs, and keeps its state and its offsets in a store.
///
/// At least once: an output is delivered before the state that knows of it is written. A crash in between sends it again,
/// with the same id; nothing is left out. State and offsets are one transaction, so no event counts twice.
public final class StreamProcessor: Sendable {
  /// How a processor works.
  public struct Configuration: Sendable {
    /// The wait after a failure; it doubles with each further one.
    public var backoff = Backoff(first: .milliseconds(200), limit: .seconds(30))
    /// How often it looks whether topics have got more partitions.
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
  ///   - definition: what the stream does.
  ///   - store: keeps its state.
  ///   - source: this stream's alone.
  ///   - sink: takes its outputs.
  ///   - environment: the clock.
  ///   - log: told of what goes wrong.
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

  /// How it stands.
  public func status() -> StreamStatus { state.withLock { $0 } }

  /// Forgets a stream's state and offsets: run again, it begins with the first message that its topics keep.
  public static func reset(_ name: String, in store: any EventStore) async throws(StoreError) {
    let follower = StreamSession.follower(name)
    try await store.reset(follower: follower, collections: [follower])
  }

  /// Works until the task is cancelled. What may pass is tried again, later and later.
  /// - Throws: `CancellationError`; or what no waiting mends: `stream.definitionChanged`, `stream.offsetGone`,
  ///   `stream.stateUnreadable`, `store.closed`, `kafka.configurationInvalid` and the like.
  public func run() async throws {
    var failures = 0
    while true {
      do {
        try await work { failures = 0 }
      } catch {
        try Task.checkCancellation()
        guard Self.mayPass(error) else {
          note(error)
          throw error
        }
        failures += 1
        note(error)
        log.warning(
          "A stream is held up and begins again with its stored state", ("stream", definition.name),
          ("failures", "\(failures)"), ("error", "\(error)"))
        try await environment.clock.sleep(until: environment.now() + configuration.backoff.pause(after: failures))
      }
    }
  }

  /// One session; returns when it has to begin anew because topics have changed.
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
          log.info("A topic has got more partitions", ("stream", definition.name))
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

  private static func mayPass(_ error: any Error) -> Bool {
    switch error {
    case is StreamError: return false
    case let error as KafkaError:
      return error.code != MessagingErrorCode.configurationInvalid && error.code != MessagingErrorCode.closed
    case let error as StoreError:
      switch error.kind {
      // Another process that runs the stream has written, or the store is out of reach for a while.
      case .checkpointConflict, .unavailable, .outcomeUnknown, .notOwner: return true
      case .versionConflict, .startKeyTaken, .claimTaken, .definitionConflict, .invalid, .closed, .corrupt, .locked,
        .foreign, .newerVersion, .olderVersion:
        return false
      }
    default: return true
    }
  }
}
