public import Values

/// A read model in the tables of a database. Every database runs the same statements.
public final class SQLReadStore: SagaReadStore {
  let database: any ReadDatabase
  let limits: SagaListingLimits
  public var kind: String { database.dialect.name }

  package init(_ database: any ReadDatabase, limits: SagaListingLimits = SagaListingLimits()) async throws(StoreError) {
    self.database = database
    self.limits = limits
    do throws(StoreError) {
      try await database.write { session throws(StoreError) in try Self.prepare(session) }
    } catch {
      await database.close()
      throw error
    }
  }

  /// Opens the read model in an SQLite file, or creates the file. The folder must exist.
  /// - Throws: `store.locked` when another process has it open, `store.foreign` when the file is something else.
  public static func sqlite(path: String) async throws(StoreError) -> SQLReadStore {
    try await SQLReadStore(SQLiteReadDatabase.open(path: path))
  }

  /// Creates the missing tables. Drops tables of another version's shape; the events fill the new ones.
  private static func prepare(_ session: any ReadSession) throws(StoreError) {
    try session.script(ReadTables.shared(session.dialect))
    let known = try session.query("SELECT shape, last, current, building FROM read_model", []) {
      row throws(StoreError) in
      (shape: try row.int(0), last: Int(try row.int(1)), current: Int(try row.int(2)), building: Int(try row.int(3)))
    }.first
    if let known {
      // Drops the tables of a process that ended during a swap.
      if known.shape == ReadTables.schema { return try dropStrays(session) }
      for generation in [known.current, known.building] { try session.script(ReadTables(generation: generation).drop) }
      try session.execute("DELETE FROM read_checkpoints", [])
      try session.execute("DELETE FROM read_model", [])
    }
    let first = (known?.last ?? 0) + 1
    try dropTables(besides: [], session)
    try session.script(ReadTables(generation: first).create(session.dialect))
    try session.execute(
      "INSERT INTO read_model (one, shape, last, current, building) VALUES (1, $1, $2, $2, 0)",
      [.int(ReadTables.schema), .int(Int64(first))])
  }

  public func close() async { await database.close() }

  // MARK: Generations

  public func generations() async throws(StoreError) -> ReadGenerations {
    try await database.read { session throws(StoreError) in try Self.generations(session) }
  }

  static func generations(_ session: any ReadSession) throws(StoreError) -> ReadGenerations {
    let found = try session.query("SELECT current, building FROM read_model", []) { row throws(StoreError) in
      let building = Int(try row.int(1))
      return ReadGenerations(current: Int(try row.int(0)), building: building == 0 ? nil : building)
    }
    guard let found = found.first else { throw .corrupt("the read model doesn't say which of its tables are current") }
    return found
  }

  static func current(_ session: any ReadSession) throws(StoreError) -> ReadTables {
    ReadTables(generation: try generations(session).current)
  }

  public func beginGeneration() async throws(StoreError) -> Int {
    try await database.write { session throws(StoreError) in
      if let building = try Self.generations(session).building { try Self.forget(building, session) }
      try Self.dropStrays(session)
      let last = try session.query("SELECT last FROM read_model", []) { row throws(StoreError) in try row.int(0) }.first
      let next = Int(last ?? 0) + 1
      try session.script(ReadTables(generation: next).create(session.dialect))
      try session.execute("UPDATE read_model SET last = $1, building = $1", [.int(Int64(next))])
      return next
    }
  }

  public func makeCurrent(_ generation: Int, evenIfBehind: Bool) async throws(StoreError) -> Bool {
    try await database.write { session throws(StoreError) in
      let generations = try Self.generations(session)
      guard generations.building == generation else {
        throw .invalid("generation \(generation) of the read model isn't being filled")
      }
      let new = try Self.checkpoints(generation, session)
      for (shard, checkpoint) in try Self.checkpoints(generations.current, session) {
        if !evenIfBehind, (new[shard]?.position ?? 0) < checkpoint.position { return false }
      }
      try session.execute("UPDATE read_model SET current = $1, building = 0", [.int(Int64(generation))])
      return true
    }
  }

  /// Runs in a separate transaction. Readers that began before the swap can finish, and new readers do not wait.
  public func dropOldGenerations() async throws(StoreError) {
    try await database.write { session throws(StoreError) in try Self.dropStrays(session) }
  }

