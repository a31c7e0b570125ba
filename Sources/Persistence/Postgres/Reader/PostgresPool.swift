import Runtime
import Synchronization

/// A few sessions for everything that isn't an append. Who comes when all are busy waits in line.
final class PostgresPool: Sendable {
  private struct State {
    var free: [PostgresReader]
    var line: [CheckedContinuation<PostgresReader?, Never>] = []
    /// The next of `line`.
    var next = 0
  }
  private let state: Mutex<State>
  private let readers: [PostgresReader]
  private let cancellers = PostgresCancellers()

  convenience init(configuration: PostgresConfiguration, names: PostgresNames, environment: Environment) {
    self.init(
      settings: configuration.readerSettings(names), count: configuration.readers, environment: environment,
      reconnectTimeout: configuration.readReconnectTimeout)
  }

  init(settings: PostgresSettings, count: Int, environment: Environment, reconnectTimeout: Duration) {
    readers = (0..<count).map { number in
      PostgresReader(
        number: number, settings: settings, environment: environment, reconnectTimeout: reconnectTimeout)
    }
    state = Mutex(State(free: readers))
  }

  /// - Parameter isRepeatable: it may run again when the connection is lost in the middle of it.
  func run<Value: Sendable>(
    isRepeatable: Bool = true, _ body: @Sendable (PostgresConnection) throws(PostgresError) -> Value
  ) async throws(StoreError) -> Value {
    guard let reader = await take() else { throw .closed }
    defer { give(reader) }
    do {
      return try await reader.run(isRepeatable: isRepeatable, cancellers: cancellers, body)
    } catch {
      throw cancellers.isClosed ? .closed : error.forCallers
    }
  }

  /// Stops what runs and ends all sessions.
  func close() async {
    cancellers.close()
    let line = state.withLock { state in
      defer { (state.line, state.next) = ([], 0) }
      return state.line[state.next...]
    }
    for waiter in line { waiter.resume(returning: nil) }
    for reader in readers { await reader.close() }
  }

  private func take() async -> PostgresReader? {
    await withCheckedContinuation { continuation in
      enum Turn {
        case now(PostgresReader?)
        case later
      }
      let turn = state.withLock { state -> Turn in
        if cancellers.isClosed { return .now(nil) }
        // The one that was used last: its caches are warm, and idle ones stay idle.
        if let reader = state.free.popLast() { return .now(reader) }
        state.line.append(continuation)
        return .later
      }
      if case .now(let reader) = turn { continuation.resume(returning: reader) }
    }
  }

  private func give(_ reader: PostgresReader) {
    let waiter = state.withLock { state -> CheckedContinuation<PostgresReader?, Never>? in
      guard state.next < state.line.count else {
        state.free.append(reader)
        return nil
      }
      let waiter = state.line[state.next]
      state.next += 1
      if state.next == state.line.count { (state.line, state.next) = ([], 0) }
      return waiter
    }
    waiter?.resume(returning: reader)
  }
}

/// What must be stopped when the pool closes.
final class PostgresCancellers: Sendable {
  private struct State {
    var running: [Int: PostgresCanceller] = [:]
    var nextToken = 0
    var isClosed = false
  }
  private let state = Mutex(State())

  var isClosed: Bool { state.withLock { $0.isClosed } }

  func add(_ canceller: PostgresCanceller) -> Int {
    let (token, isClosed) = state.withLock { state in
      state.nextToken += 1
      state.running[state.nextToken] = canceller
      return (state.nextToken, state.isClosed)
    }
    if isClosed { canceller.cancel() }
    return token
  }

  func remove(_ token: Int) { state.withLock { _ = $0.running.removeValue(forKey: token) } }

  func close() {
    let running = state.withLock { state in
      state.isClosed = true
      return Array(state.running.values)
    }
    for canceller in running { canceller.cancel() }
  }
}

extension PostgresError {
  /// What the caller of a read or of anything but an append is told.
  var forCallers: StoreError {
    switch kind {
    case .invalidSettings: StoreError(.invalid, message)
    case .foreignSchema: StoreError(.foreign, message)
    case .newerSchema: StoreError(.newerVersion, message)
    case .olderSchema: StoreError(.olderVersion, message)
    case .unexpectedAnswer: .corrupt("Postgres gave an answer that a store doesn't give", detail: message)
    case .refused(let state) where state.isAboutTheValues:
      StoreError(.invalid, "Postgres can't store or look for these values", detail: description)
    case .unreachable, .lost, .refused: .unavailable(description)
    }
  }
}
