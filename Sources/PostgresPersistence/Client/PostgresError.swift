import Persistence

/// An error of the connection or the server, for the code of this folder. Callers of the store receive a `StoreError`.
struct PostgresError: Error, CustomStringConvertible {
  enum Kind: Sendable, Hashable {
    /// The settings cannot be parsed.
    case invalidSettings
    /// The schema contains something other than this program's store.
    case foreignSchema
    /// A newer version of this program made the schema.
    case newerSchema
    /// An older version of this program made the schema, and this open may change nothing.
    case olderSchema
    /// No connection was made, so nothing was sent.
    case unreachable
    /// The connection broke, or the server was silent for too long. What was sent may or may not have happened.
    case lost
    /// The server refused a statement. Its transaction is void.
    case refused(SQLState)
    /// The result does not have the requested form.
    case unexpectedAnswer
  }

  let kind: Kind
  let message: String
  /// The table whose constraint was violated, when the server names it.
  var table: String?
  /// The name of the violated constraint, when the server gives it.
  var constraint: String?
  /// The number of the refused statement in the pipeline, from 0.
  var statement: Int?
  /// Set when the server made no error: our own code gave the transaction up for this reason.
  private(set) var refusal: StoreError?

  init(kind: Kind, message: String, table: String? = nil, constraint: String? = nil, statement: Int? = nil) {
    self.kind = kind
    self.message = message
    self.table = table
    self.constraint = constraint
    self.statement = statement
  }

  init(refusing refusal: StoreError) {
    self.init(kind: .unexpectedAnswer, message: refusal.message)
    self.refusal = refusal
  }

  var description: String {
    switch kind {
    case .refused(let state): "\(message) [\(state.code)]"
    case .invalidSettings, .foreignSchema, .newerSchema, .olderSchema, .unreachable, .lost, .unexpectedAnswer: message
    }
  }

  /// True when the violated constraint belongs to the table of events or to one of its partitions.
  var isOfEvents: Bool { table == "events" || table?.hasPrefix("events_") == true }

  var state: SQLState? {
    if case .refused(let state) = kind { state } else { nil }
  }

  static func lost(_ message: String) -> PostgresError { PostgresError(kind: .lost, message: message) }
  static func unexpected(_ message: String) -> PostgresError {
    PostgresError(kind: .unexpectedAnswer, message: message)
  }
}

/// The five characters of SQLSTATE, which give the kind of the refusal.
struct SQLState: Sendable, Hashable {
  let code: String

  static let uniqueViolation = SQLState(code: "23505")
  /// The server also uses this state for "no partition of relation found for row".
  static let checkViolation = SQLState(code: "23514")
  static let deadlock = SQLState(code: "40P01")
  static let serializationFailure = SQLState(code: "40001")
  static let lockNotAvailable = SQLState(code: "55P03")
  static let duplicateTable = SQLState(code: "42P07")
  static let queryCanceled = SQLState(code: "57014")
  static let undefinedTable = SQLState(code: "42P01")

  /// True when the statement itself is valid: it conflicted with other work and may be tried again.
  var isTransient: Bool {
    self == .deadlock || self == .serializationFailure || self == .lockNotAvailable
  }

  /// True when the values cannot be stored: an invalid character in text, a number out of range, or too many bytes.
  var isAboutTheValues: Bool { code.hasPrefix("22") || code.hasPrefix("54") }

  /// True when the rows break a rule of the schema.
  var isAboutConstraints: Bool { code.hasPrefix("23") }

  /// True when the refusal concerns the session or the server, so the next statement would be refused too. This is the
  /// case when the server became a standby or read-only (25006), shuts down (57P), fails itself (58, XX) or lost a
  /// prepared statement (26). It is also the case for every state that does not certainly concern only the statement.
  /// The session is ended, and the next one may reach another server.
  ///
  /// These states leave the session open: the values (22, 54), a constraint (23), a conflict with concurrent work (40,
  /// 55P03), a cancelled statement (57014), its text or permissions (42, except 42P05), and a server without space
  /// (53).
  var endsSession: Bool {
    if self == .lockNotAvailable || self == .queryCanceled { return false }
    if code == "42P05" { return true }
    return !["22", "23", "40", "42", "53", "54"].contains(String(code.prefix(2)))
  }
}
