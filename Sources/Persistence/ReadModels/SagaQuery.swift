public import Values

/// The filter of a list of sagas. All given conditions must be true.
public struct SagaQuery: Sendable, Hashable {
  /// The accepted statuses; any when empty.
  public var statuses: Set<String> = []
  public var workflow: String?
  /// The version of the workflow; below zero for a draft.
  public var version: Int?
  /// True for sagas of drafts, false for sagas of released versions.
  public var isDraft: Bool?
  /// Without `stepStatus`: the saga's current step. With `stepStatus`: the step that has that status.
  public var step: String?
  /// Without `step`: at least one step has this status.
  public var stepStatus: String?
  /// An error code, or the beginning of one followed by `*`.
  public var error: String?
  /// The code of what turned the saga back.
  public var cause: String?
  /// The incident that the saga belongs to at a time.
  public var incident: IncidentAt?
  public var minAttempts: Int?
  public var waitingFor: String?
  /// The time at which the saga must be overdue.
  public var overdueAt: Timestamp?
  public var isPaused: Bool?
  /// The tags that the saga must all have.
  public var tags: [String] = []
  /// The labels that the saga must all have.
  public var labels: [Label] = []
  public var key: String?
  /// The id of the saga that started it.
  public var parent: String?
  /// The prefixes of words. For each prefix, one of the saga's words begins with it.
  public var words: [String] = []
  public var started = MomentRange()
  public var ended = MomentRange()
  public var sort = SagaSort.newest

  public init() {}
}

/// A range of timestamps, its start included and its end excluded.
public struct MomentRange: Sendable, Hashable {
  public var from: Timestamp?
  public var before: Timestamp?

  public init(from: Timestamp? = nil, before: Timestamp? = nil) {
    self.from = from
    self.before = before
  }

  public var isOpen: Bool { from == nil && before == nil }

  public func contains(_ moment: Timestamp) -> Bool {
    (from.map { $0 <= moment } ?? true) && (before.map { moment < $0 } ?? true)
  }
}

/// The order of a list. Rows with equal timestamps are ordered by id.
public enum SagaSort: String, Sendable, Hashable, CaseIterable {
  case newest = "-startedAt"
  case oldest = "startedAt"
  case lastChanged = "-updatedAt"
  /// The last ended first. Shows only sagas that have ended.
  case lastEnded = "-endedAt"

  public var isDescending: Bool { self != .oldest }

  /// Returns the timestamp by which a row is sorted; nil for a row that this order does not show.
  public func moment(of row: SagaRow) -> Timestamp? {
    switch self {
    case .newest, .oldest: row.startedAt
    case .lastChanged: row.updatedAt
    case .lastEnded: row.endedAt
    }
  }
}

/// A place in a list: after this timestamp and id.
public struct SagaCursor: Sendable, Hashable {
  public var moment: Timestamp
  public var id: UniqueID

  public init(moment: Timestamp, id: UniqueID) {
    self.moment = moment
    self.id = id
  }
}

/// A page of a list.
public struct SagaRows: Sendable, Hashable {
  public var rows: [SagaRow]
  /// The place at which the next page begins; nil at the end. A page that searches very many sagas and finds few ends
  /// early. Then it has fewer rows than requested.
  public var next: SagaCursor?
}

/// The counts of the sagas that a query finds, by facet.
public struct SagaFacets: Sendable, Hashable {
  public var status: [String: Int] = [:]
  public var workflow: [String: Int] = [:]
  /// Each saga counts once: by the code of what stops it or fails now, else of what turned it back.
  public var error: [String: Int] = [:]
  /// The counts by the code of what turned the saga back.
  public var cause: [String: Int] = [:]
  /// The counts by current step.
  public var step: [String: Int] = [:]
  /// False when there were too many sagas to count all. Then each count is a lower bound.
  public var isExact = true

  public init() {}

  package mutating func add(_ row: SagaRow) { add(FacetKey(row), 1) }

  mutating func add(_ key: FacetKey, _ count: Int) {
    status[key.status, default: 0] += count
    workflow[key.workflow, default: 0] += count
    if let code = key.code { error[code, default: 0] += count }
    if let cause = key.cause { self.cause[cause, default: 0] += count }
    for step in key.at { self.step[step, default: 0] += count }
  }
}

/// The values by which sagas are counted. Few combinations occur, so one counter for each answers most counts at once.
struct FacetKey: Sendable, Hashable {
  var workflow: String
  var version: Int
  var status: String
  var errors: [String]
  var at: [String]
  var code: String?
  var cause: String?

  init(_ row: SagaRow) {
    workflow = row.workflow
    version = row.version
    status = row.status
    errors = row.errors.sorted()
    at = row.at
    code = row.shownCode
    cause = row.causeCode
  }

  init(
    workflow: String, version: Int, status: String, errors: [String], at: [String], code: String?, cause: String?
  ) {
    self.workflow = workflow
    self.version = version
    self.status = status
    self.errors = errors
    self.at = at
    self.code = code
    self.cause = cause
  }

  func matches(_ query: SagaQuery) -> Bool {
    if !query.statuses.isEmpty, !query.statuses.contains(status) { return false }
    if let wanted = query.workflow, !TextKey(wanted).isSame(workflow) { return false }
    if let wanted = query.version, wanted != version { return false }
    if let wanted = query.isDraft, wanted != VersionName.isDraft(version) { return false }
    if let wanted = query.step, !at.contains(where: { TextKey(wanted).isSame($0) }) { return false }
    if let wanted = query.cause, !(cause.map { TextKey(wanted).isSame($0) } ?? false) { return false }
    if let wanted = query.error, !errors.contains(where: { ErrorPattern(wanted).matches($0) }) { return false }
    return true
  }
}

extension SagaQuery {
  /// True when the counters alone can answer the count: when it has only the filters that `FacetKey.matches` looks at.
  var isCounted: Bool {
    var counted = SagaQuery()
    counted.statuses = statuses
    counted.workflow = workflow
    counted.version = version
    counted.isDraft = isDraft
    counted.step = step
    counted.error = error
    counted.cause = cause
    counted.sort = sort
    return self == counted
  }
}

/// An error code, or a prefix of error codes.
struct ErrorPattern {
  let text: String
  let isPrefix: Bool

  init(_ pattern: String) {
    isPrefix = pattern.utf8.last == UInt8(ascii: "*")
    text = isPrefix ? String(pattern.dropLast()) : pattern
  }

  func matches(_ code: String) -> Bool { isPrefix ? code.utf8.starts(with: text.utf8) : TextKey(text).isSame(code) }
}

extension TextKey {
  func isSame(_ other: String) -> Bool { self == TextKey(other) }
}
