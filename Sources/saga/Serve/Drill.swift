import Foundation
import Persistence
import Runtime
import Values

/// Makes the engine die while it computes a saga, or its lists slow, to test the effects.
enum Drill {
  /// The environment variable with the saga's id.
  static let variable = "SAGA_DRILL_DIE_OF"
  /// The environment variable with the milliseconds that each write to the lists takes longer.
  static let slowLists = "SAGA_DRILL_SLOW_LISTS"

  static func dying(of saga: UniqueID) -> @Sendable (UniqueID) -> Void {
    { id in if id == saga { abort() } }
  }
}

/// A read model in front of another one, with slower writes.
struct SlowReadStore: SagaReadStore {
  let store: any SagaReadStore
  let pause: Duration
  let environment: Runtime.Environment

  var kind: String { store.kind }

  func apply(_ batch: ReadBatch) async throws(StoreError) {
    do { try await environment.sleep(for: pause) } catch { throw StoreError(.closed, "the engine stops") }
    try await store.apply(batch)
  }

  func generations() async throws(StoreError) -> ReadGenerations { try await store.generations() }
  func checkpoints(_ generation: Int) async throws(StoreError) -> [Int: ReadCheckpoint] {
    try await store.checkpoints(generation)
  }
  func rows(_ ids: [UniqueID], generation: Int) async throws(StoreError) -> [SagaRow] {
    try await store.rows(ids, generation: generation)
  }
  func currentRows(_ ids: [UniqueID]) async throws(StoreError) -> [SagaRow] { try await store.currentRows(ids) }
  func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String] {
    try await store.refused(changes, generation: generation)
  }
  func list(_ query: SagaQuery, after: SagaCursor?, limit: Int) async throws(StoreError) -> SagaRows {
    try await store.list(query, after: after, limit: limit)
  }
  func incidents(
    _ query: IncidentQuery, after: IncidentCursor?, limit: Int
  ) async throws(StoreError) -> SagaIncidents {
    try await store.incidents(query, after: after, limit: limit)
  }
  func facets(_ query: SagaQuery) async throws(StoreError) -> SagaFacets { try await store.facets(query) }
  func minutes(workflow: String, _ range: MomentRange) async throws(StoreError) -> [StepMinute] {
    try await store.minutes(workflow: workflow, range)
  }
  func beginGeneration() async throws(StoreError) -> Int { try await store.beginGeneration() }
  func makeCurrent(_ generation: Int, evenIfBehind: Bool) async throws(StoreError) -> Bool {
    try await store.makeCurrent(generation, evenIfBehind: evenIfBehind)
  }
  func dropOldGenerations() async throws(StoreError) { try await store.dropOldGenerations() }
  func close() async { await store.close() }
}
