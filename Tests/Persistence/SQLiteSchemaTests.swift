import Foundation
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("An SQLite store's schema", .timeLimit(.minutes(15)), .inTurn)
struct SQLiteSchemaTests {
  @Test("The schema is equal to the snapshot")
  func snapshot() async throws {
    try await withPlace(.sqlite) { place in
      await (try await place.open()).close()
      let database = try SQLiteDatabase(path: place.location, readOnly: true)
      let lines = try schema(of: database).joined(separator: "\n")
      #expect(lines == sqliteSchemaSnapshot, "a migration that changes the schema changes the snapshot with it")
    }
  }

  /// Tables, columns and indexes as text.
  private func schema(of database: SQLiteDatabase) throws -> [String] {
    func rows(_ sql: String) throws(StoreError) -> [String] {
      try database.statement(sql).rows { $0.text(0) }
    }
    var lines = try rows("SELECT 'version ' || user_version FROM pragma_user_version")
    let tables = try rows("SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'")
    for table in tables.sorted() {
      lines += try rows(
        """
        SELECT 'table ' || name || iif(strict, ' STRICT', '') || iif(wr, ' WITHOUT ROWID', '')
        FROM pragma_table_list WHERE schema = 'main' AND name = '\(table)'
        """)
      lines += try rows(
        """
        SELECT '  ' || name || ' ' || type || iif("notnull", ' NOT NULL', '') || coalesce(' DEFAULT ' || dflt_value, '')
        FROM pragma_table_xinfo('\(table)') ORDER BY cid
        """)
      lines += try rows(
        """
        SELECT CASE l.origin WHEN 'pk' THEN '  key (' ELSE '  index ' || l.name || ' (' END
          || (SELECT group_concat(name, ', ')
              FROM (SELECT name FROM pragma_index_xinfo(l.name) WHERE key ORDER BY seqno))
          || ')' || iif(l."unique" AND l.origin <> 'pk', ' UNIQUE', '')
        FROM pragma_index_list('\(table)') l ORDER BY l.origin = 'pk' DESC, l.name
        """)
    }
    return lines
  }
}
