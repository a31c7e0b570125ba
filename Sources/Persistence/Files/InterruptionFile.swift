import CSystem
import Foundation
import Synchronization
public import Values

/// A small file that records the work that a process has begun. After the process dies in any way, the next process
/// reads what it was doing.
///
/// `begin` and `end` each write 24 bytes into the system's memory, not to the disk. These bytes survive the process but
/// not the machine. That is enough, because no work item can crash the machine.
///
/// The file counts interruptions for each work item. The count stays until `forget`.
public final class InterruptionFile: Sendable {
  /// Work that has begun. Pass it to `end`.
  public struct Entry: Sendable {
    fileprivate let slot: Int
    fileprivate let isKnown: Bool
  }

  private struct Record {
    var id: UniqueID
    var count: UInt32
  }

  private struct State {
    /// The work items in which earlier processes were interrupted, by slot.
    var interrupted: [Int: Record] = [:]
    var modes: [UniqueID: Mode] = [:]
    var slots: [UniqueID: Int] = [:]
    var free: [Int] = []
    /// True when the process ends in order. Then no more work is recorded.
    var isClosed = false
  }

  /// How an item is worked on. The mode decides what an interruption means.
  public enum Mode: UInt32, Sendable {
    /// The item is worked on beside others. The process may have died of another item.
    case beside = 1
    /// The item is worked on alone, because it was interrupted before. The process died of this item.
    case alone = 3
    /// The item is being put away, because processes died of it. After an interruption it must not be touched again.
    case putAway = 4
  }

  /// The values of a slot other than the modes.
  private enum Mark {
    static let free: UInt32 = 0
    static let interrupted: UInt32 = 2
  }

  /// The count for an item of which a process certainly died: while working on it alone, or three times beside others.
  public static let certain = 3
  /// The count for an item of which a process died while putting it away.
  public static let untouchable = 1_000

  public let path: String
  private let descriptor: Int32
  private let state = Mutex(State())
  /// Locked during work on an item that was interrupted in an earlier process. Only one such item runs at a time, so
  /// the next interruption shows which one caused it.
  private let alone = NSLock()

  private static let slotCount = 1_024
  private static let slotSize = 32

  /// Opens the file, or creates it, for this process alone.
  /// - Throws: `store.locked` when another process has it; `store.unavailable` when it cannot be opened.
  public init(path: String) throws(StoreError) {
    self.path = path
    descriptor = saga_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw StoreError(.unavailable, "can't open \(path): \(String(cString: strerror(errno)))") }
    // The file names sagas. Other users may not read it, even when an older version left it readable to them.
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
    // Interrupted work is counted now. If this process dies before it reaches that work, the count stays.
    for (slot, record) in read { write(record.id, record.count, Mark.interrupted, at: slot) }
  }

  deinit { if descriptor >= 0 { _ = CSystem.close(descriptor) } }

  /// The number of processes that died while working on each item; see `certain` and `untouchable`.
  public var interrupted: [UniqueID: Int] {
    state.withLock { state in
      Dictionary(state.interrupted.values.map { ($0.id, Int($0.count)) }, uniquingKeysWith: max)
    }
  }

  /// Sets the mode in which an interrupted item is worked on from now on.
  public func work(on id: UniqueID, _ mode: Mode) { state.withLock { $0.modes[id] = mode } }

  /// Removes the count of interruptions of an item.
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

  /// Removes all records and releases the file for another process. Call it when this process ends in order.
  public func close() {
    for id in interrupted.keys { forget(id) }
    let wasOpen = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    if wasOpen { _ = flock(descriptor, LOCK_UN) }
  }

  /// Records that work on an item begins. If the item was interrupted before, the call waits until no other such item
  /// is worked on.
  /// - Returns: nil when the file has no free slot.
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
      // The item was forgotten meanwhile.
      alone.unlock()
    }
    guard let slot = state.withLock({ $0.isClosed ? nil : $0.free.popLast() }) else { return nil }
    write(id, 0, Mode.beside.rawValue, at: slot)
    return Entry(slot: slot, isKnown: false)
  }

  /// Records that the work is done. The count of earlier interruptions stays.
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
    // A failed write does not stop the work. The record is missed only if the process dies.
    _ = pwrite(descriptor, bytes, bytes.count, off_t(slot * Self.slotSize))
  }

  /// Returns the records of a file. Work that was under way counts as interrupted one more time.
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
