import Synchronization
import WorkflowEngine

/// What a sender is told from outside its task: shards that may have grown, and that its destination has answered somebody
/// else.
final class NoticeInbox: Sendable {
  private struct State {
    var shards: Set<Int> = []
    var hasAnswered = false
  }
  private let state = Mutex(State())
  private let waking: AsyncStream<Void>.Continuation
  let wakes: AsyncStream<Void>

  init() { (wakes, waking) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

  func wake() { waking.yield() }

  func grew(_ shards: Set<Int>) {
    state.withLock { $0.shards.formUnion(shards) }
    wake()
  }

  func takeShards() -> Set<Int> {
    state.withLock { state in
      defer { state.shards = [] }
      return state.shards
    }
  }

  /// The destination is well: what waits for it needn't wait any longer.
  func hasAnswered() {
    state.withLock { $0.hasAnswered = true }
    wake()
  }

  func takeAnswered() -> Bool {
    state.withLock { state in
      defer { state.hasAnswered = false }
      return state.hasAnswered
    }
  }
}
