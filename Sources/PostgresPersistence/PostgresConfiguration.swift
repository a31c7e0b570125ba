import Persistence
import Runtime

/// The configuration of a Postgres store in one process.
public struct PostgresConfiguration: Sendable {
  /// A `postgresql://` URL or libpq's `key=value` words. It may contain a password, so it is never shown or logged.
  public var url: String
  /// The schema of the store. The read models are in a second schema, with `_read` after the name. A database can
  /// contain one store for each name.
  public var name: String
  /// The number of shards when this open creates the store. Later opens read it from the store.
  public var shardCount: Int
  /// The number of sessions that write. Each writes its own part of the shards: while one commits, another encodes.
  public var writers: Int
  /// The number of sessions that read and make all writes other than appends.
  public var readers: Int
  public var connectTimeout: Duration
  /// The time that the caller of a write or read waits while the server answers nothing. Then the call fails. If the
  /// server meanwhile answers other calls, a write waits four times and a read eight times as long. The store and the
  /// read model use the same value.
  public var patience: Duration
  /// The time that appends may wait without an answer before the store's health shows a problem.
  public var stallAfter: Duration
  /// The silence in the middle of an answer after which a writer replaces its session.
  public var writerSilence: Duration
  /// The time of one series of reconnects of a writer. After it, the writer looks for other work.
  public var reconnectTimeout: Duration
  /// The time that a read tries to reconnect.
  public var readReconnectTimeout: Duration
  /// The time that `own` waits for locks of another session, for example of a process that was just killed.
  public var ownershipPatience: Duration
  /// The interval of an idle writer's heartbeat. It shows that the writer is alive, and tests whether writes work.
  public var beat: Duration
  /// The silence after which the server ends a writer's session. Then other processes can take its shards, so a stopped
  /// process does not keep them forever. It must be several beats long.
  public var idleSessionTimeout: Duration
  /// The longest time of a read.
  public var statementTimeout: Duration
  /// The time that a statement waits for a lock of another session.
  public var lockTimeout: Duration
  /// The most events in one transaction of a writer, unless a single append has more.
  public var batchEvents: Int
  /// The most bytes of event data in one transaction of a writer, unless a single append has more.
  public var batchBytes: Int
  /// The number of streams whose last version and hash a writer remembers.
  public var rememberedStreams: Int

  public init(
    url: String, name: String = "tracseq", shardCount: Int = Shard.defaultCount, writers: Int = 2, readers: Int = 4,
    connectTimeout: Duration = .seconds(5), patience: Duration = .seconds(5), stallAfter: Duration = .seconds(2),
    writerSilence: Duration = .seconds(8), reconnectTimeout: Duration = .seconds(30),
    readReconnectTimeout: Duration = .seconds(5), ownershipPatience: Duration = .seconds(2),
    beat: Duration = .seconds(2), idleSessionTimeout: Duration = .seconds(30),
    statementTimeout: Duration = .seconds(30), lockTimeout: Duration = .seconds(10), batchEvents: Int = 500,
    batchBytes: Int = 4 << 20, rememberedStreams: Int = 100_000
  ) {
    self.url = url
    self.name = name
    self.shardCount = shardCount
    self.writers = writers
    self.readers = readers
    self.connectTimeout = connectTimeout
    self.patience = patience
    self.stallAfter = stallAfter
    self.writerSilence = writerSilence
    self.reconnectTimeout = reconnectTimeout
    self.readReconnectTimeout = readReconnectTimeout
    self.ownershipPatience = ownershipPatience
    self.beat = beat
    self.idleSessionTimeout = idleSessionTimeout
    self.statementTimeout = statementTimeout
    self.lockTimeout = lockTimeout
    self.batchEvents = batchEvents
    self.batchBytes = batchBytes
    self.rememberedStreams = rememberedStreams
  }

  /// The pauses between two attempts to connect.
  static let reconnectBackoff = Backoff(first: .milliseconds(20), limit: .seconds(1))

  func validate() throws(StoreError) {
    guard (1...Shard.maxCount).contains(shardCount) else {
      throw .invalid("a store has 1 to \(Shard.maxCount) shards, not \(shardCount)")
    }
    guard writers >= 1, readers >= 1, batchEvents >= 1, rememberedStreams >= 1 else {
      throw .invalid("a Postgres store needs at least one writer and one reader, and room for an event and a stream")
    }
  }

  /// Returns the settings of every session: the search path, and the durability that the store promises.
  func settings(
    _ names: PostgresNames, applicationName: String, access: PostgresSettings.Access, answerTimeout: Duration,
    _ more: [(name: String, value: String)] = []
  ) -> PostgresSettings {
    PostgresSettings(
      url: url, applicationName: applicationName, connectTimeout: connectTimeout, answerTimeout: answerTimeout,
      access: access,
      session: [
        ("search_path", names.schema), ("synchronous_commit", "on"), ("jit", "off"), ("TimeZone", "UTC"),
        ("idle_in_transaction_session_timeout", Self.text(idleSessionTimeout)),
      ] + more)
  }

  func writerSettings(_ names: PostgresNames, applicationName: String) -> PostgresSettings {
    settings(
      names, applicationName: applicationName, access: .readWrite, answerTimeout: writerSilence,
      [
        ("idle_session_timeout", Self.text(idleSessionTimeout)), ("lock_timeout", Self.text(lockTimeout)),
        ("statement_timeout", "60s"),
      ])
  }

  func readerSettings(_ names: PostgresNames) -> PostgresSettings {
    settings(
      names, applicationName: "tracseq reader \(names.schema)", access: .preferReadWrite,
      answerTimeout: statementTimeout + .seconds(2),
      [("statement_timeout", Self.text(statementTimeout)), ("lock_timeout", Self.text(lockTimeout))])
  }

  /// Returns a duration in the form of the server's settings, in milliseconds.
  static func text(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    return "\(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)ms"
  }
}
