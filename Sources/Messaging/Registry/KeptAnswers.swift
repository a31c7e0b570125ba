import Synchronization

/// Stores answers that never change. It requests each answer once. Callers that ask during the request wait for the same
/// answer. It does not store a failure.
final class KeptAnswers<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private typealias Waiter = CheckedContinuation<Result<Value, RegistryError>, Never>
  private struct Flight {
    let number: Int
    let task: Task<Void, Never>
    var waiters: [Int: Waiter]
  }
  private struct State {
    var kept: [Key: Value] = [:]
    var flights: [Key: Flight] = [:]
    var next = 0
    /// The waiters that were cancelled before they began to wait.
    var cancelled: Set<Int> = []
  }
  private let state = Mutex(State())

  /// Returns the stored answer; calls `ask` when there is none and no request is under way. A cancelled caller stops
  /// waiting at once. When all waiting callers are cancelled, so is the request.
  func value(
    _ key: Key, ask: @escaping @Sendable () async -> Result<Value, RegistryError>
  ) async throws(RegistryError) -> Value {
    let (kept, waiter) = state.withLock { state in
      state.next += 1
      return (state.kept[key], state.next)
    }
    if let kept { return kept }
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let known = state.withLock { begin(waiter, continuation, key, ask, &$0) }
        if let known { continuation.resume(returning: known) }
      }
    } onCancel: {
      cancel(waiter, key)
    }
    // The caller may have been cancelled right after it got its answer.
    state.withLock { _ = $0.cancelled.remove(waiter) }
    return try result.get()
  }

  func keep(_ value: Value, for key: Key) { state.withLock { $0.kept[key] = value } }

  /// Returns the number of callers that wait for an answer.
  func waiting(for key: Key) -> Int { state.withLock { $0.flights[key]?.waiters.count ?? 0 } }

  /// - Returns: the answer when it is known already; nil when the waiter waits.
  private func begin(
    _ waiter: Int, _ continuation: Waiter, _ key: Key,
    _ ask: @escaping @Sendable () async -> Result<Value, RegistryError>, _ state: inout State
  ) -> Result<Value, RegistryError>? {
    if let kept = state.kept[key] { return .success(kept) }
    if state.cancelled.remove(waiter) != nil { return .failure(.cancelled) }
    if state.flights[key] != nil {
      state.flights[key]?.waiters[waiter] = continuation
    } else {
      // The first waiter's number names the request, so that a later request for the same key has another name.
      let task = Task { finish(waiter, key, await ask()) }
      state.flights[key] = Flight(number: waiter, task: task, waiters: [waiter: continuation])
    }
    return nil
  }

  private func finish(_ flight: Int, _ key: Key, _ result: Result<Value, RegistryError>) {
    let waiters = state.withLock { state -> [Int: Waiter] in
      guard let current = state.flights[key], current.number == flight else { return [:] }
      state.flights[key] = nil
      if case .success(let value) = result { state.kept[key] = value }
      return current.waiters
    }
    for waiter in waiters.values { waiter.resume(returning: result) }
  }

  private func cancel(_ waiter: Int, _ key: Key) {
    let (continuation, abandoned) = state.withLock { state -> (Waiter?, Task<Void, Never>?) in
      guard var flight = state.flights[key], let continuation = flight.waiters.removeValue(forKey: waiter) else {
        state.cancelled.insert(waiter)
        return (nil, nil)
      }
      state.flights[key] = flight.waiters.isEmpty ? nil : flight
      return (continuation, flight.waiters.isEmpty ? flight.task : nil)
    }
    abandoned?.cancel()
    continuation?.resume(returning: .failure(.cancelled))
  }
}

extension RegistryError {
  fileprivate static let cancelled = RegistryError(
    code: RegistryErrorCode.registryUnavailable,
    message: "The call to the schema registry was cancelled."
  )
}
