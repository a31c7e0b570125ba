import Dispatch
import Synchronization
import Values

/// A read model in its own SQLite file.
///
/// The file is not flushed at every commit. A power cut removes rows together with their checkpoint, and the engine
/// reads them from the events again.
final class SQLiteReadDatabase: ReadDatabase {
  let dialect = ReadDialect.sqlite
  private let lock: Mutex<FileLock?>
  private let writer: SQLiteReader
  private let readers: [SQLiteReader]
  private let nextReader = Atomic<Int>(0)

  /// The application id that identifies the file as one of our read models: "TrSr".
  private static let applicationID: Int64 = 0x5472_5372

  static func open(path: String) async throws(StoreError) -> SQLiteReadDatabase {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<SQLiteReadDatabase, StoreError>, Never>) in
      DispatchQueue(label: "tracseq.sqlite.read.open").async {
        do throws(StoreError) {
          continuation.resume(returning: .success(try SQLiteReadDatabase(path: path)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }

  private init(path: String) throws(StoreError) {
    lock = Mutex(try FileLock(path: path))
    let database = try SQLiteDatabase(path: path, readOnly: false)
    func number(_ sql: String) throws(StoreError) -> Int64 { try database.statement(sql).first { $0.integer(0) } ?? 0 }
    let application = try number("PRAGMA application_id")
    let isNew = try number("SELECT count(*) FROM sqlite_schema") == 0
    guard application == Self.applicationID || (application == 0 && isNew) else {
      throw StoreError(.foreign, "\(path) isn't a read model: name another file with --read-store")
    }
    try database.run("PRAGMA application_id = \(Self.applicationID)")
    try database.run("PRAGMA journal_mode = WAL")
    writer = SQLiteReader(try SQLiteReadSession.tuned(database))
    readers = [
      SQLiteReader(try SQLiteReadSession.tuned(SQLiteDatabase(path: path, readOnly: true))),
      SQLiteReader(try SQLiteReadSession.tuned(SQLiteDatabase(path: path, readOnly: true))),
    ]
  }

  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let turn = nextReader.wrappingAdd(1, ordering: .relaxed).oldValue
    return try await readers[Int(UInt(bitPattern: turn) % UInt(readers.count))].read { database throws(StoreError) in
      try database.transaction(begin: "BEGIN") { () throws(StoreError) in try body(SQLiteReadSession(database)) }
    }
  }

  func write<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await writer.read { database throws(StoreError) in
      try database.transaction { () throws(StoreError) in try body(SQLiteReadSession(database)) }
    }
  }

  func close() async {
    for reader in readers { await reader.close() }
    await writer.close()
    lock.withLock { $0 = nil }
  }
}

/// A connection to the read model's file.
struct SQLiteReadSession: ReadSession {
  let dialect = ReadDialect.sqlite
  let database: SQLiteDatabase

  init(_ database: SQLiteDatabase) { self.database = database }

  static func tuned(_ database: sending SQLiteDatabase) throws(StoreError) -> sending SQLiteDatabase {
    try database.run("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824")
    return database
  }

  private func bound(_ sql: String, _ values: [SQLValue]) throws(StoreError) -> SQLiteStatement {
    // SQLite treats `$1` as a name and numbers it at its first occurrence; `?1` is the number itself.
    let statement = try database.statement(sql.replacing("$", with: "?"))
    for value in values {
      switch value {
      case .int(let value): try statement.bind(value)
      case .text(let value): try statement.bind(value)
      case .id(let value): try statement.bind(value)
      case .bytes(let value): try statement.bind(value)
      case .noInt: try statement.bind(Optional<Int64>.none)
      }
    }
    return statement
  }

  func query<Row>(
    _ sql: String, _ values: [SQLValue], _ read: (any ReadRow) throws(StoreError) -> Row
  ) throws(StoreError) -> [Row] {
    try bound(sql, values).rows { statement throws(StoreError) in try read(SQLiteReadRow(statement: statement)) }
  }

  func execute(_ sql: String, _ values: [SQLValue]) throws(StoreError) -> Int {
    let before = database.totalChanges
    try bound(sql, values).execute()
    return Int(database.totalChanges - before)
  }

  func script(_ sql: String) throws(StoreError) { try database.run(sql) }

  func insert(
    _ table: String, _ columns: [String], _ rows: [[SQLValue]], conflict: String
  ) throws(StoreError) {
    let places = (1...columns.count).map { "$\($0)" }.joined(separator: ", ")
    let sql = "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(places)) \(conflict)"
    for row in rows { try bound(sql, row).execute() }
  }
}

private struct SQLiteReadRow: ReadRow {
  let statement: SQLiteStatement

  func int(_ column: Int) -> Int64 { statement.integer(Int32(column)) }
  func text(_ column: Int) -> String { statement.text(Int32(column)) }
  func id(_ column: Int) throws(StoreError) -> UniqueID { try statement.id(Int32(column)) }
  func bytes(_ column: Int) -> [UInt8] { statement.blob(Int32(column)) }
}
