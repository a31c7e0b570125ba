import Values

/// A statement under construction: its text and its values.
struct SQLText {
  private(set) var values: [SQLValue] = []

  /// - Returns: the placeholder of the value in the text.
  mutating func bind(_ value: SQLValue) -> String {
    values.append(value)
    return "$\(values.count)"
  }
}

/// One condition on a row: how it checks a row and, when an index exists, how it finds rows.
enum SagaCondition {
  /// The row has one of these index terms.
  case marks([String], isIndexed: Bool)
  /// One of the row's index terms begins with this text.
  case markPrefix(String)
  case word(String)
  case moments(String, MomentRange)
  case overdue(Timestamp)
  case attempts(Int)
  case incident(IncidentAt)

  /// Returns all conditions of a query, except the time at which its sagas started.
  static func all(of query: SagaQuery) -> [SagaCondition] {
    var conditions: [SagaCondition] = []
    func add(_ mark: String?, isIndexed: Bool = true) {
      if let mark { conditions.append(.marks([SagaMark.clean(mark)], isIndexed: isIndexed)) }
    }
    add(query.key.map(SagaMark.key))
    add(query.parent.map(SagaMark.parent))
    for label in query.labels { add(SagaMark.label(label)) }
    for tag in query.tags { add(SagaMark.tag(tag)) }
    if let incident = query.incident { conditions.append(.incident(incident)) }
    addStep(of: query, to: &conditions)
    addError(of: query, to: &conditions)
    add(query.cause.map(SagaMark.cause))
    add(query.waitingFor.map(SagaMark.waiting))
    if query.isPaused == true { add(SagaMark.paused) }
    if query.isDraft == true { add(SagaMark.draft) }
    addKind(of: query, to: &conditions)
    for word in query.words { conditions.append(.word(SagaMark.clean(word))) }
    if !query.ended.isOpen { conditions.append(.moments("ended_at", query.ended)) }
    if let moment = query.overdueAt { conditions.append(.overdue(moment)) }
    if let attempts = query.minAttempts { conditions.append(.attempts(attempts)) }
    return conditions
  }

  private static func addStep(of query: SagaQuery, to conditions: inout [SagaCondition]) {
    let mark: String
    switch (query.step, query.stepStatus) {
    case (let step?, let status?): mark = SagaMark.step(step, status)
    case (let step?, nil): mark = SagaMark.at(step)
    case (nil, let status?): mark = SagaMark.stepStatus(status)
    case (nil, nil): return
    }
    let isIndexed = query.stepStatus.map(SagaMark.isIndexed) ?? true
    conditions.append(.marks([SagaMark.clean(mark)], isIndexed: isIndexed))
  }

  private static func addError(of query: SagaQuery, to conditions: inout [SagaCondition]) {
    guard let error = query.error.map(ErrorPattern.init) else { return }
    if error.isPrefix {
      conditions.append(.markPrefix(SagaMark.cleanPrefix(SagaMark.error(error.text))))
    } else if let workflow = query.workflow {
      conditions.append(
        .marks([SagaMark.clean(SagaMark.both(workflow, error: error.text))], isIndexed: true))
    }
    if !error.isPrefix { conditions.append(.marks([SagaMark.clean(SagaMark.error(error.text))], isIndexed: true)) }
  }

  /// Adds workflow, version and status. Two of them together have an index of their own.
  private static func addKind(of query: SagaQuery, to conditions: inout [SagaCondition]) {
    func add(_ marks: [String], isIndexed: Bool = true) {
      conditions.append(.marks(marks.map(SagaMark.clean), isIndexed: isIndexed))
    }
    let statuses = query.statuses.sorted()
    if let workflow = query.workflow {
      if !statuses.isEmpty { add(statuses.map { SagaMark.both(workflow, status: $0) }) }
      if let version = query.version {
        add([SagaMark.version(workflow, version)])
      } else if statuses.isEmpty {
        add([SagaMark.workflow(workflow)])
      }
    } else {
      if !statuses.isEmpty { add(statuses.map(SagaMark.status)) }
      if let version = query.version { add([SagaMark.versionAlone(version)], isIndexed: false) }
    }
  }

