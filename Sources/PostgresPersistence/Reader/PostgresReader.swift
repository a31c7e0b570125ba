import Persistence
import Runtime
import Values

/// One session of the pool, on its own thread.
actor PostgresReader {
  nonisolated private let executor: QueueExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let settings: PostgresSettings
  private let environment: Environment
  private let reconnectTimeout: Duration
  private var connection: PostgresConnection?

  init(number: Int, settings: PostgresSettings, environment: Environment, reconnectTimeout: Duration) {
    self.settings = settings
    self.environment = environment
    self.reconnectTimeout = reconnectTimeout
    executor = QueueExecutor(label: "tracseq.postgres.reader.\(number)")
  }

  /// Runs `body` with the connection.
  /// - Parameter isRepeatable: true when the call may run again after the connection was lost during it.
  func run<Value: Sendable>(
    isRepeatable: Bool, cancellers: PostgresCancellers,
    _ body: @Sendable (PostgresConnection) throws(PostgresError) -> Value
  ) async throws(PostgresError) -> Value {
    var failures = 0
    let deadline = environment.now() + reconnectTimeout
    while true {
      let failure: PostgresError
      do {
        let connection = try open()
        let token = cancellers.add(connection.canceller)
        defer { cancellers.remove(token) }
        return try body(connection)
      } catch {
        failure = error
      }
      switch failure.kind {
      // Nothing was sent.
      case .unreachable: break
      case .lost:
        connection = nil
        if !isRepeatable { throw failure }
      // The server did no part of it.
      case .refused(let state) where state.endsSession: connection = nil
      case .refused, .unexpectedAnswer, .invalidSettings, .foreignSchema, .newerSchema, .olderSchema: throw failure
      }
      if cancellers.isClosed || environment.now() >= deadline { throw failure }
      failures += 1
      let nap = PostgresConfiguration.reconnectBackoff.pause(after: failures, jitter: environment.random())
      do {
        try await environment.clock.sleep(until: min(environment.now() + nap, deadline))
      } catch {
        throw failure
      }
    }
  }

  func close() { connection = nil }

  /// Returns true when a new session may be better. A session with a read-only server stays read-only, although the
  /// primary may be back.
  private func isWorthReplacing(_ connection: PostgresConnection) -> Bool {
    settings.access == .preferReadWrite && connection.isReadOnly
      && ContinuousClock.now - connection.openedAt > .seconds(1)
  }

  private func open() throws(PostgresError) -> PostgresConnection {
    if let connection, connection.isOpen, !isWorthReplacing(connection) { return connection }
    let fresh = try PostgresConnection(settings)
    connection = fresh
    return fresh
  }
}
