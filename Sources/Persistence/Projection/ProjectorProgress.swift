import Synchronization

/// How far a projector has come in each shard, who waits for it to come further, and who wants a rebuild.
final class ProjectorProgress: Sendable {
  private struct Waiter {
    let id: Int
    let positions: [Int: Int64]
    let continuation: CheckedContinuation<Void, any Error>
  }
  private struct State {
    var nextID = 0
    /// Nil where the checkpoint has to be read first.
    var positions: [Int64?]
    var waiters: [Waiter] = []
    var cancelled: Set<Int> = []
    var rebuilds: [CheckedContinuation<Void, any Error>] = []
    var ended: (any Error)?

    func hasReached(_ wanted: [Int: Int64]) -> Bool {
      wanted.allSatisfy { shard, position in position == 0 || (positions[shard] ?? 0) >= position }
    }
  }

  /// Those who asked for a rebuild.
  struct Rebuilds: Sendable {
    fileprivate let continuations: [CheckedContinuation<Void, any Error>]

    func finish(_ result: Result<Void, any Error>) {
      for continuation in continuations { continuation.resume(with: result) }
    }
  }

  private let state: Mutex<State>

  init(shardCount: Int) { state = Mutex(State(positions: Array(repeating: nil, count: shardCount))) }

  func position(of shard: Int) -> Int64? { state.withLock { $0.positions[shard] } }

  func positions() -> [Int: Int64] {
    state.withLock { state in
      Dictionary(
        uniqueKeysWithValues: state.positions.enumerated().compactMap { shard, position in
          position.map { (shard, $0) }
        })
    }
  }

  func reached(_ shard: Int, _ position: Int64) {
    let satisfied = state.withLock { state in
      state.positions[shard] = position
      let satisfied = state.waiters.filter { state.hasReached($0.positions) }
      state.waiters.removeAll { waiter in satisfied.contains { $0.id == waiter.id } }
      return satisfied
    }
    for waiter in satisfied { waiter.continuation.resume() }
  }

  func forget(_ shard: Int) { state.withLock { $0.positions[shard] = nil } }

  func forgetAll() {
    state.withLock { state in for shard in state.positions.indices { state.positions[shard] = nil } }
  }

  func wait(for positions: [Int: Int64]) async throws {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let answer = state.withLock { state -> Result<Void, any Error>? in
          if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
          if positions.keys.contains(where: { !state.positions.indices.contains($0) }) {
            return .failure(StoreError.invalid("there is no such shard"))
          }
          if state.hasReached(positions) { return .success(()) }
          if let ended = state.ended { return .failure(ended) }
          state.waiters.append(Waiter(id: id, positions: positions, continuation: continuation))
          return nil
        }
        if let answer { continuation.resume(with: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { state -> Waiter? in
        guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
          state.cancelled.insert(id)
          return nil
        }
        return state.waiters.remove(at: index)
      }
      waiter?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Returns when the projector has carried the rebuild out.
  func requestRebuild(_ wake: @Sendable () -> Void) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      let ended = state.withLock { state -> (any Error)? in
        if let ended = state.ended { return ended }
        state.rebuilds.append(continuation)
        return nil
      }
      if let ended { continuation.resume(throwing: ended) } else { wake() }
    }
  }

  func takeRebuilds() -> Rebuilds? {
    state.withLock { state in
      if state.rebuilds.isEmpty { return nil }
      defer { state.rebuilds = [] }
      return Rebuilds(continuations: state.rebuilds)
    }
  }

  /// Ends every wait.
  func finish(_ error: any Error) {
    let (waiters, rebuilds) = state.withLock { state in
      state.ended = error
      defer {
        state.waiters = []
        state.rebuilds = []
      }
      return (state.waiters, state.rebuilds)
    }
    for waiter in waiters { waiter.continuation.resume(throwing: error) }
    for rebuild in rebuilds { rebuild.resume(throwing: error) }
  }
}
