import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

@Suite("A shard's chain of hashes", .timeLimit(.minutes(15)), .inTurn)
struct ChainTests {
  @Test("A chain continues over appends, refused ones, repeated ones and reopening", arguments: StoreKind.durable)
  func goesOn(kind: StoreKind) async throws {
    try await withPlace(kind) { place in
      var store = try await place.open()
      let taken = NewClaim(scope: "barcode", value: "B-1")
      _ = try await store.append(place.append(place.newID(), count: 2, claims: [taken]))
      for _ in 0..<2 {
        // Many at once, of which some are refused: a batch that is taken back must leave no link behind.
        let current = store
        await withTaskGroup { group in
          for index in 0..<40 {
            let stream = place.newID()
            let id = place.newID()
            group.addTask {
              _ = await refusal { () async throws(StoreError) in
                try await current.append(
                  place.append(
                    stream, at: index % 7 == 0 ? 1 : 0, count: 2, id: id, claims: index % 5 == 0 ? [taken] : []))
              }
              // The same append again changes nothing.
              _ = await refusal { () async throws(StoreError) in
                try await current.append(place.append(stream, count: 2, id: id))
              }
            }
          }
        }
        await store.close()
        store = try await place.open()
        #expect(try await store.audit(pageSize: 7).isIntact)
      }
      let report = try await store.audit()
      #expect(report.isIntact)
      #expect(report.events > 100)
      for shard in try await store.everything() {
        #expect(shard.allSatisfy { $0.chain?.count == 32 })
        #expect(Set(shard.map(\.chain)).count == shard.count)
      }
      await store.close()
    }
  }

  @Test("A follower of commits gets the chain that is stored", arguments: StoreKind.tested)
  func fed(kind: StoreKind) async throws {
    try await withStore(kind, shardCount: 1) { store, place in
      let feed = store.committedEvents(limit: 100)
      _ = try await store.append(place.append(place.newID(), count: 3))
      for await _ in feed.wakes { break }
      let events = feed.take().flatMap(\.events)
      #expect(events == (try await store.wholeTail(shard: 0)))
    }
  }

  // MARK: Stores from before there were chains

  @Test(
    "A chain begins after the events of an older store, and the store records the place",
    arguments: StoreKind.durable)
  func olderStore(kind: StoreKind) async throws {
    try await withPlace(kind, shardCount: 2) { place in
      let old = try await place.makeOlderStore(events: 12)
      let store = try await place.open()
      do {
        let origins = try await store.origins()
        let counts = (0..<2).map { shard in Int64(old.filter { $0.shard == shard }.count) }
        #expect((0..<2).map { origins.unchained(shard: $0) } == counts)
        // The old streams go on, and new ones begin.
        for stream in Set(old.map(\.stream)) {
          let version = old.filter { $0.stream == stream }.count
          _ = try await store.append(place.append(stream, at: version))
        }
        for _ in 0..<6 { _ = try await store.append(place.append(place.newID(), count: 2)) }
        let report = try await store.audit(pageSize: 5)
        #expect(report.isIntact, "\(report.broken)")
        #expect(report.unchained == 12)
        let head = try await store.auditHead(at: place.environment.now())

        // Claiming that more is from before is found by a head; and the events that then carry a link, without one.
        try await place.run("UPDATE unchained SET position = position + 1")
        #expect(try await store.audit().broken.map(\.kind).contains(.chainChanged))
        #expect(try await store.audit(against: head).broken.allSatisfy { $0.kind == .rewritten })
        #expect(!(try await store.audit(against: head).isIntact))
        await store.close()
      } catch {
        await store.close()
        throw error
      }
    }
  }

  @Test("An old event that was changed is found by its stream's hash", arguments: StoreKind.durable)
  func changedOldEvent(kind: StoreKind) async throws {
    try await withPlace(kind, shardCount: 1) { place in
      _ = try await place.makeOlderStore(events: 6)
      if kind == .postgres {
        // Its rule for new rows looks at changed ones too.
        await (try await place.open()).close()
        try await place.run("ALTER TABLE events DROP CONSTRAINT events_chain_check")
      }
      try await place.run("UPDATE events SET type = 'sample.voided' WHERE position = 4")
      let store = try await place.open()
      let broken = try await store.audit().broken
      #expect(broken.map(\.kind) == [.contentChanged])
      #expect(broken.map(\.position) == [4])
      await store.close()
    }
  }

