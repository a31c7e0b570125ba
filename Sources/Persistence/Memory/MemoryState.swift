import Values

/// The data of a `MemoryStore`, and its changes by appends and batches.
struct MemoryState {
  var closed = false
  var owned: Set<Int> = []
  /// The events of each stream; version n is at index n − 1.
  var streams: [UniqueID: [StoredEvent]] = [:]
  /// The events of each shard; position n is at index n − 1.
  var shards: [[StoredEvent]]
  var startKeys: [TextKey: StartKey] = [:]
  var claims: [TextKey: Claim] = [:]
  var open: [UniqueID: OpenStream] = [:]
  var snapshots: [UniqueID: Snapshot] = [:]
  var definitions: [TextKey: [Int: StoredDefinition]] = [:]
  var checkpoints: [TextKey: [Int: Int64]] = [:]
  /// The documents by collection and id.
  var documents: [TextKey: [TextKey: Document]] = [:]

  init(shardCount: Int) { shards = Array(repeating: [], count: shardCount) }

  mutating func append(_ append: Append, shard: Int, at now: Timestamp) throws(StoreError) -> Appended {
    if !owned.contains(shard) { throw .notOwner(shard: shard) }
    let history = streams[append.stream, default: []]
    if history.count != append.expectedVersion {
      if let repeated = try repetition(of: append, in: history) { return repeated }
      throw .versionConflict(append, actual: history.count)
    }
    try check(append)

    // 1. From here on nothing can be refused.
    var hash = history.last?.hash ?? EventHash.start
    var head = ShardHead(position: Int64(shards[shard].count), chain: shards[shard].last?.chain)
    for (index, event) in append.events.enumerated() {
      let version = append.expectedVersion + index + 1
      hash = EventHash.next(
        after: hash, stream: append.stream, version: version, type: event.type, data: event.data, meta: event.meta,
        recordedAt: now)
      head.add(hash: hash, shard: shard)
      let stored = StoredEvent(
        stream: append.stream, version: version, shard: shard, position: head.position, type: event.type,
        data: event.data, meta: event.meta, appendID: append.appendID, hash: hash, chain: head.chain, recordedAt: now)
      streams[append.stream, default: []].append(stored)
      shards[shard].append(stored)
    }
    // 2. The keys, claims and other changes of the append.
    if let key = append.startKey {
      startKeys[TextKey(key.scope, key.key)] = StartKey(
        scope: key.scope, key: key.key, stream: append.stream, digest: key.digest)
    }
    for release in append.releases { claims[TextKey(release.scope, release.value)] = nil }
    for claim in append.claims {
      claims[TextKey(claim.scope, claim.value)] = Claim(
        scope: claim.scope, value: claim.value, stream: append.stream, data: claim.data)
    }
    switch append.open {
    case .opened, .awake:
      open[append.stream] = OpenStream(stream: append.stream, shard: shard, asleep: false, wakeAt: nil)
    case .sleeping(let until):
      open[append.stream] = OpenStream(stream: append.stream, shard: shard, asleep: true, wakeAt: until)
    case .closed: open[append.stream] = nil
    case nil: break
    }
    return Appended(version: append.lastVersion, position: Int64(shards[shard].count), repeated: false)
  }

  private func repetition(of append: Append, in history: [StoredEvent]) throws(StoreError) -> Appended? {
    guard history.count > append.expectedVersion, history[append.expectedVersion].appendID == append.appendID else {
      return nil
    }
    guard history.count >= append.lastVersion, history[append.lastVersion - 1].appendID == append.appendID else {
      throw .invalid("the append id \(append.appendID) has named another append before")
    }
    return Appended(
      version: append.lastVersion, position: history[append.lastVersion - 1].position, repeated: true)
  }

  private func check(_ append: Append) throws(StoreError) {
    if let key = append.startKey, let existing = startKeys[TextKey(key.scope, key.key)] {
      throw .startKeyTaken(existing)
    }
    var released: Set<TextKey> = []
    for release in append.releases {
      let name = TextKey(release.scope, release.value)
      if let existing = claims[name], existing.stream != append.stream { throw .claimTaken(existing) }
      released.insert(name)
    }
    for claim in append.claims {
      let name = TextKey(claim.scope, claim.value)
      if let existing = claims[name], !released.contains(name) { throw .claimTaken(existing) }
    }
  }

  mutating func apply(_ batch: ProjectionBatch) throws(StoreError) {
    let follower = TextKey(batch.follower)
    let checkpoint = checkpoints[follower]?[batch.shard] ?? 0
    if checkpoint != batch.from { throw .checkpointConflict(batch, actual: checkpoint) }
    checkpoints[follower, default: [:]][batch.shard] = batch.to
    for document in batch.upserts {
      documents[TextKey(document.collection), default: [:]][TextKey(document.id)] = document
    }
    for name in batch.deletes { documents[TextKey(name.collection)]?[TextKey(name.id)] = nil }
  }

  func documents(_ query: DocumentQuery) -> [Document] {
    let from = query.sortFrom.map { TextKey($0) }
    let below = query.sortBelow.map { TextKey($0) }
    let after = query.after.map { TextKey($0.sort, $0.id) }
    let found = documents[TextKey(query.collection), default: [:]].values.filter { document in
      if let from, TextKey(document.sort) < from { return false }
      if let below, TextKey(document.sort) >= below { return false }
      if let after {
        let place = TextKey(document.sort, document.id)
        if query.descending ? place >= after : place <= after { return false }
      }
      return query.fields.allSatisfy { name, value in
        document.fields[name].map { TextKey($0) == TextKey(value) } ?? false
      }
    }
    let sorted = found.map { (TextKey($0.sort, $0.id), $0) }.sorted { query.descending ? $0.0 > $1.0 : $0.0 < $1.0 }
    return sorted.prefix(max(0, query.limit)).map(\.1)
  }
}

extension [StoredEvent] {
  /// Returns up to `limit` events after number `after`. Event n is at index n − 1.
  func page(after: Int, limit: Int) -> [StoredEvent] {
    let start = Swift.min(Swift.max(0, after), count)
    return Array(self[start..<Swift.min(count, start + Swift.max(0, limit))])
  }
}
