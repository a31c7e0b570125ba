import Persistence
import Runtime
import Values

/// One session that writes. It owns the advisory locks of its shards, and every append of these shards goes through it.
/// A lost session has lost its locks, so only the owner of a shard can write to it.
///
/// The writer works on its own thread. The appends that arrive while a transaction commits form the next transaction.
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
  /// The name of this writer's sessions in `pg_stat_activity`. No other writer has it.
  let sessionName: String

  var connection: PostgresConnection?
  /// The shards that this writer must own.
  var wanted: Set<Int> = []
  /// The shards whose locks the session has, each with its end.
  var ends: [Int: ShardHead] = [:]
  /// The ends of the shards when the last session was lost. Later events were written by the appends below, or by
  /// another process.
  var formerEnds: [Int: ShardHead] = [:]
  /// The appends that were under way when a session was lost.
  var uncertain: Set<UniqueID> = []
  /// True when another process owns a shard of this writer, or wrote to it. Then the writer writes no more.
  var isTakenOver = false
  var heads: StreamHeads
  /// The last month whose partitions were created ahead.
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
    // The writer's own thread may wait for the server, so another thread answers callers.
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

  /// Makes this writer the owner of exactly these shards.
  nonisolated func own(_ shards: Set<Int>) async throws(StoreError) {
    let answer = Once<Result<Void, StoreError>>()
    if !tell(.own(shards, answer)) { answer.give(.failure(.closed)) }
    try await answer.value().get()
  }

  /// Writes a heartbeat when there is no other work. It shows the server that the session is alive, and tests whether
  /// writes work.
  nonisolated func beat() { _ = tell(.beat) }

  /// Ends the session after all waiting appends have their answer.
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
          // All or nothing: the locks that were just taken are released.
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
    // A lost session is replaced immediately, because its shards have no owner. Other errors show again at the next
    // beat, and to the appends that they affect.
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

  /// Writes a heartbeat. A server that accepts statements may still accept no writes, or never finish a commit.
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
    // The server ends a session shortly after we do. The next process that opens the store must not find its locks.
    do {
      if let connection, connection.isOpen { _ = try connection.run(PostgresCall(Self.unlockAll)) }
    } catch {
      // A lost session has no locks.
    }
    connection = nil
    ends = [:]
    wanted = []
    watch.cancel()
    board.ownsNothing(number)
  }

  private static let unlockAll = PostgresStatement("unlock_all", "SELECT pg_advisory_unlock_all()")

  /// The heartbeat is a checkpoint under a name that no follower has. Only the fact that it was written matters.
  private static let heartbeat = PostgresStatement(
    "heartbeat",
    """
    INSERT INTO checkpoints (follower, shard, position) VALUES ('/heartbeat', $1, $2)
    ON CONFLICT (follower, shard) DO UPDATE SET position = excluded.position
    """)
}
