import Synchronization

/// Tasks that wait until a condition is true: a condition variable for tasks.
///
/// The owner changes its state first, and calls `wake` after it has released the lock of its state. `wake` looks at the
/// condition of each task, and lets only those go on whose condition is true.
public final class WaitQueue: Sendable {
  private typealias Resume = @Sendable () -> Void
  private struct Waiter: Sendable {
    /// Returns what resumes the task when its condition is true.
    let look: @Sendable () -> Resume?
    /// Resumes a task that was cancelled.
    let cancel: Resume
  }
  private struct State {
    /// The waiting tasks by number. A task that came earlier has a lower number.
    var waiting: [UInt64: Waiter] = [:]
    var last: UInt64 = 0
    /// Tasks that were cancelled before they waited, or after they were resumed.
    var cancelled: Set<UInt64> = []
  }
  private let state = Mutex(State())

  public init() {}

  /// The number of tasks that wait.
  public var count: Int { state.withLock { $0.waiting.count } }

  /// Waits until `isTrue` returns true. Cancelling the task doesn't end the wait.
  /// - Parameter isTrue: runs under the queue's lock, so it must not use the queue.
  public func wait(until isTrue: @escaping @Sendable () -> Bool) async {
    await withCheckedContinuation { continuation in
      // The lock ensures that a `wake` after a change of the state finds the task in the queue.
      let isTrueNow = state.withLock { state in
        if isTrue() { return true }
        state.last += 1
        state.waiting[state.last] = Waiter(
          look: { () -> Resume? in
            guard isTrue() else { return nil }
            return { continuation.resume() }
          }, cancel: {})
        return false
      }
      if isTrueNow { continuation.resume() }
    }
  }

  /// Waits until `look` returns a value.
  /// - Parameter look: runs under the queue's lock, so it must not use the queue.
  /// - Returns: the value; nil when the task was cancelled before there was one.
  public func value<Value: Sendable>(
    unlessCancelled look: @escaping @Sendable () -> Value?
  ) async -> Value? {
    let number = state.withLock { state in
      state.last += 1
      return state.last
    }
    let value = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
        // The answer now; nil when the task must wait.
        let answer = state.withLock { state -> Value?? in
          if let value = look() { return .some(value) }
          if state.cancelled.contains(number) { return .some(nil) }
          state.waiting[number] = Waiter(
            look: { () -> Resume? in
              guard let value = look() else { return nil }
              return { continuation.resume(returning: value) }
            }, cancel: { continuation.resume(returning: nil) })
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        let waiter = state.waiting.removeValue(forKey: number)
        if waiter == nil { state.cancelled.insert(number) }
        return waiter
      }
      waiter?.cancel()
    }
    state.withLock { _ = $0.cancelled.remove(number) }
    return value
  }

  /// Lets the tasks go on whose condition is true, in the order in which they came.
  public func wake() {
    let resumptions = state.withLock { state -> [Resume] in
      if state.waiting.isEmpty { return [] }
      var resumptions: [Resume] = []
      for (number, waiter) in state.waiting.sorted(by: { $0.key < $1.key }) {
        guard let resume = waiter.look() else { continue }
        state.waiting[number] = nil
        resumptions.append(resume)
      }
      return resumptions
    }
    for resume in resumptions { resume() }
  }
}
