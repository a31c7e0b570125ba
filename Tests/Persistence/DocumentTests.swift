import Persistence
import TestSupport
import Testing

@Suite("A store keeps read models", .timeLimit(.minutes(15)), .inTurn)
struct DocumentTests {
  private func document(_ id: String, sort: String, _ fields: [String: String] = [:], data: [UInt8] = []) -> Document {
    Document(collection: "sagas", id: id, sort: sort, fields: fields, data: data)
  }

  private func ids(_ store: any EventStore, _ query: DocumentQuery) async throws -> [String] {
    try await store.documents(query).map(\.id)
  }

  @Test("Documents and checkpoint move together", arguments: StoreKind.tested)
  func batches(kind: StoreKind) async throws {
    try await withStore(kind) { store, _ in
      #expect(try await store.checkpoint("list", shard: 2) == 0)
      let one = document("1", sort: "a", ["status": "running"], data: [1])
      try await store.apply(ProjectionBatch(follower: "list", shard: 2, from: 0, to: 4, upserts: [one]))
      #expect(try await store.checkpoint("list", shard: 2) == 4)
      #expect(try await store.checkpoint("list", shard: 1) == 0)
      #expect(try await store.checkpoint("other", shard: 2) == 0)
      #expect(try await store.document(collection: "sagas", id: "1") == one)

      let late = ProjectionBatch(
        follower: "list", shard: 2, from: 0, to: 9, upserts: [document("2", sort: "b")],
        deletes: [DocumentName(collection: "sagas", id: "1")])
      #expect(await refusal { () throws(StoreError) in try await store.apply(late) } == .checkpointConflict(actual: 4))
      #expect(try await store.document(collection: "sagas", id: "1") == one)
      #expect(try await store.document(collection: "sagas", id: "2") == nil)

      let changed = document("1", sort: "z", ["status": "completed", "workflow": "w"], data: [])
      try await store.apply(ProjectionBatch(follower: "list", shard: 2, from: 4, to: 5, upserts: [changed]))
      #expect(try await store.document(collection: "sagas", id: "1") == changed)
      #expect(try await ids(store, DocumentQuery(collection: "sagas", fields: ["status": "running"])).isEmpty)
      #expect(try await ids(store, DocumentQuery(collection: "sagas", fields: ["status": "completed"])) == ["1"])

      try await store.apply(
        ProjectionBatch(
          follower: "list", shard: 2, from: 5, to: 5,
          deletes: [DocumentName(collection: "sagas", id: "1"), DocumentName(collection: "sagas", id: "none")]))
      #expect(try await ids(store, DocumentQuery(collection: "sagas")).isEmpty)
      #expect(try await ids(store, DocumentQuery(collection: "sagas", fields: ["status": "completed"])).isEmpty)

      for invalid in [
        ProjectionBatch(follower: "list", shard: 2, from: 5, to: 4),
        ProjectionBatch(follower: "list", shard: 4, from: 0, to: 1),
        ProjectionBatch(follower: "list", shard: 2, from: 5, to: 6, upserts: [one, one]),
      ] {
        #expect(await refusal { () throws(StoreError) in try await store.apply(invalid) } == .invalid)
      }
    }
  }

  @Test("Lists are filtered, ordered by bytes, and paged in both directions", arguments: StoreKind.tested)
  func queries(kind: StoreKind) async throws {
    try await withStore(kind) { store, _ in
      let documents = [
        document("1", sort: "b", ["status": "running", "workflow": "x"]),
        document("2", sort: "a", ["status": "running", "workflow": "y"]),
        document("3", sort: "b", ["status": "stuck", "workflow": "x"]),
        document("4", sort: "B", ["status": "running", "workflow": "x"]),
        // The bytes of é come after z; those of e with an accent of its own come between e and f.
        document("5", sort: "\u{E9}", ["status": "running"]), document("6", sort: "e\u{301}", [:]),
        document("7", sort: "z", ["status": "caf\u{E9}"]), document("8", sort: "", ["status": "cafe\u{301}"]),
      ]
      var elsewhere = document("1", sort: "b", ["status": "running"])
      elsewhere.collection = "tubes"
      try await store.apply(
        ProjectionBatch(follower: "list", shard: 0, from: 0, to: 1, upserts: documents + [elsewhere]))

      let all = ["8", "4", "2", "1", "3", "6", "7", "5"]
      var query = DocumentQuery(collection: "sagas")
      #expect(try await ids(store, query) == all)
      query.descending = true
      #expect(try await ids(store, query) == all.reversed())
      query.limit = 0
      #expect(try await ids(store, query).isEmpty)

      for descending in [false, true] {
        for fields in [[:], ["status": "running"], ["status": "running", "workflow": "x"]] {
          let whole = try await ids(store, DocumentQuery(collection: "sagas", fields: fields, descending: descending))
          let expected = all.filter { id in
            documents.contains { document in
              document.id == id && fields.allSatisfy { document.fields[$0.key] == $0.value }
            }
          }
          #expect(whole == (descending ? expected.reversed() : expected))
          var paged: [String] = []
          var page = DocumentQuery(collection: "sagas", fields: fields, descending: descending, limit: 2)
          while let last = try await store.documents(page).last {
            paged += try await ids(store, page)
            page.after = last.cursor
          }
          #expect(paged == whole)
        }
      }
      #expect(try await ids(store, DocumentQuery(collection: "sagas", fields: ["status": "caf\u{E9}"])) == ["7"])
      #expect(
        try await ids(store, DocumentQuery(collection: "sagas", sortFrom: "a", sortBelow: "c")) == ["2", "1", "3"])
      let range = DocumentQuery(collection: "sagas", fields: ["workflow": "x"], sortFrom: "a", descending: true)
      #expect(try await ids(store, range) == ["3", "1"])
      let named = try await store.documents(collection: "sagas", ids: ["3", "none", "1", "3"])
      #expect(named.map(\.id).sorted() == ["1", "3"])
      #expect(try await store.documents(collection: "sagas", ids: []).isEmpty)
    }
  }

  @Test("A reset forgets one follower and its collections", arguments: StoreKind.tested)
  func reset(kind: StoreKind) async throws {
    try await withStore(kind) { store, _ in
      var tube = document("1", sort: "a", ["x": "y"])
      tube.collection = "tubes"
      try await store.apply(
        ProjectionBatch(
          follower: "list", shard: 0, from: 0, to: 3, upserts: [document("1", sort: "a", ["x": "y"]), tube]))
      try await store.apply(ProjectionBatch(follower: "other", shard: 0, from: 0, to: 2))
      try await store.reset(follower: "list", collections: ["sagas", "never"])
      #expect(try await store.checkpoint("list", shard: 0) == 0)
      #expect(try await store.checkpoint("other", shard: 0) == 2)
      #expect(try await ids(store, DocumentQuery(collection: "sagas", fields: ["x": "y"])).isEmpty)
      #expect(try await ids(store, DocumentQuery(collection: "tubes", fields: ["x": "y"])) == ["1"])
    }
  }
}
