import Synchronization

/// The stored checkpoints of a follower that delivers events elsewhere: one position for each shard.
///
/// A follower begins after its checkpoints. So when a write of them fails, it delivers events a second time at worst.
/// The outcome of a failed write may be unknown, so the checkpoints are then read again.
public final class FollowerCheckpoints: Sendable {
  private let follower: String
  private let store: any EventReading & DocumentStore
  private let saved: Mutex<[Int64]>

  /// - Parameters:
  ///   - follower: the name under which the checkpoints are stored.
  ///   - store: the store of the events and the checkpoints.
  public init(of follower: String, in store: any EventReading & DocumentStore) {
    self.follower = follower
    self.store = store
    saved = Mutex(Array(repeating: 0, count: store.shardCount))
  }

  /// Returns the stored checkpoint of a shard, as far as it is known.
  public subscript(shard: Int) -> Int64 { saved.withLock { $0[shard] } }

  /// Reads the checkpoints of all shards.
  public func load() async throws(StoreError) {
    for shard in 0..<store.shardCount { try await load(shard) }
  }

  private func load(_ shard: Int) async throws(StoreError) {
    let position = try await store.checkpoint(follower, shard: shard)
    saved.withLock { $0[shard] = position }
  }

  /// Moves the checkpoints of all shards that are not at these positions: all of them or none.
  /// - Parameter positions: the positions by shard.
  public func move(to positions: [Int: Int64]) async throws(StoreError) {
    let moves = saved.withLock { saved in
      positions.sorted { $0.key < $1.key }.filter { saved[$0.key] != $0.value }
        .map { CheckpointMove(shard: $0.key, from: saved[$0.key], to: $0.value) }
    }
    if moves.isEmpty { return }
    do {
      try await store.move(follower, moves)
    } catch {
      for move in moves { try? await load(move.shard) }
      throw error
    }
    saved.withLock { saved in for move in moves { saved[move.shard] = move.to } }
  }

  /// Stores documents and moves the checkpoint of one shard, in one transaction.
  /// - Parameter position: the new checkpoint; nil to leave it where it is.
  public func store(_ documents: [Document], at shard: Int, to position: Int64? = nil) async throws(StoreError) {
    let from = self[shard]
    let to = position ?? from
    do {
      try await store.apply(
        ProjectionBatch(follower: follower, shard: shard, from: from, to: to, upserts: documents))
    } catch {
      try? await load(shard)
      throw error
    }
    saved.withLock { $0[shard] = to }
  }
}
