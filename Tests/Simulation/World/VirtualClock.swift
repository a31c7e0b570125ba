import Runtime
import Synchronization
import Values

/// The time of a simulation. When no job is ready, it moves to the next time that something waits for. Between jobs it
/// moves by a few milliseconds, because work takes time.
final class VirtualClock: Sendable {
  private struct Entry {
    let id: Int
    let deadline: Timestamp
    let life: Int
    let fire: @Sendable (_ isCancelled: Bool) -> Void
  }
  private struct State {
    var now: Timestamp
    var nextID = 0
    var entries: [Entry] = []
    var cancelled: Set<Int> = []
  }
  private let state: Mutex<State>

  /// No simulation lasts so long: a time after it is never reached.
  static let horizon = Duration.seconds(400 * 86_400)
  let start: Timestamp

  init(_ start: Timestamp = Timestamp(milliseconds: 1_772_352_000_000)) {
    self.start = start
    state = Mutex(State(now: start))
  }

  var now: Timestamp { state.withLock { $0.now } }

  /// Calls `body` at `deadline`. The world's own actions belong to life 0.
  func at(_ deadline: Timestamp, life: Int = 0, _ body: @escaping @Sendable (_ isCancelled: Bool) -> Void) {
    state.withLock { state in
      state.nextID += 1
      state.entries.append(Entry(id: state.nextID, deadline: deadline, life: life, fire: body))
    }
  }

  func after(_ time: Duration, _ body: @escaping @Sendable () -> Void) {
    at(now + time) { isCancelled in if !isCancelled { body() } }
  }

  /// Returns at a virtual time.
  /// - Throws: `CancellationError` when the task is cancelled or the life ends first.
  func wait(until deadline: Timestamp, life: Int = 0) async throws {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let answer = state.withLock { state -> Bool? in
          if state.cancelled.remove(id) != nil { return false }
          if deadline <= state.now { return true }
          state.entries.append(
            Entry(id: id, deadline: deadline, life: life) { isCancelled in
              if isCancelled { continuation.resume(throwing: CancellationError()) } else { continuation.resume() }
            })
          return nil
        }
        switch answer {
        case true?: continuation.resume()
        case false?: continuation.resume(throwing: CancellationError())
        case nil: break
        }
      }
    } onCancel: {
      let entry = state.withLock { state -> Entry? in
        guard let index = state.entries.firstIndex(where: { $0.id == id }) else {
          state.cancelled.insert(id)
          return nil
        }
        return state.entries.remove(at: index)
      }
      entry?.fire(true)
    }
  }

  /// Wakes everything that an ended process waits for, as cancelled.
  func end(life: Int) {
    let entries = state.withLock { state in
      let ended = state.entries.filter { $0.life == life }
      state.entries.removeAll { $0.life == life }
      return ended
    }
    for entry in entries { entry.fire(true) }
  }

  /// Lets a little time pass while work is done.
  func creep(_ milliseconds: Int64) { move(to: now + .milliseconds(milliseconds)) }

  /// Moves to the next time that something waits for.
  /// - Returns: false when nothing waits, or only for a time that no simulation reaches.
  func advance() -> Bool {
    let next = state.withLock { $0.entries.map(\.deadline).min() }
    guard let next, next <= start + Self.horizon else { return false }
    move(to: next)
    return true
  }

  private func move(to moment: Timestamp) {
    let due = state.withLock { state in
      state.now = max(state.now, moment)
      let now = state.now
      guard state.entries.contains(where: { $0.deadline <= now }) else { return [Entry]() }
      let due = state.entries.filter { $0.deadline <= now }.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }
      state.entries.removeAll { $0.deadline <= now }
      return due
    }
    for entry in due { entry.fire(false) }
  }
}

/// The clock that one engine sees. After the engine's end nothing sleeps on it any more.
struct LifeClock: WallClock {
  let clock: VirtualClock
  let life: Life

  func now() -> Timestamp { clock.now }

  func sleep(until deadline: Timestamp) async throws {
    if life.isOver { throw CancellationError() }
    try await clock.wait(until: deadline, life: life.number)
  }
}
