import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

/// Changes that a person with access to the file or database can make to a shard of ten events.
enum ShardTampering: String, CaseIterable, Sendable {
  case payload, meta, type, recordedAt
  case hash, chain, chainTaken
  case swapped, neighboursSwapped, swappedUnderTheirLinks
  case removed, removedAndClosed, wholeStreamRemoved
  case added, addedWithItsLink
  /// The payload, and the hashes of its stream from there on.
  case streamHashedAnew
  case lastRemoved, everythingHashedAnew

  /// Only a signed head tells.
  var needsHead: Bool { self == .lastRemoved || self == .everythingHashedAnew }

  var expected: (kind: BrokenLink.Kind, position: Int64, stream: Character?, version: Int?) {
    switch self {
    case .payload, .meta, .type, .recordedAt, .streamHashedAnew: (.contentChanged, 3, "a", 2)
    case .hash: (.hashChanged, 3, "a", 2)
    case .chain, .chainTaken: (.chainChanged, 3, "a", 2)
    case .swapped: (.reordered, 3, "c", 2)
    case .neighboursSwapped, .swappedUnderTheirLinks: (.reordered, 3, "c", 1)
    case .removed: (.missing, 7, "a", 3)
    case .removedAndClosed: (.missing, 7, nil, nil)
    case .wholeStreamRemoved: (.missing, 5, nil, nil)
    case .added, .addedWithItsLink: (.added, 5, "x", 1)
    case .lastRemoved: (.truncated, 10, nil, nil)
    case .everythingHashedAnew: (.rewritten, 10, "a", 4)
    }
  }

  /// - Parameter stranger: a stream that isn't in the shard.
  func applied(to events: [StoredEvent], stranger: UniqueID) -> [StoredEvent] {
    var events = events
    switch self {
    case .payload: events[2] = events[2].with(data: Array("{\"n\":20}".utf8))
    case .meta: events[2] = events[2].with(meta: Array("{\"by\":\"nobody\"}".utf8))
    case .type: events[2] = events[2].with(type: "sample.voided")
    case .recordedAt:
      events[2] = events[2].with(recordedAt: Timestamp(milliseconds: events[2].recordedAt.milliseconds + 1))
    case .hash: events[2] = events[2].with(hash: Digest.sha256([1]))
    case .chain: events[2] = events[2].with(chain: Digest.sha256([1]))
    case .chainTaken: events[2] = events[2].with(chain: .some(nil))
    case .swapped:
      (events[2], events[7]) = (events[7].with(position: 3), events[2].with(position: 8))
    case .neighboursSwapped:
      (events[2], events[3]) = (events[3].with(position: 3), events[2].with(position: 4))
    case .swappedUnderTheirLinks:
      (events[2], events[3]) = (
        events[3].with(position: 3, chain: events[2].chain), events[2].with(position: 4, chain: events[3].chain)
      )
    case .removed: events.remove(at: 6)
    case .removedAndClosed:
      events.remove(at: 6)
      for index in 6..<events.count { events[index] = events[index].with(position: Int64(index + 1)) }
    case .wholeStreamRemoved: events.remove(at: 4)
    case .added, .addedWithItsLink:
      let data = Array("{}".utf8)
      let hash = EventHash.next(
        after: EventHash.start, stream: stranger, version: 1, type: "sample.moved", data: data, meta: data,
        recordedAt: events[4].recordedAt)
      let link = EventChain.next(
        after: events[3].chain ?? [], shard: events[3].shard, position: 5,
        hash: self == .added ? Digest.sha256([1]) : hash)
      let event = StoredEvent(
        stream: stranger, version: 1, shard: events[4].shard, position: 5, type: "sample.moved", data: data, meta: data,
        appendID: stranger, hash: hash, chain: link, recordedAt: events[4].recordedAt)
      events.insert(event, at: 4)
      for index in 5..<events.count { events[index] = events[index].with(position: Int64(index + 1)) }
    case .streamHashedAnew:
      events[2] = events[2].with(data: Array("{\"n\":20}".utf8))
      events.hashAnew(chains: false)
    case .everythingHashedAnew:
      events[2] = events[2].with(data: Array("{\"n\":20}".utf8))
      events.hashAnew(chains: true)
    case .lastRemoved: events.removeLast()
    }
    return events
  }
}

