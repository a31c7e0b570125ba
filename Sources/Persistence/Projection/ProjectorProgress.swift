import Runtime
import Synchronization

/// The checkpoints of a projector, the tasks that wait for them, and the requested rebuilds.
final class ProjectorProgress: Sendable {
  private struct State {
    /// The checkpoint of each shard; nil when it must be read first.
    var positions: [Int64?]
    var rebuilds: [Once<Result<Void, any Error>>] = []
    var ended: (any Error)?

    func hasReached(_ wanted: [Int: Int64]) -> Bool {
      wanted.allSatisfy { shard, position in position == 0 || (positions[shard] ?? 0) >= position }
    }
  }

  /// The tasks that requested a rebuild.
  struct Rebuilds: Sendable {
    fileprivate let answers: [Once<Result<Void, any Error>>]

    func finish(_ result: Result<Void, any Error>) {
      for answer in answers { answer.give(result) }
    }
  }

  private let state: Mutex<State>
  private let changes = WaitQueue()

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
    state.withLock { $0.positions[shard] = position }
    changes.wake()
  }

  func forget(_ shard: Int) { state.withLock { $0.positions[shard] = nil } }

  func forgetAll() {
    state.withLock { state in for shard in state.positions.indices { state.positions[shard] = nil } }
  }

  /// Waits until the projector has reached these positions.
  /// - Throws: the error that ended the projector; `CancellationError` when the task is cancelled.
  func wait(for positions: [Int: Int64]) async throws {
    let result = await changes.value(unlessCancelled: { [self] in
      state.withLock { state -> Result<Void, any Error>? in
        if positions.keys.contains(where: { !state.positions.indices.contains($0) }) {
          return .failure(StoreError.invalid("there is no such shard"))
        }
        if state.hasReached(positions) { return .success(()) }
        return state.ended.map { .failure($0) }
      }
    })
    guard let result else { throw CancellationError() }
    try result.get()
  }

  /// Requests a rebuild and returns when the projector has done it.
  func requestRebuild(_ wake: @Sendable () -> Void) async throws {
    let answer = Once<Result<Void, any Error>>()
    let ended = state.withLock { state -> (any Error)? in
      if let ended = state.ended { return ended }
      state.rebuilds.append(answer)
      return nil
    }
    if let ended { throw ended }
    wake()
    try await answer.value().get()
  }

  func takeRebuilds() -> Rebuilds? {
    state.withLock { state in
      if state.rebuilds.isEmpty { return nil }
      defer { state.rebuilds = [] }
      return Rebuilds(answers: state.rebuilds)
    }
  }

  /// Ends every wait.
  func finish(_ error: any Error) {
    let rebuilds = state.withLock { state in
      state.ended = error
      defer { state.rebuilds = [] }
      return state.rebuilds
    }
    changes.wake()
    for rebuild in rebuilds { rebuild.give(.failure(error)) }
  }
}
