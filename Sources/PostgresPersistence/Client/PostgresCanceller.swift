import CPostgres
import Dispatch

/// Asks the server to stop the running statement of a connection. Any thread may call it.
// `@unchecked`: the handle never changes after init, and libpq documents PQcancel as safe from every thread. The handle
// is freed when no thread can call it any more.
final class PostgresCanceller: @unchecked Sendable {
  private let handle: OpaquePointer

  init(owning handle: OpaquePointer) { self.handle = handle }

  deinit { PQfreeCancel(handle) }

  /// Sends the request. A late request has no effect. It opens its own connection, so it runs off the caller's thread.
  func cancel() {
    DispatchQueue.global().async { [self] in
      var reason = [CChar](repeating: 0, count: 256)
      _ = PQcancel(handle, &reason, Int32(reason.count))
    }
  }
}
