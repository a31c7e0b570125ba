import CSystem
import Foundation
import Synchronization
public import Values

/// A small file that says which things a process is in the middle of, so that the next process knows what the last one
/// was doing when it died, however it died.
///
/// A `begin` and an `end` are one write of 24 bytes each, into the system's memory and not to the disk: that outlives the
/// process. It does not outlive the machine, which no thing that is worked on brings down.
///
/// What was interrupted is counted. The count stays until `forget`.
public final class InterruptionFile: Sendable {
  /// Work that has begun. Give it back to `end`.
  public struct Entry: Sendable {
    fileprivate let slot: Int
    fileprivate let isKnown: Bool
  }

  private struct Record {
    var id: UniqueID
    var count: UInt32
  }

  private struct State {
    /// Things that earlier processes were interrupted in, by slot.
    var interrupted: [Int: Record] = [:]
    var modes: [UniqueID: Mode] = [:]
    var slots: [UniqueID: Int] = [:]
    var free: [Int] = []
    /// The process ends in order: nothing is noted any more.
    var isClosed = false
  }

  /// How something is worked on, which says what an interruption means.
  public enum Mode: UInt32, Sendable {
    /// Beside other things: the process may have died of something else.
    case beside = 1
    /// Alone, because it was interrupted before: the process died of it.
    case alone = 3
    /// To put it away, because processes died of it: it must not be touched again.
    case putAway = 4
  }

  /// What a slot holds, besides the modes.
  private enum Mark {
    static let free: UInt32 = 0
    static let interrupted: UInt32 = 2
  }

  /// The count of what a process died of while it worked on it alone, or three times beside other things.
  public static let certain = 3
  /// The count of what a process died of while it put it away.
  public static let untouchable = 1_000

  public let path: String
  private let descriptor: Int32
  private let state = Mutex(State())
  /// Held while something is worked on that an earlier process was interrupted in: one at a time, so that the next
  /// interruption says which of them it was.
  private let alone = NSLock()

  private static let slotCount = 1_024
  private static let slotSize = 32

  /// Opens the file, or makes it, for this process alone.
  /// - Throws: `store.locked` when another process has it; `store.unavailable` when it can't be opened.
  public init(path: String) throws(StoreError) {
    self.path = path
    descriptor = saga_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw StoreError(.unavailable, "can't open \(path): \(String(cString: strerror(errno)))") }
    // It names sagas: others may not read it, nor one that an older version left open to them.
    _ = fchmod(descriptor, 0o600)
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      throw StoreError(.locked, "\(path) is in use by another process")
    }
    var bytes = [UInt8](repeating: 0, count: Self.slotCount * Self.slotSize)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    let read = Self.records(in: bytes.prefix(max(0, count)))
    state.withLock { state in
      for (slot, record) in read { state.interrupted[slot] = record }
      for (slot, record) in read { state.slots[record.id] = slot }
      state.free = (0..<Self.slotCount).reversed().filter { read[$0] == nil }
    }
    // What was under way is counted now: should this process die before it comes to it, the count stays.
    for (slot, record) in read { write(record.id, record.count, Mark.interrupted, at: slot) }
  }

  deinit { if descriptor >= 0 { _ = CSystem.close(descriptor) } }

  /// The number of processes that died in the middle of each thing; see `certain` and `untouchable`.
  public var interrupted: [UniqueID: Int] {
    state.withLock { state in
      Dictionary(state.interrupted.values.map { ($0.id, Int($0.count)) }, uniquingKeysWith: max)
    }
  }

  /// Says how something that was interrupted is worked on from here on.
  public func work(on id: UniqueID, _ mode: Mode) { state.withLock { $0.modes[id] = mode } }

  /// Forgets that something was interrupted.
  public func forget(_ id: UniqueID) {
    let slot = state.withLock { state -> Int? in
      state.modes[id] = nil
      guard let slot = state.slots.removeValue(forKey: id) else { return nil }
      state.interrupted[slot] = nil
      state.free.append(slot)
      return slot
    }
    if let slot { write(UniqueID(high: 0, low: 0), 0, Mark.free, at: slot) }
  }

  /// Forgets everything and leaves the file to another process: this one ends in order.
  public func close() {
    for id in interrupted.keys { forget(id) }
    let wasOpen = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    if wasOpen { _ = flock(descriptor, LOCK_UN) }
  }

  /// Notes that work on something begins. Waits while something else that was interrupted before is worked on, if this
  /// was too.
  /// - Returns: nil when there is no room for another note.
  public func begin(_ id: UniqueID) -> Entry? {
    if state.withLock({ $0.slots[id] != nil }) {
      alone.lock()
      let known = state.withLock { state in
        state.slots[id].flatMap { slot in state.interrupted[slot].map { (slot, $0, state.modes[id] ?? .beside) } }
      }
      if let (slot, record, mode) = known {
        write(id, record.count, mode.rawValue, at: slot)
        return Entry(slot: slot, isKnown: true)
      }
      // It was forgotten meanwhile.
      alone.unlock()
    }
    guard let slot = state.withLock({ $0.isClosed ? nil : $0.free.popLast() }) else { return nil }
    write(id, 0, Mode.beside.rawValue, at: slot)
    return Entry(slot: slot, isKnown: false)
  }

  /// Notes that the work is done. What was counted of earlier interruptions stays.
  public func end(_ entry: Entry?) {
    guard let entry else { return }
    if entry.isKnown {
      if let record = state.withLock({ $0.interrupted[entry.slot] }) {
        write(record.id, record.count, Mark.interrupted, at: entry.slot)
      }
      alone.unlock()
    } else {
      write(UniqueID(high: 0, low: 0), 0, Mark.free, at: entry.slot)
      state.withLock { $0.free.append(entry.slot) }
    }
  }

  private func write(_ id: UniqueID, _ count: UInt32, _ mark: UInt32, at slot: Int) {
    var bytes: [UInt8] = []
    for word in [id.high, id.low] { withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) } }
    for word in [count, mark] { withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) } }
    // A note that can't be made stops no work: it is missed only when the process dies.
    _ = pwrite(descriptor, bytes, bytes.count, off_t(slot * Self.slotSize))
  }

  /// What a file says. What was under way has been interrupted once more.
  private static func records(in bytes: ArraySlice<UInt8>) -> [Int: Record] {
    var records: [Int: Record] = [:]
    for slot in 0..<slotCount {
      let start = slot * slotSize
      guard start + 24 <= bytes.count, let id = UniqueID(bytes: bytes[start..<start + 16]) else { break }
      func word(_ at: Int) -> UInt32 { bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) } }
      let count = word(start + 16)
      let mark = word(start + 20)
      switch Mode(rawValue: mark) {
      case .beside: records[slot] = Record(id: id, count: count &+ 1)
      case .alone: records[slot] = Record(id: id, count: max(count &+ 1, UInt32(certain)))
      case .putAway: records[slot] = Record(id: id, count: UInt32(untouchable))
      case nil: if mark == Mark.interrupted { records[slot] = Record(id: id, count: count) }
      }
    }
    return records
  }
}
