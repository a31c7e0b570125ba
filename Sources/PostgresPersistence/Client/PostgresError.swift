import Persistence

/// What went wrong between us and the server, for the code of this folder: callers of the store see a `StoreError`.
struct PostgresError: Error, CustomStringConvertible {
  enum Kind: Sendable, Hashable {
    /// The settings can't be read.
    case invalidSettings
    /// What is in the schema isn't this program's store.
    case foreignSchema
    /// The schema is a newer program's.
    case newerSchema
    /// The schema was made by an older version of this program, and nothing is to be changed.
    case olderSchema
    /// No connection came about: nothing was sent.
    case unreachable
    /// The connection broke, or the server was silent for too long: what was sent may or may not have happened.
    case lost
    /// The server refused a statement; the transaction it was part of is void.
    case refused(SQLState)
    /// The answer doesn't have the form that was asked for.
    case unexpectedAnswer
  }

  let kind: Kind
  let message: String
  /// The table whose constraint was broken, when the server says so.
  var table: String?
  /// That constraint's name, when the server says so.
  var constraint: String?
  /// Which statement of the pipeline was refused, counted from 0.
  var statement: Int?
  /// Set when nothing is wrong with the server: our own code gave a transaction up for this.
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

  /// Whether the broken constraint is one of the table of events, or of a partition of it.
  var isOfEvents: Bool { table == "events" || table?.hasPrefix("events_") == true }

  var state: SQLState? {
    if case .refused(let state) = kind { state } else { nil }
  }

  static func lost(_ message: String) -> PostgresError { PostgresError(kind: .lost, message: message) }
  static func unexpected(_ message: String) -> PostgresError {
    PostgresError(kind: .unexpectedAnswer, message: message)
  }
}

/// The five characters that say what kind of refusal it was.
struct SQLState: Sendable, Hashable {
  let code: String

  static let uniqueViolation = SQLState(code: "23505")
  /// Also what "no partition of relation found for row" comes as.
  static let checkViolation = SQLState(code: "23514")
  static let deadlock = SQLState(code: "40P01")
  static let serializationFailure = SQLState(code: "40001")
  static let lockNotAvailable = SQLState(code: "55P03")
  static let duplicateTable = SQLState(code: "42P07")
  static let queryCanceled = SQLState(code: "57014")
  static let undefinedTable = SQLState(code: "42P01")

  /// Nothing is wrong with what was asked: it lost against something else that ran, and may be tried again.
  var isTransient: Bool {
    self == .deadlock || self == .serializationFailure || self == .lockNotAvailable
  }

  /// The values can't be stored: a character that text can't hold, a number out of range, too many bytes.
  var isAboutTheValues: Bool { code.hasPrefix("22") || code.hasPrefix("54") }

  /// The rows contradict what is stored, by a rule of the schema.
  var isAboutConstraints: Bool { code.hasPrefix("23") }

  /// The refusal speaks of the session or of the server, so that the next statement would be refused as well: the server
  /// became a standby or read-only (25006), shuts down (57P), fails itself (58, XX), lost a prepared statement (26), and
  /// whatever else isn't known to speak of the statement alone. The session is ended, and the next one may be led to
  /// another server.
  ///
  /// What leaves the session as it is: the values (22, 54), a constraint (23), what ran at the same time (40, 55P03), a
  /// statement that was cancelled (57014), its text or rights (42, but 42P05), a server that has no room (53).
  var endsSession: Bool {
    if self == .lockNotAvailable || self == .queryCanceled { return false }
    if code == "42P05" { return true }
    return !["22", "23", "40", "42", "53", "54"].contains(String(code.prefix(2)))
  }
}
