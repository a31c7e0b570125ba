import Persistence
import Runtime
import Values

extension PostgresWriter {
  /// The session, with the locks of all shards that nobody else has taken meanwhile. When it was lost it is made anew,
  /// with growing pauses, until the time for it is over.
  func session() async -> Result<PostgresConnection, StoreError> {
    if isTakenOver { return .failure(.takenOver(names.schema)) }
    if let connection, connection.isOpen { return .success(connection) }
    if formerEnds.isEmpty { formerEnds = ends }
    var failures = 0
    let deadline = environment.now() + configuration.reconnectTimeout
    while true {
      connection = nil
      ends = [:]
      heads.forgetAll()
      let reason: PostgresError
      do {
        let fresh = try PostgresConnection(configuration.writerSettings(names, applicationName: sessionName))
        connection = fresh
        // 1. Lock. 2. Read. Only then may anything be written. What another process has taken meanwhile is its own, and
        // what it has written and given back is not what is in memory here.
        let taken = try lock(wanted, on: fresh)
        let isWritten = taken.isEmpty ? try isWrittenByOthers(on: fresh) : true
        if isWritten {
          connection = nil
          ends = [:]
          isTakenOver = true
          board.isTakenOver()
          return .failure(.takenOver(names.schema))
        }
        try beat(on: fresh)
        formerEnds = [:]
        uncertain = []
        return .success(fresh)
      } catch {
        reason = error
      }
      connection = nil
      if !wanted.isEmpty { board.fails(number, .unavailable(reason.description)) }
      if inbox.isClosed || environment.now() >= deadline { return .failure(.unavailable(reason.description)) }
      failures += 1
      let nap = PostgresConfiguration.reconnectBackoff.pause(after: failures, jitter: environment.random())
      do {
        try await environment.clock.sleep(until: min(environment.now() + nap, deadline))
      } catch {
        return .failure(.unavailable(reason.description))
      }
    }
  }

  /// Whether the shards have grown since the last session was lost by more than the appends that were on their way then.
  private func isWrittenByOthers(on connection: PostgresConnection) throws(PostgresError) -> Bool {
    for (shard, former) in formerEnds {
      guard wanted.contains(shard), let end = ends[shard], end.position != former.position else { continue }
      if end.position < former.position { return true }
      for id in try appends(to: shard, after: former.position, on: connection) where !uncertain.contains(id) {
        return true
      }
    }
    return false
  }

  private func appends(
    to shard: Int, after position: Int64, on connection: PostgresConnection
  ) throws(PostgresError) -> Set<UniqueID> {
    var ids: Set<UniqueID> = []
    let call = PostgresCall(Self.appendsBehind) {
      $0.append(int4: shard)
      $0.append(position)
    }
    for row in try connection.run(call).rows { ids.insert(try row.uuid(0)) }
    return ids
  }

  /// Reads again where shards end, as somebody beside their owner has written to them. The owner goes on behind that.
  /// - Returns: whether one has grown.
  func passIntruders(in shards: Set<Int>, on connection: PostgresConnection) throws(PostgresError) -> Bool {
    let before = ends
    try readEnds(of: shards.sorted(), on: connection)
    var hasGrown = false
    for shard in shards.sorted() {
      guard let former = before[shard]?.position, let end = ends[shard]?.position, end > former else { continue }
      hasGrown = true
      board.found(end - former, shard: shard, position: end)
    }
    // Streams may have grown with them.
    if hasGrown { heads.forgetAll() }
    return hasGrown
  }

