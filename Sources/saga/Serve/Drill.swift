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
struct SlowReadStore: ReadStoreInFront {
  let store: any SagaReadStore
  let pause: Duration
  let environment: Runtime.Environment

  func apply(_ batch: ReadBatch) async throws(StoreError) {
    do { try await environment.sleep(for: pause) } catch { throw StoreError(.closed, "the engine stops") }
    try await store.apply(batch)
  }
}
