import Synchronization
import TestSupport
import Testing
import Values

@testable import Persistence

/// How the database would run each statement of the lists: always by an index.
@Suite("The plans of lists", .timeLimit(.minutes(15)), .inTurn)
struct ReadPlanTests {
  @Test(
    "No list reads the table of sagas, or the index of their terms, from end to end", arguments: StoreKind.durable,
    ReadListTests.limits.indices)
  func plans(kind: StoreKind, limits: Int) async throws {
    try await withReadStore(kind) { store in
      let store = try #require(store as? SQLReadStore)
      var sagas = RandomSagas(seed: 11)
      var model = FilledModel()
      try await model.fill([store], from: &sagas, count: 300, changes: 20)
      var queries = (0..<150).map { _ in sagas.query() }
      queries += SagaSort.allCases.map { sort in
        var query = SagaQuery()
        query.sort = sort
        return query
      }
      let place = try #require(model.rows.values.first.map { SagaCursor(moment: $0.startedAt, id: $0.id) })
      var statements: [String: [SQLValue]] = [:]
      for query in queries {
        let seen = try await store.database.read { session throws(StoreError) in
          let seen = Mutex<[String: [SQLValue]]>([:])
          var list = SagaListing(session, ReadTables(generation: 1), query, ReadListTests.limits[limits])
          list.trace = { text, values in seen.withLock { $0[text] = values } }
          _ = try list.page(after: nil, limit: 50)
          _ = try list.page(after: place, limit: 50)
          _ = try list.facets()
          return seen.withLock { $0 }
        }
        statements.merge(seen) { first, _ in first }
      }
      let now = Timestamp(milliseconds: RandomSagas.epoch) + .seconds(16)
      let incidents = try await store.database.read { session throws(StoreError) in
        let seen = Mutex<[String: [SQLValue]]>([:])
        for workflow in [nil, "b"] {
          var list = IncidentListing(
            session: session, tables: ReadTables(generation: 1), query: IncidentQuery(at: now, workflow: workflow),
            most: 50_000)
          list.trace = { text, values in seen.withLock { $0[text] = values } }
          _ = try list.page(after: nil, limit: 50)
          _ = try list.page(after: IncidentCursor(since: now, id: "stuck-0f3a5c7e9b1d2f40"), limit: 50)
        }
        return seen.withLock { $0 }
      }
      #expect(incidents.count >= 4)
      statements.merge(incidents) { first, _ in first }
      #expect(statements.count > 50)
      for (text, values) in statements {
        let plan = try await store.database.read { session throws(StoreError) in
          switch kind {
          case .postgres:
            try session.query("EXPLAIN \(text)", values) { row throws(StoreError) in try row.text(0) }
          case .sqlite, .memory:
            try session.query("EXPLAIN QUERY PLAN \(text)", values) { row throws(StoreError) in try row.text(3) }
          }
        }
        for line in plan { #expect(!Self.isScan(line), "\(line)\n\(text)") }
      }
    }
  }

  /// Walking along an index is fine: every statement that does has a limit.
  static func isScan(_ line: String) -> Bool {
    let isTable =
      line.contains("sagas_1") || line.contains("saga_rows_1") || line.contains("saga_terms_1")
      || line.contains("SCAN s ")
      || line.hasSuffix("SCAN s") || line.contains("SCAN r ") || line.hasSuffix("SCAN r")
    if line.contains("Seq Scan") { return isTable }
    return line.contains("SCAN") && isTable && !line.contains("INDEX")
  }

  @Test("The test recognises scans in query plans")
  func scans() {
    #expect(Self.isScan("SCAN sagas_1"))
    #expect(Self.isScan("SCAN s"))
    #expect(Self.isScan("  ->  Seq Scan on sagas_1 s  (cost=0.00..1.00)"))
    #expect(!Self.isScan("SCAN sagas_1 USING COVERING INDEX sagas_1_started"))
    #expect(!Self.isScan("SEARCH s USING PRIMARY KEY (id=?)"))
  }
}
