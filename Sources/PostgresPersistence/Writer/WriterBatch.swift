import Persistence
import Values

/// The appends of one transaction, and the statements that write them. It is a value: nothing changes until the
/// transaction is committed. After that, `heads` and `ends` are the new ends of the streams and shards.
struct WriterBatch {
  /// The result of adding an append.
  enum Fit {
    case added
    /// The append conflicts with another append of the batch. It waits until the outcome of that one is known.
    case later
    /// The stream does not have the expected version.
    case conflict(StreamHead)
  }

  private(set) var appends: [(pending: PendingAppend, appended: Appended)] = []
  private(set) var heads: [UniqueID: StreamHead] = [:]
  /// The end of each shard to which the batch appends.
  private(set) var ends: [Int: ShardHead] = [:]
  private let recordedAt: Timestamp
  private let shardCount: Int
  private var touched: Set<ExactName> = []
  private var startKeys: Set<ExactName> = []
  private var openChanges: [UniqueID: (shard: Int, change: OpenChange)] = [:]

  private let keepsEvents: Bool

  /// - Parameter keepsEvents: true when a follower takes the stored events.
  init(recordedAt: Timestamp, shardCount: Int, keepsEvents: Bool = false) {
    self.keepsEvents = keepsEvents
    self.recordedAt = recordedAt
    self.shardCount = shardCount
  }

  /// - Parameters:
  ///   - head: the end of the stream in the store, as far as its owner knows.
  ///   - end: the end of the shard in the store.
  mutating func add(_ pending: PendingAppend, head: StreamHead, end: ShardHead) -> Fit {
    let append = pending.append
    let current = heads[append.stream] ?? head
    guard current.version == append.expectedVersion else {
      return heads[append.stream] == nil ? .conflict(current) : .later
    }
    // The writer checked the releases against the stream as it is in the store, without the batch.
    if heads[append.stream] != nil, !append.releases.isEmpty { return .later }
    let claimNames = (append.claims.map(\.name) + append.releases).map { ExactName($0.scope, $0.value) }
    if !touched.isDisjoint(with: claimNames) { return .later }
    if let key = append.startKey, !startKeys.insert(ExactName(key.scope, key.key)).inserted { return .later }
    touched.formUnion(claimNames)
    if let change = append.open { openChanges[append.stream] = (pending.shard, change) }

    var next = current
    var end = ends[pending.shard] ?? end
    for event in append.events {
      next.version += 1
      next.hash = EventHash.next(
        after: next.hash, stream: append.stream, version: next.version, type: event.type, data: event.data,
        meta: event.meta, recordedAt: recordedAt)
      end.add(hash: next.hash, shard: pending.shard)
      next.position = end.position
      columns.add(event, of: pending, at: next, chain: end.chain)
      if keepsEvents {
        events.append(
          StoredEvent(
            stream: append.stream, version: next.version, shard: pending.shard, position: next.position,
            type: event.type, data: event.data, meta: event.meta, appendID: append.appendID, hash: next.hash,
            chain: end.chain, recordedAt: recordedAt))
      }
    }
    heads[append.stream] = next
    ends[pending.shard] = end
    appends.append((pending, Appended(version: next.version, position: next.position, repeated: false)))
    return .added
  }

  private var columns = EventColumns()

  /// The events of the batch as they are stored; those of each shard are in order.
  private(set) var events: [StoredEvent] = []

  /// Returns the statements of the batch. One statement is its own transaction; several are put into one.
  func calls() -> [PostgresCall] {
    var calls = [columns.call(recordedAt: recordedAt)]
    calls += startKeyCalls() + claimCalls() + openCalls()
    if calls.count == 1 { return calls }
    return [PostgresCall(PostgresStatements.begin)] + calls + [PostgresCall(PostgresStatements.commit)]
  }

  private func startKeyCalls() -> [PostgresCall] {
    let keyed = appends.compactMap { entry in entry.pending.append.startKey.map { (entry.pending, $0) } }
    if keyed.isEmpty { return [] }
    var digests = PostgresArray(.bytes)
    for (_, key) in keyed { digests.append(key.digest) }
    return [
      PostgresCall(PostgresStatements.insertStartKeys) {
        $0.append(PostgresArray(keyed.map(\.0.shard)))
        $0.append(PostgresArray(keyed.map(\.1.scope)))
        $0.append(PostgresArray(keyed.map(\.1.key)))
        $0.append(PostgresArray(keyed.map(\.0.append.stream)))
        $0.append(digests)
      }
    ]
  }

