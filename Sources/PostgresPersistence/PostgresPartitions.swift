import Values

/// The partitions of the events, one for each month in which streams began.
struct PostgresPartitions {
  /// Returns the month as yyyymm, in the form of `StreamMonth`.
  static func month(at moment: Timestamp) -> Int {
    let (year, month) = moment.yearAndMonth
    return year * 100 + month
  }

  /// Returns the month of a timestamp and the two months after it.
  static func ahead(of moment: Timestamp) -> [Int] {
    let first = month(at: moment)
    return (0..<3).map { offset in
      let months = first / 100 * 12 + first % 100 - 1 + offset
      return months / 12 * 100 + months % 12 + 1
    }
  }

  /// Creates the missing partitions. Each table is created first and attached afterwards. Attaching does not wait for
  /// appends or reads, and does not block them.
  /// - Returns: the partitions that were missing.
  @discardableResult
  static func make(
    _ months: Set<Int>, on connection: PostgresConnection, lockKey: Int64
  ) throws(PostgresError) -> [Int] {
    let wanted = try missing(months, on: connection)
    if wanted.isEmpty { return [] }
    try connection.transaction { (connection) throws(PostgresError) in
      _ = try connection.run(PostgresCall(lock) { $0.append(lockKey) })
      for month in try missing(months, on: connection) {
        let table = "events_\(month)"
        try connection.runScript(
          """
          CREATE TABLE \(table) (LIKE events INCLUDING ALL);
          ALTER TABLE events ATTACH PARTITION \(table) FOR VALUES IN (\(month));
          """)
      }
    }
    return wanted
  }

  private static func missing(_ months: Set<Int>, on connection: PostgresConnection) throws(PostgresError) -> [Int] {
    var there: Set<String> = []
    for row in try connection.run(PostgresCall(list)).rows { there.insert(try row.text(0)) }
    return months.filter { !there.contains("events_\($0)") }.sorted()
  }

  private static let lock = PostgresStatement("partition_lock", "SELECT pg_advisory_xact_lock($1)")
  private static let list = PostgresStatement(
    "partitions",
    """
    SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass
    """)
}
