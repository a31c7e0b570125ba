import Foundation
import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

@Suite("A Postgres store's schema", .timeLimit(.minutes(15)), .inTurn)
struct PostgresSchemaTests {
  @Test("The schema is equal to the snapshot beside this file")
  func snapshot() async throws {
    try await withPostgres { place in
      let store = try await place.open()
      await store.close()
      let lines = try await place.schema()
      if ProcessInfo.processInfo.environment["TRACSEQ_WRITE_SNAPSHOTS"] != nil {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
          .appendingPathComponent("PostgresSchemaSnapshot.swift")
        let text = lines.map { $0.isEmpty ? "" : "  " + $0 }.joined(separator: "\n")
        try
          "/// The schema that all migrations make together.\nlet postgresSchemaSnapshot = \"\"\"\n\(text)\n  \"\"\"\n"
          .write(to: file, atomically: true, encoding: .utf8)
      }
      let expected = postgresSchemaSnapshot.split(separator: "\n").map(String.init)
      #expect(lines == expected, "run with TRACSEQ_WRITE_SNAPSHOTS=1 to take over what a new migration changed")
    }
  }

  @Test("Several processes can open a new store at the same time")
  func concurrentOpens() async throws {
    try await withPostgres { place in
      let counts = try await withThrowingTaskGroup(of: Int.self) { group in
        for opener in 0..<8 {
          group.addTask {
            var configuration = place.configuration
            // The first opener decides for all.
            configuration.shardCount = 10 + opener
            let store = try await PostgresStore.open(configuration, environment: place.environment)
            await store.close()
            return store.shardCount
          }
        }
        return try await group.reduce(into: [Int]()) { $0.append($1) }
      }
      #expect(Set(counts).count == 1)
      #expect(try await place.numbers("SELECT count(*) FROM migrations") == [Int64(PostgresMigration.all.count)])
      #expect(try await place.numbers("SELECT count(*) FROM store") == [1])
    }
  }

  @Test("A newer program's schema, and one made by another migration, are refused")
  func refusals() async throws {
    try await withPostgres { place in
      await (try await place.open()).close()
      try await place.session { (connection) throws(PostgresError) in
        try connection.runScript("INSERT INTO migrations VALUES (999, 'future', 'x', now())")
      }
      #expect(await refusalOf { () async throws(StoreError) in _ = try await place.reopen() } == .newerVersion)
      try await place.session { (connection) throws(PostgresError) in
        try connection.runScript(
          "DELETE FROM migrations WHERE version = 999; UPDATE migrations SET checksum = 'x' WHERE version = 1")
      }
      #expect(await refusalOf { () async throws(StoreError) in _ = try await place.reopen() } == .foreign)
    }
  }

  @Test("Every hot statement names one shard or one stream", arguments: PostgresStatements.hot)
  func hotStatements(statement: PostgresStatement) {
    let text = statement.text
    // Rows that are written carry their shard; what is read is asked for by shard or by stream.
    let writes = text.hasPrefix("INSERT") && text.prefix { $0 != ")" }.contains("shard")
    let asked = ["shard = $", "shard = q.shard", "shard = r.shard", "stream = $", "stream = q.stream"]
    #expect(writes || asked.contains { text.contains($0) }, "\(statement.name)")
    // And streams by their month too, so that one partition is touched.
    if text.contains("FROM events"), text.contains("stream = ") { #expect(text.contains("month = ")) }
  }

  @Test("An invalid schema name is refused", arguments: ["", "Tracseq", "a b", "1a", "pg_x", "a;b", "é"])
  func names(name: String) {
    #expect(throws: PostgresError.self) { _ = try PostgresNames(schema: name) }
  }
}

extension PostgresPlace {
  fileprivate func reopen() async throws(StoreError) -> PostgresStore {
    try await PostgresStore.open(configuration, environment: environment)
  }

  /// Tables, columns, constraints and indexes of both schemas, as text; without the partitions, which come and go.
  fileprivate func schema() async throws -> [String] {
    let catalogs = """
      WITH tables AS (
        SELECT c.oid, c.relname, replace(n.nspname, '\(name)', 'S') AS place FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('\(name)', '\(name)_read') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      ), lines AS (
        SELECT place, relname, 1 AS kind, 0 AS place_in_kind,
          'table ' || place || '.' || relname || coalesce(' PARTITION BY ' || pg_get_partkeydef(oid), '') AS line
        FROM tables
        UNION ALL
        SELECT place, relname, 2, a.attnum, '  column ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
          || CASE WHEN a.attcollation = 950 THEN ' COLLATE "C"' ELSE '' END
          || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
          || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
        FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
        UNION ALL
        SELECT place, relname, 3, row_number() OVER (ORDER BY k.conname),
          '  constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
        FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid
        UNION ALL
        SELECT place, relname, 4, row_number() OVER (ORDER BY i.indexrelid::regclass::text),
          '  index ' || replace(pg_get_indexdef(i.indexrelid), '\(name)', 'S')
        FROM tables t JOIN pg_index i ON i.indrelid = t.oid
      )
      SELECT line FROM lines ORDER BY place, relname, kind, place_in_kind
      """
    let lines = Lines()
    try await session { (connection) throws(PostgresError) in
      for row in try connection.run(PostgresCall(PostgresStatement("schema", catalogs))).rows {
        lines.add(try row.text(0))
      }
    }
    return lines.all
  }
}
