import Foundation
import Runtime
import Synchronization
import Values

/// Serves HTTP through libmicrohttpd. One thread of its own reads and writes. An async handler gets each request when all of
/// it has arrived, and returns the answer.
public final class HTTPServer: Sendable {
  /// Answers a request. It can't throw: `Router` turns errors into problems.
  public typealias Handler = @Sendable (HTTPServerRequest) async -> HTTPServerResponse

  /// Says which threads handle a request, and how urgently.
  public typealias Place = @Sendable (HTTPServerRequest) -> (pool: WorkPool, priority: TaskPriority)

  private let configuration: HTTPServerConfiguration
  private let place: Place?
  private let environment: Environment
  private let handler: Handler
  private let running = Mutex<ServerDaemon?>(nil)

  /// - Parameters:
  ///   - configuration: where to listen, and the limits.
  ///   - environment: its clock measures how long a request takes to arrive, and how long draining lasts.
  ///   - place: where the handler of a request runs; nil: where all tasks do. Requests that may take long must not hold
  ///     the threads of those that may not.
  ///   - handler: answers each request; called from many tasks at once.
  public init(
    _ configuration: HTTPServerConfiguration = .init(), environment: Environment, place: Place? = nil,
    handler: @escaping Handler
  ) {
    self.configuration = configuration
    self.environment = environment
    self.place = place
    self.handler = handler
  }

  /// Listens and serves.
  /// - Returns: the port.
  public func start() throws(HTTPServerError) -> Int {
    let daemon = try ServerDaemon(configuration, environment: environment, place: place, handler: handler)
    let port = try daemon.start()
    running.withLock { $0 = daemon }
    return port
  }

  /// Stops accepting connections, answers new requests on old ones with 503, lets those in flight end for as long as
  /// `drain`, then cancels their handlers and streams, and stops. Returns when nothing of the server runs any more.
  public func shutdown(drain: Duration) async {
    guard let daemon = running.withLock({ $0 }) else { return }
    // 1. No new connections. 2. Wait for what is in flight, but not for ever.
    daemon.stopAccepting()
    let deadline = environment.now() + drain
    let bound = Task { [environment, daemon] in
      do {
        try await environment.clock.sleep(until: deadline)
        daemon.stopWaiting()
      } catch {
        // Everything had ended before the bound.
      }
    }
    await daemon.untilIdle()
    bound.cancel()
    // 3. Answer the suspended requests now: libmicrohttpd ends the process when it stops with suspended connections.
    daemon.abandonAll()
    await daemon.untilNoneSuspended()
    // 4. Joins the thread: not on a thread of the cooperative pool.
    await withCheckedContinuation { continuation in
      Thread { [daemon] in
        daemon.stop()
        continuation.resume()
      }.start()
    }
    // 5. The last answers are still on their way through the gate.
    await daemon.gate.stop()
    running.withLock { $0 = nil }
  }
}
