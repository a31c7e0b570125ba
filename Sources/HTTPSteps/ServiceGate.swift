import Runtime
import Synchronization
import Values
import WorkflowEngine

/// Limits the calls to a service that are under way at once, first come, first served. A slow service delays only its
/// own callers.
final class ServiceGate: Sendable {
  private struct Waiter {
    let id: Int
    let continuation: CheckedContinuation<Bool, Never>
  }
  private struct State {
    var free: Int
    var nextID = 0
    var waiters: [Waiter] = []
    /// Callers between their cancellation handler and their place in the queue.
    var arriving: Set<Int> = []
    var givenUp: Set<Int> = []
  }
  private let state: Mutex<State>

  init(limit: Int) { state = Mutex(State(free: limit)) }

  /// Waits for a place.
  /// - Returns: false when the task was cancelled before it got a place. Then the caller has no place to give back.
  func enter() async -> Bool {
    let id = state.withLock { state in
      state.nextID += 1
      state.arriving.insert(state.nextID)
      return state.nextID
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Bool? in
          state.arriving.remove(id)
          if state.givenUp.remove(id) != nil { return false }
          if state.free > 0 {
            state.free -= 1
            return true
          }
          state.waiters.append(Waiter(id: id, continuation: continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { state -> Waiter? in
        guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
          // The caller is not yet in the queue, or has already got a place.
          if state.arriving.contains(id) { state.givenUp.insert(id) }
          return nil
        }
        return state.waiters.remove(at: index)
      }
      waiter?.continuation.resume(returning: false)
    }
  }

  /// Waits for a place, but no longer than `time`.
  /// - Returns: whether there is a place to give back.
  func enter(within time: Duration, clock: any WallClock) async -> Bool {
    let isFree = state.withLock { state in
      guard state.free > 0 else { return false }
      state.free -= 1
      return true
    }
    if isFree { return true }
    let deadline = clock.now() + time
    return await withTaskGroup(of: Bool.self) { group in
      group.addTask { await self.enter() }
      group.addTask {
        do { try await clock.sleep(until: deadline) } catch {}
        return false
      }
      // The place may be granted just when the time ends. Then it is taken.
      var isGranted = await group.next() ?? false
      group.cancelAll()
      for await other in group { isGranted = isGranted || other }
      return isGranted
    }
  }

  /// Gives the place back. The caller that has waited longest gets it.
  func leave() {
    let next = state.withLock { state -> Waiter? in
      guard !state.waiters.isEmpty else {
        state.free += 1
        return nil
      }
      return state.waiters.removeFirst()
    }
    next?.continuation.resume(returning: true)
  }
}
