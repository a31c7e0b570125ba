import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("Incidents in every read model", .timeLimit(.minutes(15)), .inTurn)
struct IncidentTests {
  private static let start = Timestamp(milliseconds: RandomSagas.epoch)

  /// All pages of the incidents.
  private func all(
    _ store: any SagaReadStore, _ query: IncidentQuery, limit: Int
  ) async throws -> [SagaIncident] {
    var incidents: [SagaIncident] = []
    var place: IncidentCursor?
    repeat {
      let page = try await store.incidents(query, after: place, limit: limit)
      #expect(page.incidents.count <= limit)
      incidents += page.incidents
      place = page.next
    } while place != nil
    return incidents
  }

  @Test("The databases group the sagas as the reference does, page by page", arguments: StoreKind.durable)
  func reference(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      let measure = MemoryReadStore()
      var sagas = RandomSagas(seed: 21)
      var model = FilledModel()
      try await model.fill([store, measure], from: &sagas, count: 400, changes: 200)
      var shown = 0
      // Sagas become overdue from 9 seconds after the start on.
      for seconds in [0, 12, 19, 60] {
        for kinds: Set<IncidentKind> in [[], [.stuck], [.overdue, .retrying], [.paused]] {
          for workflow in [nil, "b", "none"] {
            let query = IncidentQuery(
              at: Self.start + .seconds(seconds), kinds: kinds, workflow: workflow, samples: 3)
            let expected = try await all(measure, query, limit: 1_000)
            #expect(try await all(store, query, limit: 4) == expected, "\(query)")
            let (page, totals) = (
              try await store.incidents(query, after: nil, limit: 1),
              Dictionary(grouping: expected, by: \.key.kind).mapValues { $0.reduce(0) { $0 + $1.sagas } }
            )
            #expect(page.totals == totals && page.isExact, "\(query)")
            shown += expected.count
            // A caller that counts some sagas itself gets the others.
            guard let one = expected.first?.samples.first?.id else { continue }
            var rest = query
            rest.without = [one]
            let others = try await all(measure, rest, limit: 1_000)
            #expect(try await all(store, rest, limit: 4) == others, "\(rest)")
            #expect(!others.contains { $0.samples.contains { $0.id == one } })
            #expect(others.reduce(0) { $0 + $1.sagas } == expected.reduce(0) { $0 + $1.sagas } - 1)
          }
        }
      }
      // Else nothing was compared.
      #expect(shown > 100)
    }
  }

  @Test(
    "The filter by an incident lists exactly its sagas, and each saga is in one incident at most",
    arguments: StoreKind.tested)
  func filter(kind: StoreKind) async throws {
    try await withReadStore(kind, limits: SagaListingLimits(few: 10, counted: 10_000, walked: 100_000)) { store in
      var sagas = RandomSagas(seed: 22)
      var model = FilledModel()
      try await model.fill([store], from: &sagas, count: 300, changes: 200)
      let now = Self.start + .seconds(16)
      let incidents = try await all(store, IncidentQuery(at: now, samples: 2), limit: 50)
      #expect(Set(incidents.map(\.key.kind)) == Set(IncidentKind.allCases))
      var seen: Set<UniqueID> = []
      for incident in incidents {
        var query = SagaQuery()
        query.incident = IncidentAt(id: incident.key.id, at: now)
        let rows = try await store.all(query, limit: 7).rows
        #expect(rows.count == incident.sagas)
        #expect(rows.allSatisfy { $0.incident(at: now) == incident.key })
        #expect(Set(incident.samples.map(\.id)).isSubset(of: Set(rows.map(\.id))))
        #expect(incident.samples.count == min(2, rows.count))
        #expect(incident.since == rows.compactMap { $0.need(at: now)?.since }.min())
        #expect(incident.newest == rows.compactMap { $0.need(at: now)?.since }.max())
        #expect(seen.isDisjoint(with: rows.map(\.id)))
        seen.formUnion(rows.map(\.id))
        #expect(try await store.facets(query).status.values.reduce(0, +) == incident.sagas)
      }
      #expect(seen.count == model.rows.values.count { $0.need(at: now) != nil })
    }
  }

  @Test("A night: 50 sagas, of which 14 are in three incidents, the oldest first", arguments: StoreKind.tested)
  func night(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 23)
      var changes: [SagaChange] = []
      for number in 0..<50 {
        var row = sagas.start()
        row.workflow = "accession-and-storage"
        row.steps = []
        (row.status, row.isPaused, row.endedAt, row.overdueAt, row.late) = ("running", false, nil, nil, nil)
        (row.failureCode, row.causeCode, row.need) = (nil, nil, nil)
        let since = Self.start + .seconds(100 - number)
        switch number {
        case 0..<7:
          row.need = SagaNeed(
            kind: .stuck, step: "allocateStorage", phase: "undo", code: "FREEZER_LOCKED", since: since)
        case 7..<10:
          row.need = SagaNeed(kind: .stuck, step: "release", phase: "forward", code: "http.timeout", since: since)
        case 10..<14:
          row.need = SagaNeed(kind: .retrying, step: "qc", phase: "forward", code: "http.503", since: since)
        default: break
        }
        if row.need?.kind == .stuck {
          row.status = "stuck"
          (row.failureCode, row.causeCode) = (row.need?.code, "QC_FAILED")
        }
        changes.append(SagaChange(old: nil, new: row))
      }
      try await store.apply(ReadStoreTests.batch(0, 1, changes))
      let query = IncidentQuery(at: Self.start + .seconds(200))
      let page = try await store.incidents(query, after: nil, limit: 50)
      #expect(page.incidents.map(\.sagas) == [4, 3, 7])
      #expect(page.incidents.map(\.key.code) == ["http.503", "http.timeout", "FREEZER_LOCKED"])
      #expect(page.totals == [.stuck: 10, .retrying: 4])
      #expect(page.next == nil)
      // What stops a saga and what turned it back count apart: 10 stuck sagas give no facet of 20.
      let facets = try await store.facets(SagaQuery())
      #expect(facets.error == ["FREEZER_LOCKED": 7, "http.timeout": 3, "http.503": 4])
      #expect(facets.cause == ["QC_FAILED": 10])
      var caused = SagaQuery()
      caused.cause = "QC_FAILED"
      #expect(try await store.all(caused, limit: 50).rows.count == 10)
    }
  }

  @Test("More sagas than are counted are reported as a lower bound, kind by kind", arguments: StoreKind.durable)
  func bounded(kind: StoreKind) async throws {
    try await withReadStore(kind, limits: SagaListingLimits(grouped: 5)) { store in
      var sagas = RandomSagas(seed: 24)
      var model = FilledModel()
      try await model.fill([store], from: &sagas, count: 200, changes: 0)
      let page = try await store.incidents(IncidentQuery(at: Self.start + .seconds(60)), after: nil, limit: 50)
      #expect(!page.isExact)
      #expect(page.totals == [.stuck: 5, .held: 4, .overdue: 5, .paused: 5])
    }
  }

  @Test("The id of an incident depends on all that its sagas have in common, and tells the kind")
  func ids() {
    let need = SagaNeed(kind: .stuck, step: "store", phase: "undo", code: "LOCKED", since: Self.start)
    let key = IncidentKey(need, workflow: "w")
    #expect(IncidentKey.kind(ofID: key.id) == .stuck)
    var others: Set<String> = [key.id]
    for change: (inout SagaNeed) -> Void in [
      { $0.kind = .overdue }, { $0.step = "other" }, { $0.step = nil }, { $0.phase = "forward" }, { $0.code = nil },
      { $0.outcomeIsUnknown = true }, { $0.isItem = true },
    ] {
      var other = need
      change(&other)
      #expect(others.insert(IncidentKey(other, workflow: "w").id).inserted)
    }
    #expect(others.insert(IncidentKey(need, workflow: "v").id).inserted)
    var later = need
    later.since = Self.start + .seconds(1)
    #expect(IncidentKey(later, workflow: "w").id == key.id)
    for text in ["", "stuck", "stuck-", "stuck-0f3a", "stuck-0F3A5C7E9B1D2F40", "broken-0f3a5c7e9b1d2f40"] {
      #expect(IncidentKey.kind(ofID: text) == nil)
    }
  }
}
