import JSON
import Persistence

/// How many sagas are in each status: one document for each shard and status, which the projection of the list writes in
/// the transaction of its rows, so that counting costs the same for ten sagas and for ten million.
enum SagaCounts {
  static let collection = "sagaCounts"

  /// A saga of a shard has passed from one status into another.
  static func move(
    from old: SagaStatus?, to new: SagaStatus?, shard: Int, in changes: inout ProjectionChanges
  ) async throws {
    guard old != new else { return }
    if let old { try await add(-1, old, shard, &changes) }
    if let new { try await add(1, new, shard, &changes) }
  }

  private static func add(
    _ change: Int, _ status: SagaStatus, _ shard: Int, _ changes: inout ProjectionChanges
  ) async throws {
    let id = "\(shard)/\(status.rawValue)"
    let old = try await changes.document(collection: collection, id: id)
    let count = try old.map(count) ?? 0
    changes.put(
      Document(
        collection: collection, id: id, sort: id, fields: ["status": status.rawValue],
        data: JSON.int(count + change).bytes()))
  }

  private static func count(_ document: Document) throws -> Int { try JSON(parsing: document.data).intValue ?? 0 }

  static func sum(in store: any EventStore) async throws -> [SagaStatus: Int] {
    var sums: [SagaStatus: Int] = [:]
    for status in SagaStatus.allCases {
      let documents = try await store.documents(
        DocumentQuery(collection: collection, fields: ["status": status.rawValue], limit: store.shardCount))
      sums[status] = try documents.map(count).reduce(0, +)
    }
    return sums
  }
}

extension Engine {
  /// How many sagas are in each status. The counts follow the store, as the list does.
  public func counts() async throws -> [SagaStatus: Int] { try await SagaCounts.sum(in: host.events) }
}
