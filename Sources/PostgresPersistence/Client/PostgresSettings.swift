import CPostgres

/// The settings of one connection: the server, the name in `pg_stat_activity`, and the limits.
struct PostgresSettings: Sendable {
  /// A connection URL or key/value string, in libpq's syntax. It may contain a password, so it is never shown.
  var url: String
  /// The name in `pg_stat_activity`, at most 63 bytes. An operator finds us by it, and a writer finds its own lost
  /// session.
  var applicationName: String
  var connectTimeout: Duration = .seconds(5)
  /// The silence of the server in the middle of an answer after which the connection is closed. It is longer when much
  /// is sent.
  var answerTimeout: Duration = .seconds(60)
  var access = Access.any

  enum Access: Sendable {
    /// Refuses a server that accepts no writes: a standby, or one with read-only sessions.
    case readWrite
    /// Prefers a server that accepts writes. If the URL names only one server, a read-only server is better than none.
    /// It is tried again after a second.
    case preferReadWrite
    case any
  }
  /// The session settings, applied after the connection is made.
  var session: [(name: String, value: String)] = []

  /// Reads the settings as libpq does.
  /// - Returns: true when the settings name several servers.
  /// - Throws: `invalidSettings` when they cannot be parsed. The error does not quote the text, because it may contain
  ///   a password.
  @discardableResult
  func validate() throws(PostgresError) -> Bool {
    let parsed = PQconninfoParse(url, nil)
    guard let parsed else {
      throw PostgresError(
        kind: .invalidSettings,
        message: "the connection settings are neither a postgresql:// URL nor a list of key=value words")
    }
    defer { PQconninfoFree(parsed) }
    var isOneOfSeveral = false
    var option = parsed
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val.map({ String(cString: $0) }) {
        switch String(cString: keyword) {
        case "host":
          if value.contains(",") { isOneOfSeveral = true }
          for host in value.split(separator: ",") {
            // A folder of sockets, or a socket without a file.
            if host.hasPrefix("/") || host.hasPrefix("@") { continue }
            if host.contains(where: { "@/?#".contains($0) }) { throw Self.unescaped }
          }
        case "port":
          guard value.allSatisfy({ $0.isASCII && $0.isNumber || $0 == "," }) else { throw Self.unescaped }
        default: break
        }
      }
      option += 1
    }
    return isOneOfSeveral
  }

  /// A password with a character such as `/` or `@` ends too early, and libpq takes the rest of it for the host or the
  /// port, which it quotes.
  private static let unescaped = PostgresError(
    kind: .invalidSettings,
    message: "the host or the port in the connection settings can't be one; in a URL, a password with one of / @ : ? # "
      + "% must be percent-encoded")
}
