public import Values

extension EventReading {
  /// Checks the chain of every shard and the hashes of every stream, from the first event on. A shard is checked up to
  /// its head when its turn comes. Finds the first broken link of each shard. The audit may take long, and it blocks no
  /// other work.
  /// - Parameters:
  ///   - head: an earlier head of the same store, with a verified signature. The store is compared with it.
  ///   - pageSize: the number of events in one read.
  ///   - rememberedStreams: the number of streams whose last hash is kept in memory.
  public func audit(
    against head: AuditHead? = nil, pageSize: Int = 500, rememberedStreams: Int = 100_000
  ) async throws -> AuditReport {
    let origins = try await origins()
    if let head {
      if head.store != origins.store {
        throw AuditError(
          AuditErrorCode.otherStore, "The head is of the store \(head.store), and this is \(origins.store).")
      }
      if head.shards.count != shardCount {
        throw AuditError(
          AuditErrorCode.otherStore, "The head is of \(head.shards.count) shards, and the store has \(shardCount).")
      }
    }
    var reports: [ShardReport] = []
    for shard in 0..<shardCount {
      try Task.checkCancellation()
      var walk = ShardWalk(
        self, shard: shard, unchained: origins.unchained(shard: shard), signed: head?.shards[shard],
        pageSize: max(1, pageSize), rememberedStreams: rememberedStreams)
      reports.append(try await walk.run())
    }
    return AuditReport(store: origins.store, shards: reports, comparedWith: head?.at)
  }

  /// Returns the current head of the store: the last chain of every shard. It is not signed yet.
  public func auditHead(at moment: Timestamp) async throws(StoreError) -> AuditHead {
    let origins = try await origins()
    var shards: [AuditHead.Shard] = []
    for shard in 0..<shardCount {
      let position = try await head(shard: shard)
      let last = position == 0 ? nil : try await tail(shard: shard, after: position - 1, limit: 1).first
      shards.append(
        AuditHead.Shard(
          shard: shard, position: last?.position ?? position, chain: last?.chain ?? EventChain.start,
          unchained: origins.unchained(shard: shard)))
    }
    return AuditHead(store: origins.store, at: moment, shards: shards)
  }
}
