import JSON
import Persistence
import Synchronization
import Values

/// Turns stored events into events of the live stream.
final class LiveReader: Sendable {
  /// Sagas whose workflow is kept in memory.
  private static let mostKnown = 50_000

  let store: any EventStore
  /// Nil for a stream that is not a saga.
  private let known = Mutex<[UniqueID: String?]>([:])

  init(store: any EventStore) { self.store = store }

  /// - Parameter stored: events of one shard, in order.
  /// - Returns: for each the event; nil for one of a stream that is not a saga.
  func events(_ stored: [StoredEvent]) async throws -> [LiveEvent?] {
    let metas = stored.map { try? JSON(parsing: $0.meta, limits: .stored) }
    var events: [LiveEvent?] = []
    for (index, event) in stored.enumerated() {
      guard let workflow = try await workflow(of: event) else {
        events.append(nil)
        continue
      }
      // The last event of an append has the status after the whole append.
      let last = stored[index...].prefix { $0.appendID == event.appendID }.endIndex - 1
      let meta = metas[last]
      events.append(
        LiveEvent(
          saga: event.stream, workflow: workflow, status: meta?["status"]?.stringValue,
          paused: meta?["paused"]?.boolValue, version: event.version, at: event.recordedAt, type: event.type,
          step: Self.step(of: event)))
    }
    return events
  }

  private static func step(of event: StoredEvent) -> String? {
    (try? JSON(parsing: event.data, limits: .stored))?["step"]?.stringValue
  }

  /// Only the first event of a saga names the workflow.
  private func workflow(of event: StoredEvent) async throws -> String? {
    if let workflow = known.withLock({ $0[event.stream] }) { return workflow }
    let first: StoredEvent? =
      event.version == 1 ? event : try await store.read(event.stream, after: 0, limit: 1).first
    guard let first else { return nil }
    let isSaga = first.type == "sagaStarted"
    let workflow = isSaga ? (try? JSON(parsing: first.data, limits: .stored))?["saga"]?["workflow"]?.stringValue : nil
    known.withLock { known in
      // Forgetting all costs a read for each saga that is still busy; that is cheaper than keeping an order.
      if known.count >= Self.mostKnown { known.removeAll(keepingCapacity: true) }
      known[event.stream] = .some(workflow)
    }
    return workflow
  }
}
