import Values

/// A value that goes into a statement of the read model.
package enum SQLValue: Sendable, Hashable {
  case int(Int64)
  case text(String)
  case id(UniqueID)
  case bytes([UInt8])
  /// A moment or count that may be missing.
  case noInt

  package static func moment(_ moment: Timestamp?) -> SQLValue { moment.map { .int($0.milliseconds) } ?? .noInt }
}

/// One row of an answer. Columns are numbered from 0.
package protocol ReadRow {
  func int(_ column: Int) throws(StoreError) -> Int64
  func text(_ column: Int) throws(StoreError) -> String
  func id(_ column: Int) throws(StoreError) -> UniqueID
  func bytes(_ column: Int) throws(StoreError) -> [UInt8]
}

/// A connection on which the read model's statements run; the same statements on every database, with values as `$1`,
/// `$2`, ….
package protocol ReadSession {
  var dialect: ReadDialect { get }
  func query<Row>(
    _ sql: String, _ values: [SQLValue], _ read: (any ReadRow) throws(StoreError) -> Row
  ) throws(StoreError) -> [Row]
  /// - Returns: how many rows it touched.
  @discardableResult
  func execute(_ sql: String, _ values: [SQLValue]) throws(StoreError) -> Int
  /// Runs statements without values.
  func script(_ sql: String) throws(StoreError)
  /// Writes many rows of one table.
  /// - Parameter conflict: what is to be done with a row that is there, as SQL.
  func insert(
    _ table: String, _ columns: [String], _ rows: [[SQLValue]], conflict: String
  ) throws(StoreError)
}

/// Where the databases that keep a read model run its statements.
package protocol ReadDatabase: Sendable {
  var dialect: ReadDialect { get }
  /// Everything in `body` sees the tables at one moment.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value
  /// In a transaction: all of it or nothing.
  func write<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value
  func close() async
}

/// The words in which the databases differ.
package struct ReadDialect: Sendable {
  package let name: String
  package let id: String
  package let bytes: String
  package let text: String
  /// Gives where a text lies in another, or 0.
  package let position: String
  /// Keeps the planner from taking the two sides of a join in the other order.
  package let join: String
  /// A query for the names of the tables that are there.
  package let tables: String
  /// Behind a table whose rows lie in the order of its key.
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
