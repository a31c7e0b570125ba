import CSQLite
import Values

/// A prepared statement. Parameters are numbered from 1, columns from 0.
final class SQLiteStatement {
  private let statement: OpaquePointer
  private let database: OpaquePointer
  private var parameter: Int32 = 0

  init(_ statement: OpaquePointer, of database: OpaquePointer) {
    self.statement = statement
    self.database = database
  }

  deinit { sqlite3_finalize(statement) }

  // MARK: Binding, one parameter after the other

  /// Binds the next parameters, in order.
  func bind<each Value: SQLiteValue>(_ values: repeat each Value) throws(StoreError) {
    for value in repeat each values { try value.bind(to: self) }
  }

  fileprivate func bindNext(_ bind: (_ statement: OpaquePointer, _ parameter: Int32) -> Int32) throws(StoreError) {
    parameter += 1
    try check(bind(statement, parameter))
  }

  // MARK: Running

  /// Runs a statement that returns no rows, and resets it for the next use.
  func execute() throws(StoreError) {
    defer { reset() }
    while try step() {}
  }

  /// Runs a query and reads every row.
  func rows<Row>(_ read: (SQLiteStatement) throws(StoreError) -> Row) throws(StoreError) -> [Row] {
    defer { reset() }
    var rows: [Row] = []
    while try step() { rows.append(try read(self)) }
    return rows
  }

  /// Runs a query and reads its first row.
  func first<Row>(_ read: (SQLiteStatement) throws(StoreError) -> Row) throws(StoreError) -> Row? {
    defer { reset() }
    return try step() ? try read(self) : nil
  }

  private func step() throws(StoreError) -> Bool {
    let status = sqlite3_step(statement)
    switch status {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw SQLiteStatus.error(status, database)
    }
  }

  private func reset() {
    sqlite3_reset(statement)
    sqlite3_clear_bindings(statement)
    parameter = 0
  }

  private func check(_ status: Int32) throws(StoreError) {
    if status == SQLITE_OK { return }
    reset()
    if status == SQLITE_TOOBIG { throw .invalid("a value is larger than SQLite keeps") }
    throw SQLiteStatus.error(status, database)
  }

  // MARK: Columns of the current row

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

  func text(_ column: Int32) -> String {
    guard let start = sqlite3_column_text(statement, column) else { return "" }
    let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
    return String(decoding: bytes, as: UTF8.self)
  }

  func blob(_ column: Int32) -> [UInt8] {
    guard let start = sqlite3_column_blob(statement, column) else { return [] }
    return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
  }

  func id(_ column: Int32) throws(StoreError) -> UniqueID {
    let count = sqlite3_column_bytes(statement, column)
    guard count == 16, let start = sqlite3_column_blob(statement, column) else {
      throw .corrupt("an id of \(count) bytes is stored")
    }
    return UniqueID(
      high: UInt64(bigEndian: start.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }
}

/// A value that a parameter of a statement takes.
protocol SQLiteValue {
  func bind(to statement: SQLiteStatement) throws(StoreError)
}

extension Int64: SQLiteValue {
  func bind(to statement: SQLiteStatement) throws(StoreError) {
    try statement.bindNext { sqlite3_bind_int64($0, $1, self) }
  }
}

extension Int: SQLiteValue {
  func bind(to statement: SQLiteStatement) throws(StoreError) { try Int64(self).bind(to: statement) }
}

extension String: SQLiteValue {
  func bind(to statement: SQLiteStatement) throws(StoreError) {
    try statement.bindNext { statement, parameter in
      var text = self
      return text.withUTF8 { utf8 in
        // An empty text has no base address, and a null pointer would bind NULL.
        guard let base = utf8.baseAddress else { return saga_sqlite3_bind_text(statement, parameter, "", 0) }
        return base.withMemoryRebound(to: CChar.self, capacity: utf8.count) {
          saga_sqlite3_bind_text(statement, parameter, $0, Int32(clamping: utf8.count))
        }
      }
    }
  }
}

extension [UInt8]: SQLiteValue {
  func bind(to statement: SQLiteStatement) throws(StoreError) {
    try statement.bindNext { saga_sqlite3_bind_blob($0, $1, self, Int32(clamping: count)) }
  }
}

extension UniqueID: SQLiteValue {
  func bind(to statement: SQLiteStatement) throws(StoreError) { try bytes.bind(to: statement) }
}

extension Optional: SQLiteValue where Wrapped: SQLiteValue {
  func bind(to statement: SQLiteStatement) throws(StoreError) {
    if let self { try self.bind(to: statement) } else { try statement.bindNext { sqlite3_bind_null($0, $1) } }
  }
}
