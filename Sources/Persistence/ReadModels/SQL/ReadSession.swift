import Values

/// A value for a statement of the read model.
package enum SQLValue: Sendable, Hashable {
  case int(Int64)
  case text(String)
  case id(UniqueID)
  case bytes([UInt8])
  /// A missing timestamp or count.
  case noInt

  package static func moment(_ moment: Timestamp?) -> SQLValue { moment.map { .int($0.milliseconds) } ?? .noInt }
}

/// One row of a result. Columns are numbered from 0.
package protocol ReadRow {
  func int(_ column: Int) throws(StoreError) -> Int64
  func text(_ column: Int) throws(StoreError) -> String
  func id(_ column: Int) throws(StoreError) -> UniqueID
  func bytes(_ column: Int) throws(StoreError) -> [UInt8]
}

/// A connection that runs the read model's statements. The statements are the same on every database, with the values
/// as `$1`, `$2`, ….
package protocol ReadSession {
  var dialect: ReadDialect { get }
  func query<Row>(
    _ sql: String, _ values: [SQLValue], _ read: (any ReadRow) throws(StoreError) -> Row
  ) throws(StoreError) -> [Row]
  /// - Returns: the number of affected rows.
  @discardableResult
  func execute(_ sql: String, _ values: [SQLValue]) throws(StoreError) -> Int
  /// Runs statements without values.
  func script(_ sql: String) throws(StoreError)
  /// Writes many rows of one table.
  /// - Parameter conflict: the SQL for a row that already exists.
  func insert(
    _ table: String, _ columns: [String], _ rows: [[SQLValue]], conflict: String
  ) throws(StoreError)
}

/// A database that runs the statements of a read model.
package protocol ReadDatabase: Sendable {
  var dialect: ReadDialect { get }
  /// Runs `body` so that all its statements see the tables at the same time.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value
  /// Runs `body` in a transaction: all of it or nothing.
  func write<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value
  func close() async
}

/// The parts of SQL that differ between the databases.
package struct ReadDialect: Sendable {
  package let name: String
  package let id: String
  package let bytes: String
  package let text: String
  /// The function that returns the index of a text inside another text, or 0.
  package let position: String
  /// The join that prevents the planner from swapping its two sides.
  package let join: String
  /// A query for the names of the existing tables.
  package let tables: String
  /// The suffix of a table whose rows are stored in the order of its key.
  package let clustered: String

  package init(
    name: String, id: String, bytes: String, text: String, position: String, join: String, tables: String,
    clustered: String
  ) {
    self.name = name
    self.id = id
    self.bytes = bytes
    self.text = text
    self.position = position
    self.join = join
    self.tables = tables
    self.clustered = clustered
  }

  package static let sqlite = ReadDialect(
    name: "sqlite", id: "BLOB", bytes: "BLOB", text: "TEXT", position: "instr", join: "CROSS JOIN",
    tables: "SELECT name FROM sqlite_schema WHERE type = 'table'", clustered: " WITHOUT ROWID")
}
