import CPostgres
import Persistence

/// How one connection is made: where to, as whom it shows in `pg_stat_activity`, and what bounds it.
struct PostgresSettings: Sendable {
  /// A connection URL or key/value string, as libpq reads it. It may hold a password: it is never shown.
  var url: String
  /// At most 63 bytes; how an operator finds us in `pg_stat_activity`, and how a writer finds its own lost session.
  var applicationName: String
  var connectTimeout: Duration = .seconds(5)
  /// After so much silence of the server in the middle of an answer the connection is given up; longer when much is sent.
  var answerTimeout: Duration = .seconds(60)
  var access = Access.any

  enum Access: Sendable {
    /// A server that takes no writes is refused: a standby, or one whose sessions are set to be read-only.
    case readWrite
    /// Where the URL names several servers, one that takes writes. Where it names one, a server that takes none is better
    /// than no server, and is asked again after a second.
    case preferReadWrite
    case any
  }
  /// Session settings, applied once a connection stands.
  var session: [(name: String, value: String)] = []

  /// Reads the settings as libpq would.
  /// - Returns: whether they name several servers.
  /// - Throws: `invalidSettings` when it can't. The text isn't quoted, as it may hold a password.
  @discardableResult
  func validate() throws(PostgresError) -> Bool {
    let parsed = PQconninfoParse(url, nil)
    guard let parsed else {
      throw PostgresError(
        kind: .invalidSettings,
        message: "the connection settings are neither a postgresql:// URL nor a list of key=value words")
    }
    defer { PQconninfoFree(parsed) }
    var option = parsed
    while let keyword = option.pointee.keyword {
      if String(cString: keyword) == "host", let value = option.pointee.val, String(cString: value).contains(",") {
        return true
      }
      option += 1
    }
    return false
  }
}
