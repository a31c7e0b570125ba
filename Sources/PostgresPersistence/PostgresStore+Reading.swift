import Persistence
import Runtime
public import Values

extension PostgresStore {
  public func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    // Every stream's id is of version 7.
    guard stream.moment != nil else { return [] }
    let month = try StreamMonth.of(stream)
    return try await pool.run { (connection) throws(PostgresError) in
      try Self.events(
        connection,
        PostgresCall(PostgresStatements.readStream) {
          $0.append(int4: month)
          $0.append(stream)
          $0.append(int4: min(max(version, 0), Int(Int32.max)))
          $0.append(Int64(max(limit, 0)))
        })
    }
  }

  public func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try checkShard(shard, count: shardCount)
    return try await pool.run { (connection) throws(PostgresError) in
      try Self.events(
        connection,
        PostgresCall(PostgresStatements.readTail) {
          $0.append(int4: shard)
          $0.append(position)
          $0.append(Int64(max(limit, 0)))
        })
    }
  }

  private static func events(
    _ connection: PostgresConnection, _ call: PostgresCall
  ) throws(PostgresError) -> [StoredEvent] {
    var events: [StoredEvent] = []
    for row in try connection.run(call).rows {
      events.append(
        StoredEvent(
          stream: try row.uuid(0), version: try row.int4(1), shard: try row.int4(2), position: try row.int8(3),
          type: try row.text(4), data: try row.bytes(5), meta: try row.bytes(6), appendID: try row.uuid(7),
          hash: try row.bytes(8), chain: try row.isNull(9) ? nil : try row.bytes(9), recordedAt: try row.timestamp(10)))
    }
    return events
  }

  public func head(shard: Int) async throws(StoreError) -> Int64 {
    try checkShard(shard, count: shardCount)
    return try await pool.run { (connection) throws(PostgresError) in
      try connection.run(PostgresCall(PostgresStatements.head) { $0.append(int4: shard) }).first?.int8(0) ?? 0
    }
  }

  public func heads() async throws(StoreError) -> [Int64] {
    let count = shardCount
    return try await pool.run { (connection) throws(PostgresError) in
      var heads = [Int64](repeating: 0, count: count)
      let rows = try connection.run(PostgresCall(PostgresStatements.shardHeads) { $0.append(int4: count - 1) }).rows
      for row in rows {
        let shard = try row.int4(0)
        if heads.indices.contains(shard) { heads[shard] = try row.int8(1) }
      }
      return heads
    }
  }

  /// Returns the bytes of the schema's tables with their indexes. The server does not say how much space is left.
  public func size() async throws(StoreError) -> StoreSize {
    try await pool.run { (connection) throws(PostgresError) in
      StoreSize(bytes: try connection.run(PostgresCall(Self.schemaSize)).first?.int8(0))
    }
  }

  private static let schemaSize = PostgresStatement(
    "schema_size",
    """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'm')
    """)

  public func origins() async throws(StoreError) -> ChainOrigins {
    try await pool.run { (connection) throws(PostgresError) in
      guard let row = try connection.run(PostgresCall(Self.storeID)).first else {
        throw .unexpected("the table store is empty")
      }
      var unchained: [Int: Int64] = [:]
      for row in try connection.run(PostgresCall(Self.unchained)).rows { unchained[try row.int4(0)] = try row.int8(1) }
      return ChainOrigins(store: try row.uuid(0), unchained: unchained)
    }
  }

  private static let storeID = PostgresStatement("store_id", "SELECT store_id FROM store")
  private static let unchained = PostgresStatement("unchained", "SELECT shard, position FROM unchained")

  public func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot? {
    let shard = shard(of: stream)
    return try await pool.run { (connection) throws(PostgresError) in
      let call = PostgresCall(PostgresStatements.readSnapshot) {
        $0.append(int4: shard)
        $0.append(stream)
      }
      guard let row = try connection.run(call).first else { return nil }
      return Snapshot(stream: stream, version: try row.int4(0), data: try row.bytes(1))
    }
  }

  public func save(_ snapshot: Snapshot) async throws(StoreError) {
    let shard = shard(of: snapshot.stream)
    let now = environment.now()
    try await pool.run { (connection) throws(PostgresError) in
      _ = try connection.run(
        PostgresCall(PostgresStatements.saveSnapshot) {
          $0.append(int4: shard)
          $0.append(snapshot.stream)
          $0.append(int4: snapshot.version)
          $0.append(now)
          $0.append(snapshot.data)
        })
    }
  }

  public func startKey(scope: String, key: String) async throws(StoreError) -> StartKey? {
    try checkText(scope, "a start key's scope")
    try checkText(key, "a start key")
    let shard = shard(ofKey: scope, key)
    return try await pool.run { (connection) throws(PostgresError) in
      let call = PostgresCall(PostgresStatements.readStartKey) {
        $0.append(int4: shard)
        $0.append(scope)
        $0.append(key)
      }
      guard let row = try connection.run(call).first else { return nil }
      return StartKey(scope: scope, key: key, stream: try row.uuid(0), digest: try row.bytes(1))
    }
  }

  public func claim(scope: String, value: String) async throws(StoreError) -> Claim? {
    try checkText(scope, "a claim's scope")
    try checkText(value, "a claim's value")
    let shard = shard(ofKey: scope, value)
    return try await pool.run { (connection) throws(PostgresError) in
      let call = PostgresCall(PostgresStatements.readClaim) {
        $0.append(int4: shard)
        $0.append(scope)
        $0.append(value)
      }
      guard let row = try connection.run(call).first else { return nil }
      return Claim(
        scope: scope, value: value, stream: try row.uuid(0), data: try row.isNull(1) ? nil : try row.bytes(1))
    }
  }

  public func openStreams(
    shard: Int?, after stream: UniqueID?, limit: Int
  ) async throws(StoreError) -> [OpenStream] {
    if let shard { try checkShard(shard, count: shardCount) }
    return try await pool.run { (connection) throws(PostgresError) in
      let call = PostgresCall(shard == nil ? Self.allOpen : PostgresStatements.openOfShard) {
        if let shard { $0.append(int4: shard) }
        // The id that matches no stream, because it is not of version 7.
        $0.append(stream ?? UniqueID(high: 0, low: 0))
        $0.append(Int64(max(limit, 0)))
      }
      var open: [OpenStream] = []
      for row in try connection.run(call).rows {
        open.append(
          OpenStream(
            stream: try row.uuid(0), shard: try row.int4(1), asleep: try row.bool(2),
            wakeAt: try row.isNull(3) ? nil : try row.timestamp(3)))
      }
      return open
    }
  }

  private static let allOpen = PostgresStatement(
    "open_streams",
    "SELECT stream, shard, asleep, wake_at FROM open_streams WHERE stream > $1 ORDER BY stream LIMIT $2")
}