  /// Drops the tables, and their checkpoints, that neither serve nor are being filled.
  private static func dropStrays(_ session: any ReadSession) throws(StoreError) {
    // A process that begins a generation at the same time waits here, or has already recorded its generation.
    try session.execute("UPDATE read_model SET one = one", [])
    let generations = try generations(session)
    try dropTables(besides: [generations.current] + [generations.building].compactMap { $0 }, session)
    try session.execute(
      "DELETE FROM read_checkpoints WHERE generation <> $1 AND generation <> $2",
      [.int(Int64(generations.current)), .int(Int64(generations.building ?? generations.current))])
  }

  private static func dropTables(besides kept: [Int], _ session: any ReadSession) throws(StoreError) {
    let names = try session.query(session.dialect.tables, []) { row throws(StoreError) in try row.text(0) }
    for generation in Set(names.compactMap(ReadTables.generation(ofTable:))).subtracting(kept).sorted() {
      try session.script(ReadTables(generation: generation).drop)
    }
  }

  private static func forget(_ generation: Int, _ session: any ReadSession) throws(StoreError) {
    try session.script(ReadTables(generation: generation).drop)
    try session.execute("DELETE FROM read_checkpoints WHERE generation = $1", [.int(Int64(generation))])
  }

  // MARK: Checkpoints and rows

  public func checkpoints(_ generation: Int) async throws(StoreError) -> [Int: ReadCheckpoint] {
    try await database.read { session throws(StoreError) in try Self.checkpoints(generation, session) }
  }

  static func checkpoints(_ generation: Int, _ session: any ReadSession) throws(StoreError) -> [Int: ReadCheckpoint] {
    let rows = try session.query(
      "SELECT shard, position, hash FROM read_checkpoints WHERE generation = $1", [.int(Int64(generation))]
    ) { row throws(StoreError) in
      (Int(try row.int(0)), ReadCheckpoint(position: try row.int(1), hash: try row.bytes(2)))
    }
    return Dictionary(rows) { first, _ in first }
  }

  public func rows(_ ids: [UniqueID], generation: Int) async throws(StoreError) -> [SagaRow] {
    if ids.isEmpty { return [] }
    return try await database.read { session throws(StoreError) in
      try Self.rows(ids, ReadTables(generation: generation), session)
    }
  }

  public func currentRows(_ ids: [UniqueID]) async throws(StoreError) -> [SagaRow] {
    if ids.isEmpty { return [] }
    // The current generation and its content are read in one transaction.
    return try await database.read { session throws(StoreError) in
      try Self.rows(ids, try Self.current(session), session)
    }
  }

  private static func rows(
    _ ids: [UniqueID], _ tables: ReadTables, _ session: any ReadSession
  ) throws(StoreError) -> [SagaRow] {
    var rows: [SagaRow] = []
    var rest = ids[...]
    while !rest.isEmpty {
      let part = Array(rest.prefix(200))
      rest = rest.dropFirst(200)
      let places = (1...part.count).map { "$\($0)" }.joined(separator: ", ")
      rows += try session.query(
        "SELECT id, data FROM \(tables.rows) WHERE id IN (\(places))", part.map(SQLValue.id), Self.row)
    }
    return rows
  }

  static func row(_ row: any ReadRow) throws(StoreError) -> SagaRow {
    try SagaRow(id: try row.id(0), data: try row.text(1))
  }

  public func apply(_ batch: ReadBatch) async throws(StoreError) {
    try await database.write { session throws(StoreError) in try ReadBatchWriter(session, batch).write() }
  }

  public func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String] {
    var refused: [UniqueID: String] = [:]
    for change in changes {
      let batch = ReadBatch(
        generation: generation, shard: 0, from: 0, to: ReadCheckpoint(position: 0, hash: []), changes: [change])
      do throws(StoreError) {
        try await database.write { session throws(StoreError) in
          try ReadBatchWriter(session, batch).tryChanges()
          // The error rolls the transaction back.
          throw Self.taken
        }
      } catch {
        if error == Self.taken { continue }
        guard error.kind == .invalid else { throw error }
        refused[change.new.id] = error.detail ?? error.message
      }
    }
    return refused
  }

  private static let taken = StoreError(.invalid, "the row can be written")
}
