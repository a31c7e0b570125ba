import CMicrohttpd
import Foundation
import Runtime
import Synchronization
import Values

/// Owns the libmicrohttpd daemon and its gate, and knows every request in flight.
final class ServerDaemon: Sendable {
  // Sound: libmicrohttpd's calls on a daemon may come from any thread.
  private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private struct State: Sendable {
    var handle: Handle?
    var sweeper: Task<Void, Never>?
    var exchanges: [ObjectIdentifier: Exchange] = [:]
    var hasWaitedEnough = false
  }

  let configuration: HTTPServerConfiguration
  let handler: HTTPServer.Handler
  let gate: Gate
  let place: HTTPServer.Place?
  let suspended = SuspendedCount()
  private let environment: Environment
  private let state = Mutex(State())
  private let idle = WaitQueue()

  /// - Throws: when the system has no descriptors left.
  init(
    _ configuration: HTTPServerConfiguration, environment: Environment, place: HTTPServer.Place?,
    handler: @escaping HTTPServer.Handler
  ) throws(HTTPServerError) {
    guard let gate = Gate(configuration, environment: environment) else {
      throw HTTPServerError(HTTPErrorCode.cannotListen, "The server couldn't be started.")
    }
    self.gate = gate
    self.place = place
    self.configuration = configuration
    self.environment = environment
    self.handler = handler
  }

  func start() throws(HTTPServerError) -> Int {
    let listener = try ListeningSocket.open(host: configuration.host, port: configuration.port)
    ListeningSocket.raiseFileLimit(to: configuration.maxConnections * 3 + 256)
    // libmicrohttpd calls back with this until `stop`, which releases it.
    let context = Unmanaged.passRetained(self)
    // Room for a piece of the body as read, and for the head of the answer. Deadlines and limits are the gate's, so
    // libmicrohttpd has room for every connection that the gate lets through.
    let daemon = tracseq_mhd_start(
      Self.connectionMemory, UInt32(clamping: configuration.maxConnections + 1), .calling(context.toOpaque()))
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
    gate.run(listener: listener.descriptor) { [self] end in connect(end) }
    return listener.port
  }

  /// Gives libmicrohttpd an end of a pair. Under the lock, so that it is not being stopped meanwhile.
  private func connect(_ end: Int32) -> Bool {
    state.withLock { state in
      guard let handle = state.handle else {
        close(end)
        return false
      }
      return tracseq_mhd_add_connection(handle.pointer, end) == .YES
    }
  }

  private static let connectionMemory = 64 << 10

  // MARK: Requests

  func began(_ exchange: Exchange) {
    state.withLock { $0.exchanges[ObjectIdentifier(exchange)] = exchange }
  }

  func over(_ exchange: Exchange) {
    let isIdle = state.withLock { state in
      state.exchanges[ObjectIdentifier(exchange)] = nil
      return state.exchanges.isEmpty
    }
    if isIdle { idle.wake() }
  }

  // MARK: Deadlines

  private func sweep() async {
    let interval = max(.milliseconds(10), min(.seconds(1), configuration.requestTimeout / 4))
    do {
      while true {
        try await environment.sleep(for: interval)
        gate.sweep(at: environment.now())
      }
    } catch {
      // Cancelled: the server stops.
    }
  }

  // MARK: Ending

  func stopAccepting() { gate.drain() }

  func untilIdle() async {
    await idle.wait { [self] in state.withLock { $0.exchanges.isEmpty || $0.hasWaitedEnough } }
  }

  func stopWaiting() {
    state.withLock { $0.hasWaitedEnough = true }
    idle.wake()
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
