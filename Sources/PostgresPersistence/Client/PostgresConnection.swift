import CPostgres
import Persistence

/// One call of a statement.
struct PostgresCall: Sendable {
  let statement: PostgresStatement
  let parameters: PostgresParameters

  init(_ statement: PostgresStatement, _ write: (inout PostgresParameters) -> Void = { _ in }) {
    self.statement = statement
    var parameters = PostgresParameters()
    write(&parameters)
    self.parameters = parameters
  }

  init(_ statement: PostgresStatement, parameters: PostgresParameters) {
    self.statement = statement
    self.parameters = parameters
  }
}

/// Owns one connection to the server. When the connection is released, its session and the locks of the session end. It
/// belongs to one actor on its own thread. Its calls wait in `poll` until the answer arrives or the time is over.
final class PostgresConnection {
  let processID: Int
  let canceller: PostgresCanceller
  private let handle: OpaquePointer
  private let answerTimeout: Duration
  private var prepared: Set<String> = []
  private(set) var isOpen = true
  /// True when the server accepted no writes at the start of the session. The session stays read-only, even if the
  /// server changes.
  private(set) var isReadOnly = false
  let openedAt = ContinuousClock.now

  /// Connects.
  /// - Throws: `unreachable` when no connection was made in time, or when the server does not accept the required
  ///   writes.
  init(_ settings: PostgresSettings) throws(PostgresError) {
    let isOneOfSeveral = try settings.validate()
    let handle = try Self.connect(settings, target: isOneOfSeveral && settings.access != .any ? "read-write" : "any")
    guard PQsetnonblocking(handle, 1) == 0, let cancel = PQgetCancel(handle) else {
      PQfinish(handle)
      throw PostgresError(kind: .unreachable, message: "out of memory for a connection to Postgres")
    }
    self.handle = handle
    canceller = PostgresCanceller(owning: cancel, socket: PQsocket(handle))
    processID = Int(PQbackendPID(handle))
    answerTimeout = settings.answerTimeout
    // A value with a comma or a dash is safe, because it is a parameter.
    let set = PostgresStatement("set_config", "SELECT set_config($1, $2, false)")
    let answers = try run(
      settings.session.map { setting in
        PostgresCall(set) {
          $0.append(setting.name)
          $0.append(setting.value)
        }
      } + [PostgresCall(Self.standing)])
    if let row = answers.last?.first {
      let isStandby = try row.bool(0)
      let isSet = try row.bool(1)
      isReadOnly = isStandby || isSet
      if isReadOnly, settings.access == .readWrite {
        throw PostgresError(
          kind: .unreachable,
          message: isStandby
            ? "the server is a standby and takes no writes"
            : "the server gives sessions that are read-only (default_transaction_read_only)")
      }
    }
  }

  private static let standing = PostgresStatement(
    "standing", "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool")

  deinit { PQfinish(handle) }

  // MARK: Calls

  /// Runs one statement.
  func run(_ call: PostgresCall) throws(PostgresError) -> PostgresResult {
    guard let result = try run([call]).first else { throw .unexpected("no answer to a statement") }
    return result
  }

