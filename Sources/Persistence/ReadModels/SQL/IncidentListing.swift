import Values

/// Reads the incidents. The database groups the sagas that have one, which two partial indexes find.
struct IncidentListing {
  let session: any ReadSession
  let tables: ReadTables
  let query: IncidentQuery
  /// The most sagas of one kind that are counted.
  let most: Int
  /// Receives every statement. A test can then ask the database for the query plan.
  var trace: ((String, [SQLValue]) -> Void)?

  func page(after: IncidentCursor?, limit: Int) throws(StoreError) -> SagaIncidents {
    let counted = try totals()
    var incidents: [SagaIncident] = []
    let groups = try groups(after: after, limit: limit + 1)
    for group in groups.prefix(limit) {
      let samples = try samples(of: group.id)
      guard let key = samples.first?.incident(at: query.at) else {
        throw .corrupt("the read model has no saga of the incident \(group.id)")
      }
      incidents.append(
        SagaIncident(
          key: key, sagas: group.sagas, since: group.since, newest: group.newest,
          samples: Array(samples.prefix(query.samples))))
    }
    let next = groups.count > limit ? groups[limit - 1] : nil
    return SagaIncidents(
      incidents: incidents, next: next.map { IncidentCursor(since: $0.since, id: $0.id) }, totals: counted,
      isExact: counted.values.allSatisfy { $0 < most })
  }

  private struct Group {
    let id: String
    let sagas: Int
    let since: Timestamp
    let newest: Timestamp
  }

  private func groups(after: IncidentCursor?, limit: Int) throws(StoreError) -> [Group] {
    var sql = SQLText()
    let source = source(&sql)
    var having = ""
    if let after {
      let since = [sql.bind(.int(after.since.milliseconds)), sql.bind(.int(after.since.milliseconds))]
      having =
        "HAVING min(since) > \(since[0]) OR (min(since) = \(since[1]) AND incident > \(sql.bind(.text(after.id))))"
    }
    return try run(
      """
      SELECT incident, count(*), min(since), max(since) FROM (\(source)) g
      GROUP BY incident \(having) ORDER BY min(since), incident LIMIT \(limit)
      """, sql
    ) { row throws(StoreError) in
      Group(
        id: try row.text(0), sagas: Int(try row.int(1)), since: Timestamp(milliseconds: try row.int(2)),
        newest: Timestamp(milliseconds: try row.int(3)))
    }
  }

  private func totals() throws(StoreError) -> [IncidentKind: Int] {
    var sql = SQLText()
    let source = source(&sql)
    let rows = try run("SELECT kind, count(*) FROM (\(source)) g GROUP BY kind", sql) { row throws(StoreError) in
      (kind: IncidentKind(rawValue: try row.text(0)), count: Int(try row.int(1)))
    }
    var totals: [IncidentKind: Int] = [:]
    for (kind, count) in rows { if let kind { totals[kind] = count } }
    return totals
  }

  /// Returns the sagas of all wanted kinds, each with its incident, and when it began for the saga.
  private func source(_ sql: inout SQLText) -> String {
    let kinds = IncidentKind.allCases.filter(query.wants)
    return kinds.map { kind in
      let columns = kind == .overdue ? "late AS incident, overdue_at AS since" : "need AS incident, need_since AS since"
      let test = Self.test(kind, at: query.at, &sql)
      let left = leftOut(&sql)
      let workflow = query.workflow.map { " AND workflow = \(sql.bind(.text($0)))" } ?? ""
      // Each kind has a limit of its own: very many of one kind hide no other kind.
      return """
        SELECT '\(kind.rawValue)' AS kind, incident, since FROM
        (SELECT \(columns) FROM \(tables.sagas) WHERE \(test)\(workflow)\(left) LIMIT \(most)) \(kind.rawValue)_sagas
        """
    }.joined(separator: " UNION ALL ")
  }

  private static func test(_ kind: IncidentKind, at now: Timestamp, _ sql: inout SQLText) -> String {
    if kind == .overdue {
      return "overdue_at IS NOT NULL AND overdue_at <= \(sql.bind(.int(now.milliseconds))) AND late <> ''"
    }
    let range = "need >= '\(kind.rawValue)-' AND need < '\(kind.rawValue).'"
    return "need <> '' AND \(range) AND (late = '' OR overdue_at > \(sql.bind(.int(now.milliseconds))))"
  }

  private func leftOut(_ sql: inout SQLText) -> String {
    if query.without.isEmpty { return "" }
    let places = query.without.sorted().map { sql.bind(.id($0)) }
    return " AND id NOT IN (\(places.joined(separator: ", ")))"
  }

  private func samples(of id: String) throws(StoreError) -> [SagaRow] {
    var sql = SQLText()
    let isLate = IncidentKey.kind(ofID: id) == .overdue
    let place = sql.bind(.text(id))
    let now = sql.bind(.int(query.at.milliseconds))
    let (test, order) =
      isLate
      ? ("overdue_at IS NOT NULL AND overdue_at <= \(now) AND late = \(place)", "overdue_at")
      : ("need <> '' AND need = \(place) AND (late = '' OR overdue_at > \(now))", "need_since")
    let left = leftOut(&sql)
    return try run(
      """
      SELECT r.id, r.data FROM
      (SELECT id, \(order) AS since FROM \(tables.sagas) WHERE \(test)\(left) ORDER BY \(order), id
      LIMIT \(max(query.samples, 1))) c
      \(session.dialect.join) \(tables.rows) r ON r.id = c.id ORDER BY c.since, c.id
      """, sql, SQLReadStore.row)
  }

  private func run<Row>(
    _ text: String, _ sql: SQLText, _ read: (any ReadRow) throws(StoreError) -> Row
  ) throws(StoreError) -> [Row] {
    trace?(text, sql.values)
    return try session.query(text, sql.values, read)
  }
}
