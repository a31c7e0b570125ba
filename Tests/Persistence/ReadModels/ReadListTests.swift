import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("Lists of sagas", .timeLimit(.minutes(15)), .inTurn)
struct ReadListTests {
  /// Few rows go all the ways: fetched, walked over, and cut off.
  static let limits = [
    SagaListingLimits(), SagaListingLimits(few: 10, counted: 10_000, walked: 100_000),
    SagaListingLimits(few: 5, counted: 10_000, walked: 60),
  ]

  @Test(
    "Every combination of filters, orders and pages returns the same rows as a scan of all rows",
    arguments: StoreKind.durable, limits.indices)
  func combinations(kind: StoreKind, limits: Int) async throws {
    try await withReadStore(kind, limits: Self.limits[limits]) { store in
      let measure = MemoryReadStore()
      var sagas = RandomSagas(seed: 7)
      var model = FilledModel()
      try await model.fill([store, measure], from: &sagas, count: 600, changes: 200)
      var shown = 0
      for _ in 0..<250 {
        let query = sagas.query()
        let expected = try await measure.all(query, limit: 1_000).rows
        #expect(try await store.all(query, limit: 7).rows == expected, "\(query)")
        shown += expected.count
      }
      // Else nothing was compared.
      #expect(shown > 2_000)
    }
  }

  @Test("Facets count the rows of the list with the same filters", arguments: StoreKind.durable)
  func facets(kind: StoreKind) async throws {
    try await withReadStore(kind, limits: SagaListingLimits(few: 10, counted: 10_000)) { store in
      let measure = MemoryReadStore()
      var sagas = RandomSagas(seed: 8)
      var model = FilledModel()
      try await model.fill([store, measure], from: &sagas, count: 300, changes: 200)
      for _ in 0..<200 {
        let query = sagas.query()
        let (facets, expected) = (try await store.facets(query), try await measure.facets(query))
        #expect(facets == expected, "\(query)")
      }
    }
  }

  @Test("Facets over more rows than the limit are reported as lower bounds", arguments: StoreKind.durable)
  func cutFacets(kind: StoreKind) async throws {
    try await withReadStore(kind, limits: SagaListingLimits(few: 10, counted: 20)) { store in
      var sagas = RandomSagas(seed: 9)
      var model = FilledModel()
      try await model.fill([store], from: &sagas, count: 100, changes: 0)
      var query = SagaQuery()
      query.isPaused = false
      let facets = try await store.facets(query)
      #expect(!facets.isExact)
      #expect((1...20).contains(facets.status.values.reduce(0, +)))
      // Facets with counters of their own are always known.
      let all = try await store.facets(SagaQuery())
      #expect(all.isExact && all.status.values.reduce(0, +) == 100)
    }
  }

  @Test(
    "A page over many rows ends early, and the list continues from there", arguments: StoreKind.durable)
  func boundedPages(kind: StoreKind) async throws {
    try await withReadStore(kind, limits: SagaListingLimits(few: 5, walked: 30)) { store in
      var sagas = RandomSagas(seed: 10)
      var model = FilledModel()
      try await model.fill([store], from: &sagas, count: 300, changes: 0)
      var query = SagaQuery()
      // No index has any of it.
      query.step = "x"
      query.stepStatus = "succeeded"
      query.minAttempts = 1
      query.version = 2
      let (rows, pages) = try await store.all(query, limit: 5)
      #expect(pages > 2)
      #expect(Set(rows.map(\.id)).count == rows.count)
      #expect(Set(rows.map(\.id)) == Set(model.rows.values.filter(query.matches).map(\.id)))
    }
  }
}
