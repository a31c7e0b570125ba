import Persistence
import Runtime

/// How a Postgres store is used by one process.
public struct PostgresConfiguration: Sendable {
  /// A `postgresql://` URL or libpq's `key=value` words. May hold a password: it is never shown or logged.
  public var url: String
  /// The schema that holds the store; its read models are in a second one named with `_read` behind. A database holds
  /// as many stores as it has such names.
  public var name: String
  /// How many shards the store gets when it is created by this open; later opens find it in the store.
  public var shardCount: Int
  /// Sessions that write, each for its own part of the shards: while one commits, another encodes.
  public var writers: Int
  /// Sessions that read, and write what isn't an append.
  public var readers: Int
  public var connectTimeout: Duration
  /// How long the caller of a write or read waits while the server answers nothing; then the call fails. When the server
  /// answers other calls meanwhile, a write waits four times and a read eight times as long. Holds for the store and for
  /// the read model.
  public var patience: Duration
  /// How long appends may wait without an answer before the store's health shows a problem.
  public var stallAfter: Duration
  /// After so much silence in the middle of an answer a writer gives its session up and makes another.
  public var writerSilence: Duration
  /// How long a writer tries to get a lost session back at a time, before it looks at what else there is to do.
  public var reconnectTimeout: Duration
  /// How long a read tries to get a lost session back.
  public var readReconnectTimeout: Duration
  /// How long `own` waits for locks that another session holds, as that of a process that was just killed.
  public var ownershipPatience: Duration
  /// How often an idle writer writes something, by which it shows that it lives and finds out whether writes work.
  public var beat: Duration
  /// After so much silence the server ends a writer's session, and others can take its shards: a stopped process must
  /// not hold them for ever. Several beats.
  public var idleSessionTimeout: Duration
  /// The longest a read may take.
  public var statementTimeout: Duration
  /// How long a statement waits for a lock of another session.
  public var lockTimeout: Duration
  /// The most events in one transaction of a writer, unless a single append has more.
  public var batchEvents: Int
  /// The most bytes of event data in one transaction of a writer, unless a single append has more.
  public var batchBytes: Int
  /// Streams whose last version and hash a writer remembers.
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

  /// The pauses between two tries to connect.
  static let reconnectBackoff = Backoff(first: .milliseconds(20), limit: .seconds(1))

  func validate() throws(StoreError) {
    guard (1...Shard.maxCount).contains(shardCount) else {
      throw .invalid("a store has 1 to \(Shard.maxCount) shards, not \(shardCount)")
    }
    guard writers >= 1, readers >= 1, batchEvents >= 1, rememberedStreams >= 1 else {
      throw .invalid("a Postgres store needs at least one writer and one reader, and room for an event and a stream")
    }
  }

  /// What every session sets: where names are looked up, and the durability that the store promises.
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

  /// Returns a duration as the server's settings take it, in milliseconds.
  static func text(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    return "\(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)ms"
  }
}