  /// Runs statements in one round trip. Without a BEGIN they are one transaction: all of them or none.
  /// - Throws: the error of the first refused statement; the statements after it do not run.
  func run(_ calls: [PostgresCall]) throws(PostgresError) -> [PostgresResult] {
    guard isOpen else { throw .lost("the connection was closed") }
    guard !calls.isEmpty else { return [] }
    guard PQenterPipelineMode(handle) == 1 else { throw broken() }
    // 1. libpq receives all statements and sends what the socket accepts.
    var steps: [Step] = []
    var sent: Set<String> = []
    for (index, call) in calls.enumerated() {
      let name = call.statement.name
      // A statement without a name is planned again each time, for its values.
      if name.isEmpty || (!prepared.contains(name) && sent.insert(name).inserted) {
        try sendPrepare(call)
        steps.append(Step(call: index, prepares: name))
      }
      try sendCall(call)
      steps.append(Step(call: index, prepares: nil))
    }
    guard PQpipelineSync(handle) == 1 else { throw broken() }
    let size = calls.reduce(0) { $0 + $1.parameters.bytes.count }
    let deadline = ContinuousClock.now + answerTimeout + .milliseconds(size / Self.slowestBytesPerMillisecond)
    try flush(until: deadline)
    // 2. Read one result for each statement, in order, and then the end of the pipeline.
    var results: [PostgresResult] = []
    var failure: PostgresError?
    for step in steps {
      guard let answer = try nextAnswer(until: deadline) else { throw broken() }
      while try nextAnswer(until: deadline) != nil {}
      switch PQresultStatus(answer.handle) {
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
        if let name = step.prepares { prepared.insert(name) } else { results.append(PostgresResult(answer)) }
      case PGRES_PIPELINE_ABORTED:
        break
      default:
        if failure == nil { failure = try refusal(answer, statement: step.call) }
      }
    }
    guard let end = try nextAnswer(until: deadline), PQresultStatus(end.handle) == PGRES_PIPELINE_SYNC else {
      throw broken()
    }
    guard PQexitPipelineMode(handle) == 1 else { throw broken() }
    if let failure {
      if isOpen, PQtransactionStatus(handle) == PQTRANS_INERROR { try runScript("ROLLBACK") }
      throw failure
    }
    return results
  }

  /// Runs the statements of a text without values from outside, such as a migration.
  func runScript(_ text: String) throws(PostgresError) {
    guard isOpen else { throw .lost("the connection was closed") }
    guard PQsendQuery(handle, text) == 1 else { throw broken() }
    let deadline = ContinuousClock.now + answerTimeout
    try flush(until: deadline)
    var failure: PostgresError?
    while let answer = try nextAnswer(until: deadline) {
      switch PQresultStatus(answer.handle) {
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: break
      default: if failure == nil { failure = try refusal(answer, statement: nil) }
      }
    }
    if let failure { throw failure }
  }

  /// Runs `body` in a transaction. Rolls back when `body` throws.
  /// - Parameter mode: the isolation and access of `BEGIN`; empty for the server's defaults.
  func transaction<Value>(
    _ mode: String = "", _ body: (PostgresConnection) throws(PostgresError) -> Value
  ) throws(PostgresError) -> Value {
    try runScript("BEGIN \(mode)")
    let value: Value
    do {
      value = try body(self)
    } catch {
      if isOpen, PQtransactionStatus(handle) != PQTRANS_IDLE { try runScript("ROLLBACK") }
      throw error
    }
    try runScript("COMMIT")
    return value
  }
}

// MARK: Waiting

extension PostgresConnection {
  private struct Step {
    let call: Int
    let prepares: String?
  }

  // The machine's monotonic clock measures the deadlines of sockets. Virtual time has no sockets.
  private static func milliseconds(until deadline: ContinuousClock.Instant) -> Int32 {
    let (seconds, attoseconds) = (deadline - ContinuousClock.now).components
    let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    return milliseconds <= 0 ? 0 : Int32(min(milliseconds + 1, 600_000))
  }

  /// The lowest accepted speed. A server that reads slower than 4 MiB/s counts as silent.
  private static let slowestBytesPerMillisecond = 4 << 10

  private static func connect(
    _ settings: PostgresSettings, target: String
  ) throws(PostgresError) -> OpaquePointer {
    guard let handle = postgres_start(settings.url, settings.applicationName, target) else {
      throw PostgresError(kind: .unreachable, message: "out of memory for a connection to Postgres")
    }
    postgres_silence_notices(handle)
    let deadline = ContinuousClock.now + settings.connectTimeout
    var state = PQstatus(handle) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
    while state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING {
      let left = milliseconds(until: deadline)
      let ready = postgres_wait(
        handle, state == PGRES_POLLING_READING ? 1 : 0, state == PGRES_POLLING_WRITING ? 1 : 0, left)
      if ready == 0, left == 0 {
        PQfinish(handle)
        throw PostgresError(
          kind: .unreachable, message: "Postgres didn't answer within \(settings.connectTimeout)")
      }
      if ready != 0 { state = PQconnectPoll(handle) }
    }
    guard state == PGRES_POLLING_OK else {
      let message = Self.oneLine(PQerrorMessage(handle))
      PQfinish(handle)
      throw PostgresError(kind: .unreachable, message: message)
    }
    return handle
  }

