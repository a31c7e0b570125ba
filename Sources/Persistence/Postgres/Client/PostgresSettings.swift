import CPostgres

/// How one connection is made: where to, as whom it shows in `pg_stat_activity`, and what bounds it.
struct PostgresSettings: Sendable {
  /// A connection URL or key/value string, as libpq reads it. It may hold a password: it is never shown.
  var url: String
  /// At most 63 bytes; how an operator finds us in `pg_stat_activity`, and how a writer finds its own lost session.
  var applicationName: String
  var connectTimeout: Duration = .seconds(5)
  /// After so much silence of the server in the middle of an answer the connection is given up.
  var answerTimeout: Duration = .seconds(60)
  /// Session settings, applied once a connection stands.
  var session: [(name: String, value: String)] = []

  /// Reads the settings as libpq would.
  /// - Throws: `invalidSettings` when it can't. The text isn't quoted, as it may hold a password.
  func validate() throws(PostgresError) {
    let parsed = PQconninfoParse(url, nil)
    guard let parsed else {
      throw PostgresError(
        kind: .invalidSettings,
        message: "the connection settings are neither a postgresql:// URL nor a list of key=value words")
    }
    PQconninfoFree(parsed)
  }
}
