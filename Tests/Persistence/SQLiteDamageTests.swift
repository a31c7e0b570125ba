import Foundation
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("A damaged file", .timeLimit(.minutes(15)), .inTurn)
struct SQLiteDamageTests {
  @Test("A truncated file is refused when it is opened", arguments: [0.9, 0.5, 0.1, 0.01])
  func truncated(part: Double) async throws {
    try await withFile { place, _ in
      try damage(place) { bytes in bytes.removeLast(bytes.count - Int(Double(bytes.count) * part)) }
      #expect(await failure(place)?.code == StoreErrorCode.corrupt)
    }
  }

  @Test("A file with another header is refused as not a store", arguments: [UInt8(0), 0x41, 0xFF])
  func header(byte: UInt8) async throws {
    try await withFile { place, _ in
      try damage(place) { bytes in bytes.replaceSubrange(0..<100, with: [UInt8](repeating: byte, count: 100)) }
      let error = await failure(place)
      #expect(error?.code == StoreErrorCode.foreign)
      #expect(error?.message.contains(place.location) == true)
    }
  }

  @Test("No read crashes when one of the first pages is damaged", arguments: 1..<20)
  func early(page: Int) async throws {
    try await withFile { place, streams in
      try damage(place) { bytes in
        var random = SeededRandom(seed: UInt64(page))
        for index in page * 4_096..<(page + 1) * 4_096 { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
      }
      for code in await lookAtEverything(place, streams) { #expect(code == StoreErrorCode.corrupt) }
    }
  }

  @Test("Random bytes in the middle of the file are reported as damage and cause no crash", arguments: 0..<20)
  func random(seed: Int) async throws {
    try await withFile { place, streams in
      try damage(place) { bytes in
        var random = SeededRandom(seed: UInt64(seed))
        let start = bytes.count / 4 + Int(random.next() % UInt64(bytes.count / 2))
        for index in start..<min(bytes.count, start + 20_000) {
          bytes[index] = UInt8(truncatingIfNeeded: random.next())
        }
      }
      let found = await lookAtEverything(place, streams)
      // Behind the first quarter are events and their indexes alone. Each way of looking comes upon it or upon what is whole; none of them invents anything.
      #expect(!found.isEmpty, "nothing was found")
      for code in found { #expect([StoreErrorCode.corrupt, "broken"].contains(code)) }
    }
  }

  @Test("An overwritten first page is reported as damage")
  func firstPage() async throws {
    try await withFile { place, _ in
      try damage(place) { bytes in
        bytes.replaceSubrange(100..<4_096, with: [UInt8](repeating: 0xA5, count: 3_996))
      }
      #expect(await failure(place)?.code == StoreErrorCode.corrupt)
    }
  }

  /// A closed store's file with many events in it.
  private func withFile(_ body: @Sendable (StorePlace, [UniqueID]) async throws -> Void) async throws {
    try await withPlace(.sqlite) { place in
      let store = try await place.open()
      let streams = (0..<40).map { _ in place.newID() }
      for stream in streams { _ = try await store.append(place.append(stream, count: 50, open: .opened)) }
      await store.close()
      try await body(place, streams)
    }
  }

  private func damage(_ place: StorePlace, _ change: (inout [UInt8]) -> Void) throws {
    // Closed, all of it is in the one file.
    #expect(!FileManager.default.fileExists(atPath: place.location + "-wal"))
    let file = URL(fileURLWithPath: place.location)
    var bytes = Array(try Data(contentsOf: file))
    change(&bytes)
    try Data(bytes).write(to: file)
  }

  private func failure(_ place: StorePlace) async -> StoreError? {
    do {
      await (try await place.open()).close()
      return nil
    } catch {
      return error as? StoreError
    }
  }

  /// Returns the codes of the errors of opening, reading and appending.
  private func lookAtEverything(_ place: StorePlace, _ streams: [UniqueID]) async -> [String] {
    do {
      let store = try await place.open()
      var found: [String] = []
      func look(_ body: () async throws(StoreError) -> Void) async {
        do throws(StoreError) { try await body() } catch { found.append(error.code) }
      }
      for stream in streams {
        await look { () throws(StoreError) in
          let check = try await store.verify(stream)
          if check != .intact(version: 50) { found.append("broken") }
        }
      }
      for shard in 0..<store.shardCount {
        await look { () throws(StoreError) in
          let events = try await store.tail(shard: shard, after: 0, limit: 9_999)
          let whole = events.map(\.position) == (0..<events.count).map { Int64($0 + 1) }
          if !whole { found.append("broken") }
        }
      }
      await look { () throws(StoreError) in _ = try await store.openStreams(shard: nil, after: nil, limit: 999) }
      await look { () throws(StoreError) in _ = try await store.definitions(name: nil) }
      await look { () throws(StoreError) in _ = try await store.checkpoint("f", shard: 0) }
      await look { () throws(StoreError) in _ = try await store.snapshot(of: streams[0]) }
      await look { () throws(StoreError) in _ = try await store.claim(scope: "a", value: "b") }
      await look { () throws(StoreError) in _ = try await store.startKey(scope: "a", key: "b") }
      await look { () throws(StoreError) in
        _ = try await store.documents(DocumentQuery(collection: "c", limit: 9))
      }
      // Appends may fail too, each on its own. A new stream is not part of any damage.
      await look { () throws(StoreError) in _ = try await store.append(place.append(place.newID(), open: .opened)) }
      await store.close()
      return found
    } catch {
      return [(error as? StoreError)?.code ?? "\(error)"]
    }
  }
}
