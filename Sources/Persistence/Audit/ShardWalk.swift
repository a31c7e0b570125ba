import Values

/// Walks one shard from its first event and stops at the first link that doesn't hold. It reads in pages and keeps a
/// bounded number of streams in mind.
struct ShardWalk {
  let store: any EventReading
  let shard: Int
  /// The last position that was stored before there were chains.
  let unchained: Int64
  /// What a signed head says of the shard.
  let signed: AuditHead.Shard?
  let pageSize: Int
  /// Where the walk has come to.
  var end = ShardHead.none
  /// Where it was one event before, and that event.
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
    // What is appended while it is walked is the next walk's.
    let until = try await store.head(shard: shard)
    while end.position < until {
      // From the last one again: two events at one position are side by side in the page.
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

  /// Whether the chain is the one that a signed head tells of.
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

  /// Whether an event, standing next, carries the link that it has to.
  private func fits(_ event: StoredEvent) -> Bool {
    if event.position <= unchained { return event.chain == nil }
    return event.chain == next(event.hash, after: end)
  }

  func next(_ hash: [UInt8], after head: ShardHead) -> [UInt8] {
    EventChain.next(after: head.chain, shard: shard, position: head.position + 1, hash: hash)
  }

  /// What stands before an event in its stream.
  enum Previous {
    case start
    case hash([UInt8])
    case absent
    /// It is there, at a later position.
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
