import CSQLite
import Values

/// One connection to an SQLite file, with its prepared statements. Only one thread uses it at a time.
final class SQLiteDatabase {
  /// How long a statement usually waits for another connection.
  static let patience = Duration.seconds(10)

  private let handle: OpaquePointer
  private var statements: [String: SQLiteStatement] = [:]

  /// - Parameter readOnly: true for a connection that refuses to write. Then the file must exist.
  init(path: String, readOnly: Bool) throws(StoreError) {
    var opened: OpaquePointer?
    if !readOnly { PrivateFile.create(path) }
    let flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (readOnly ? 0 : SQLITE_OPEN_CREATE)
    let status = sqlite3_open_v2(path, &opened, flags, nil)
    guard let opened else { throw .unavailable("no memory to open \(path)") }
    handle = opened
    // From here on `deinit` closes the handle, also when the opening failed.
    if status != SQLITE_OK {
      throw StoreError(.unavailable, "can't open the store \(path)", detail: String(cString: sqlite3_errmsg(opened)))
    }
    // Only one process has the file open, but a reader and a checkpoint can conflict.
    wait(atMost: Self.patience)
    try run("PRAGMA foreign_keys = ON")
    if readOnly { try run("PRAGMA query_only = ON") }
  }

  /// Sets how long the next statements wait for another connection.
  func wait(atMost time: Duration) { sqlite3_busy_timeout(handle, Int32(clamping: time.wholeMilliseconds)) }

  deinit {
    // Statements are finalized first, because a connection with live statements stays open.
    statements = [:]
    sqlite3_close_v2(handle)
  }

  /// Returns the prepared statement for this text, reset and ready to bind. The connection keeps it for the next call.
  func statement(_ sql: String) throws(StoreError) -> SQLiteStatement {
    if let statement = statements[sql] { return statement }
    var prepared: OpaquePointer?
    let status = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
    guard status == SQLITE_OK, let prepared else { throw SQLiteStatus.error(status, handle) }
    let statement = SQLiteStatement(prepared, of: handle)
    statements[sql] = statement
    return statement
  }

  /// Runs statements that return no rows.
  func run(_ sql: String) throws(StoreError) {
    let status = sqlite3_exec(handle, sql, nil, nil, nil)
    if status != SQLITE_OK { throw SQLiteStatus.error(status, handle) }
  }

  /// Runs `body` in one transaction. Rolls back when `body` throws or the commit fails.
  /// - Parameter begin: the statement that begins the transaction; by default that of a writer.
  func transaction<Value>(
    begin: String = "BEGIN IMMEDIATE", _ body: () throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    try statement(begin).execute()
    do {
      let value = try body()
      try commit()
      return value
    } catch {
      // SQLite has rolled some failed transactions back by itself. For the others, a failed rollback cannot keep what
      // was written.
      if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
      throw error
    }
  }

  private func commit() throws(StoreError) {
    let status = sqlite3_exec(handle, "COMMIT", nil, nil, nil)
    if status == SQLITE_OK { return }
    let error = SQLiteStatus.error(status, handle)
    // A transaction is committed when the last part of its commit is written. If that part could not be written (a full
    // disk), nothing was committed. If it was written but not flushed, the transaction may still return after a crash
    // of the machine.
    let isCertain = status & 0xFF != SQLITE_IOERR || status == SQLiteStatus.failedWrite
    throw isCertain ? error : .outcomeUnknown(error.description)
  }

  /// True while a transaction is open. False also when SQLite has rolled it back by itself.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// The number of rows written since the connection was opened.
  var totalChanges: Int64 { sqlite3_total_changes64(handle) }
}

/// The meaning of SQLite's result codes for a store.
enum SQLiteStatus {
  /// `SQLITE_IOERR_WRITE`, which is a macro that Swift doesn't see.
  static let failedWrite = SQLITE_IOERR | (3 << 8)

  static func error(_ status: Int32, _ handle: OpaquePointer?) -> StoreError {
    let detail = "SQLite: \(String(cString: sqlite3_errmsg(handle))) (\(status))"
    // The low byte is the kind of error; the other bits give the detail.
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
