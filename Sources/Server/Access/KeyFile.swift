import Foundation
import JSON
import Runtime
import Synchronization
import Values

/// The keys in a file, as JSON: `{"version": 1, "keys": [...]}`.
public struct KeyList: Sendable, Hashable {
  /// In the order in which they were created.
  public var keys: [AccessKey]

  /// The most keys in one file.
  public static let mostKeys = 10_000
  /// The most bytes of a file.
  static let mostBytes = 16 << 20

  public init(keys: [AccessKey] = []) { self.keys = keys }

  /// - Throws: `AccessRefusal` `access.keysUnreadable` with the first mistake.
  public init(parsing bytes: [UInt8], of path: String) throws(AccessRefusal) {
    func wrong(_ why: String) -> AccessRefusal {
      AccessRefusal(ServerErrorCode.keysUnreadable, "The keys in \(path) can't be read: \(why).")
    }
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch {
      throw wrong(error.withoutContent)
    }
    guard json["version"]?.intValue == 1, let entries = json["keys"]?.arrayValue else {
      throw wrong("it must be an object with \"version\": 1 and \"keys\"")
    }
    guard entries.count <= Self.mostKeys else { throw wrong("it has more than \(Self.mostKeys) keys") }
    var keys: [AccessKey] = []
    var ids: Set<String> = []
    for (index, entry) in entries.enumerated() {
      do throws(AccessKey.Mistake) { keys.append(try AccessKey(entry, at: "keys[\(index)]")) } catch {
        throw wrong(error.message)
      }
      guard ids.insert(keys[index].id).inserted else { throw wrong("the id \(keys[index].id) comes twice") }
    }
    self.keys = keys
  }

  /// The content of the file.
  public var bytes: [UInt8] {
    let json: JSON = ["version": 1, "keys": .array(keys.map(\.json))]
    return Array((json.text(.pretty) + "\n").utf8)
  }
}

