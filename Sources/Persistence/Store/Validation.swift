// Checks that every store makes before it reads its data.

extension Append {
  /// - Throws: `store.invalid` when the append is invalid for every state of the store.
  /// - Returns: the month of its stream.
  @discardableResult
  public func validate(shardCount: Int) throws(StoreError) -> Int {
    let month = try StreamMonth.of(stream)
    if events.isEmpty { throw .invalid("an append needs at least one event") }
    if expectedVersion < 0 { throw .invalid("an expected version can't be negative") }
    for event in events {
      if event.type.isEmpty { throw .invalid("an event needs a type") }
      try checkText(event.type, "an event's type")
      if event.data.count + event.meta.count > maxBytes { throw .invalid("an event can't be larger than 64 MiB") }
    }
    if let startKey {
      try checkText(startKey.scope, "a start key's scope")
      try checkText(startKey.key, "a start key")
      if expectedVersion != 0 { throw .invalid("a start key goes with a stream's first event") }
      let shard = Shard.ofKey(startKey.scope, startKey.key, count: shardCount)
      if Shard.of(stream, count: shardCount) != shard {
        throw .invalid("the stream of a start key must live in the key's shard \(shard)")
      }
    }
    var claimed: Set<[[UInt8]]> = []
    for claim in claims {
      try checkText(claim.scope, "a claim's scope")
      try checkText(claim.value, "a claim's value")
      if !claimed.insert([Array(claim.scope.utf8), Array(claim.value.utf8)]).inserted {
        throw .invalid("\(claim.scope) \"\(claim.value)\" is claimed twice")
      }
    }
    for release in releases {
      try checkText(release.scope, "a claim's scope")
      try checkText(release.value, "a claim's value")
    }
    return month
  }
}

extension ProjectionBatch {
  /// - Throws: `store.invalid` when the batch is invalid for every state of the store.
  public func validate(shardCount: Int) throws(StoreError) {
    try checkText(follower, "a follower's name")
    try checkShard(shard, count: shardCount)
    if from < 0 || to < from { throw .invalid("a checkpoint can't go from \(from) to \(to)") }
    var names: Set<[[UInt8]]> = []
    for document in upserts {
      try checkText(document.collection, "a collection's name")
      try checkText(document.id, "a document's id")
      try checkText(document.sort, "a document's sort")
      if document.data.count > maxBytes { throw .invalid("a document can't be larger than 64 MiB") }
      for (name, value) in document.fields {
        try checkText(name, "a field's name")
        try checkText(value, "a field's value")
      }
      if !names.insert([Array(document.collection.utf8), Array(document.id.utf8)]).inserted {
        throw .invalid("\(document.collection) \(document.id) comes twice in one batch")
      }
    }
    for name in deletes {
      try checkText(name.collection, "a collection's name")
      try checkText(name.id, "a document's id")
      if !names.insert([Array(name.collection.utf8), Array(name.id.utf8)]).inserted {
        throw .invalid("\(name.collection) \(name.id) comes twice in one batch")
      }
    }
  }
}

extension [CheckpointMove] {
  /// - Throws: `store.invalid` when the moves are invalid for every state of the store.
  public func validate(follower: String, shardCount: Int) throws(StoreError) {
    try checkText(follower, "a follower's name")
    var shards: Set<Int> = []
    for move in self {
      try checkShard(move.shard, count: shardCount)
      if move.from < 0 || move.to < 0 { throw .invalid("a checkpoint can't go from \(move.from) to \(move.to)") }
      if !shards.insert(move.shard).inserted { throw .invalid("shard \(move.shard) comes twice") }
    }
  }
}

extension StoredDefinition {
  /// - Throws: `store.invalid` when the definition's texts cannot be stored.
  public func validate() throws(StoreError) {
    try checkText(name, "a definition's name")
    try checkText(registeredBy, "who registers a definition")
  }
}

/// The size limit of one value. Every store can keep that much, and no reasonable value is larger.
private let maxBytes = 64 << 20

/// - Throws: `store.invalid` for a shard that the store doesn't have.
package func checkShard(_ shard: Int, count: Int) throws(StoreError) {
  if !(0..<count).contains(shard) { throw .invalid("there is no shard \(shard): they are 0 to \(count - 1)") }
}

/// - Throws: `store.invalid` for U+0000, which Postgres cannot store in text.
package func checkText(_ text: String, _ what: String) throws(StoreError) {
  if text.utf8.contains(0) { throw .invalid("\(what) can't hold U+0000") }
}
