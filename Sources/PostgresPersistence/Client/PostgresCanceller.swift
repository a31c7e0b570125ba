import CPostgres
import Dispatch
import Foundation

/// Stops the running statement of a connection. Any thread may call it.
// `@unchecked`: handle and socket never change after init, and libpq documents PQcancel as safe from every thread. Both are
// freed when no thread can call it any more.
final class PostgresCanceller: @unchecked Sendable {
  private let handle: OpaquePointer
  /// A second descriptor of the connection's socket. libpq may close its own at any time, and another file may get the number.
  private let socket: Int32

  /// - Parameters:
  ///   - cancel: what `PQgetCancel` gave.
  ///   - socket: the connection's socket. It stays the connection's.
  init(owning cancel: OpaquePointer, socket: Int32) {
    handle = cancel
    self.socket = fcntl(socket, F_DUPFD_CLOEXEC, 0)
  }

  deinit {
    PQfreeCancel(handle)
    if socket >= 0 { close(socket) }
  }

  /// Asks the server to stop the statement. A late request has no effect. It opens its own connection, and a server that
  /// answers nothing keeps it waiting, so it has a thread of its own: the global queue's threads run Swift's tasks.
  func cancel() {
    DispatchQueue(label: "tracseq.postgres.cancel").async { [self] in
      var reason = [CChar](repeating: 0, count: 256)
      _ = PQcancel(handle, &reason, Int32(reason.count))
    }
  }

  /// Ends the connection under its statement, for a server that answers nothing.
  func cutOff() { if socket >= 0 { _ = shutdown(socket, Int32(SHUT_RDWR)) } }
}
