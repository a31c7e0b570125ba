import Values

/// Checks one shard from its first event and stops at the first broken link. It reads in pages and keeps a bounded
/// number of streams in memory.
struct ShardWalk {
  let store: any EventReading
  let shard: Int
  /// The last position that was stored before chains existed.
  let unchained: Int64
  /// The shard in the signed head; nil without one.
  let signed: AuditHead.Shard?
  let pageSize: Int
  /// The position and chain up to which the walk has come.
  var end = ShardHead.none
  /// The head one event earlier, and that event.
  var before = ShardHead.none
  var last: StoredEvent?
  var streams: StreamMemory

  init(
    _ store: any EventReading, shard: Int, unchained: Int64, signed: AuditHead.Shard?, pageSize: Int,
    rememberedStreams: Int
  ) {
    self.store = store
    self.shard = shard
    self.unchained = unchained
    self.signed = signed
    self.pageSize = pageSize
    streams = StreamMemory(capacity: rememberedStreams)
  }

  mutating func run() async throws(StoreError) -> ShardReport {
    let broken = try await firstBroken()
    return ShardReport(shard: shard, events: end.position, chain: end.chain, unchained: unchained, broken: broken)
  }

  private mutating func firstBroken() async throws(StoreError) -> BrokenLink? {
    if let signed, signed.unchained != unchained {
      return link(
        .rewritten, at: min(signed.unchained, unchained) + 1,
        "the signed head says that the chain begins behind position \(signed.unchained), the store says \(unchained)")
    }
    // The walk ends at the head of now. Later events belong to the next audit.
    let until = try await store.head(shard: shard)
    while end.position < until {
      // Each page begins with the last event again. So two events at one position are next to each other in the page.
      let page = try await store.tail(shard: shard, after: max(0, end.position - 1), limit: pageSize + 1)
      var isFurther = false
      for event in page {
        if let last, event.position == last.position, event.stream == last.stream, event.version == last.version {
          continue
        }
        isFurther = true
        if let broken = try await check(event) { return broken }
        advance(over: event)
        if let broken = compare(event) { return broken }
        if end.position >= until { break }
      }
      if !isFurther { return missing(through: until) }
    }
    guard let signed, signed.position > end.position else { return nil }
    return link(
      .truncated, at: end.position + 1,
      "a signed head tells of events up to position \(signed.position), and the shard ends at \(end.position)")
  }

  private mutating func advance(over event: StoredEvent) {
    before = end
    end = ShardHead(position: event.position, chain: event.chain)
    last = event
    streams.remember(event)
  }

  /// Compares the chain at this event with the signed head. Returns nil when they are equal.
  private func compare(_ event: StoredEvent) -> BrokenLink? {
    guard let signed, signed.position == end.position, signed.chain != end.chain else { return nil }
    return link(
      .rewritten, event,
      "the chain up to here holds, but a signed head tells of another: what was stored up to position "
        + "\(signed.position) was replaced and hashed anew")
  }

  // MARK: One event

  private mutating func check(_ event: StoredEvent) async throws(StoreError) -> BrokenLink? {
    let position = end.position + 1
    if event.position < position {
      return link(.added, event, "two events stand at position \(event.position)")
    }
    if event.position > position { return try await missing(before: event) }
    if Shard.of(event.stream, count: store.shardCount) != shard {
      return link(.added, event, "its stream belongs to another shard")
    }
    let previous = try await hash(before: event)
    let content = previous.hash.map { EventHash.of(event, after: $0) }
    guard fits(event) else { return try await diagnose(event, content: content) }
    switch previous {
    case .absent:
      return link(
        .missing, at: position, stream: event.stream, version: event.version - 1,
        "version \(event.version - 1) of the stream isn't there, and version \(event.version) is")
    case .later:
      return link(
        .reordered, event, "version \(event.version) of the stream stands before version \(event.version - 1)")
    case .start, .hash: break
    }
    guard content == event.hash else {
      return link(.contentChanged, event, "its hash isn't that of its payload, meta, type and time")
    }
    return nil
  }

  /// Returns true when an event, as the next one, carries the required link.
  private func fits(_ event: StoredEvent) -> Bool {
    if event.position <= unchained { return event.chain == nil }
    return event.chain == next(event.hash, after: end)
  }

  func next(_ hash: [UInt8], after head: ShardHead) -> [UInt8] {
    EventChain.next(after: head.chain, shard: shard, position: head.position + 1, hash: hash)
  }

  /// The predecessor of an event in its stream.
  enum Previous {
    case start
    case hash([UInt8])
    case absent
    /// The predecessor exists, at a later position.
    case later([UInt8])

    var hash: [UInt8]? {
      switch self {
      case .start: EventHash.start
      case .hash(let hash), .later(let hash): hash
      case .absent: nil
      }
    }
  }

  func hash(before event: StoredEvent) async throws(StoreError) -> Previous {
    if event.version == 1 { return .start }
    if let end = streams[event.stream], end.version == event.version - 1 { return .hash(end.hash) }
    let found = try await store.read(event.stream, after: event.version - 2, limit: 1).first
    guard let found, found.version == event.version - 1 else { return .absent }
    return found.position < event.position ? .hash(found.hash) : .later(found.hash)
  }

  // MARK: Saying so

  func link(_ kind: BrokenLink.Kind, _ event: StoredEvent, _ why: String) -> BrokenLink {
    link(kind, at: event.position, stream: event.stream, version: event.version, why)
  }

  func link(
    _ kind: BrokenLink.Kind, at position: Int64, stream: UniqueID? = nil, version: Int? = nil, _ why: String
  ) -> BrokenLink {
    BrokenLink(kind: kind, shard: shard, position: position, stream: stream, version: version, why: why)
  }
}
