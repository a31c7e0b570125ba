import Persistence

extension PostgresStore {
  public func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64 {
    try checkShard(shard, count: shardCount)
    try checkText(follower, "a follower's name")
    return try await pool.run { (connection) throws(PostgresError) in
      try Self.checkpoint(connection, follower, shard)
    }
  }

  private static func checkpoint(
    _ connection: PostgresConnection, _ follower: String, _ shard: Int
  ) throws(PostgresError) -> Int64 {
    let call = PostgresCall(PostgresStatements.readCheckpoint) {
      $0.append(follower)
      $0.append(int4: shard)
    }
    return try connection.run(call).first?.int8(0) ?? 0
  }

  public func apply(_ batch: ProjectionBatch) async throws(StoreError) {
    try batch.validate(shardCount: shardCount)
    let statements = PostgresDocuments(names)
    // A lost call may have been committed. It is not repeated; the follower reads its checkpoint again.
    let actual = try await pool.run(.singleWrite) { (connection) throws(PostgresError) -> Int64? in
      try connection.runScript("BEGIN")
      let moved = try connection.run(
        PostgresCall(Self.moveCheckpoint) {
          $0.append(batch.follower)
          $0.append(int4: batch.shard)
          $0.append(batch.from)
          $0.append(batch.to)
        })
      guard moved.count == 1 else {
        try connection.runScript("ROLLBACK")
        return try Self.checkpoint(connection, batch.follower, batch.shard)
      }
      _ = try connection.run(statements.calls(for: batch) + [PostgresCall(PostgresStatements.commit)])
      return nil
    }
    if let actual { throw .checkpointConflict(batch, actual: actual) }
  }

  public func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError) {
    try moves.validate(follower: follower, shardCount: shardCount)
    if moves.isEmpty { return }
    let wrong = try await pool.run(.singleWrite) { (connection) throws(PostgresError) -> (Int, Int64)? in
      try connection.runScript("BEGIN")
      let moved = try connection.run(
        PostgresCall(Self.moveCheckpoints) {
          $0.append(follower)
          $0.append(PostgresArray(moves.map(\.shard)))
          $0.append(Self.positions(moves.map(\.from)))
          $0.append(Self.positions(moves.map(\.to)))
        })
      if moved.count == moves.count {
        try connection.runScript("COMMIT")
        return nil
      }
      try connection.runScript("ROLLBACK")
      for (index, move) in moves.enumerated() {
        let actual = try Self.checkpoint(connection, follower, move.shard)
        if actual != move.from { return (index, actual) }
      }
      // A concurrent writer moved the checkpoint away and back. The conflict names the first move.
      return (0, moves[0].from)
    }
    if let (index, actual) = wrong { throw .checkpointConflict(follower, moves[index], actual: actual) }
  }

  private static func positions(_ values: [Int64]) -> PostgresArray {
    var array = PostgresArray(.int8)
    for value in values { array.append(value) }
    return array
  }

  public func reset(follower: String, collections: Set<String>) async throws(StoreError) {
    try checkText(follower, "a follower's name")
    for collection in collections { try checkText(collection, "a collection's name") }
    let statements = PostgresDocuments(names)
    try await pool.run(.long(isRepeatable: true)) { (connection) throws(PostgresError) in
      _ = try connection.run(statements.reset(follower: follower, collections: collections))
    }
  }

  public func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] {
    try query.checkTexts()
    let call = PostgresDocuments(names).call(for: query)
    return try await pool.run { (connection) throws(PostgresError) in
      try Self.documents(connection, query.collection, call)
    }
  }

  public func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document] {
    try checkText(collection, "a collection's name")
    for id in ids { try checkText(id, "a document's id") }
    if ids.isEmpty { return [] }
    let call = PostgresDocuments(names).call(for: ids, of: collection)
    return try await pool.run { (connection) throws(PostgresError) in
      try Self.documents(connection, collection, call)
    }
  }

  private static func documents(
    _ connection: PostgresConnection, _ collection: String, _ call: PostgresCall
  ) throws(PostgresError) -> [Document] {
    var documents: [Document] = []
    for row in try connection.run(call).rows {
      let fields = zip(try row.texts(3), try row.texts(4))
      documents.append(
        Document(
          collection: collection, id: try row.text(0), sort: try row.text(1),
          fields: Dictionary(fields) { first, _ in first }, data: try row.bytes(2)))
    }
    return documents
  }

  /// A checkpoint that does not exist counts as 0. Only a checkpoint at the start of the batch moves.
  private static let moveCheckpoint = PostgresStatement(
    "checkpoint_move",
    """
    WITH moved AS (
      UPDATE checkpoints SET position = $4 WHERE follower = $1 AND shard = $2 AND position = $3 RETURNING 1
    ), made AS (
      INSERT INTO checkpoints (follower, shard, position)
      SELECT $1, $2, $4 WHERE $3 = 0
      ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT 1 FROM moved UNION ALL SELECT 1 FROM made
    """)

  private static let moveCheckpoints = PostgresStatement(
    "checkpoints_move",
    """
    WITH wanted AS (
      SELECT w.shard, w.start, w.goal FROM unnest($2, $3, $4) AS w (shard, start, goal)
    ), moved AS (
      UPDATE checkpoints c SET position = w.goal FROM wanted w
      WHERE c.follower = $1 AND c.shard = w.shard AND c.position = w.start RETURNING 1
    ), made AS (
      INSERT INTO checkpoints (follower, shard, position)
      SELECT $1, w.shard, w.goal FROM wanted w WHERE w.start = 0
      ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT 1 FROM moved UNION ALL SELECT 1 FROM made
    """)
}

extension DocumentQuery {
  fileprivate func checkTexts() throws(StoreError) {
    try checkText(collection, "a collection's name")
    for (name, value) in fields {
      try checkText(name, "a field's name")
      try checkText(value, "a field's value")
    }
    for text in [sortFrom, sortBelow, after?.sort] { if let text { try checkText(text, "a document's sort") } }
    if let after { try checkText(after.id, "a document's id") }
  }
}
