import CSystem
import Foundation

/// A lock on a store's file, held as long as the value lives. The lock is a file beside the store (`<path>.lock`). The
/// system releases it when the process ends in any way. The store's file itself is not locked: closing any descriptor
/// of it would drop SQLite's own locks.
final class FileLock: Sendable {
  private let descriptor: Int32

  /// - Throws: `store.locked` when another store has the file open.
  init(path: String) throws(StoreError) {
    // Every path to the same file leads to the same lock.
    let lockPath = URL(fileURLWithPath: path).resolvingSymlinksInPath().path + ".lock"
    descriptor = saga_open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    if descriptor < 0 {
      throw StoreError(.unavailable, "can't open the store \(path)", detail: "\(lockPath): \(Self.lastError)")
    }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      let (taken, reason) = (errno == EWOULDBLOCK, Self.lastError)
      // `deinit` closes the descriptor.
      if taken { throw StoreError(.locked, "the store \(path) is in use by another process") }
      throw StoreError(.unavailable, "can't lock the store \(path)", detail: "\(lockPath): \(reason)")
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    // A process that starts at this time has the descriptor, too, until its program runs. Closing alone would leave the lock
    // with it.
    _ = flock(descriptor, LOCK_UN)
    _ = close(descriptor)
  }

  private static var lastError: String { String(cString: strerror(errno)) }
}
