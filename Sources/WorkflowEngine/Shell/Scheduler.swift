import Runtime
import Synchronization
import Values

/// One timer structure for all sagas: a heap of (time, saga). It stores nothing durable. Every time in it is derived
/// from a saga's state or from its row among the open streams.
final class Scheduler: Sendable {
  private struct State {
    var heap = MomentHeap()
    /// The valid time for each saga. Entries of the heap that differ from it are stale.
    var moments: [UniqueID: Timestamp] = [:]
    var sleeper: Task<Void, Never>?
    var sleepingUntil: Timestamp?

    /// - Returns: the sleeper, when it sleeps past this time, or past its own time because the clock was set.
    mutating func put(_ moment: Timestamp, for saga: UniqueID, now: Timestamp) -> Task<Void, Never>? {
      guard moments[saga] != moment else { return nil }
      moments[saga] = moment
      heap.insert(moment, saga)
      compactIfStale()
      guard let sleepingUntil, moment < sleepingUntil || sleepingUntil <= now else { return nil }
      return sleeper
    }

    /// Removes stale entries. A saga that ended long before its timeout leaves an entry, and such entries must not pile
    /// up.
    private mutating func compactIfStale() {
      guard heap.count > 2 * moments.count + 1_024 else { return }
      heap = MomentHeap()
      for (saga, moment) in moments { heap.insert(moment, saga) }
    }
  }
  private let state = Mutex(State())
  private let clock: any WallClock
  private let executor: (any TaskExecutor)?
  /// A time after every time that a saga can name.
  private static let never = Timestamp(milliseconds: 253_402_300_799_000)

  /// - Parameters:
  ///   - clock: the time.
  ///   - executor: runs the task that waits for the next time.
  init(clock: any WallClock, executor: (any TaskExecutor)? = nil) {
    self.clock = clock
    self.executor = executor
  }

  /// Sets or moves the time at which a saga wants to be woken. Nil removes it.
  func set(_ saga: UniqueID, at moment: Timestamp?) {
    let now = clock.now()
    let outdated = state.withLock { state -> Task<Void, Never>? in
      guard let time = moment else {
        state.moments[saga] = nil
        return nil
      }
      return state.put(time, for: saga, now: now)
    }
    outdated?.cancel()
  }

  /// Wakes a saga at `moment` at the latest. A timer that is already set comes from newer knowledge: an earlier timer
  /// stays.
  func set(_ saga: UniqueID, atLatest moment: Timestamp) {
    let now = clock.now()
    let outdated = state.withLock { state -> Task<Void, Never>? in
      if let known = state.moments[saga], known <= moment { return nil }
      return state.put(moment, for: saga, now: now)
    }
    outdated?.cancel()
  }

  /// Sets a timer for a saga that has none.
  func setIfNone(_ saga: UniqueID, at moment: Timestamp) {
    let now = clock.now()
    let outdated = state.withLock { state in
      state.moments[saga] == nil ? state.put(moment, for: saga, now: now) : nil
    }
    outdated?.cancel()
  }

  /// The number of sagas that wait for a time.
  var count: Int { state.withLock { $0.moments.count } }

  /// How long the oldest time that is due has been due; zero when none is due.
  var delay: Duration {
    let now = clock.now()
    return state.withLock { state in
      while let (due, saga) = state.heap.first {
        if state.moments[saga] == due { return max(.zero, now - due) }
        // The entry is stale.
        state.heap.removeFirst()
      }
      return .zero
    }
  }

  /// The time until which it sleeps; nil while it is awake.
  var sleepingUntil: Timestamp? { state.withLock { $0.sleepingUntil } }

  /// Wakes sagas at their times, never before, until the task is cancelled.
  func run(wake: @Sendable @escaping (UniqueID) async -> Void) async {
    while !Task.isCancelled {
      await concurrently(takeDue(), wake)
      await sleep()
    }
  }

  private func takeDue() -> [UniqueID] {
    let now = clock.now()
    return state.withLock { state in
      var due: [UniqueID] = []
      while let (moment, saga) = state.heap.first, moment <= now {
        state.heap.removeFirst()
        guard state.moments[saga] == moment else { continue }
        state.moments[saga] = nil
        due.append(saga)
      }
      return due
    }
  }

  private func sleep() async {
    let sleeper = state.withLock { state -> Task<Void, Never>? in
      let deadline = state.heap.first?.0 ?? Self.never
      guard deadline > clock.now() else { return nil }
      // `set` cancels it when an earlier time comes.
      let sleeper = Task(executorPreference: executor) { [clock] in
        do { try await clock.sleep(until: deadline) } catch {}
      }
      state.sleeper = sleeper
      state.sleepingUntil = deadline
      return sleeper
    }
    guard let sleeper else { return }
    await withTaskCancellationHandler {
      await sleeper.value
    } onCancel: {
      sleeper.cancel()
    }
    state.withLock { state in
      state.sleeper = nil
      state.sleepingUntil = nil
    }
  }
}

/// A binary heap, earliest time first.
struct MomentHeap {
  private var entries: [(Timestamp, UniqueID)] = []

  var first: (Timestamp, UniqueID)? { entries.first }
  var count: Int { entries.count }

  mutating func insert(_ moment: Timestamp, _ saga: UniqueID) {
    entries.append((moment, saga))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child] < entries[parent] else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func removeFirst() {
    guard let last = entries.popLast(), !entries.isEmpty else { return }
    entries[0] = last
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < entries.count else { return }
      let right = left + 1
      let child = right < entries.count && entries[right] < entries[left] ? right : left
      guard entries[child] < entries[parent] else { return }
      entries.swapAt(child, parent)
      parent = child
    }
  }
}
