import Runtime
import Synchronization
import Values

/// A clock that moves only when a test moves it. It reports the sleepers, so that a test waits until something sleeps
/// instead of for time to pass.
public final class FakeClock: WallClock {
  private struct Sleeper {
    let id: Int
    let deadline: Timestamp
    let continuation: CheckedContinuation<Void, any Error>
  }
  private struct Watcher {
    let id: Int
    let matches: @Sendable ([Timestamp]) -> Bool
    let continuation: CheckedContinuation<Void, Never>
  }
  private struct State {
    var now: Timestamp
    var nextID = 0
    var sleepers: [Sleeper] = []
    var watchers: [Watcher] = []
    var cancelled: Set<Int> = []
    var begun: Timestamp?

    mutating func satisfiedWatchers() -> [Watcher] {
      let deadlines = sleepers.map(\.deadline).sorted()
      let satisfied = watchers.filter { $0.matches(deadlines) }
      watchers.removeAll { watcher in satisfied.contains { $0.id == watcher.id } }
      return satisfied
    }
  }
  private let state: Mutex<State>

  public init(_ start: Timestamp = Timestamp(milliseconds: 1_772_352_000_000)) {
    state = Mutex(State(now: start))
  }

  public func now() -> Timestamp { state.withLock { $0.now } }

  /// The time at which the clock was asked to begin; nil if it was not asked. It changes nothing.
  public var begun: Timestamp? { state.withLock { $0.begun } }

  public func begin(at moment: Timestamp) { state.withLock { $0.begun = moment } }

  /// The times that something sleeps until, earliest first.
  public var deadlines: [Timestamp] { state.withLock { $0.sleepers.map(\.deadline).sorted() } }

  public func sleep(until deadline: Timestamp) async throws {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        enum Next {
          case wake, cancel
          case tell([Watcher])
        }
        let next = state.withLock { state -> Next in
          if state.cancelled.remove(id) != nil { return .cancel }
          if deadline <= state.now { return .wake }
          state.sleepers.append(Sleeper(id: id, deadline: deadline, continuation: continuation))
          return .tell(state.satisfiedWatchers())
        }
        switch next {
        case .wake: continuation.resume()
        case .cancel: continuation.resume(throwing: CancellationError())
        case .tell(let watchers): for watcher in watchers { watcher.continuation.resume() }
        }
      }
    } onCancel: {
      let sleeper = state.withLock { state -> Sleeper? in
        guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
          state.cancelled.insert(id)
          return nil
        }
        return state.sleepers.remove(at: index)
      }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Moves the clock on and wakes, in order of their deadlines, what was to sleep until then.
  public func advance(by duration: Duration) { advance(to: now() + duration) }

  /// Moves the clock to a timestamp. A timestamp in the past changes nothing.
  public func advance(to moment: Timestamp) {
    let due = state.withLock { state in
      state.now = max(state.now, moment)
      let now = state.now
      let due = state.sleepers.filter { $0.deadline <= now }.sorted { $0.deadline < $1.deadline }
      state.sleepers.removeAll { $0.deadline <= now }
      return due
    }
    for sleeper in due { sleeper.continuation.resume() }
  }

  /// Returns as soon as the deadlines that something sleeps until satisfy `condition`, or when the task is cancelled, for
  /// example by a suite's time limit.
  public func waitForSleepers(_ condition: @escaping @Sendable ([Timestamp]) -> Bool) async {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let resumed = state.withLock { state in
          if Task.isCancelled { return [Watcher(id: id, matches: condition, continuation: continuation)] }
          state.watchers.append(Watcher(id: id, matches: condition, continuation: continuation))
          return state.satisfiedWatchers()
        }
        for watcher in resumed { watcher.continuation.resume() }
      }
    } onCancel: {
      let watcher = state.withLock { state in
        state.watchers.firstIndex { $0.id == id }.map { state.watchers.remove(at: $0) }
      }
      watcher?.continuation.resume()
    }
  }
}

extension Environment {
  /// A fake clock and numbers from a seed.
  public static func fake(clock: FakeClock = FakeClock(), seed: UInt64 = 1) -> Environment {
    let random = Mutex(SeededRandom(seed: seed))
    return Environment(clock: clock) { random.withLock { $0.next() } }
  }
}
