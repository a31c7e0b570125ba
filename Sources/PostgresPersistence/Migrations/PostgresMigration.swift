import Persistence
import Values

/// One step of the schema. Steps only go forward, and one that was applied anywhere never changes: what is to be
/// different comes as the next step.
struct PostgresMigration: Sendable {
  let version: Int
  let name: String
  /// Statements on unqualified names, which the session's search path resolves to the store's schema. `{read}` stands
  /// for the schema of the read models.
  let text: String

  var checksum: String { Digest.hex(Array(text.utf8)) }

  static let all: [PostgresMigration] = [.m0001, .m0002]
}