  private func claimCalls() -> [PostgresCall] {
    var calls: [PostgresCall] = []
    // The order is always the same. So two writers never deadlock.
    let releases = appends.flatMap { entry in
      entry.pending.append.releases.map { (shard: shard(of: $0), name: $0, stream: entry.pending.append.stream) }
    }.sorted { Self.precedes(($0.shard, $0.name), ($1.shard, $1.name)) }
    if !releases.isEmpty {
      calls.append(
        PostgresCall(PostgresStatements.deleteClaims) {
          $0.append(PostgresArray(releases.map(\.shard)))
          $0.append(PostgresArray(releases.map(\.name.scope)))
          $0.append(PostgresArray(releases.map(\.name.value)))
          $0.append(PostgresArray(releases.map(\.stream)))
        })
    }
    let claims = appends.flatMap { entry in
      entry.pending.append.claims.map { (shard: shard(of: $0.name), claim: $0, stream: entry.pending.append.stream) }
    }.sorted { Self.precedes(($0.shard, $0.claim.name), ($1.shard, $1.claim.name)) }
    if !claims.isEmpty {
      var data = PostgresArray(.bytes)
      for (_, claim, _) in claims {
        if let bytes = claim.data { data.append(bytes) } else { data.appendNull() }
      }
      calls.append(
        PostgresCall(PostgresStatements.insertClaims) {
          $0.append(PostgresArray(claims.map(\.shard)))
          $0.append(PostgresArray(claims.map(\.claim.scope)))
          $0.append(PostgresArray(claims.map(\.claim.value)))
          $0.append(PostgresArray(claims.map(\.stream)))
          $0.append(data)
        })
    }
    return calls
  }

  private func openCalls() -> [PostgresCall] {
    var kept = (
      shards: PostgresArray(.int4), streams: PostgresArray(.uuid), asleep: PostgresArray(.bool),
      wakeAt: PostgresArray(.timestamp)
    )
    var closed = (shards: PostgresArray(.int4), streams: PostgresArray(.uuid))
    var counts = (kept: 0, closed: 0)
    for (stream, (shard, change)) in openChanges.sorted(by: { $0.key < $1.key }) {
      var wakeAt: Timestamp?
      var asleep = false
      switch change {
      case .closed:
        closed.shards.append(int4: shard)
        closed.streams.append(stream)
        counts.closed += 1
        continue
      case .sleeping(let until):
        asleep = true
        wakeAt = until
      case .opened, .awake:
        break
      }
      kept.shards.append(int4: shard)
      kept.streams.append(stream)
      kept.asleep.append(asleep)
      if let wakeAt { kept.wakeAt.append(wakeAt) } else { kept.wakeAt.appendNull() }
      counts.kept += 1
    }
    var calls: [PostgresCall] = []
    if counts.kept > 0 {
      calls.append(
        PostgresCall(PostgresStatements.upsertOpen) {
          $0.append(kept.shards)
          $0.append(kept.streams)
          $0.append(kept.asleep)
          $0.append(kept.wakeAt)
        })
    }
    if counts.closed > 0 {
      calls.append(
        PostgresCall(PostgresStatements.deleteOpen) {
          $0.append(closed.shards)
          $0.append(closed.streams)
        })
    }
    return calls
  }

  private func shard(of name: ClaimName) -> Int { Shard.ofKey(name.scope, name.value, count: shardCount) }

  private static func precedes(_ left: (Int, ClaimName), _ right: (Int, ClaimName)) -> Bool {
    if left.0 != right.0 { return left.0 < right.0 }
    if !left.1.scope.utf8.elementsEqual(right.1.scope.utf8) {
      return left.1.scope.utf8.lexicographicallyPrecedes(right.1.scope.utf8)
    }
    return left.1.value.utf8.lexicographicallyPrecedes(right.1.value.utf8)
  }
}

/// The columns of the event rows, in the form of `unnest`.
private struct EventColumns {
  private var position = PostgresArray(.int8)
  private var month = PostgresArray(.int4)
  private var version = PostgresArray(.int4)
  private var shard = PostgresArray(.int4)
  private var stream = PostgresArray(.uuid)
  private var appendID = PostgresArray(.uuid)
  private var type = PostgresArray(.text)
  private var hash = PostgresArray(.bytes)
  private var chain = PostgresArray(.bytes)
  private var data = PostgresArray(.bytes)
  private var meta = PostgresArray(.bytes)

  mutating func add(_ event: NewEvent, of pending: PendingAppend, at head: StreamHead, chain link: [UInt8]) {
    position.append(head.position)
    month.append(int4: pending.month)
    version.append(int4: head.version)
    shard.append(int4: pending.shard)
    stream.append(pending.append.stream)
    appendID.append(pending.append.appendID)
    type.append(event.type)
    hash.append(head.hash)
    chain.append(link)
    data.append(event.data)
    meta.append(event.meta)
  }

  func call(recordedAt: Timestamp) -> PostgresCall {
    PostgresCall(PostgresStatements.insertEvents) {
      $0.append(recordedAt)
      for array in [position, month, version, shard, stream, appendID, type, hash, chain, data, meta] {
        $0.append(array)
      }
    }
  }
}
