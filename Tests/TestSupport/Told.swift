import Synchronization

/// What somebody was told, on whatever thread, and a way to wait for it.
public final class Told<Element: Sendable>: Sendable {
  private typealias Waiting = (enough: @Sendable ([Element]) -> Bool, continuation: CheckedContinuation<Void, Never>)
  private struct State {
    var all: [Element] = []
    var waiting: [Waiting] = []
  }
  private let state = Mutex(State())

  public init() {}

  public var all: [Element] { state.withLock { $0.all } }

  public func add(_ elements: [Element]) {
    let woken = state.withLock { state in
      state.all += elements
      let all = state.all
      let woken = state.waiting.filter { $0.enough(all) }
      state.waiting.removeAll { $0.enough(all) }
      return woken.map(\.continuation)
    }
    for one in woken { one.resume() }
  }

  public func add(_ element: Element) { add([element]) }

  /// Returns as soon as what was told is enough.
  @discardableResult
  public func wait(until enough: @escaping @Sendable ([Element]) -> Bool) async -> [Element] {
    await withCheckedContinuation { continuation in
      let isEnough = state.withLock { state in
        let isEnough = enough(state.all)
        if !isEnough { state.waiting.append((enough, continuation)) }
        return isEnough
      }
      if isEnough { continuation.resume() }
    }
    return all
  }

  @discardableResult
  public func wait(for count: Int) async -> [Element] { await wait { $0.count >= count } }
}
