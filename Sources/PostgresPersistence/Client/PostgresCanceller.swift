import CPostgres
import Dispatch
import Persistence

/// Asks the server to stop what a connection runs, from any thread.
// `@unchecked`: the handle never changes after init, and libpq documents PQcancel as safe from every thread; it is
// freed when nobody can call it any more.
final class PostgresCanceller: @unchecked Sendable {
  private let handle: OpaquePointer

  init(owning handle: OpaquePointer) { self.handle = handle }

  deinit { PQfreeCancel(handle) }

  /// A request that comes too late does nothing. It opens a connection of its own, so it runs off the caller's thread.
  func cancel() {
    DispatchQueue.global().async { [self] in
      var reason = [CChar](repeating: 0, count: 256)
      _ = PQcancel(handle, &reason, Int32(reason.count))
    }
  }
}