  private func flush(until deadline: ContinuousClock.Instant) throws(PostgresError) {
    while true {
      switch PQflush(handle) {
      case 0: return
      case 1: try wait(writing: true, until: deadline)
      default: throw broken()
      }
    }
  }

  /// Returns the next result, or nil at the end of a statement's results.
  private func nextAnswer(until deadline: ContinuousClock.Instant) throws(PostgresError) -> Answer? {
    while PQisBusy(handle) == 1 { try wait(writing: false, until: deadline) }
    return PQgetResult(handle).map(Answer.init)
  }

  private func wait(writing: Bool, until deadline: ContinuousClock.Instant) throws(PostgresError) {
    let left = Self.milliseconds(until: deadline)
    let ready = postgres_wait(handle, 1, writing ? 1 : 0, left)
    guard ready >= 0 else { throw broken() }
    if ready == 0, left == 0 {
      isOpen = false
      throw .lost("Postgres was silent for \(answerTimeout)")
    }
    // The server may send data while we still write. If we did not read it, both sides would wait forever.
    guard PQconsumeInput(handle) == 1 else { throw broken() }
  }
}

// MARK: Sending and errors

extension PostgresConnection {
  /// A result whose kind is not known yet.
  fileprivate final class Answer {
    fileprivate private(set) var handle: OpaquePointer?
    init(_ handle: OpaquePointer) { self.handle = handle }
    deinit { PQclear(handle) }

    func take() -> OpaquePointer? {
      defer { handle = nil }
      return handle
    }
  }

  private func sendPrepare(_ call: PostgresCall) throws(PostgresError) {
    let types = call.parameters.types
    guard PQsendPrepare(handle, call.statement.name, call.statement.text, Int32(types.count), types) == 1 else {
      throw broken()
    }
  }

  private func sendCall(_ call: PostgresCall) throws(PostgresError) {
    let parameters = call.parameters
    let lengths = parameters.ranges.map { Int32($0?.count ?? 0) }
    let formats = [Int32](repeating: 1, count: lengths.count)
    // An empty array has no base address, and a value without an address would be NULL.
    let none: [UInt8] = [0]
    let accepted = (parameters.bytes.isEmpty ? none : parameters.bytes).withUnsafeBufferPointer { bytes in
      let values = parameters.ranges.map { range -> UnsafePointer<CChar>? in
        guard let range, let base = bytes.baseAddress else { return nil }
        return UnsafeRawPointer(base + range.lowerBound).assumingMemoryBound(to: CChar.self)
      }
      return PQsendQueryPrepared(
        handle, call.statement.name, Int32(values.count), values, lengths, formats, 1)
    }
    guard accepted == 1 else { throw broken() }
  }

  /// Marks the connection as unusable and returns the error.
  private func broken() -> PostgresError {
    isOpen = false
    return .lost(Self.oneLine(PQerrorMessage(handle)))
  }

  private func refusal(_ answer: Answer, statement: Int?) throws(PostgresError) -> PostgresError {
    func field(_ code: Character) -> String? {
      PQresultErrorField(answer.handle, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
    }
    let message = field("M") ?? Self.oneLine(PQresultErrorMessage(answer.handle))
    // Only severity ERROR leaves the session open; the server ends it with a higher one. Errors of libpq itself have no
    // state and also end it.
    guard let code = field("C"), let severity = field("V"), severity == "ERROR" else {
      isOpen = false
      throw .lost(message)
    }
    let state = SQLState(code: code)
    // Nothing of the transaction was written. Another session may reach a server that can write it.
    if state.endsSession { isOpen = false }
    return PostgresError(
      kind: .refused(state), message: message, table: field("t"), constraint: field("n"), statement: statement)
  }

  private static func oneLine(_ message: UnsafePointer<CChar>?) -> String {
    guard let message else { return "" }
    return String(cString: message).split(whereSeparator: \.isNewline).joined(separator: "; ")
  }
}

extension PostgresResult {
  fileprivate convenience init(_ answer: PostgresConnection.Answer) {
    // Each result is taken once, immediately after it arrived.
    self.init(owning: answer.take())
  }
}
