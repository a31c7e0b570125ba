import Persistence
import Runtime
import Values

/// One session that writes. It holds the advisory locks of its shards, and every append of these shards goes through it:
/// a session that was lost has lost its locks, so that nothing is written by who doesn't own.
///
/// It works on a thread of its own. What comes in while a transaction commits is the next transaction.
actor PostgresWriter {
  nonisolated let inbox: WriterInbox
  nonisolated private let executor: QueueExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  let configuration: PostgresConfiguration
  let names: PostgresNames
  let store: PostgresStoreRow
  let environment: Environment
  let hub: CommitHub
  let board: StoreHealthBoard
  let number: Int
  private let watch: StoreWatch
  /// Names this writer's sessions, and no other's, in `pg_stat_activity`.
  let sessionName: String

  var connection: PostgresConnection?
  /// The shards that this writer is to own.
  var wanted: Set<Int> = []
  /// Those whose locks the session holds, each with where it ends.
  var ends: [Int: ShardHead] = [:]
  /// Where the shards ended when the last session was lost. What is behind that now was written by the appends below, or
  /// by another process.
  var formerEnds: [Int: ShardHead] = [:]
  /// The appends that were on their way when a session was lost.
  var uncertain: Set<UniqueID> = []
  /// Another process owns a shard of this writer, or wrote to it. It writes no more.
  var isTakenOver = false
  var heads: StreamHeads
  /// The last month whose partitions were made ahead.
  private var preparedMonth = 0

  init(
    number: Int, configuration: PostgresConfiguration, names: PostgresNames, store: PostgresStoreRow,
    environment: Environment, hub: CommitHub, board: StoreHealthBoard
  ) {
    self.board = board
    self.number = number
    self.configuration = configuration
    self.names = names
    self.store = store
    self.environment = environment
    self.hub = hub
    executor = QueueExecutor(label: "tracseq.postgres.writer.\(number)")
    let inbox = WriterInbox(batchEvents: configuration.batchEvents, batchBytes: configuration.batchBytes)
    self.inbox = inbox
    // The writer's own thread may wait for the server: callers are answered by another.
    watch = StoreWatch { [board, patience = configuration.patience, stallAfter = configuration.stallAfter] in
      let (overdue, stalled) = inbox.sweep(patience: patience)
      if stalled > stallAfter { board.stalls(number, for: stallAfter) }
      let reason = board.health.problem?.message ?? "too much waits to be written"
      for ticket in overdue { ticket.giveUp(reason) }
      board.look()
    }
    sessionName = "tracseq writer \(environment.newID())"
    heads = StreamHeads(capacity: configuration.rememberedStreams)
  }

  // MARK: For callers

  nonisolated func append(_ append: Append, month: Int, shard: Int) async throws(StoreError) -> Appended {
    let result = await withCheckedContinuation { answer in
      let ticket = WriteTicket<Appended>(answer)
      switch inbox.put(append, month: month, shard: shard, ticket: ticket) {
      case true: Task { await self.work() }
      case false: break
      case nil: ticket.give(.failure(.closed))
      }
    }
    return try result.get()
  }

  /// Makes these shards, and no others, this writer's.
  nonisolated func own(_ shards: Set<Int>) async throws(StoreError) {
    let answer = Once<Result<Void, StoreError>>()
    if !tell(.own(shards, answer)) { answer.give(.failure(.closed)) }
    try await answer.value().get()
  }

  /// Shows the server, when there is nothing else to do, that this session lives, and finds out whether it can write.
  nonisolated func beat() { _ = tell(.beat) }

  /// Ends the session when all that waits has its answer.
  nonisolated func close() async {
    let done = Once<Void>()
    if !tell(.close(done)) { done.give() }
    await done.value()
  }

  /// - Returns: false when the writer is closed.
  nonisolated private func tell(_ control: WriterControl) -> Bool {
    switch inbox.put(control) {
    case true: Task { await self.work() }
    case false: break
    case nil: return false
    }
    return true
  }

  // MARK: The one consumer

  private func work() async {
    while let work = inbox.take() {
      switch work {
      case .appends(let appends):
        await write(appends)
      case .control(.own(let shards, let answer)):
        answer.give(await own(exactly: shards))
      case .control(.beat):
        await keepAlive()
      case .control(.close(let done)):
        endSession()
        done.give()
      }
    }
  }

  private func own(exactly shards: Set<Int>) async -> Result<Void, StoreError> {
    switch await session() {
    case .failure(let error):
      return .failure(error)
    case .success(let connection):
      do {
        let before = Set(ends.keys)
        let taken = try lock(shards.subtracting(before), on: connection)
        if let shard = taken.min() {
          // All or nothing: what was gained just now is given back.
          try release(Set(ends.keys).subtracting(before), on: connection)
          return .failure(
            StoreError(.notOwner, "shard \(shard) of the store \(names.schema) is owned by another process"))
        }
        wanted = shards
        try release(before.subtracting(shards), on: connection)
        if shards.isEmpty { board.ownsNothing(number) } else { board.owns(number) }
        return .success(())
      } catch {
        return .failure(.unavailable(error.description))
      }
    }
  }

  private func keepAlive() async {
    // A session that is gone is taken up again at once, as its shards are without an owner; other trouble shows again at
    // the next beat, and to the appends that it concerns.
    if await !beats() { _ = await session() }
  }

  /// - Returns: false when the session was lost.
  private func beats() async -> Bool {
    guard !wanted.isEmpty, case .success(let connection) = await session() else { return true }
    do {
      let month = PostgresPartitions.month(at: environment.now())
      if month != preparedMonth {
        try PostgresPartitions.make(
          Set(PostgresPartitions.ahead(of: environment.now())), on: connection, lockKey: names.lockKey)
        preparedMonth = month
      }
      try beat(on: connection)
    } catch {
      board.fails(number, .unavailable(error.description))
      return connection.isOpen
    }
    return true
  }

  /// Writes something: a server that takes statements may yet take no writes, or never end a commit.
  func beat(on connection: PostgresConnection) throws(PostgresError) {
    guard let shard = wanted.min() else { return }
    _ = try connection.run(
      PostgresCall(Self.heartbeat) {
        $0.append(int4: shard)
        $0.append(environment.now().milliseconds)
      })
    inbox.progress()
    board.beats(number)
  }

  private func endSession() {
    // The server ends a session a moment after we do: whoever opens the store next shouldn't find its locks.
    do {
      if let connection, connection.isOpen { _ = try connection.run(PostgresCall(Self.unlockAll)) }
    } catch {
      // A session that is gone has no locks.
    }
    connection = nil
    ends = [:]
    wanted = []
    watch.cancel()
    board.ownsNothing(number)
  }

  private static let unlockAll = PostgresStatement("unlock_all", "SELECT pg_advisory_unlock_all()")

  /// It lies with the checkpoints, under a name that no follower has; only that it was written matters.
  private static let heartbeat = PostgresStatement(
    "heartbeat",
    """
    INSERT INTO checkpoints (follower, shard, position) VALUES ('/heartbeat', $1, $2)
    ON CONFLICT (follower, shard) DO UPDATE SET position = excluded.position
    """)
}
