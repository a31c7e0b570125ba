import Foundation
import Runtime
import Synchronization

/// Runs all tasks of a simulation on the calling thread, one job after the other. The seed chooses which of the ready jobs
/// runs next, so that one seed always gives one interleaving.
///
/// A task begins here when it is created with `executorPreference:`. Its child tasks, and the default actors that it calls,
/// follow it. An actor can also name this executor as its own.
public final class SeededExecutor: TaskExecutor, SerialExecutor {
  private struct State {
    var ready: [UnownedJob] = []
    var random: SeededRandom
    /// How often the oldest ready job is taken, of 8 times. The rest is random.
    var patience: UInt64
    var count = 0
    var strangers = 0
  }
  private let state: Mutex<State>
  private let thread = SeededExecutor.currentThread

  public init(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let patience = random.next() % 8
    state = Mutex(State(random: random, patience: patience))
  }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let isStranger = Self.currentThread != thread
    state.withLock { state in
      state.ready.append(job)
      if isStranger { state.strangers += 1 }
    }
  }

  private static var currentThread: UInt {
    #if os(Linux)
      UInt(pthread_self())
    #else
      UInt(bitPattern: pthread_self())
    #endif
  }

  /// Runs one ready job.
  /// - Returns: false when no job is ready.
  func runOne() -> Bool {
    let job = state.withLock { state -> UnownedJob? in
      guard !state.ready.isEmpty else { return nil }
      state.count += 1
      if state.ready.count == 1 { return state.ready.removeFirst() }
      let draw = state.random.next()
      if draw & 7 < state.patience { return state.ready.removeFirst() }
      return state.ready.remove(at: Int((draw >> 3) % UInt64(state.ready.count)))
    }
    guard let job else { return false }
    job.runSynchronously(on: asUnownedTaskExecutor())
    return true
  }

  /// The number of jobs that have run.
  var count: Int { state.withLock { $0.count } }

  /// The number of jobs that came from another thread. Any such job makes a run depend on more than its seed.
  var strangers: Int { state.withLock { $0.strangers } }
}
