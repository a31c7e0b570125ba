import HTTP
import Persistence
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// Reads the query of a list. A saga must match all filters. A filter value that can never match is an error.
struct SagaListReader {
  static let filters = [
    "status", "workflow", "version", "draft", "step", "stepStatus", "error", "cause", "incident", "minAttempts",
    "waitingFor", "overdue",
    "stuck",
    "paused", "tag", "label", "key", "parent", "q", "startedAfter", "startedBefore", "endedAfter", "endedBefore",
  ]
  static let parameters = filters + ["sort", "cursor", "limit", "facets", "seen"]

  private let query: QueryReader
  private let shardCount: Int

  init(_ query: QueryReader, shardCount: Int) {
    self.query = query
    self.shardCount = shardCount
  }

  /// - Parameter now: decides what is overdue.
  func request(at now: Timestamp) throws(Problem) -> (request: SagaListRequest, cursor: SealedCursor) {
    var sagas = SagaQuery()
    sagas.statuses = Set(try query.choices("status", SagaStatus.self).map(\.rawValue))
    if let isStuck = try query.flag("stuck") {
      let stuck = SagaStatus.stuck.rawValue
      let rest = Set(SagaStatus.allCases.map(\.rawValue)).subtracting([stuck])
      let wanted = isStuck ? [stuck] : rest
      let both = sagas.statuses.isEmpty ? wanted : sagas.statuses.intersection(wanted)
      guard !both.isEmpty else {
        throw query.invalid("stuck", "contradicts status: no saga is stuck and has another status")
      }
      sagas.statuses = both
    }
    sagas.workflow = try query.text("workflow")
    sagas.version = try query.version("version")
    sagas.isDraft = try query.flag("draft")
    sagas.step = try query.text("step")
    sagas.stepStatus = try query.choice("stepStatus", StepStatus.self)?.rawValue
    sagas.error = try error()
    sagas.cause = try query.text("cause")
    if let id = try query.text("incident") {
      guard IncidentKey.kind(ofID: id) != nil else {
        throw query.invalid("incident", "is the id of an incident, as GET /v1/incidents has it, not \(quoted(id))")
      }
      sagas.incident = IncidentAt(id: id, at: now)
    }
    sagas.minAttempts = try query.integer("minAttempts", in: 1...1_000_000)
    sagas.waitingFor = try query.text("waitingFor")
    if let isOverdue = try query.flag("overdue") {
      guard isOverdue else { throw query.invalid("overdue", "is true or left out") }
      sagas.overdueAt = now
    }
    sagas.isPaused = try query.flag("paused")
    sagas.tags = try query.texts("tag")
    sagas.labels = try labels()
    sagas.key = try query.text("key")
    if let text = try query.text("parent") {
      guard let parent = UniqueID(text) else {
        throw query.invalid("parent", "is the id of a saga, not \(quoted(text))")
      }
      sagas.parent = parent.description
    }
    if let text = try query.text("q") {
      sagas.words = SagaWords.query(text)
      if sagas.words.isEmpty { throw query.invalid("q", "has no letter or digit to look for") }
      if sagas.words.count > 8 { throw query.invalid("q", "has more than 8 words") }
    }
    sagas.started = try range("started")
    sagas.ended = try range("ended")
    sagas.sort = try query.choice("sort", SagaSort.self) ?? .newest

    // These parameters decide the list's order and content, but not the page.
    let cursor = SealedCursor(list: "sagas", filters: (Self.filters + ["sort"]).map(query.raw))
    var request = SagaListRequest(sagas, limit: try query.integer("limit", in: 1...200, default: 50))
    request.after = try after(cursor)
    request.wantsFacets = try query.flag("facets") ?? false
    request.seen = try seen()
    return (request, cursor)
  }

  static func seal(_ place: SagaCursor?, _ cursor: SealedCursor) -> String? {
    place.map { cursor.seal("\($0.moment.milliseconds) \($0.id)") }
  }

  private func after(_ cursor: SealedCursor) throws(Problem) -> SagaCursor? {
    guard let text = try cursor.open(query.text("cursor")) else { return nil }
    let parts = text.split(separator: " ")
    // A cursor that this server sealed has this form.
    guard parts.count == 2, let milliseconds = Int64(parts[0]),
      Timestamp.written.contains(Timestamp(milliseconds: milliseconds)), let id = UniqueID(String(parts[1]))
    else {
      throw SealedCursor.malformed
    }
    return SagaCursor(moment: Timestamp(milliseconds: milliseconds), id: id)
  }

  private func error() throws(Problem) -> String? {
    guard let error = try query.text("error") else { return nil }
    guard !error.dropLast().contains("*"), error != "*" else {
      throw query.invalid("error", "is a code, or the beginning of one with one * behind it, not \(quoted(error))")
    }
    return error
  }

  /// Reads labels in the form `NAME:VALUE`. A name has no colon; the value may have some.
  private func labels() throws(Problem) -> [Label] {
    var labels: [Label] = []
    for text in try query.texts("label") {
      let scalars = text.unicodeScalars
      let colon = scalars.firstIndex(of: ":")
      guard let colon, NameRule.word.allows(String(scalars[..<colon])) else {
        throw query.invalid("label", "is a label's name and value, as patient:P-17, not \(quoted(text))")
      }
      // No saga has another value: its labels have this form.
      guard let value = ShownLine.label(String(scalars[scalars.index(after: colon)...])) else {
        throw query.invalid("label", "has a value of 1 to \(ShownLine.longest) visible characters, not \(quoted(text))")
      }
      labels.append(Label(String(scalars[..<colon]), value))
    }
    return labels
  }

  private func range(_ what: String) throws(Problem) -> MomentRange {
    let range = MomentRange(
      from: try query.timestamp("\(what)After"), before: try query.timestamp("\(what)Before"))
    if let from = range.from, let before = range.before, before <= from {
      throw query.invalid("\(what)Before", "must be later than \(what)After")
    }
    return range
  }

  /// Reads the read-your-writes token; nil without one.
  func seen() throws(Problem) -> SeenToken? {
    guard let text = try query.text("seen") else { return nil }
    guard let token = SeenToken(text), token.positions.keys.allSatisfy({ $0 < shardCount }) else {
      throw query.invalid("seen", "is the Saga-Seen header of an answer as it came, not \(quoted(text))")
    }
    return token
  }
}
