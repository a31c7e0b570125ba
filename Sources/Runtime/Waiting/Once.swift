import Synchronization

/// A value that is given once. Tasks can wait for it, before it is given and after.
public final class Once<Value: Sendable>: Sendable {
  private enum State {
    case open([CheckedContinuation<Value, Never>])
    case given(Value)
  }
  private let state = Mutex(State.open([]))

  public init() {}

  /// Returns true when the value was given.
  public var isGiven: Bool { given != nil }

  /// Returns the value; nil when it was not given yet.
  public var given: Value? {
    state.withLock { state in
      switch state {
      case .open: nil
      case .given(let value): value
      }
    }
  }

  /// Gives the value to all tasks that wait for it. Does nothing when there is a value already.
  /// - Returns: true the first time.
  @discardableResult
  public func give(_ value: Value) -> Bool {
    let waiting = state.withLock { state -> [CheckedContinuation<Value, Never>]? in
      guard case .open(let waiting) = state else { return nil }
      state = .given(value)
      return waiting
    }
    guard let waiting else { return false }
    for continuation in waiting { continuation.resume(returning: value) }
    return true
  }

  /// Waits for the value. Cancelling the task doesn't end the wait.
  public func value() async -> Value {
    await withCheckedContinuation { continuation in
      let given = state.withLock { state -> Value? in
        switch state {
        case .given(let value): return value
        case .open(let waiting):
          state = .open(waiting + [continuation])
          return nil
        }
      }
      if let given { continuation.resume(returning: given) }
    }
  }
}

extension Once<Void> {
  @discardableResult
  public func give() -> Bool { give(()) }
}
