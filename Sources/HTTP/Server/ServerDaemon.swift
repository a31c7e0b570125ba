import CMicrohttpd
import Foundation
import Runtime
import Synchronization

/// Owns the libmicrohttpd daemon and knows every connection and every request in flight.
final class ServerDaemon: Sendable {
  // Sound: libmicrohttpd's calls on a daemon may come from any thread.
  private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private struct State: Sendable {
    var handle: Handle?
    var sweeper: Task<Void, Never>?
    var deadlines = ConnectionDeadlines()
    var exchanges: [ObjectIdentifier: Exchange] = [:]
    var isDraining = false
    var hasWaitedEnough = false
    var waitingForIdle: [CheckedContinuation<Void, Never>] = []

    /// Those to resume once nothing is in flight, or waiting is over.
    mutating func idleWaiters() -> [CheckedContinuation<Void, Never>] {
      guard exchanges.isEmpty || hasWaitedEnough else { return [] }
      defer { waitingForIdle = [] }
      return waitingForIdle
    }
  }

  let configuration: HTTPServerConfiguration
  let handler: HTTPServer.Handler
  let place: HTTPServer.Place?
  let suspended = SuspendedCount()
  private let environment: Environment
  private let state = Mutex(State())

  init(
    _ configuration: HTTPServerConfiguration, environment: Environment, place: HTTPServer.Place?,
    handler: @escaping HTTPServer.Handler
  ) {
    self.place = place
    self.configuration = configuration
    self.environment = environment
    self.handler = handler
  }

  func start() throws(HTTPServerError) -> Int {
    let listener = try ListeningSocket.open(host: configuration.host, port: configuration.port)
    // libmicrohttpd calls back with this until `stop`, which releases it.
    let context = Unmanaged.passRetained(self)
    // Room for the head as read, its fields as a list, and the head of the answer.
    let memory = configuration.maxHeaderBytes * 2 + (16 << 10)
    let idle = max(1, (configuration.idleTimeout.wholeMilliseconds + 999) / 1_000)
    let daemon = tracseq_mhd_start(
      listener.descriptor, memory, UInt32(clamping: configuration.maxConnections), UInt32(clamping: idle),
      .calling(context.toOpaque()))
    guard let daemon else {
      context.release()
      close(listener.descriptor)
      throw HTTPServerError(HTTPErrorCode.cannotListen, "The server couldn't be started.")
    }
    let handle = Handle(pointer: daemon)
    let sweeper = Task { [self] in await sweep() }
    state.withLock { state in
      state.handle = handle
      state.sweeper = sweeper
    }
    return listener.port
  }

  // MARK: Requests

  var isDraining: Bool { state.withLock { $0.isDraining } }

  func began(_ exchange: Exchange) {
    state.withLock { $0.exchanges[ObjectIdentifier(exchange)] = exchange }
  }

  func over(_ exchange: Exchange) {
    let waiting = state.withLock { state in
      state.exchanges[ObjectIdentifier(exchange)] = nil
      return state.idleWaiters()
    }
    for continuation in waiting { continuation.resume() }
  }

  // MARK: Deadlines

  func connected(_ connection: Exchange.Connection, socket: Int32) {
    let due = environment.now() + configuration.requestTimeout
    state.withLock { $0.deadlines.open(connection, socket: socket, due: due) }
  }

  /// - Returns: which request of its connection it is, from 1.
  func requestBegan(_ connection: Exchange.Connection) -> Int {
    let due = environment.now() + configuration.requestTimeout
    return state.withLock { $0.deadlines.requestBegan(connection, due: due) }
  }

  func requestArrived(_ connection: Exchange.Connection) {
    state.withLock { $0.deadlines.set(connection, due: nil) }
  }

  /// The connection waits for its next request. Silence is bounded by the idle timeout, so whatever is still
  /// unfinished after both has trickled for longer than a request may take.
  func requestEnded(_ connection: Exchange.Connection) {
    let due = environment.now() + configuration.idleTimeout + configuration.requestTimeout
    state.withLock { $0.deadlines.set(connection, due: due) }
  }

  func disconnected(_ connection: Exchange.Connection) {
    state.withLock { $0.deadlines.close(connection) }
  }

  private func sweep() async {
    let interval = max(.milliseconds(10), min(.seconds(1), configuration.requestTimeout / 4))
    let answer = Problem(
      408, HTTPErrorCode.requestTimeout,
      detail: "The request hadn't arrived within \(configuration.requestTimeout)."
    ).rawAnswer(withBody: true)
    do {
      while true {
        try await environment.clock.sleep(until: environment.now() + interval)
        let now = environment.now()
        state.withLock { $0.deadlines.endOverdue(at: now, saying: answer) }
      }
    } catch {
      // Cancelled: the server stops.
    }
  }

  // MARK: Ending

  func stopAccepting() {
    let handle = state.withLock { state -> Handle? in
      defer { state.isDraining = true }
      return state.isDraining ? nil : state.handle
    }
    guard let handle else { return }
    let listener = MHD_quiesce_daemon(handle.pointer)
    if listener >= 0 { close(listener) }
  }

  func untilIdle() async {
    await withCheckedContinuation { continuation in
      let waiting = state.withLock { state in
        state.waitingForIdle.append(continuation)
        return state.idleWaiters()
      }
      for continuation in waiting { continuation.resume() }
    }
  }

  func stopWaiting() {
    let waiting = state.withLock { state in
      state.hasWaitedEnough = true
      return state.idleWaiters()
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Cancels what works on an answer, and answers for it.
  func abandonAll() {
    let exchanges = state.withLock { Array($0.exchanges.values) }
    for exchange in exchanges { exchange.abandon(suspended) }
  }

  func untilNoneSuspended() async { await suspended.untilNone() }

  /// Blocks until libmicrohttpd's thread has ended. No connection may be suspended.
  func stop() {
    let (handle, sweeper) = state.withLock { state in
      defer {
        state.handle = nil
        state.sweeper = nil
      }
      return (state.handle, state.sweeper)
    }
    guard let handle else { return }
    sweeper?.cancel()
    MHD_stop_daemon(handle.pointer)
    Unmanaged.passUnretained(self).release()
  }
}
