import Synchronization

/// The life of one engine, from its start to its end. A crash ends it between two steps of the simulation. Everything
/// that it has sent is on its way; nothing that it does afterwards reaches the store or a participant.
final class Life: Sendable {
  private struct State {
    var isOver = false
    var nextID = 0
    var atEnd: [Int: @Sendable () -> Void] = [:]
  }
  /// From 1.
  let number: Int
  private let state = Mutex(State())

  init(number: Int) { self.number = number }

  var isOver: Bool { state.withLock { $0.isOver } }

  /// Has something done at the end, or now when that has come.
  /// - Returns: by what it can be taken back.
  @discardableResult
  func atEnd(_ body: @escaping @Sendable () -> Void) -> Int {
    let id = state.withLock { state -> Int? in
      if state.isOver { return nil }
      state.nextID += 1
      state.atEnd[state.nextID] = body
      return state.nextID
    }
    if let id { return id }
    body()
    return 0
  }

  func takeBack(_ id: Int) { state.withLock { $0.atEnd[id] = nil } }

  /// - Returns: false when it was over before.
  @discardableResult
  func end() -> Bool {
    let bodies = state.withLock { state -> [@Sendable () -> Void]? in
      if state.isOver { return nil }
      state.isOver = true
      defer { state.atEnd = [:] }
      return state.atEnd.sorted { $0.key < $1.key }.map(\.value)
    }
    guard let bodies else { return false }
    for body in bodies { body() }
    return true
  }
}

/// A value that comes once, and one task that waits for it.
final class Once<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiting: CheckedContinuation<Value, Never>?
  }
  private let state = Mutex(State())

  var isSet: Bool { state.withLock { $0.value != nil } }

  /// The first value counts.
  func set(_ value: Value) {
    let waiting = state.withLock { state -> CheckedContinuation<Value, Never>? in
      guard state.value == nil else { return nil }
      state.value = value
      defer { state.waiting = nil }
      return state.waiting
    }
    waiting?.resume(returning: value)
  }

  var value: Value {
    get async {
      await withCheckedContinuation { continuation in
        let value = state.withLock { state in
          if state.value == nil { state.waiting = continuation }
          return state.value
        }
        if let value { continuation.resume(returning: value) }
      }
    }
  }
}
