import Persistence
import SagaCore
import Values
import Wire
import WorkflowEngine

extension IncidentsResponse {
  /// - Parameters:
  ///   - next: the sealed cursor of the next page.
  ///   - now: the time that decided what is overdue.
  init(_ page: SagaIncidents, next: String?, lists: ProjectionStatus, at now: Timestamp) {
    self.init(
      at: now, incidents: page.incidents.map { Incident($0, at: now) }, next: next, needsPerson: page.needsPerson,
      sagas: Counts(IncidentKind.allCases.map { ($0.rawValue, page.totals[$0] ?? 0) }), atLeast: !page.isExact,
      lists: .init(lists))
  }
}

extension IncidentsResponse.Incident {
  fileprivate init(_ incident: SagaIncident, at now: Timestamp) {
    let key = incident.key
    self.init(
      id: key.id, kind: key.kind.rawValue, workflow: key.workflow, step: key.step, phase: key.phase, code: key.code,
      outcome: key.outcomeIsUnknown ? RoundOutcome.unknown.rawValue : nil, sagas: incident.sagas, since: incident.since,
      newest: incident.newest,
      samples: incident.samples.map { row in
        .init(
          id: row.id.description, title: row.title, key: row.key, since: row.need(at: now)?.since ?? incident.since)
      },
      verbs: key.verbs.map(\.rawValue), path: "/v1/sagas?incident=\(key.id)")
  }
}
