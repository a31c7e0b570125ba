import Foundation
import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("The embedded store's file", .timeLimit(.minutes(15)), .inTurn)
struct SQLiteFileTests {
  @Test("A second open is refused, by name, until the first is closed")
  func locked() async throws {
    try await withPlace(.sqlite) { place in
      let first = try await place.open()
      let error = await #expect(throws: StoreError.self) { _ = try await place.open() }
      #expect(error?.code == StoreErrorCode.locked)
      #expect(error?.message.contains(place.location) == true)
      // The refused one hasn't loosened the lock.
      await #expect(throws: StoreError.self) { _ = try await place.open() }
      await first.close()
      let second = try await place.open()
      await second.close()
    }
  }

  @Test("A file that is not a store is refused and not changed")
  func foreign() async throws {
    try await withPlace(.sqlite) { place in
      let text = Data(String(repeating: "not a database, but somebody's notes\n", count: 99).utf8)
      try text.write(to: URL(fileURLWithPath: place.location))
      #expect(await codeOfOpening(place) == StoreErrorCode.foreign)
      #expect(try Data(contentsOf: URL(fileURLWithPath: place.location)) == text)
    }
    try await withPlace(.sqlite) { place in
      do {
        let other = try SQLiteDatabase(path: place.location, readOnly: false)
        try other.run("CREATE TABLE notes (text)")
      }
      #expect(await codeOfOpening(place) == StoreErrorCode.foreign)
    }
  }

  @Test("A file with another application's id is refused and not changed, even an empty one")
  func otherApplication() async throws {
    try await withPlace(.sqlite) { place in
      let file = URL(fileURLWithPath: place.location)
      do {
        let other = try SQLiteDatabase(path: place.location, readOnly: false)
        try other.run("PRAGMA application_id = 1196444487")
      }
      let before = try Data(contentsOf: file)
      #expect(await codeOfOpening(place) == StoreErrorCode.foreign)
      #expect(try Data(contentsOf: file) == before)
    }
    // Nor is a store of ours whose application id was changed.
    try await withPlace(.sqlite) { place in
      await (try await place.open()).close()
      do {
        let database = try SQLiteDatabase(path: place.location, readOnly: false)
        try database.run("PRAGMA application_id = 0")
      }
      #expect(await codeOfOpening(place) == StoreErrorCode.foreign)
    }
  }

  @Test("A file of a newer version is refused")
  func newer() async throws {
    try await withPlace(.sqlite) { place in
      let store = try await place.open()
      await store.close()
      do {
        let database = try SQLiteDatabase(path: place.location, readOnly: false)
        try database.run("PRAGMA user_version = 99")
      }
      #expect(await codeOfOpening(place) == StoreErrorCode.newerVersion)
    }
  }

  @Test("A path that can't be opened is named")
  func unopenable() async throws {
    let path = "/nowhere/at/all/store.db"
    let error = await #expect(throws: StoreError.self) {
      _ = try await SQLiteStore.open(path: path, environment: .fake())
    }
    #expect(error?.kind == .unavailable)
    #expect(error?.message.contains(path) == true)
  }

  @Test("Every commit is on the disk before it is reported")
  func durability() async throws {
    try await withPlace(.sqlite) { place in
      let database = try SQLiteDatabase(path: place.location, readOnly: false)
      try SQLiteSchema.prepare(database, path: place.location)
      #expect(try database.statement("PRAGMA journal_mode").first { $0.text(0) } == "wal")
      #expect(try database.statement("PRAGMA synchronous").first { $0.integer(0) } == 2)
    }
  }

  @Test("A full disk is an error to each caller, with nothing half-written, and the same append goes through later")
  func full() async throws {
    try await withPlace(.sqlite) { place in
      let database = try SQLiteDatabase(path: place.location, readOnly: false)
      try SQLiteSchema.prepare(database, path: place.location)
      // A limit on the file's pages gives the same error as a full disk.
      let pages = try database.statement("PRAGMA page_count").first { $0.integer(0) } ?? 0
      try database.run("PRAGMA max_page_count = \(pages + 40)")
      let writer = SQLiteWriter(
        SQLiteSession(database, shardCount: 1, environment: place.environment), hub: CommitHub(),
        board: StoreHealthBoard(environment: place.environment), patience: .seconds(60))
      let reader = try SQLiteReader(path: place.location)
      try await writer.submit { $0.own([0]) }

      let stream = place.newID()
      var appended = 0
      var refused: Append?
      while refused == nil {
        // Several events an append, so that one of them fails half-way.
        var append = place.append(stream, at: appended, count: 5, open: .opened)
        for index in append.events.indices { append.events[index].data = [UInt8](repeating: 32, count: 9_000) }
        let sent = append
        do throws(StoreError) {
          _ = try await writer.submit { session throws(StoreError) in try session.append(sent, month: 202_603) }
          appended += 5
        } catch {
          #expect(error.kind == .unavailable)
          #expect(error.detail?.contains("full") == true)
          refused = sent
        }
      }
      let kept = try await reader.read { database throws(StoreError) in
        try SQLiteQueries.tail(database, shard: 0, after: 0, limit: 999)
      }
      #expect(kept.map(\.version) == Array(1..<appended + 1))

      let again = try #require(refused)

      // A rollback also removes the successful parts of the transaction, and the writer's positions in memory.
      let small = place.append(place.newID())
      let huge = place.append(place.newID())
      let failed = await refusal { () throws(StoreError) in
        try await writer.submit { session throws(StoreError) in
          try session.database.run("PRAGMA max_page_count = \(pages + 60)")
          var huge = huge
          huge.events = Array(repeating: NewEvent(type: "large", data: [UInt8](repeating: 32, count: 9_000)), count: 99)
          _ = try session.append(small, month: 202_603)
          _ = try session.append(huge, month: 202_603)
        }
      }
      #expect(failed == .unavailable)
      try await writer.submit { session throws(StoreError) in
        // Pragmas of this kind may be set within a transaction.
        try session.database.run("PRAGMA max_page_count = 100000")
      }
      let done = try await writer.submit { session throws(StoreError) in try session.append(again, month: 202_603) }
      #expect(done == Appended(version: appended + 5, position: Int64(appended + 5), repeated: false))
      await writer.close()
      await reader.close()
    }
  }

  private func codeOfOpening(_ place: StorePlace) async -> String? {
    do {
      _ = try await place.open()
      return nil
    } catch {
      return (error as? StoreError)?.code
    }
  }
}
