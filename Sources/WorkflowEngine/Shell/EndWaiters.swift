import SagaCore
import Synchronization
import Values

/// The callers that wait for a saga to end.
final class EndWaiters: Sendable {
  private struct State {
    var nextID = 0
    var waiting: [UniqueID: [Int: AsyncStream<SagaState>.Continuation]] = [:]
  }
  private let state = Mutex(State())

  /// Returns a stream that gives the saga's state once it has ended. The caller reads the saga after subscribing, so
  /// that it does not miss an end in between.
  func subscribe(to saga: UniqueID) -> AsyncStream<SagaState> {
    AsyncStream { continuation in
      let id = state.withLock { state in
        state.nextID += 1
        state.waiting[saga, default: [:]][state.nextID] = continuation
        return state.nextID
      }
      continuation.onTermination = { [weak self] _ in
        self?.state.withLock { state in
          state.waiting[saga]?[id] = nil
          if state.waiting[saga]?.isEmpty == true { state.waiting[saga] = nil }
        }
      }
    }
  }

  func ended(_ saga: SagaState) {
    let waiting = state.withLock { $0.waiting.removeValue(forKey: saga.id) }
    for waiter in (waiting ?? [:]).values {
      waiter.yield(saga)
      waiter.finish()
    }
  }
}