  /// Returns the SQL that checks the row `s`.
  func check(_ dialect: ReadDialect, _ sql: inout SQLText) -> String {
    let separator = SagaMark.separator
    switch self {
    case .marks(let marks, _):
      let tests = marks.map { "\(dialect.position)(s.marks, \(sql.bind(.text(separator + $0 + separator)))) > 0" }
      return "(\(tests.joined(separator: " OR ")))"
    case .markPrefix(let prefix): return "\(dialect.position)(s.marks, \(sql.bind(.text(separator + prefix)))) > 0"
    case .word(let word): return "\(dialect.position)(s.words, \(sql.bind(.text(separator + word)))) > 0"
    case .moments(let column, let range): return Self.range("s.\(column)", range, &sql)
    case .overdue(let moment): return "s.overdue_at <= \(sql.bind(.moment(moment)))"
    case .attempts(let attempts): return "s.attempts >= \(sql.bind(.int(Int64(attempts))))"
    case .incident(let incident): return Self.incident(incident, "s.", &sql)
    }
  }

  /// Returns a query that reads the ids of all matching rows from an index; nil when no index exists for the condition.
  /// - Parameter started: only sagas that started in this range, when the index contains their start.
  func find(_ tables: ReadTables, started: MomentRange, _ sql: inout SQLText) -> String? {
    switch self {
    case .marks(_, isIndexed: false): return nil
    case .marks(let marks, isIndexed: true):
      let places = marks.map { sql.bind(.text($0)) }.joined(separator: ", ")
      return "SELECT id FROM \(tables.terms) WHERE term IN (\(places))" + Self.and("started_at", started, &sql)
    case .markPrefix(let prefix): return Self.prefix(prefix, tables, &sql)
    case .word(let word): return Self.prefix(SagaMark.word + word, tables, &sql)
    case .moments(let column, let range):
      return "SELECT id FROM \(tables.sagas) WHERE \(column) IS NOT NULL" + Self.and(column, range, &sql)
    case .overdue(let moment):
      return
        "SELECT id FROM \(tables.sagas) WHERE overdue_at IS NOT NULL AND overdue_at <= \(sql.bind(.moment(moment)))"
    case .attempts(let attempts):
      if attempts < 2 { return nil }
      return "SELECT id FROM \(tables.sagas) WHERE attempts > 1 AND attempts >= \(sql.bind(.int(Int64(attempts))))"
    case .incident(let incident):
      return "SELECT id FROM \(tables.sagas) WHERE \(Self.incident(incident, "", &sql))"
    }
  }

  /// An overdue saga is not in the incident that it would be in otherwise.
  private static func incident(_ incident: IncidentAt, _ row: String, _ sql: inout SQLText) -> String {
    let id = sql.bind(.text(incident.id))
    let now = sql.bind(.int(incident.at.milliseconds))
    return IncidentKey.kind(ofID: incident.id) == .overdue
      ? "\(row)overdue_at IS NOT NULL AND \(row)overdue_at <= \(now) AND \(row)late = \(id)"
      : "\(row)need <> '' AND \(row)need = \(id) AND (\(row)late = '' OR \(row)overdue_at > \(now))"
  }

  /// The index terms whose index rows, in the order of their start, are exactly the matching rows. Each row has one of
  /// the terms.
  var terms: [String]? {
    if case .marks(let marks, isIndexed: true) = self { marks } else { nil }
  }

  /// The query ignores the start of the sagas. The index has it only after each whole term, so all terms with the
  /// prefix would be read to find the few sagas of a day.
  private static func prefix(_ prefix: String, _ tables: ReadTables, _ sql: inout SQLText) -> String {
    let from = sql.bind(.text(prefix))
    let below = sql.bind(.text(prefix + "\u{10FFFF}"))
    return "SELECT id FROM \(tables.terms) WHERE term >= \(from) AND term < \(below)"
  }

  static func range(_ column: String, _ range: MomentRange, _ sql: inout SQLText) -> String {
    let tests = [
      range.from.map { "\(column) >= \(sql.bind(.moment($0)))" },
      range.before.map { "\(column) < \(sql.bind(.moment($0)))" },
    ]
    let known = tests.compactMap { $0 }
    return known.isEmpty ? "1 = 1" : known.joined(separator: " AND ")
  }

  static func and(_ column: String, _ range: MomentRange, _ sql: inout SQLText) -> String {
    range.isOpen ? "" : " AND \(Self.range(column, range, &sql))"
  }
}