@Suite("A shard that was changed by hand", .timeLimit(.minutes(15)), .inTurn)
struct ShardTamperingTests {
  @Test("The audit finds the kind and the place of a change", arguments: StoreKind.tested, ShardTampering.allCases)
  func found(kind: StoreKind, tampering: ShardTampering) async throws {
    try await withStore(kind, shardCount: 1) { store, place in
      let streams = try await fill(store, place)
      #expect(try await store.audit(pageSize: 3).isIntact)
      let key = try #require(SigningKey.generate())
      let unsigned = try await store.auditHead(at: place.environment.now())
      let head = try #require(unsigned.signed(with: key))
      try head.verify(with: key.publicKey)
      #expect(try await store.audit(against: head, pageSize: 4).isIntact)

      let stranger = place.newID()
      let events = try await store.wholeTail(shard: 0)
      try await place.rewrite(store, to: tampering.applied(to: events, stranger: stranger))

      let alone = try await store.audit(pageSize: 3, rememberedStreams: 2)
      if tampering.needsHead { #expect(alone.isIntact, "nobody could know: \(alone.broken)") }
      for report in [alone, try await store.audit(against: head, pageSize: 3)] {
        if tampering.needsHead, report.comparedWith == nil { continue }
        let broken = try #require(report.broken.first, "taken for intact")
        let expected = tampering.expected
        #expect(broken.kind == expected.kind, "\(broken.why)")
        #expect(broken.position == expected.position, "\(broken.why)")
        #expect(broken.stream == expected.stream.map { $0 == "x" ? stranger : streams[$0] ?? stranger })
        #expect(broken.version == expected.version)
        #expect(broken.shard == 0)
      }
    }
  }

  @Test("A history that continues after a head agrees with the head", arguments: StoreKind.tested)
  func goesOn(kind: StoreKind) async throws {
    try await withStore(kind, shardCount: 3) { store, place in
      for _ in 0..<9 { _ = try await store.append(place.append(place.newID(), count: 2)) }
      let head = try await store.auditHead(at: place.environment.now())
      for _ in 0..<9 { _ = try await store.append(place.append(place.newID(), count: 2)) }
      let report = try await store.audit(against: head)
      #expect(report.isIntact)
      #expect(report.events == 36)
      #expect(report.unchained == 0)
    }
  }

  /// Ten events of four streams: a1 b1 a2 c1 e1 b2 a3 c2 b3 a4.
  private func fill(_ store: any EventStore, _ place: StorePlace) async throws -> [Character: UniqueID] {
    var streams: [Character: UniqueID] = [:]
    var versions: [Character: Int] = [:]
    for name in "abacebacba" {
      let stream = streams[name] ?? place.newID()
      streams[name] = stream
      _ = try await store.append(place.append(stream, at: versions[name, default: 0]))
      versions[name, default: 0] += 1
    }
    return streams
  }
}

extension StoredEvent {
  func with(
    position: Int64? = nil, type: String? = nil, data: [UInt8]? = nil, meta: [UInt8]? = nil, hash: [UInt8]? = nil,
    chain: [UInt8]?? = nil, recordedAt: Timestamp? = nil
  ) -> StoredEvent {
    StoredEvent(
      stream: stream, version: version, shard: shard, position: position ?? self.position, type: type ?? self.type,
      data: data ?? self.data, meta: meta ?? self.meta, appendID: appendID, hash: hash ?? self.hash,
      chain: chain ?? self.chain, recordedAt: recordedAt ?? self.recordedAt)
  }
}

extension [StoredEvent] {
  /// Computes every hash again from its content, as a skilled attacker does.
  fileprivate mutating func hashAnew(chains: Bool) {
    var hashes: [UniqueID: [UInt8]] = [:]
    var end = ShardHead.none
    for index in indices {
      let hash = EventHash.of(self[index], after: hashes[self[index].stream] ?? EventHash.start)
      hashes[self[index].stream] = hash
      end.add(hash: hash, shard: self[index].shard)
      self[index] = self[index].with(hash: hash, chain: chains ? end.chain : self[index].chain)
    }
  }
}

extension StorePlace {
  /// Replaces all events of shard 0, past the store.
  func rewrite(_ store: any EventStore, to events: [StoredEvent]) async throws {
    switch kind {
    case .memory:
      let memory = try #require(store as? MemoryStore)
      memory.state.withLock { state in
        state.shards[0] = events
        state.streams = Dictionary(grouping: events, by: \.stream).mapValues { $0.sorted { $0.version < $1.version } }
      }
    case .sqlite:
      let database = try SQLiteDatabase(path: location, readOnly: false)
      try database.run(
        try script(events, moment: { "\($0.milliseconds)" }, bytes: { "x'\($0)'" }, id: { "x'\($0)'" }))
    case .postgres:
      // A person who may change the rows may also remove the constraint that each row has a chain.
      let sql = try script(
        events, moment: { "to_timestamp(\($0.milliseconds)::numeric / 1000)" }, bytes: { "'\\x\($0)'" },
        id: { "'\($0)'" })
      try await PostgresPlace(url: PostgresPlace.url ?? "", name: location).session {
        (connection) throws(PostgresError) in
        try connection.runScript("ALTER TABLE events DROP CONSTRAINT IF EXISTS events_chain_check; " + sql)
      }
    }
  }

  private func script(
    _ events: [StoredEvent], moment: (Timestamp) -> String, bytes: (String) -> String, id: (String) -> String
  ) throws -> String {
    let rows = try events.map { event in
      """
      (\(try StreamMonth.of(event.stream)), \(id(Digest.hexadecimal(event.stream.bytes))), \(event.version), \
      \(event.shard), \(event.position), '\(event.type)', \(bytes(Digest.hexadecimal(event.data))), \
      \(bytes(Digest.hexadecimal(event.meta))), \(id(Digest.hexadecimal(event.appendID.bytes))), \
      \(bytes(Digest.hexadecimal(event.hash))), \(event.chain.map { bytes(Digest.hexadecimal($0)) } ?? "NULL"), \
      \(moment(event.recordedAt)))
      """
    }
    return """
      DELETE FROM events;
      INSERT INTO events
        (month, stream, version, shard, position, type, data, meta, append_id, hash, chain, recorded_at)
      VALUES \(rows.joined(separator: ", "));
      """
  }
}
