package import Values

/// A read model in front of another one, to which it passes on what it does not do itself.
package protocol ReadStoreInFront: SagaReadStore {
  var store: any SagaReadStore { get }
}

extension ReadStoreInFront {
  package var kind: String { store.kind }
  package func generations() async throws(StoreError) -> ReadGenerations { try await store.generations() }
  package func checkpoints(_ generation: Int) async throws(StoreError) -> [Int: ReadCheckpoint] {
    try await store.checkpoints(generation)
  }
  package func apply(_ batch: ReadBatch) async throws(StoreError) { try await store.apply(batch) }
  package func rows(_ ids: [UniqueID], generation: Int) async throws(StoreError) -> [SagaRow] {
    try await store.rows(ids, generation: generation)
  }
  package func currentRows(_ ids: [UniqueID]) async throws(StoreError) -> [SagaRow] {
    try await store.currentRows(ids)
  }
  package func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String] {
    try await store.refused(changes, generation: generation)
  }
  package func list(_ query: SagaQuery, after: SagaCursor?, limit: Int) async throws(StoreError) -> SagaRows {
    try await store.list(query, after: after, limit: limit)
  }
  package func incidents(
    _ query: IncidentQuery, after: IncidentCursor?, limit: Int
  ) async throws(StoreError) -> SagaIncidents {
    try await store.incidents(query, after: after, limit: limit)
  }
  package func facets(_ query: SagaQuery) async throws(StoreError) -> SagaFacets { try await store.facets(query) }
  package func minutes(workflow: String, _ range: MomentRange) async throws(StoreError) -> [StepMinute] {
    try await store.minutes(workflow: workflow, range)
  }
  package func beginGeneration() async throws(StoreError) -> Int { try await store.beginGeneration() }
  package func makeCurrent(_ generation: Int, evenIfBehind: Bool) async throws(StoreError) -> Bool {
    try await store.makeCurrent(generation, evenIfBehind: evenIfBehind)
  }
  package func dropOldGenerations() async throws(StoreError) { try await store.dropOldGenerations() }
  package func close() async { await store.close() }
}
