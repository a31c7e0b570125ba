import Values

// Finds what was done at a broken link. The conclusion comes from what the neighbouring events still prove.
extension ShardWalk {
  /// Returns what happened to an event that is at its position but whose link does not fit.
  /// - Parameter content: the hash that the event must carry; nil when the event before it in its stream is missing.
  func diagnose(_ event: StoredEvent, content: [UInt8]?) async throws(StoreError) -> BrokenLink {
    if event.position <= unchained {
      return link(.chainChanged, event, "it was stored before there were chains, and carries a link of one")
    }
    // 1. The previous event may be the added one: its link fits, but this event's link was made without it.
    if let last, before.position >= unchained, event.chain == next(event.hash, after: before) {
      return link(.added, last, "the event behind it was stored as the one in its place")
    }
    let follower = try await store.tail(shard: shard, after: event.position, limit: 1).first
    if let follower, follower.position == event.position + 1 {
      // 2. The next event belongs here. This event was inserted before it, or the two have changed places.
      if follower.chain == next(follower.hash, after: end) {
        let behind = ShardHead(position: event.position, chain: follower.chain)
        if event.chain == next(event.hash, after: behind) { return swapped(event, follower) }
        return link(.added, event, "the event behind it was stored as the one in its place")
      }
      // 3. By its own hash, the next event was stored after this one. So only this event's link was changed.
      let vouched = ShardHead(position: event.position, chain: next(event.hash, after: end))
      if event.hash == content, follower.chain == next(follower.hash, after: vouched) {
        return link(
          .chainChanged, event, "its content holds, and the event behind it was stored with another link here")
      }
      // 4. The two events fit each other one position further on. The event before them is missing, and they were moved
      //    up.
      let moved = ShardHead(position: event.position + 1, chain: event.chain)
      if follower.chain == next(follower.hash, after: moved) {
        return link(.missing, at: event.position, "an event is gone, and those behind it were moved up into its place")
      }
    }
    // 5. The link matches the content, so only the hash was changed.
    if let content, content != event.hash, event.chain == next(content, after: end) {
      return link(.hashChanged, event, "its hash was changed; its content is what was stored")
    }
    // 6. The event that belongs here is further on.
    if let other = try await belongingHere(behind: event) { return swapped(event, other) }
    // 7. The hashes of its stream were computed again, or everything about the event was changed.
    if event.chain == nil { return link(.chainChanged, event, "it carries no link of the chain") }
    if event.hash == content {
      return link(
        .contentChanged, event,
        "its hash fits its content, but the shard's chain was made with another: it was changed "
          + "and its stream hashed anew")
    }
    return link(.contentChanged, event, "neither its hash nor its link of the chain fits its content")
  }

  private func swapped(_ event: StoredEvent, _ other: StoredEvent) -> BrokenLink {
    link(
      .reordered, event,
      "the event that was stored here, version \(other.version) of \(other.stream), stands at position \(other.position)"
    )
  }

  /// Returns a later event that was stored at this position. It may have kept its own link or the link of this
  /// position.
  private func belongingHere(behind event: StoredEvent) async throws(StoreError) -> StoredEvent? {
    var position = event.position
    while true {
      let page = try await store.tail(shard: shard, after: position, limit: pageSize)
      guard let end = page.last else { return nil }
      for other in page {
        let link = next(other.hash, after: self.end)
        if link == other.chain || link == event.chain { return other }
      }
      position = end.position
    }
  }

  // MARK: What is gone

  /// Returns the broken link when the predecessor of this event is missing.
  func missing(before event: StoredEvent) async throws(StoreError) -> BrokenLink {
    let first = end.position + 1
    let count = event.position - first
    let which = count == 1 ? "position \(first) is empty" : "positions \(first) to \(event.position - 1) are empty"
    if let (stream, version) = try await gapInStream(from: first) {
      return link(.missing, at: first, stream: stream, version: version, "\(which): its stream goes on without it")
    }
    return link(.missing, at: first, "\(which), and no later event tells of which stream it was")
  }

  func missing(through last: Int64) -> BrokenLink {
    link(.missing, at: end.position + 1, "positions \(end.position + 1) to \(last) are empty")
  }

  /// Returns the first event after a gap whose predecessor in its stream is missing.
  private func gapInStream(from position: Int64) async throws(StoreError) -> (UniqueID, Int)? {
    var met = streams
    var after = position - 1
    while true {
      let page = try await store.tail(shard: shard, after: after, limit: pageSize)
      guard let end = page.last else { return nil }
      for event in page {
        if event.version > 1, met[event.stream]?.version != event.version - 1 {
          let found = try await store.read(event.stream, after: event.version - 2, limit: 1).first
          if found?.version != event.version - 1 { return (event.stream, event.version - 1) }
        }
        met.remember(event)
      }
      after = end.position
    }
  }
}
