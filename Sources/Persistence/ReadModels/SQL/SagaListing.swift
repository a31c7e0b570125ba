import Values

/// The limits for reading a list.
package struct SagaListingLimits: Sendable {
  /// Up to this number of rows, the rows are fetched and sorted; above it, an index is walked.
  package var few = 2_000
  /// The most rows that are counted for facets without a counter.
  package var counted = 2_000
  /// The most index rows that are walked for one page.
  package var walked = 2_000
  /// The most sagas of one kind that are grouped to incidents.
  package var grouped = 50_000

  package init(few: Int = 2_000, counted: Int = 2_000, walked: Int = 2_000, grouped: Int = 50_000) {
    self.few = few
    self.counted = counted
    self.walked = walked
    self.grouped = grouped
  }
}

/// Reads a list in bounded time for every query.
///
/// 1. For each condition that has an index, the listing counts the rows that it finds, up to a limit.
/// 2. If one condition finds few rows, the listing fetches them, checks the other conditions, and sorts.
/// 3. If all conditions find many rows, the listing walks an index in the list's order and checks each row. A common
///    match is found soon. Otherwise the walk and the page end after `walked` rows, and the page says where the next
///    one begins.
struct SagaListing {
  let session: any ReadSession
  let tables: ReadTables
  let query: SagaQuery
  let conditions: [SagaCondition]
  let limits: SagaListingLimits
  /// Receives every statement. A test can then ask the database for the query plan.
  var trace: ((String, [SQLValue]) -> Void)?

  init(_ session: any ReadSession, _ tables: ReadTables, _ query: SagaQuery, _ limits: SagaListingLimits) {
    self.limits = limits
    self.session = session
    self.tables = tables
    self.query = query
    conditions = SagaCondition.all(of: query)
  }

  func page(after: SagaCursor?, limit: Int) throws(StoreError) -> SagaRows {
    if let terms = soleTerms { return try walk(terms, after: after, limit: limit) }
    switch try plan() {
    case .nothing: return SagaRows(rows: [])
    case .fetch(let condition): return page(try fetch(condition, after: after, limit: limit + 1), limit)
    case .walk(let terms): return try walk(terms, after: after, limit: limit)
    }
  }

  /// Counts the sagas that the query finds, by facet.
  func facets() throws(StoreError) -> SagaFacets {
    var sql = SQLText()
    let source: String
    var isExact = true
    switch try plan() {
    case .nothing: return SagaFacets()
    case .fetch(let condition):
      guard let found = condition.find(tables, started: query.started, &sql) else { return SagaFacets() }
      source = "SELECT DISTINCT id FROM (\(found) LIMIT \(limits.few + 1)) x"
    case .walk(let terms):
      source = steps(terms, after: nil, chunk: limits.counted, &sql)
      isExact = try end(of: terms, after: nil, chunk: limits.counted) == nil
    }
    let checks = checks(&sql)
    let counts = try run(
      """
      SELECT s.workflow, s.version, s.status, s.errors, s.steps, s.code, s.cause, count(*)
      FROM (\(source)) d \(session.dialect.join) \(tables.sagas) s ON s.id = d.id
      WHERE \(checks) GROUP BY s.workflow, s.version, s.status, s.errors, s.steps, s.code, s.cause
      """, sql, FacetKey.counted)
    var facets = SagaFacets()
    for (key, count) in counts { facets.add(key, count) }
    facets.isExact = isExact
    return facets
  }

  // MARK: The plan

  private enum Plan {
    case nothing
    case fetch(SagaCondition)
    /// - Parameter terms: the index terms to walk; empty for the index of all sagas.
    case walk([String])
  }

  /// The terms when one index has the list's order and all conditions. Then no rows are counted.
  private var soleTerms: [String]? {
    sorted.column == "started_at" && conditions.count == 1 ? conditions.first?.terms : nil
  }

