import Runtime
import Synchronization
import Values

/// The sessions of browsers that have signed in. They are in memory, so a restart ends them all.
///
/// A session holds the caller's key by its id. So a session ends when its key is revoked or expires, and it has the roles
/// that the key has now.
final class Sessions: Sendable {
  /// How long a session lasts, however much it is used: a shift and its handover.
  static let length = Duration.seconds(12 * 3_600)
  /// The most sessions. A further one ends the one that would end first.
  static let most = 10_000

  private struct Session {
    let caller: Caller
    let until: Timestamp
  }

  /// By the hash of the cookie, so that the memory has no cookie that could be used.
  private let all = Mutex<[String: Session]>([:])

  /// Begins a session.
  /// - Returns: the cookie's value: 256 random bits in hexadecimal digits.
  func begin(_ caller: Caller, _ environment: Environment) -> String {
    let cookie = AccessKey.random(words: 4, environment)
    let now = environment.now()
    all.withLock { all in
      if all.count >= Self.most { all = all.filter { now < $0.value.until } }
      if all.count >= Self.most, let first = all.min(by: { $0.value.until < $1.value.until }) { all[first.key] = nil }
      all[Self.hash(cookie)] = Session(caller: caller, until: now + Self.length)
    }
    return cookie
  }

  /// Returns the caller of a session as they were at its beginning; nil for a session that has ended.
  func caller(_ cookie: String, now: Timestamp) -> Caller? {
    let hash = Self.hash(cookie)
    return all.withLock { all in
      guard let session = all[hash] else { return nil }
      if now < session.until { return session.caller }
      all[hash] = nil
      return nil
    }
  }

  func end(_ cookie: String) {
    let hash = Self.hash(cookie)
    all.withLock { $0[hash] = nil }
  }

  private static func hash(_ cookie: String) -> String { Digest.hex(Array(cookie.utf8)) }
}
