import Dispatch
import Persistence
import Runtime
import Synchronization
import Values

/// The sessions for everything except appends. A caller waits in order when all sessions are busy.
final class PostgresPool: Sendable {
  private let free: Mutex<[PostgresReader]>
  /// The semaphore with one permit for each session in `free`.
  private let permits: AsyncSemaphore
  private let readers: [PostgresReader]
  private let cancellers = PostgresCancellers()
  private let patience: Duration
  private let waiting: Waiting
  private let watch: StoreWatch

  convenience init(configuration: PostgresConfiguration, names: PostgresNames, environment: Environment) {
    self.init(
      settings: configuration.readerSettings(names), count: configuration.readers, environment: environment,
      reconnectTimeout: configuration.readReconnectTimeout, patience: configuration.patience)
  }

  /// - Parameter patience: the time that a caller waits while the server answers nothing.
  init(
    settings: PostgresSettings, count: Int, environment: Environment, reconnectTimeout: Duration,
    patience: Duration
  ) {
    self.patience = patience
    let waiting = Waiting()
    self.waiting = waiting
    watch = StoreWatch { waiting.sweep(patience) }
    readers = (0..<count).map { number in
      PostgresReader(
        number: number, settings: settings, environment: environment, reconnectTimeout: reconnectTimeout)
    }
    free = Mutex(readers)
    permits = AsyncSemaphore(permits: count)
  }

  /// The kind of a call. It decides how long the caller waits and whether the call may run again.
  enum Kind {
    /// The call only reads. It is safe to run it again, and safe to answer its caller before it ends.
    case read
    /// Like a read, but the call writes, and writing it again has no further effect. When it was sent without an
    /// answer, the caller receives the error that it may have been written.
    case repeatableWrite
    /// Like a repeatable write, but the call runs only once.
    case singleWrite
    /// The call reads or writes much, and the caller waits without a time limit.
    case long(isRepeatable: Bool)

    var isRepeatable: Bool {
      switch self {
      case .read, .repeatableWrite: true
      case .singleWrite: false
      case .long(let isRepeatable): isRepeatable
      }
    }

    var isRead: Bool {
      switch self {
      case .read: true
      case .repeatableWrite, .singleWrite, .long: false
      }
    }
  }

  func run<Value: Sendable>(
    _ kind: Kind = .read, _ body: @escaping @Sendable (PostgresConnection) throws(PostgresError) -> Value
  ) async throws(StoreError) -> Value {
    if case .long = kind { return try await runNow(kind, nil, body) }
    let result = await withCheckedContinuation { answer in
      let ticket = WriteTicket<Value>(answer)
      waiting.add(ticket)
      Task {
        do throws(StoreError) {
          ticket.give(.success(try await runNow(kind, ticket, body)))
        } catch {
          ticket.give(.failure(error))
        }
      }
    }
    return try result.get()
  }

  private func runNow<Value: Sendable>(
    _ kind: Kind, _ ticket: WriteTicket<Value>?,
    _ body: @escaping @Sendable (PostgresConnection) throws(PostgresError) -> Value
  ) async throws(StoreError) -> Value {
    guard let reader = await take() else { throw .closed }
    defer { give(reader) }
    // A caller that is gone does not make others wait.
    if let ticket, ticket.isOver { throw .unavailable("the caller has its answer") }
    do {
      let value = try await reader.run(isRepeatable: kind.isRepeatable, cancellers: cancellers) {
        (connection) throws(PostgresError) in
        if !kind.isRead, let ticket, !ticket.send() {
          throw PostgresError(refusing: .unavailable("the caller has its answer"))
        }
        return try body(connection)
      }
      waiting.progress()
      return value
    } catch {
      if cancellers.isClosed { throw .closed }
      if error.state != nil { waiting.progress() }
      let mayHaveHappened = error.kind == .lost && !kind.isRead
      throw mayHaveHappened ? .outcomeUnknown(error.description) : error.forCallers
    }
  }

  /// The callers that wait for an answer.
  private final class Waiting: Sendable {
    private struct State {
      var calls: [any OverdueCall] = []
      var lastProgress = ContinuousClock.now
    }
    private let state = Mutex(State())

    func add(_ call: any OverdueCall) { state.withLock { $0.calls.append(call) } }
    func progress() { state.withLock { $0.lastProgress = ContinuousClock.now } }

    func sweep(_ patience: Duration) {
      let overdue = state.withLock { state -> [any OverdueCall] in
        if state.calls.isEmpty { return [] }
        let now = ContinuousClock.now
        let silence = now - state.lastProgress
        state.calls.removeAll { $0.isOver }
        let overdue = state.calls.filter { call in
          let age = now - call.since
          return age > patience && (silence > patience || age > patience * 8)
        }
        state.calls.removeAll { call in overdue.contains { $0 === call } }
        return overdue
      }
      for call in overdue { call.giveUp("the database has answered nothing for \(patience.components.seconds) s") }
    }
  }

  /// Stops the running calls and ends all sessions. A call that a silent server does not stop ends after the patience of
  /// callers.
  func close() async {
    cancellers.close()
    watch.cancel()
    permits.close()
    let cutOff = DispatchWorkItem { [cancellers] in cancellers.cutOff() }
    DispatchQueue(label: "tracseq.postgres.close").asyncAfter(
      deadline: .now() + .milliseconds(patience.wholeMilliseconds), execute: cutOff)
    for reader in readers { await reader.close() }
    cutOff.cancel()
  }

  /// Returns a free session, in the order in which callers come; nil when the pool is closed.
  private func take() async -> PostgresReader? {
    guard await permits.acquire() else { return nil }
    // Takes the session that was used last. Its caches are warm, and idle sessions stay idle.
    return free.withLock { $0.popLast() }
  }

  private func give(_ reader: PostgresReader) {
    free.withLock { $0.append(reader) }
    permits.release()
  }
}

/// A call whose caller can have an answer before the call ends.
private protocol OverdueCall: AnyObject, Sendable {
  var since: ContinuousClock.Instant { get }
  var isOver: Bool { get }
  func giveUp(_ reason: String)
}

extension WriteTicket: OverdueCall {}

/// The running calls that must be stopped when the pool closes.
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

  /// Ends the connections of the calls that still run.
  func cutOff() {
    let running = state.withLock { Array($0.running.values) }
    for canceller in running { canceller.cutOff() }
  }
}

extension PostgresError {
  /// The error for the caller of a read, or of any call other than an append.
  var forCallers: StoreError {
    switch kind {
    case .invalidSettings: StoreError(.invalid, message)
    case .foreignSchema: StoreError(.foreign, message)
    case .newerSchema: StoreError(.newerVersion, message)
    case .olderSchema: StoreError(.olderVersion, message)
    case .unexpectedAnswer: .corrupt("Postgres gave an answer that a store doesn't give", detail: message)
    case .refused(let state) where state.isAboutTheValues:
      StoreError(.invalid, "Postgres can't store or look for these values", detail: description)
    case .refused(let state) where state.isAboutConstraints: .refusedByRule(description)
    case .unreachable, .lost, .refused: .unavailable(description)
    }
  }
}
