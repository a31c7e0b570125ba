import Dispatch
import Persistence
public import Runtime
import Synchronization
import Values

/// A store in a Postgres database.
///
/// A few sessions write, each for the shards whose advisory locks it owns. Concurrent appends of many tasks go into one
/// transaction. Other sessions read. Each session is used on its own thread.
public final class PostgresStore: EventStore {
  public let shardCount: Int
  let pool: PostgresPool
  let names: PostgresNames
  let environment: Environment
  private let configuration: PostgresConfiguration
  private let writers: [PostgresWriter]
  private let hub: CommitHub
  private let board: StoreHealthBoard
  private struct State {
    var beats: StoreWatch?
    var isClosed = false
  }
  private let state = Mutex(State())

  private init(
    configuration: PostgresConfiguration, names: PostgresNames, row: PostgresStoreRow, environment: Environment
  ) {
    let hub = CommitHub()
    self.hub = hub
    // Another process can take a shard after the server has ended our silent session.
    let board = StoreHealthBoard(environment: environment, validity: configuration.idleSessionTimeout / 3)
    self.board = board
    self.configuration = configuration
    self.names = names
    self.environment = environment
    shardCount = row.shardCount
    pool = PostgresPool(configuration: configuration, names: names, environment: environment)
    writers = (0..<configuration.writers).map { number in
      PostgresWriter(
        number: number, configuration: configuration, names: names, store: row, environment: environment, hub: hub,
        board: board)
    }
  }

  /// Opens the store at a connection URL, or creates it.
  /// - Parameters:
  ///   - url: a libpq connection URL.
  ///   - environment: the time, ids, and jitter of reconnects.
  ///   - name: the schema of the store.
  public static func open(
    url: String, environment: Environment, name: String = "tracseq"
  ) async throws(StoreError) -> PostgresStore {
    try await open(PostgresConfiguration(url: url, name: name), environment: environment)
  }

  /// Opens the store, or creates it, and migrates its schema to this program's version.
  /// - Throws: `store.unavailable` when the server is unreachable or refuses the login; `store.invalid` when the
  ///   settings cannot be parsed; `store.newerVersion` and `store.foreign` when the schema is not this program's.
  public static func open(
    _ configuration: PostgresConfiguration, environment: Environment
  ) async throws(StoreError) -> PostgresStore {
    try await open(configuration, environment: environment) { opener throws(PostgresError) in try await opener.open() }
  }

  /// Opens a store only for reading, also while another process writes it. It creates nothing and changes nothing.
  /// - Throws: the errors of `open`, and `store.olderVersion` for a schema that an engine of this version must open
  ///   first.
  public static func openToRead(
    _ configuration: PostgresConfiguration, environment: Environment
  ) async throws(StoreError) -> any EventReading {
    try await open(configuration, environment: environment) { opener throws(PostgresError) in try await opener.look() }
  }

  private static func open(
    _ configuration: PostgresConfiguration, environment: Environment,
    _ prepare: (PostgresOpener) async throws(PostgresError) -> PostgresStoreRow
  ) async throws(StoreError) -> PostgresStore {
    try configuration.validate()
    do {
      let names = try PostgresNames(schema: configuration.name)
      let opener = PostgresOpener(configuration: configuration, names: names, environment: environment)
      let row = try await prepare(opener)
      return PostgresStore(configuration: configuration, names: names, row: row, environment: environment)
    } catch {
      if error.kind == .unreachable {
        throw StoreError(.unavailable, "Postgres can't be reached, or doesn't let us in", detail: error.message)
      }
      throw error.forCallers
    }
  }

  // MARK: Writing

  public func own(shards: Set<Int>?) async throws(StoreError) {
    try checkOpen()
    let shards = shards ?? Set(0..<shardCount)
    for shard in shards { try checkShard(shard, count: shardCount) }
    var done: [PostgresWriter] = []
    for (number, writer) in writers.enumerated() {
      do {
        try await writer.own(shards.filter { $0 % writers.count == number })
        done.append(writer)
      } catch {
        // On an error, the process owns no shard instead of some of the requested ones.
        for writer in done { try await writer.own([]) }
        throw error
      }
    }
    startBeats()
  }

  public func append(_ append: Append) async throws(StoreError) -> Appended {
    let month = try append.validate(shardCount: shardCount)
    let bytes = append.events.reduce(0) { $0 + $1.data.count + $1.meta.count }
    if bytes > Self.maxAppendBytes {
      throw .invalid("an append has at most \(Self.maxAppendBytes >> 20) MiB, not \(bytes) bytes")
    }
    let shard = shard(of: append.stream)
    return try await writers[shard % writers.count].append(append, month: month, shard: shard)
  }

  /// The size limit of an append, far below the server's limit for one message.
  private static let maxAppendBytes = 256 << 20

  public func health() -> StoreHealth { board.health }
  public func healthChanges() -> AsyncStream<StoreHealth> { board.changes() }

  public func committed() -> CommitHints { hub.follow() }
  public func committedEvents(limit: Int) -> CommitFeed { hub.feed(limit: limit) }

  public func close() async {
    let isFirst = state.withLock { state in
      defer {
        state.isClosed = true
        state.beats = nil
      }
      return !state.isClosed
    }
    guard isFirst else { return }
    await withTaskGroup { group in
      for writer in writers { group.addTask { await writer.close() } }
    }
    await pool.close()
    hub.close()
    board.close()
  }

  func checkOpen() throws(StoreError) {
    if state.withLock({ $0.isClosed }) { throw .closed }
  }

  private func startBeats() {
    state.withLock { state in
      guard state.beats == nil, !state.isClosed else { return }
      let interval = DispatchTimeInterval.milliseconds(configuration.beat.wholeMilliseconds)
      state.beats = StoreWatch(every: interval) { [writers] in
        for writer in writers { writer.beat() }
      }
    }
  }
}

/// Migrates the schema on its own thread, with a session that exists only for that.
private actor PostgresOpener {
  nonisolated private let executor = QueueExecutor(label: "tracseq.postgres.open")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  private let configuration: PostgresConfiguration
  private let names: PostgresNames
  private let environment: Environment

  init(configuration: PostgresConfiguration, names: PostgresNames, environment: Environment) {
    self.configuration = configuration
    self.names = names
    self.environment = environment
  }

  func open() throws(PostgresError) -> PostgresStoreRow {
    let settings = configuration.settings(
      names, applicationName: "tracseq open \(names.schema)", access: .readWrite,
      answerTimeout: .seconds(60))
    let connection = try PostgresConnection(settings)
    let row = try PostgresMigrator(names: names).migrate(
      connection,
      creating: configuration.shardCount,
      now: environment.now())
    try PostgresPartitions.make(
      Set(PostgresPartitions.ahead(of: environment.now())), on: connection, lockKey: names.lockKey)
    return row
  }

  func look() throws(PostgresError) -> PostgresStoreRow {
    let settings = configuration.settings(
      names, applicationName: "tracseq look \(names.schema)", access: .any,
      answerTimeout: .seconds(60))
    return try PostgresMigrator(names: names).look(try PostgresConnection(settings))
  }
}
