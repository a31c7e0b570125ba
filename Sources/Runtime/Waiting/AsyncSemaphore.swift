import Synchronization

/// A number of permits. A task waits when none is free. Tasks get permits in the order in which they came.
public final class AsyncSemaphore: Sendable {
  private struct State {
    var permits: Int
    var waiting = FIFO<CheckedContinuation<Bool, Never>>()
    var isClosed = false
  }
  private let state: Mutex<State>

  /// - Parameter permits: the number of tasks that can have a permit at the same time.
  public init(permits: Int) { state = Mutex(State(permits: permits)) }

  /// Waits for a permit. Cancelling the task doesn't end the wait.
  /// - Returns: false when the semaphore is closed; then the caller has no permit to release.
  public func acquire() async -> Bool {
    await withCheckedContinuation { continuation in
      let answer = state.withLock { state -> Bool? in
        if state.isClosed { return false }
        if state.permits > 0 {
          state.permits -= 1
          return true
        }
        state.waiting.append(continuation)
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  /// Gives a permit back. The task that has waited longest gets it.
  public func release() {
    let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
      if let next = state.waiting.popFirst() { return next }
      state.permits += 1
      return nil
    }
    next?.resume(returning: true)
  }

  /// Ends every wait; from now on there are no permits.
  public func close() {
    let waiting = state.withLock { state in
      state.isClosed = true
      var waiting: [CheckedContinuation<Bool, Never>] = []
      while let next = state.waiting.popFirst() { waiting.append(next) }
      return waiting
    }
    for continuation in waiting { continuation.resume(returning: false) }
  }
}
