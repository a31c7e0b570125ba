import Synchronization
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

/// Changes that a person with access to the file or database can make to the middle one of three events.
enum Tampering: String, CaseIterable, Sendable {
  case data, meta, type, recordedAt, hash, removed
  /// The data, and the hash to match: the next event gives it away.
  case dataAndHash

  /// The first version from which the history isn't what was written.
  var broken: Int { self == .dataAndHash ? 3 : 2 }

  fileprivate static let otherData = Array("{\"n\":20}".utf8)

  /// Returns the changed event; nil when the event is removed.
  fileprivate func applied(to event: StoredEvent, after previous: StoredEvent) -> StoredEvent? {
    var data = event.data
    var meta = event.meta
    var type = event.type
    var hash = event.hash
    var recordedAt = event.recordedAt
    switch self {
    case .data: data = Self.otherData
    case .meta: meta = Array("{\"by\":\"nobody\"}".utf8)
    case .type: type = "sample.voided"
    case .recordedAt: recordedAt = Timestamp(milliseconds: recordedAt.milliseconds + 1)
    case .hash: hash[0] ^= 1
    case .removed: return nil
    case .dataAndHash:
      data = Self.otherData
      hash = EventHash.next(
        after: previous.hash, stream: event.stream, version: event.version, type: type, data: data, meta: meta,
        recordedAt: recordedAt)
    }
    return StoredEvent(
      stream: event.stream, version: event.version, shard: event.shard, position: event.position, type: type,
      data: data, meta: meta, appendID: event.appendID, hash: hash, chain: event.chain, recordedAt: recordedAt)
  }
}

@Suite("A history that was changed by hand", .timeLimit(.minutes(15)), .inTurn)
struct TamperingTests {
  @Test("Verification finds the place of a change", arguments: StoreKind.tested, Tampering.allCases)
  func found(kind: StoreKind, tampering: Tampering) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      _ = try await store.append(place.append(stream, count: 3))
      let events = try await store.read(stream, after: 0, limit: 9)
      try await place.replace(2, of: store, by: tampering.applied(to: events[1], after: events[0]))

      guard case .broken(let version, let why) = try await store.verify(stream) else {
        Issue.record("taken for intact")
        return
      }
      #expect(version == tampering.broken)
      #expect(why.contains("version \(version)"))
      // Another stream is not affected.
      let other = place.newID()
      _ = try await store.append(place.append(other, count: 2))
      #expect(try await store.verify(other) == .intact(version: 2))
    }
  }

  @Test("A history without its last event is intact and shorter", arguments: StoreKind.tested)
  func cutOff(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      _ = try await store.append(place.append(stream, count: 3))
      try await place.replace(3, of: store, by: nil)
      #expect(try await store.verify(stream) == .intact(version: 2))
    }
  }
}

extension StorePlace {
  /// Replaces or removes the one event of this version, past the store.
  fileprivate func replace(_ version: Int, of store: any EventStore, by event: StoredEvent?) async throws {
    switch kind {
    case .memory:
      let memory = try #require(store as? MemoryStore)
      memory.state.withLock { state in
        for stream in state.streams.keys {
          state.streams[stream]?.removeAll { $0.version == version }
          if let event { state.streams[stream]?.insert(event, at: version - 1) }
        }
      }
    case .sqlite:
      let database = try SQLiteDatabase(path: location, readOnly: false)
      try database.run(statement(version, event, moment: "\(event?.recordedAt.milliseconds ?? 0)") { "x'\($0)'" })
    case .postgres:
      let moment = "to_timestamp(\(event?.recordedAt.milliseconds ?? 0)::numeric / 1000)"
      let sql = statement(version, event, moment: moment) { "'\\x\($0)'" }
      try await PostgresPlace(url: PostgresPlace.url ?? "", name: location).session {
        (connection) throws(PostgresError) in try connection.runScript(sql)
      }
    }
  }

  private func statement(
    _ version: Int, _ event: StoredEvent?, moment: String, bytes: (String) -> String
  ) -> String {
    guard let event else { return "DELETE FROM events WHERE version = \(version)" }
    return """
      UPDATE events SET type = '\(event.type)', data = \(bytes(Digest.hexadecimal(event.data))),
        meta = \(bytes(Digest.hexadecimal(event.meta))), hash = \(bytes(Digest.hexadecimal(event.hash))),
        recorded_at = \(moment)
      WHERE version = \(version)
      """
  }
}
