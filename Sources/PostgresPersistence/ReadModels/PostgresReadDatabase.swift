import Persistence
import Runtime
import Values

/// A read model in its own Postgres schema.
final class PostgresReadDatabase: ReadDatabase {
  /// The most tries of a read whose tables were dropped.
  private static let mostTries = 5

  let dialect = ReadDialect.postgres
  private let readers: PostgresPool
  private let writer: PostgresPool

  /// The schema of the read model: the store's name and `_read`.
  let schema: String

  /// - Parameter configuration: the store of the read model, and the limits of its sessions.
  init(_ configuration: PostgresConfiguration, environment: Environment) throws(StoreError) {
    let schema = configuration.name + "_read"
    do {
      // The name becomes part of statements, so it must be a plain name.
      _ = try PostgresNames(schema: configuration.name)
    } catch {
      throw error.forCallers
    }
    self.schema = schema
    func pool(_ what: String, _ count: Int) -> PostgresPool {
      let settings = PostgresSettings(
        url: configuration.url, applicationName: "tracseq read model \(what) \(schema)",
        connectTimeout: configuration.connectTimeout,
        answerTimeout: what == "reader" ? configuration.statementTimeout + .seconds(2) : .seconds(60),
        access: .preferReadWrite,
        session: [
          ("search_path", schema), ("jit", "off"), ("TimeZone", "UTC"),
          ("lock_timeout", PostgresConfiguration.text(configuration.lockTimeout)),
          // A crash removes rows together with their checkpoint, and the engine reads them from the events again.
          ("synchronous_commit", "off"),
          // Every list has an index. A scan of a whole table, or a hash of a whole index, is never the right plan.
          ("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"),
          ("enable_material", "off"), ("random_page_cost", "1.1"), ("max_parallel_workers_per_gather", "0"),
          ("statement_timeout", what == "reader" ? PostgresConfiguration.text(configuration.statementTimeout) : "0"),
        ])
      return PostgresPool(
        settings: settings, count: count, environment: environment,
        reconnectTimeout: configuration.readReconnectTimeout, patience: configuration.patience)
    }
    readers = pool("reader", configuration.readers)
    writer = pool("writer", 1)
  }

  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await readers.run { connection throws(PostgresError) in
      var tries = 1
      while true {
        do throws(PostgresError) {
          // A list runs several statements, and all of them must see the tables at the same time.
          return try connection.transaction("ISOLATION LEVEL REPEATABLE READ READ ONLY") {
            connection throws(PostgresError) in try PostgresReadSession.run(on: connection, body)
          }
        } catch {
          // Between finding the current tables and reading them, another process swapped them and dropped the old ones.
          guard error.state == .undefinedTable, tries < Self.mostTries else { throw error }
          tries += 1
        }
      }
    }.get()
  }

  func write<Value: Sendable>(
    _ body: @escaping @Sendable (any ReadSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await writer.run(.long(isRepeatable: false)) {
      connection throws(PostgresError) -> Result<Value, StoreError> in
      do throws(PostgresError) {
        return .success(
          try connection.transaction { connection throws(PostgresError) in
            switch try PostgresReadSession.run(on: connection, body) {
            case .success(let value): return value
            case .failure(let error): throw PostgresError(refusing: error)
            }
          })
      } catch {
        guard let refusal = error.refusal else { throw error }
        return .failure(refusal)
      }
    }.get()
  }

  func close() async {
    await readers.close()
    await writer.close()
  }
}

/// A session in the schema of a read model.
final class PostgresReadSession: ReadSession {
  let dialect = ReadDialect.postgres
  private let connection: PostgresConnection
  /// The first error of the connection or the server.
  private var failure: PostgresError?

  private init(_ connection: PostgresConnection) { self.connection = connection }

  /// - Returns: what `body` returned or threw.
  /// - Throws: an error of the connection or the server. By it the pool recognises a lost connection.
  static func run<Value>(
    on connection: PostgresConnection, _ body: (any ReadSession) throws(StoreError) -> Value
  ) throws(PostgresError) -> Result<Value, StoreError> {
    let session = PostgresReadSession(connection)
    do {
      return .success(try body(session))
    } catch {
      if let failure = session.failure { throw failure }
      return .failure(error)
    }
  }

  private func tell<Value>(_ body: () throws(PostgresError) -> Value) throws(StoreError) -> Value {
    do {
      return try body()
    } catch {
      failure = failure ?? error
      throw error.forCallers
    }
  }

  private func call(_ sql: String, _ values: [SQLValue], isKept: Bool) -> PostgresCall {
    let name = isKept ? "read \(Digest.hex(Array(sql.utf8)).prefix(40))" : ""
    return PostgresCall(PostgresStatement(name, sql)) { parameters in
      for value in values {
        switch value {
        case .int(let value): parameters.append(value)
        case .text(let value): parameters.append(value.withoutNUL)
        case .id(let value): parameters.append(value)
        case .bytes(let value): parameters.append(value)
        case .noInt: parameters.append(null: .int8)
        }
      }
    }
  }

  func query<Row>(
    _ sql: String, _ values: [SQLValue], _ read: (any ReadRow) throws(StoreError) -> Row
  ) throws(StoreError) -> [Row] {
    // The statement is planned each time, because the best index depends on the values.
    let result = try tell { () throws(PostgresError) in try connection.run(call(sql, values, isKept: false)) }
    var rows: [Row] = []
    for row in result.rows { rows.append(try read(PostgresReadRow(row: row))) }
    return rows
  }

  func execute(_ sql: String, _ values: [SQLValue]) throws(StoreError) -> Int {
    try tell { () throws(PostgresError) in try connection.run(call(sql, values, isKept: true)).affectedRows }
  }

  func script(_ sql: String) throws(StoreError) {
    try tell { () throws(PostgresError) in try connection.runScript(sql) }
  }

  func insert(
    _ table: String, _ columns: [String], _ rows: [[SQLValue]], conflict: String
  ) throws(StoreError) {
    // The rows are sent in a few batch sizes, so few statements are prepared. All go in one round trip.
    var calls: [PostgresCall] = []
    var rest = rows[...]
    for size in [64, 16, 4, 1] {
      while rest.count >= size {
        let part = rest.prefix(size)
        rest = rest.dropFirst(size)
        let places = (0..<size).map { row in
          "(" + (0..<columns.count).map { "$\(row * columns.count + $0 + 1)" }.joined(separator: ", ") + ")"
        }
        calls.append(
          call(
            "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES \(places.joined(separator: ", ")) \(conflict)",
            part.flatMap { $0 }, isKept: true))
      }
    }
    _ = try tell { () throws(PostgresError) in try connection.run(calls) }
  }
}

private struct PostgresReadRow: ReadRow {
  let row: PostgresRow

  private func tell<Value>(_ body: () throws(PostgresError) -> Value) throws(StoreError) -> Value {
    do { return try body() } catch { throw error.forCallers }
  }
  func int(_ column: Int) throws(StoreError) -> Int64 {
    try tell { () throws(PostgresError) in try row.int8(column) }
  }
  func text(_ column: Int) throws(StoreError) -> String {
    try tell { () throws(PostgresError) in try row.text(column) }
  }
  func id(_ column: Int) throws(StoreError) -> UniqueID {
    try tell { () throws(PostgresError) in try row.uuid(column) }
  }
  func bytes(_ column: Int) throws(StoreError) -> [UInt8] {
    try tell { () throws(PostgresError) in try row.bytes(column) }
  }
}
