import Synchronization

/// Keeps what a test's stand-in was called with.
final class Calls: Sendable {
  private let calls = Mutex<[String?]>([])

  /// - Returns: how many there are now.
  func add(_ call: String?) -> Int {
    calls.withLock { calls in
      calls.append(call)
      return calls.count
    }
  }

  var all: [String?] { calls.withLock { $0 } }
}