  private func plan() throws(StoreError) -> Plan {
    var best: (condition: SagaCondition, count: Int)?
    var terms: [String] = []
    for condition in conditions {
      var sql = SQLText()
      guard let found = condition.find(tables, started: query.started, &sql) else { continue }
      let count =
        try run("SELECT count(*) FROM (\(found) LIMIT \(limits.few + 1)) d", sql) { row throws(StoreError) in
          Int(try row.int(0))
        }.first ?? 0
      if count == 0 { return .nothing }
      if count <= limits.few, count < best?.count ?? Int.max { best = (condition, count) }
      // Conditions are ordered by kind, with the more selective kinds first.
      if let own = condition.terms, terms.isEmpty { terms = own }
      // Such a small count is good enough. Other conditions rarely find fewer rows.
      if count < 100 { break }
    }
    if let best { return .fetch(best.condition) }
    switch query.sort {
    case .newest, .oldest: return .walk(terms)
    case .lastChanged, .lastEnded: return .walk([])
    }
  }

  // MARK: Fetching

  private func fetch(
    _ condition: SagaCondition, after: SagaCursor?, limit: Int
  ) throws(StoreError) -> [SagaRow] {
    var sql = SQLText()
    guard let found = condition.find(tables, started: query.started, &sql) else { return [] }
    let checks = checks(&sql) + sorted.beyond(after, "s.\(sorted.column)", "s.id", &sql)
    return try run(
      shown(
        """
        SELECT s.id, s.\(sorted.column) AS at
        FROM (SELECT DISTINCT id FROM (\(found) LIMIT \(limits.few + 1)) x) d
        \(session.dialect.join) \(tables.sagas) s ON s.id = d.id
        WHERE \(checks) ORDER BY s.\(sorted.column) \(sorted.direction), s.id \(sorted.direction) LIMIT \(limit)
        """), sql, SQLReadStore.row)
  }

  /// Returns the displayed data of the chosen sagas, in the list's order.
  private func shown(_ chosen: String) -> String {
    """
    SELECT r.id, r.data FROM (\(chosen)) c \(session.dialect.join) \(tables.rows) r ON r.id = c.id
    ORDER BY c.at \(sorted.direction), c.id \(sorted.direction)
    """
  }

  /// Returns all conditions on a row `s` that an index has found.
  private func checks(_ sql: inout SQLText) -> String {
    var checks = conditions.map { $0.check(session.dialect, &sql) }
    if !query.started.isOpen { checks.append(SagaCondition.range("s.started_at", query.started, &sql)) }
    let absent = [(query.isPaused, SagaMark.paused), (query.isDraft, SagaMark.draft)].filter { $0.0 == false }
    for (_, name) in absent {
      let mark = SagaMark.separator + name + SagaMark.separator
      checks.append("\(session.dialect.position)(s.marks, \(sql.bind(.text(mark)))) = 0")
    }
    if sorted.column == "ended_at" { checks.append("s.ended_at IS NOT NULL") }
    return checks.isEmpty ? "1 = 1" : checks.joined(separator: " AND ")
  }

  // MARK: Walking

  private func walk(_ terms: [String], after: SagaCursor?, limit: Int) throws(StoreError) -> SagaRows {
    var rows: [SagaRow] = []
    var place = after
    var left = limits.walked
    var chunk = max(limit + 1, 100)
    while true {
      chunk = min(chunk, max(left, 1))
      var sql = SQLText()
      let source = steps(terms, after: place, chunk: chunk, &sql)
      let checks = checks(&sql)
      rows += try run(
        shown(
          """
          SELECT w.id, w.at FROM (\(source)) w \(session.dialect.join) \(tables.sagas) s ON s.id = w.id
          WHERE \(checks) ORDER BY w.at \(sorted.direction), w.id \(sorted.direction) LIMIT \(limit + 1 - rows.count)
          """), sql, SQLReadStore.row)
      if rows.count > limit { return page(rows, limit) }
      guard let end = try end(of: terms, after: place, chunk: chunk) else { return SagaRows(rows: rows) }
      place = end
      left -= chunk
      if left <= 0 { return SagaRows(rows: rows, next: place) }
      chunk *= 4
    }
  }

