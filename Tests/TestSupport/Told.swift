import Synchronization

/// The elements that a callback was given, on any thread, and a way to wait for them.
public final class Told<Element: Sendable>: Sendable {
  private struct Waiter {
    let enough: @Sendable ([Element]) -> Bool
    let continuation: CheckedContinuation<Void, Never>
  }
  private struct State {
    var all: [Element] = []
    var nextID = 0
    var waiters: [Int: Waiter] = [:]
  }
  private let state = Mutex(State())

  public init() {}

  public var all: [Element] { state.withLock { $0.all } }

  public func add(_ elements: [Element]) {
    let woken = state.withLock { state in
      state.all += elements
      let woken = state.waiters.filter { $0.value.enough(state.all) }
      for id in woken.keys { state.waiters[id] = nil }
      return woken.values
    }
    for waiter in woken { waiter.continuation.resume() }
  }

  public func add(_ element: Element) { add([element]) }

  /// Returns all elements as soon as they are enough, or when the task is cancelled, for example by a suite's time limit.
  @discardableResult
  public func wait(until enough: @escaping @Sendable ([Element]) -> Bool) async -> [Element] {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let mustWait = state.withLock { state in
          guard !enough(state.all), !Task.isCancelled else { return false }
          state.waiters[id] = Waiter(enough: enough, continuation: continuation)
          return true
        }
        if !mustWait { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
    }
    return all
  }

  @discardableResult
  public func wait(for count: Int) async -> [Element] { await wait { $0.count >= count } }
}
