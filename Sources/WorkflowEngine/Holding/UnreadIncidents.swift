import Persistence
import SagaCore
import Values

// The sagas that the engine does not read at all have no event that says so, so the read model can't know it. Their
// incidents are made here, from the list of held sagas, and put among the others.
extension Engine {
  /// The sagas that the engine does not read: it died even while it paused them.
  var unread: [HeldSaga] { held.filter { !$0.isPaused } }

  /// Returns the incidents of the sagas that the engine does not read, one for each workflow. A saga that lists don't
  /// have yet is in none: then the answer says that lists are behind.
  func unreadIncidents(_ query: IncidentQuery) async throws -> [SagaIncident] {
    guard query.wants(.held) else { return [] }
    let since = Dictionary(unread.map { ($0.id, $0.since) }) { first, _ in first }
    let rows = try await readModel.store.currentRows(since.keys.sorted())
    var found: [IncidentKey: [SagaRow]] = [:]
    for var row in rows where query.workflow == nil || query.workflow == row.workflow {
      let need = SagaNeed(kind: .held, code: EngineErrorCode.sagaUnread, since: since[row.id] ?? row.updatedAt)
      row.need = need
      row.late = nil
      found[IncidentKey(need, workflow: row.workflow), default: []].append(row)
    }
    return found.map { key, rows in
      let rows = rows.sorted { (since[$0.id] ?? $0.updatedAt, $0.id) < (since[$1.id] ?? $1.updatedAt, $1.id) }
      let times = rows.map { since[$0.id] ?? $0.updatedAt }
      return SagaIncident(
        key: key, sagas: rows.count, since: times[0], newest: times[times.count - 1],
        samples: Array(rows.prefix(query.samples)))
    }
  }
}

extension Engine {
  /// Returns the sagas of an incident of sagas that the engine does not read, on one page; nil for another request.
  func unreadPage(_ request: SagaListRequest, isBehind: Bool, lists: ProjectionStatus) async throws -> SagaPage? {
    guard let wanted = request.query.incident, IncidentKey.kind(ofID: wanted.id) == .held, !unread.isEmpty else {
      return nil
    }
    let all = try await unreadIncidents(IncidentQuery(at: wanted.at, kinds: [.held], samples: .max))
    guard let incident = all.first(where: { $0.key.id == wanted.id }) else { return nil }
    var facets: SagaFacets?
    if request.wantsFacets { facets = incident.samples.reduce(into: SagaFacets()) { $0.add($1) } }
    return SagaPage(sagas: incident.samples, facets: facets, isBehind: isBehind, lists: lists)
  }
}

extension SagaIncidents {
  /// Returns the page with further incidents in their places.
  /// - Parameters:
  ///   - after: the end of the page before.
  ///   - limit: the most incidents of the page.
  func adding(_ others: [SagaIncident], after: IncidentCursor?, limit: Int) -> SagaIncidents {
    func cursor(_ incident: SagaIncident) -> IncidentCursor {
      IncidentCursor(since: incident.since, id: incident.key.id)
    }
    func isBefore(_ left: IncidentCursor, _ right: IncidentCursor) -> Bool {
      (left.since, TextKey(left.id)) < (right.since, TextKey(right.id))
    }
    let new = others.filter { other in after.map { isBefore($0, cursor(other)) } ?? true }
    let all = (incidents + new).sorted { isBefore(cursor($0), cursor($1)) }
    var page = self
    page.incidents = Array(all.prefix(limit))
    if next != nil || all.count > limit { page.next = page.incidents.last.map(cursor) }
    let count = others.reduce(0) { $0 + $1.sagas }
    if count > 0 { page.totals[.held, default: 0] += count }
    return page
  }
}
