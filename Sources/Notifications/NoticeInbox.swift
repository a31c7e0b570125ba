import Synchronization
import WorkflowEngine

/// The signals to a sender from outside its task: a shard may have grown, or the destination has answered another
/// sender.
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

  /// The destination works, so the waiting notices need not wait any longer.
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
