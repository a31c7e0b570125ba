import Foundation
import Runtime
import Synchronization
import Values

/// The layer between the clients of a server and libmicrohttpd: accepts connections, checks every byte of a request
/// before libmicrohttpd sees it, and carries the answers back.
///
/// libmicrohttpd takes heads that it should refuse, and answers others with its own HTML before anything of ours is
/// asked. Behind the gate it sees only requests without a fault, each reduced to what it acts on. Its connections
/// are the other ends of socket pairs.
final class Gate: Sendable {
  /// A request that passed the checks. libmicrohttpd's callbacks take its head from here, not from the bytes.
  struct Admitted: Sendable {
    let link: UInt64
    let number: Int
    let head: RequestHead
  }

  struct Inbox: Sendable {
    /// Links whose request libmicrohttpd is done with.
    var completed: [UInt64] = []
    var sweepAt: Timestamp?
    var isDraining = false
    var isStopping = false
  }

  let configuration: HTTPServerConfiguration
  let environment: Environment
  private let inbox = Mutex(Inbox())
  private let end = Once<Void>()
  /// By libmicrohttpd's end of the pair.
  private let admitted = Mutex<[Int32: Admitted]>([:])
  private let wakeReader: Int32
  private let wakeWriter: Int32

  init?(_ configuration: HTTPServerConfiguration, environment: Environment) {
    guard let (reader, writer) = Socket.pair() else { return nil }
    self.configuration = configuration
    self.environment = environment
    (wakeReader, wakeWriter) = (reader, writer)
  }

  deinit {
    close(wakeReader)
    close(wakeWriter)
  }

  /// Accepts and serves on a thread of its own until `stop`.
  /// - Parameter connect: gives an end of a pair to libmicrohttpd; false when it refuses.
  func run(listener: Int32, connect: @escaping @Sendable (Int32) -> Bool) {
    let thread = Thread { [self] in
      if let loop = GateLoop(self, listener: listener, wake: wakeReader, connect: connect) {
        loop.run()
      } else {
        close(listener)
      }
      end.give()
    }
    thread.name = "http-gate"
    thread.start()
  }

  // MARK: From other threads

  var isDraining: Bool { inbox.withLock { $0.isDraining } }

  /// Takes no more connections, and refuses further requests.
  func drain() { tell { $0.isDraining = true } }

  /// libmicrohttpd is done with the request of a link.
  func completed(_ link: UInt64) { tell { $0.completed.append(link) } }

  func sweep(at now: Timestamp) { tell { $0.sweepAt = now } }

  /// Sends what is still on its way and ends the thread. libmicrohttpd must have closed its connections.
  func stop() async {
    tell { $0.isStopping = true }
    await end.value()
  }

  private func tell(_ change: (inout Inbox) -> Void) {
    inbox.withLock { change(&$0) }
    var byte: UInt8 = 1
    // A full pair wakes the thread as well.
    _ = withUnsafeBytes(of: &byte) { Socket.send(wakeWriter, $0) }
  }

  func readInbox() -> Inbox {
    inbox.withLock { inbox in
      defer {
        inbox.completed = []
        inbox.sweepAt = nil
      }
      return inbox
    }
  }

  // MARK: Between the gate's thread and libmicrohttpd's

  func admit(_ request: Admitted, at end: Int32) { admitted.withLock { $0[end] = request } }

  /// The link has ended before libmicrohttpd took the request.
  func forget(_ link: UInt64, at end: Int32) {
    admitted.withLock { if $0[end]?.link == link { $0[end] = nil } }
  }

  /// The request whose first bytes libmicrohttpd has read.
  func takeAdmitted(at end: Int32) -> Admitted? { admitted.withLock { $0.removeValue(forKey: end) } }
}
