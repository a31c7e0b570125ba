import Foundation
import TestSupport
import Testing

@testable import Persistence

@Suite("A store erases what was deleted", .timeLimit(.minutes(15)), .inTurn)
struct ErasureTests {
  private func document(_ id: Int, _ data: String) -> Document {
    Document(collection: "keys", id: "\(id)", sort: "\(id)", fields: ["by": "k"], data: Array(data.utf8))
  }

  private func batch(_ upserts: [Document], _ deletes: [DocumentName] = []) -> ProjectionBatch {
    ProjectionBatch(follower: "keys", shard: 0, from: 0, to: 0, upserts: upserts, deletes: deletes)
  }

  @Test("Deleted and replaced documents are gone after it, and the others are there", arguments: StoreKind.tested)
  func erases(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let documents = (0..<200).map { document($0, "planted-\($0)-" + String(repeating: "x", count: 100)) }
      try await store.apply(batch(documents))
      try await store.apply(batch([document(3, "other")], [DocumentName(collection: "keys", id: "7")]))
      try await store.eraseTraces()
      #expect(try await store.document(collection: "keys", id: "7") == nil)
      #expect(try await store.document(collection: "keys", id: "3")?.data == Array("other".utf8))
      #expect(try await store.documents(DocumentQuery(collection: "keys", limit: 1_000)).count == 199)
      guard kind == .sqlite else { return }
      for end in ["", "-wal"] {
        let content = try? Data(contentsOf: URL(fileURLWithPath: place.location + end))
        guard let bytes = content.map({ [UInt8]($0) }) else { continue }
        for gone in ["planted-7-", "planted-3-"] {
          #expect(bytes.firstRange(of: Array(gone.utf8)) == nil, "\(gone) is in the file\(end)")
        }
        if end.isEmpty { #expect(bytes.firstRange(of: Array("planted-8-".utf8)) != nil) }
      }
    }
  }

  @Test("A reader in the way, such as a backup, makes it fail soon, because appends wait meanwhile")
  func reader() async throws {
    try await withStore(.sqlite) { store, place in
      try await store.apply(batch([document(1, "first")]))
      let reader = try SQLiteDatabase(path: place.location, readOnly: false)
      try reader.run("BEGIN")
      _ = try reader.statement("SELECT count(*) FROM sqlite_schema").first { $0.integer(0) }
      try await store.apply(batch([], [DocumentName(collection: "keys", id: "1")]))
      let start = ContinuousClock.now
      let error = await #expect(throws: StoreError.self) { try await store.eraseTraces() }
      #expect(error?.kind == .unavailable && ContinuousClock.now - start < .seconds(8))
      try reader.run("ROLLBACK")
      try await store.eraseTraces()
    }
  }
}