  @Test("An SQLite store can be checked beside the process that writes it; an older store is refused")
  func archive() async throws {
    try await withPlace(.sqlite, shardCount: 2) { place in
      _ = try await place.makeOlderStore(events: 4)
      let early = await refusal { () async throws(StoreError) in try await SQLiteArchive.open(path: place.location) }
      #expect(early == .olderVersion)
      let store = try await place.open()
      _ = try await store.append(place.append(place.newID(), count: 3))
      let archive = try await SQLiteArchive.open(path: place.location)
      let report = try await archive.audit()
      #expect(report.isIntact)
      #expect(report.events == 7)
      #expect(report.store == (try await store.origins()).store)
      await archive.close()
      await store.close()
    }
  }

  @Test("A Postgres store can be checked beside the process that writes it", .enabled(if: PostgresPlace.url != nil))
  func postgresBeside() async throws {
    try await withStore(.postgres, shardCount: 2) { store, place in
      _ = try await store.append(place.append(place.newID(), count: 3))
      let configuration = PostgresConfiguration.patient(url: PostgresPlace.url ?? "", name: place.location)
      let beside = try await PostgresStore.openToRead(configuration, environment: place.environment)
      #expect(try await beside.audit().events == 3)
      let other = PostgresConfiguration.patient(url: PostgresPlace.url ?? "", name: "no_such_store")
      let missing = await refusal { () async throws(StoreError) in
        try await PostgresStore.openToRead(other, environment: place.environment)
      }
      #expect(missing == .foreign)
      await beside.close()
    }
  }
}

extension StorePlace {
  /// Makes a store as the version before chains made it, with events.
  fileprivate func makeOlderStore(events count: Int) async throws -> [StoredEvent] {
    var events: [StoredEvent] = []
    var positions: [Int: Int64] = [:]
    for _ in 0..<count / 2 {
      let stream = newID()
      let shard = Shard.of(stream, count: shardCount)
      var hash = EventHash.start
      for version in 1...2 {
        positions[shard, default: 0] += 1
        let (data, meta) = (Array("{\"n\":\(version)}".utf8), Array("{}".utf8))
        let now = environment.now()
        hash = EventHash.next(
          after: hash, stream: stream, version: version, type: "sample.moved", data: data, meta: meta, recordedAt: now)
        events.append(
          StoredEvent(
            stream: stream, version: version, shard: shard, position: positions[shard, default: 0],
            type: "sample.moved", data: data, meta: meta, appendID: newID(), hash: hash, chain: nil, recordedAt: now))
      }
    }
    let isSQLite = kind == .sqlite
    func bytes(_ value: [UInt8]) -> String {
      isSQLite ? "x'\(Digest.hexadecimal(value))'" : "'\\x\(Digest.hexadecimal(value))'"
    }
    func id(_ value: UniqueID) -> String { isSQLite ? bytes(value.bytes) : "'\(value)'" }
    var sql = ""
    for event in events {
      let moment =
        isSQLite
        ? "\(event.recordedAt.milliseconds)" : "to_timestamp(\(event.recordedAt.milliseconds)::numeric / 1000)"
      sql += """
        INSERT INTO events
          (month, stream, version, shard, position, type, data, meta, append_id, hash, recorded_at)
        VALUES (\(try StreamMonth.of(event.stream)), \(id(event.stream)), \(event.version), \(event.shard),
          \(event.position), 'sample.moved', \(bytes(event.data)), \(bytes(event.meta)), \(id(event.appendID)),
          \(bytes(event.hash)), \(moment));

        """
    }
    if isSQLite {
      let database = try SQLiteDatabase(path: location, readOnly: false)
      try database.run("PRAGMA journal_mode = WAL")
      try database.run(SQLiteMigration.first.sql)
      try database.run("PRAGMA application_id = \(SQLiteSchema.applicationID)")
      try database.run("PRAGMA user_version = 1")
      try database.run("INSERT INTO settings (name, value) VALUES ('shard_count', '\(shardCount)')")
      try database.run(sql)
    } else {
      let names = try PostgresNames(schema: location)
      let (count, now, months) = (shardCount, environment.now(), try Set(events.map { try StreamMonth.of($0.stream) }))
      let script = sql
      try await PostgresPlace(url: PostgresPlace.url ?? "", name: location).session {
        (connection) throws(PostgresError) in
        _ = try PostgresMigrator(names: names, migrations: [.m0001]).migrate(connection, creating: count, now: now)
        try PostgresPartitions.make(months, on: connection, lockKey: names.lockKey)
        try connection.runScript(script)
      }
    }
    return events
  }

  fileprivate func run(_ sql: String) async throws {
    if kind == .sqlite {
      try SQLiteDatabase(path: location, readOnly: false).run(sql)
    } else {
      try await PostgresPlace(url: PostgresPlace.url ?? "", name: location).session {
        (connection) throws(PostgresError) in try connection.runScript(sql)
      }
    }
  }
}
