import CSQLite
import Values

/// One connection to an SQLite file, and its prepared statements. Used by one thread at a time.
final class SQLiteDatabase {
  private let handle: OpaquePointer
  private var statements: [String: SQLiteStatement] = [:]

  /// - Parameter readOnly: refuses to write; the file must exist.
  init(path: String, readOnly: Bool) throws(StoreError) {
    var opened: OpaquePointer?
    if !readOnly { PrivateFile.create(path) }
    let flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (readOnly ? 0 : SQLITE_OPEN_CREATE)
    let status = sqlite3_open_v2(path, &opened, flags, nil)
    guard let opened else { throw .unavailable("no memory to open \(path)") }
    handle = opened
    // From here on `deinit` closes the handle, also when opening failed.
    if status != SQLITE_OK {
      throw StoreError(.unavailable, "can't open the store \(path)", detail: String(cString: sqlite3_errmsg(opened)))
    }
    // One process has the file, but a reader and a checkpoint can meet.
    sqlite3_busy_timeout(handle, 10_000)
    try run("PRAGMA foreign_keys = ON")
    if readOnly { try run("PRAGMA query_only = ON") }
  }

  deinit {
    // Statements are finalized first: a connection with live ones stays open.
    statements = [:]
    sqlite3_close_v2(handle)
  }

  /// The prepared statement for this text, reset and ready to bind; kept for the next time.
  func statement(_ sql: String) throws(StoreError) -> SQLiteStatement {
    if let statement = statements[sql] { return statement }
    var prepared: OpaquePointer?
    let status = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
    guard status == SQLITE_OK, let prepared else { throw SQLiteStatus.error(status, handle) }
    let statement = SQLiteStatement(prepared, of: handle)
    statements[sql] = statement
    return statement
  }

  /// Runs statements that give no rows.
  func run(_ sql: String) throws(StoreError) {
    let status = sqlite3_exec(handle, sql, nil, nil, nil)
    if status != SQLITE_OK { throw SQLiteStatus.error(status, handle) }
  }

  /// Runs everything in one transaction; takes all of it back when `body` throws or the commit fails.
  /// - Parameter begin: another beginning than that of a writer.
  func transaction<Value>(
    begin: String = "BEGIN IMMEDIATE", _ body: () throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    try statement(begin).execute()
    do {
      let value = try body()
      try commit()
      return value
    } catch {
      // SQLite has taken some failed transactions back by itself; where it hasn't, a rollback can't fail in a way that
      // keeps what was written.
      if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
      throw error
    }
  }

  private func commit() throws(StoreError) {
    let status = sqlite3_exec(handle, "COMMIT", nil, nil, nil)
    if status == SQLITE_OK { return }
    let error = SQLiteStatus.error(status, handle)
    // The last piece of a commit is what makes it one. Where it could not be written (a full disk), there is no commit. Where
    // it was written and not flushed, a crash of the machine might still bring it back.
    let isCertain = status & 0xFF != SQLITE_IOERR || status == SQLiteStatus.failedWrite
    throw isCertain ? error : .outcomeUnknown(error.description)
  }

  /// False also when SQLite has taken the transaction back by itself.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// How many rows have been written since the connection was opened.
  var totalChanges: Int64 { sqlite3_total_changes64(handle) }
}

/// What SQLite's result codes mean to a store.
enum SQLiteStatus {
  /// `SQLITE_IOERR_WRITE`, which is a macro that Swift doesn't see.
  static let failedWrite = SQLITE_IOERR | (3 << 8)

  static func error(_ status: Int32, _ handle: OpaquePointer?) -> StoreError {
    let detail = "SQLite: \(String(cString: sqlite3_errmsg(handle))) (\(status))"
    // The low byte is the kind, the rest tells it in detail.
    switch status & 0xFF {
    case SQLITE_CORRUPT:
      return .corrupt("the store's file is damaged; restore it from a backup", detail: detail)
    case SQLITE_CONSTRAINT:
      return .refusedByRule(detail)
    case SQLITE_NOTADB:
      return StoreError(.foreign, "the file isn't a store", detail: detail)
    case SQLITE_TOOBIG:
      return StoreError(.invalid, "a value is larger than SQLite keeps", detail: detail)
    default:
      return .unavailable(detail)
    }
  }
}