/// Recognises callers by the keys in a file. A changed file counts from the next request on, without a restart.
///
/// If the changed file can't be read, the keys that were read last still count: a slip of an editor must not lock out
/// the night shift. The log, `/readyz` and `problem` report it. `saga key` writes the file in one step, so that a reader
/// never sees half of it.
public final class KeyFile: Authenticator {
  /// What tells one content of the file from another, without reading it.
  private struct Stamp: Hashable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let seconds: Int
    let nanoseconds: Int
  }

  private struct State {
    var stamp: Stamp?
    var keys: [String: AccessKey] = [:]
    var problem: AccessRefusal?
  }

  private let path: String
  private let log: Log
  private let state: Mutex<State>

  /// Reads the file.
  /// - Throws: `AccessRefusal` `access.keysUnreadable`.
  public init(path: String, log: Log = .silent) throws(AccessRefusal) {
    self.path = path
    self.log = log
    let (keys, stamp) = try Self.read(path)
    state = Mutex(State(stamp: stamp, keys: keys))
  }

  public var problem: AccessRefusal? {
    _ = keys()
    return state.withLock { $0.problem }
  }

  public func caller(bearer: String, now: Timestamp) async throws -> Caller {
    // One answer for an unknown id and for a wrong secret: a caller can't find out which ids there are.
    let unknown = AccessRefusal(
      ServerErrorCode.keyUnknown, "The key is not one of this engine's keys, or it was not sent whole.")
    guard let (id, secret) = AccessKey.parts(of: bearer) else { throw unknown }
    guard let key = keys()[id] else {
      // Takes as long as the comparison of a key that exists.
      _ = AccessKey.areSame(Digest.sha256(Array(secret.utf8)), [UInt8](repeating: 0, count: 32))
      throw unknown
    }
    guard key.fits(secret) else { throw unknown }
    switch key.validity(at: now) {
    case .valid: return key.caller
    case .expired:
      throw AccessRefusal(ServerErrorCode.keyExpired, "The key \(id) of \(key.name) expired at \(key.expiresAt).")
    case .revoked: throw AccessRefusal(ServerErrorCode.keyRevoked, "The key \(id) of \(key.name) was revoked.")
    }
  }

  public func current(_ caller: Caller, now: Timestamp) -> Caller? {
    guard let id = caller.keyID, let key = keys()[id], key.validity(at: now) == .valid else { return nil }
    return key.caller
  }

  /// Returns the keys of the file as it is now.
  private func keys() -> [String: AccessKey] {
    // Asking for the stamp costs about a microsecond, so each request does it.
    let stamp = try? Self.stamp(path)
    return state.withLock { state in
      guard stamp == nil || stamp != state.stamp else { return state.keys }
      do throws(AccessRefusal) {
        let before = state.keys
        (state.keys, state.stamp) = try Self.read(path)
        state.problem = nil
        noteChange(from: before, to: state.keys)
      } catch {
        // Once for each content that can't be read.
        if state.problem != error || state.stamp != stamp {
          log.error(
            "Could not read the changed file of keys; the keys that were read before still count",
            ("error", error.description))
        }
        state.stamp = stamp
        state.problem = error
      }
      return state.keys
    }
  }

  /// Logs which keys a changed file adds, ends and changes. Never a secret, nor its hash.
  private func noteChange(from old: [String: AccessKey], to new: [String: AccessKey]) {
    func list(_ ids: [String]) -> String {
      if ids.isEmpty { return "none" }
      let ids = ids.sorted()
      return ids.prefix(Self.mostShown).joined(separator: " ")
        + (ids.count > Self.mostShown ? " and \(ids.count - Self.mostShown) more" : "")
    }
    let added = new.keys.filter { old[$0] == nil }
    let removed = old.keys.filter { new[$0] == nil }
    let both = new.keys.filter { old[$0] != nil && old[$0] != new[$0] }
    let revoked = both.filter { old[$0]?.revokedAt == nil && new[$0]?.revokedAt != nil }
    let changed = both.filter { !revoked.contains($0) }
    if added.isEmpty, removed.isEmpty, both.isEmpty { return }
    log.warning(
      "The file of keys has changed and counts from now on", ("added", list(added)), ("revoked", list(revoked)),
      ("removed", list(removed)), ("changed", list(changed)))
  }

  /// The most ids of one kind in a line of the log.
  private static let mostShown = 20

  private static func stamp(_ path: String) throws(AccessRefusal) -> Stamp {
    var file = stat()
    guard stat(path, &file) == 0 else {
      let why = errno == ENOENT ? "there is no such file; `saga key create` makes it" : String(cString: strerror(errno))
      throw unreadable(path, why)
    }
    guard file.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
      throw unreadable(path, "other users can write it; `chmod go-w \(path)` forbids that")
    }
    #if os(Linux)
      let changed = file.st_mtim
    #else
      let changed = file.st_mtimespec
    #endif
    return Stamp(
      device: UInt64(file.st_dev), inode: UInt64(file.st_ino), size: Int64(file.st_size), seconds: changed.tv_sec,
      nanoseconds: changed.tv_nsec)
  }

  private static func read(_ path: String) throws(AccessRefusal) -> ([String: AccessKey], Stamp) {
    // The stamp comes first: if the file changes meanwhile, the next request reads it again.
    let stamp = try stamp(path)
    guard stamp.size <= KeyList.mostBytes else {
      throw unreadable(path, "it is larger than \(KeyList.mostBytes) bytes")
    }
    let bytes: [UInt8]
    do { bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) } catch {
      throw unreadable(path, error.localizedDescription)
    }
    let list = try KeyList(parsing: bytes, of: path)
    return (Dictionary(uniqueKeysWithValues: list.keys.map { ($0.id, $0) }), stamp)
  }

  private static func unreadable(_ path: String, _ why: String) -> AccessRefusal {
    AccessRefusal(ServerErrorCode.keysUnreadable, "The keys in \(path) can't be read: \(why).")
  }
}