  /// Takes the locks of shards and reads where the shards end.
  /// - Returns: the shards that another process owns.
  func lock(_ shards: Set<Int>, on connection: PostgresConnection) throws(PostgresError) -> Set<Int> {
    var missing = shards
    var patience = naps(in: configuration.ownershipPatience)
    var former = naps(in: configuration.reconnectTimeout)
    while !missing.isEmpty {
      var locked: [Int] = []
      let attempt = PostgresCall(Self.lock) {
        $0.append(int4: key)
        $0.append(PostgresArray(missing.sorted()))
      }
      for row in try connection.run(attempt).rows where try row.bool(1) { locked.append(try row.int4(0)) }
      try readEnds(of: locked, on: connection)
      missing.subtract(locked)
      if missing.isEmpty { break }
      // Our own session of before may still be there, when the network lost it or its end takes a moment: it is ended,
      // and what it held isn't taken by anyone. Others may keep what they have, but a process that was just killed is
      // given the moment that its session needs to go.
      if try heldByOthers(missing, on: connection) {
        patience -= 1
      } else {
        former -= 1
      }
      if patience < 0 || former < 0 { break }
      _ = try connection.run(PostgresCall(Self.nap))
    }
    return missing
  }

  private func naps(in duration: Duration) -> Int { Int(duration / .milliseconds(20)) }

  /// Lets go of shards.
  func release(_ shards: Set<Int>, on connection: PostgresConnection) throws(PostgresError) {
    if shards.isEmpty { return }
    for shard in shards { ends[shard] = nil }
    _ = try connection.run(
      PostgresCall(Self.unlock) {
        $0.append(int4: key)
        $0.append(PostgresArray(shards.sorted()))
      })
    heads.forgetAll()
  }

  private func readEnds(of shards: [Int], on connection: PostgresConnection) throws(PostgresError) {
    if shards.isEmpty { return }
    let call = PostgresCall(Self.ends) { $0.append(PostgresArray(shards)) }
    for row in try connection.run(call).rows {
      ends[try row.int4(0)] = ShardHead(
        position: try row.int8(1), chain: try row.isNull(2) ? nil : try row.bytes(2))
    }
  }

  /// Ends our own session of before if it holds any of the locks.
  /// - Returns: whether anyone else does.
  private func heldByOthers(_ shards: Set<Int>, on connection: PostgresConnection) throws(PostgresError) -> Bool {
    let call = PostgresCall(Self.holders) {
      $0.append(Int64(store.id))
      $0.append(PostgresArray(shards.sorted()))
      $0.append(sessionName)
    }
    var others = false
    for row in try connection.run(call).rows where try !row.bool(0) { others = true }
    return others
  }

  /// The first half of the locks' keys: the store's id, as the server takes it.
  private var key: Int { Int(Int32(bitPattern: store.id)) }

  private static let lock = PostgresStatement(
    "lock", "SELECT s.shard, pg_try_advisory_lock($1, s.shard) FROM unnest($2) AS s (shard)")

  private static let unlock = PostgresStatement(
    "unlock", "SELECT pg_advisory_unlock($1, s.shard) FROM unnest($2) AS s (shard)")

  private static let ends = PostgresStatement(
    "ends",
    """
    SELECT s.shard, greatest(e.position, (SELECT d.dropped_to FROM shards d WHERE d.shard = s.shard), 0), e.chain
    FROM unnest($1) AS s (shard)
    LEFT JOIN LATERAL (
      SELECT position, chain FROM events WHERE shard = s.shard ORDER BY position DESC LIMIT 1
    ) e ON true
    """)

  private static let appendsBehind = PostgresStatement(
    "appends_behind", "SELECT DISTINCT append_id FROM events WHERE shard = $1 AND position > $2")

  // Not `… OR true`: the planner makes that true, and calls nothing.
  private static let holders = PostgresStatement(
    "lock_holders",
    """
    SELECT CASE WHEN coalesce(a.application_name = $3, false) THEN pg_terminate_backend(h.pid) IS NOT NULL
      ELSE false END
    FROM (
      SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid <> pg_backend_pid()
        AND l.classid::int8 = $1 AND l.objid::int8 = ANY ($2::int8[])
    ) h JOIN pg_stat_activity a ON a.pid = h.pid
    """)

  /// The session's own thread waits, and nobody else: appends that come in meanwhile wait in line.
  private static let nap = PostgresStatement("nap", "SELECT pg_sleep(0.02)")
}