  /// Returns the index rows of the walk, in the list's order.
  private func steps(_ terms: [String], after: SagaCursor?, chunk: Int, _ sql: inout SQLText) -> String {
    // Several terms are merged. Each term gives at most as many rows as the whole chunk has. No saga has two of the
    // terms.
    if terms.count > 1 {
      let parts = terms.map { term in "SELECT at, id FROM (\(steps([term], after: after, chunk: chunk, &sql))) t" }
      let order = "ORDER BY at \(sorted.direction), id \(sorted.direction)"
      return "SELECT at, id FROM (\(parts.joined(separator: " UNION ALL "))) u \(order) LIMIT \(chunk)"
    }
    let order = "ORDER BY \(sorted.column) \(sorted.direction), id \(sorted.direction) LIMIT \(chunk)"
    var tests: [String]
    let table: String
    if let term = terms.first {
      table = tables.terms
      tests = ["term = \(sql.bind(.text(term)))"]
    } else {
      table = tables.sagas
      tests = sorted.column == "ended_at" ? ["ended_at IS NOT NULL"] : []
      if sorted.column == "ended_at", !query.ended.isOpen {
        tests.append(SagaCondition.range("ended_at", query.ended, &sql))
      }
    }
    if sorted.column == "started_at", !query.started.isOpen {
      tests.append(SagaCondition.range("started_at", query.started, &sql))
    }
    tests.append("1 = 1" + sorted.beyond(after, sorted.column, "id", &sql))
    return "SELECT \(sorted.column) AS at, id FROM \(table) WHERE \(tests.joined(separator: " AND ")) \(order)"
  }

  /// Returns the last index row of a part of the walk; nil when the index ends before.
  private func end(of terms: [String], after: SagaCursor?, chunk: Int) throws(StoreError) -> SagaCursor? {
    var sql = SQLText()
    let last = "ORDER BY at \(sorted.direction), id \(sorted.direction)"
    let source = steps(terms, after: after, chunk: chunk, &sql)
    let text = "SELECT at, id FROM (\(source)) e \(last) LIMIT 1 OFFSET \(chunk - 1)"
    return try run(text, sql) { row throws(StoreError) in
      SagaCursor(moment: Timestamp(milliseconds: try row.int(0)), id: try row.id(1))
    }.first
  }

  // MARK: Order

  private var sorted: SortedBy { SortedBy(query.sort) }

  private func page(_ rows: [SagaRow], _ limit: Int) -> SagaRows {
    let page = Array(rows.prefix(limit))
    guard rows.count > limit, let last = page.last, let moment = query.sort.moment(of: last) else {
      return SagaRows(rows: page)
    }
    return SagaRows(rows: page, next: SagaCursor(moment: moment, id: last.id))
  }

  private func run<Row>(
    _ text: String, _ sql: SQLText, _ read: (any ReadRow) throws(StoreError) -> Row
  ) throws(StoreError) -> [Row] {
    trace?(text, sql.values)
    return try session.query(text, sql.values, read)
  }
}

/// The order of a list in SQL.
struct SortedBy {
  let column: String
  let direction: String

  init(_ sort: SagaSort) {
    switch sort {
    case .newest, .oldest: column = "started_at"
    case .lastChanged: column = "updated_at"
    case .lastEnded: column = "ended_at"
    }
    direction = sort.isDescending ? "DESC" : "ASC"
  }

  /// Returns the condition for the rows after a place in the list.
  func beyond(_ cursor: SagaCursor?, _ column: String, _ id: String, _ sql: inout SQLText) -> String {
    guard let cursor else { return "" }
    let moment = sql.bind(.moment(cursor.moment))
    let last = sql.bind(.id(cursor.id))
    return " AND (\(column), \(id)) \(direction == "DESC" ? "<" : ">") (\(moment), \(last))"
  }
}

extension FacetKey {
  /// Reads workflow, version, status, errors, steps, code, cause, and how many.
  static func counted(_ row: any ReadRow) throws(StoreError) -> (FacetKey, Int) {
    (
      FacetKey(
        workflow: try row.text(0), version: Int(try row.int(1)), status: try row.text(2),
        errors: ReadBatchWriter.split(try row.text(3)), at: ReadBatchWriter.split(try row.text(4)),
        code: ReadBatchWriter.textIfAny(try row.text(5)), cause: ReadBatchWriter.textIfAny(try row.text(6))),
      Int(try row.int(7))
    )
  }
}
