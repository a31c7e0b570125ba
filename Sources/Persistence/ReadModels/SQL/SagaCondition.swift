import Values

/// A statement under construction: its values go in beside its text.
struct SQLText {
  private(set) var values: [SQLValue] = []

  /// - Returns: what stands for the value in the text.
  mutating func bind(_ value: SQLValue) -> String {
    values.append(value)
    return "$\(values.count)"
  }
}

/// One thing that must hold of a row: how a row is checked for it, and, where there is an index, how rows are found by it.
enum SagaCondition {
  /// It has one of these marks.
  case marks([String], isIndexed: Bool)
  /// One of its marks begins so.
  case markPrefix(String)
  case word(String)
  case moments(String, MomentRange)
  case overdue(Timestamp)
  case attempts(Int)

  /// All that a query asks for, but for when its sagas started.
  static func all(of query: SagaQuery) -> [SagaCondition] {
    var conditions: [SagaCondition] = []
    func add(_ mark: String?, isIndexed: Bool = true) {
      if let mark { conditions.append(.marks([SagaMark.clean(mark)], isIndexed: isIndexed)) }
    }
    add(query.key.map(SagaMark.key))
    for tag in query.tags { add(SagaMark.tag(tag)) }
    addStep(of: query, to: &conditions)
    addError(of: query, to: &conditions)
    add(query.waitingFor.map(SagaMark.waiting))
    if query.isPaused == true { add(SagaMark.paused) }
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

  /// Workflow, version and status: two together have an index of their own.
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

  /// What must hold of the row `s`.
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
    }
  }

  /// A query for the ids of all rows of which it holds, read off an index; nil when there is none for it.
  /// - Parameter started: only sagas that started then, where the index can tell.
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
    }
  }

  /// The terms whose index rows, in the order of their start, are all of which it holds, each in one of them.
  var terms: [String]? {
    if case .marks(let marks, isIndexed: true) = self { marks } else { nil }
  }

  /// When sagas started is not asked here: the index tells it only behind each whole term, so that all terms which begin so
  /// would be read for the few of a day.
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
