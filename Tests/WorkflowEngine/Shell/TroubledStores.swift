import Persistence
import Synchronization
import TestSupport
import Values

/// A store that stops answering after so many appends, as a process that dies does; what it has taken stays.
final class MortalStore: StoreInFront {
  let store: any EventStore
  private let left: Mutex<Int>
  /// Whether the last append is taken before the process dies, or not.
  private let takesLast: Bool

  init(_ store: any EventStore, appends: Int, takesLast: Bool) {
    self.store = store
    left = Mutex(appends)
    self.takesLast = takesLast
  }

  /// Whether the process has died.
  var isDead: Bool { left.withLock { $0 <= 0 } }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let left = left.withLock { left in
      left -= 1
      return left
    }
    if left < 0 { throw StoreError.closed }
    if left == 0 {
      if takesLast { _ = try await store.append(append) }
      throw StoreError.closed
    }
    return try await store.append(append)
  }
}

/// A store that is unavailable for a number of calls that a test sets.
final class MoodyStore: StoreInFront {
  let store: any EventStore
  private let moods = Mutex((reads: 0, appends: 0, refusedReads: 0, lists: [String: Int]()))
  /// Appends that are refused without having been taken, be it the last.
  private let withdrawn = Mutex(0)
  private let garbled = Mutex<Set<UniqueID>>([])
  private let held = Mutex<[UniqueID: AsyncStream<Void>]>([:])

  init(_ store: any EventStore) { self.store = store }

  /// Makes the store return events of a stream that are not JSON, from now on.
  func garble(_ stream: UniqueID) { _ = garbled.withLock { $0.insert(stream) } }

  /// Holds the answer of the next read of a stream, with what was stored then, until the gate gives something.
  func hold(_ stream: UniqueID, until gate: AsyncStream<Void>) { held.withLock { $0[stream] = gate } }
  func isHeld(_ stream: UniqueID) -> Bool { held.withLock { $0[stream] != nil } }

  func refuseReads(_ count: Int) { moods.withLock { $0.reads = count } }
  func refuseAppends(_ count: Int) { moods.withLock { $0.appends = count } }
  func withdrawAppends(_ count: Int) { withdrawn.withLock { $0 = count } }
  func refuseLists(of collection: String, _ count: Int) { moods.withLock { $0.lists[collection] = count } }
  var refusedReads: Int { moods.withLock { $0.refusedReads } }

  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] {
    let left = moods.withLock { moods in
      let left = moods.lists[query.collection, default: 0]
      if left > 0 { moods.lists[query.collection] = left - 1 }
      return left
    }
    if left > 0 { throw StoreError.unavailable("a test said so") }
    return try await store.documents(query)
  }

  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    let isRefused = moods.withLock { moods in
      guard moods.reads > 0 else { return false }
      moods.reads -= 1
      moods.refusedReads += 1
      return true
    }
    if isRefused { throw StoreError.unavailable("a test said so") }
    let page = try await store.read(stream, after: version, limit: limit)
    if let gate = held.withLock({ $0.removeValue(forKey: stream) }) { for await _ in gate { break } }
    guard garbled.withLock({ $0.contains(stream) }) else { return page }
    return page.map { event in
      StoredEvent(
        stream: event.stream, version: event.version, shard: event.shard, position: event.position, type: event.type,
        data: Array("{\"at\": ".utf8), meta: event.meta, appendID: event.appendID, hash: event.hash, chain: event.chain,
        recordedAt: event.recordedAt)
    }
  }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let isWithdrawn = withdrawn.withLock { count in
      defer { count = max(0, count - 1) }
      return count > 0
    }
    if isWithdrawn { throw StoreError.unavailable("a test said so") }
    let left = moods.withLock { moods in
      defer { moods.appends = max(0, moods.appends - 1) }
      return moods.appends
    }
    if left > 0 {
      // Now and then it was taken, and only the answer was lost.
      if left == 1 {
        _ = try await store.append(append)
        throw StoreError.outcomeUnknown("a test said so")
      }
      throw StoreError.unavailable("a test said so")
    }
    return try await store.append(append)
  }
}

/// A store in which another writer is always quicker, once: it adds an event that says nothing.
final class MeddledStore: StoreInFront {
  let store: any EventStore
  private let event: NewEvent
  private let hasMeddled = Mutex(false)

  init(_ store: any EventStore, with event: NewEvent) {
    self.store = store
    self.event = event
  }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let isFirst = hasMeddled.withLock { hasMeddled in
      defer { hasMeddled = hasMeddled || append.expectedVersion > 0 }
      return !hasMeddled && append.expectedVersion > 0
    }
    if isFirst {
      _ = try await store.append(
        Append(
          stream: append.stream, expectedVersion: append.expectedVersion, events: [event],
          appendID: UniqueID(high: 1, low: 2)))
    }
    return try await store.append(append)
  }
}
