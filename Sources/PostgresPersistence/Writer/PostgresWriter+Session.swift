import Persistence
import Runtime
import Values

extension PostgresWriter {
  /// Returns the session, with the locks of all shards that no other process has taken meanwhile. A lost session is
  /// opened again, with growing pauses, until the time limit.
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
        // 1. Lock. 2. Read. Only after both may anything be written. A shard that another process has taken belongs to
        //    that process. If it wrote and released the shard, the memory of this process is out of date.
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

  /// Returns true when the shards have grown since the last session was lost by more than the appends then under way, or
  /// when the database has lost events since then.
  private func isWrittenByOthers(on connection: PostgresConnection) throws(PostgresError) -> Bool {
    let missing = formerEnds.filter { shard, former in
      wanted.contains(shard) && (ends[shard]?.position ?? former.position) < former.position
    }
    for (shard, former) in missing {
      guard let end = ends[shard]?.position else { continue }
      board.lost(former.position - end, shard: shard, position: end)
    }
    if !missing.isEmpty { return true }
    for (shard, former) in formerEnds {
      guard wanted.contains(shard), let end = ends[shard], end.position != former.position else { continue }
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

  /// Reads the ends of the shards again, because another program has written to them. The owner continues after those
  /// events.
  /// - Returns: true when a shard has grown.
  func passIntruders(in shards: Set<Int>, on connection: PostgresConnection) throws(PostgresError) -> Bool {
    let before = ends
    try readEnds(of: shards.sorted(), on: connection)
    var hasGrown = false
    for shard in shards.sorted() {
      guard let former = before[shard]?.position, let end = ends[shard]?.position, end > former else { continue }
      hasGrown = true
      board.found(end - former, shard: shard, position: end)
    }
    // The streams of those events may have grown too.
    if hasGrown { heads.forgetAll() }
    return hasGrown
  }

  /// Takes the locks of shards and reads the ends of the shards.
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
      // Our previous session may still exist, because the network lost it or it is slow to end. It is terminated, and
      // no other process gets its locks. Other processes keep their locks. But a process that was just killed gets a
      // little time for its session to end.
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

  /// Releases the locks of shards.
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

  /// Terminates our previous session if it has any of the locks.
  /// - Returns: true when another session has one.
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

  /// The first half of the locks' keys: the store's id as the server's integer.
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

  // Not `… OR true`: the planner would simplify that to true and skip the call.
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

  /// Only the session's own thread waits. Appends that arrive meanwhile wait in the inbox.
  private static let nap = PostgresStatement("nap", "SELECT pg_sleep(0.02)")
}
