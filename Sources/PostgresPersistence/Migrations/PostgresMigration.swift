import Values

/// One migration of the schema. Migrations only go forward. A migration that was applied anywhere never changes; a
/// further change is the next migration.
struct PostgresMigration: Sendable {
  let version: Int
  let name: String
  /// Statements on unqualified names. The session's search path resolves them to the store's schema. `{read}` is
  /// replaced by the schema of the read models.
  let text: String

  var checksum: String { Digest.hex(Array(text.utf8)) }

  static let all: [PostgresMigration] = [.m0001, .m0002]
}
