import Foundation
import Runtime
import Synchronization
import Values

/// Runs all tasks of a simulation on the calling thread, one job after the other. The seed chooses which of the ready jobs
/// runs next, so that one seed always gives one interleaving.
///
/// A task begins here when it is created with `executorPreference:`. Its child tasks, and the default actors that it calls,
/// follow it. An actor that names a serial executor gets one from `queue()`.
public final class SeededExecutor: WorkThreads {
  /// A job, and the actor's executor that it belongs to, if it names one.
  private struct Ready {
    let job: UnownedJob
    let queue: Queue?
  }
  private struct State {
    var ready: [Ready] = []
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

  public func enqueue(_ job: consuming ExecutorJob) { add(Ready(job: UnownedJob(job), queue: nil)) }

  public func queue() -> any SerialExecutor { Queue(self) }

  /// The serial executor of one actor.
  private final class Queue: SerialExecutor {
    private let executor: SeededExecutor

    init(_ executor: SeededExecutor) { self.executor = executor }

    func enqueue(_ job: consuming ExecutorJob) { executor.add(Ready(job: UnownedJob(job), queue: self)) }
    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  }

  private func add(_ job: Ready) {
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
    let ready = state.withLock { state -> Ready? in
      guard !state.ready.isEmpty else { return nil }
      state.count += 1
      if state.ready.count == 1 { return state.ready.removeFirst() }
      let draw = state.random.next()
      if draw & 7 < state.patience { return state.ready.removeFirst() }
      let chosen = Int((draw >> 3) % UInt64(state.ready.count))
      // An actor's jobs run in the order in which they came.
      let first = state.ready[chosen].queue.flatMap { queue in state.ready.firstIndex { $0.queue === queue } }
      return state.ready.remove(at: first ?? chosen)
    }
    guard let ready else { return false }
    if let queue = ready.queue {
      ready.job.runSynchronously(
        isolatedTo: queue.asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    } else {
      ready.job.runSynchronously(on: asUnownedTaskExecutor())
    }
    return true
  }

  /// The number of jobs that have run.
  var count: Int { state.withLock { $0.count } }

  /// The number of jobs that came from another thread. Any such job makes a run depend on more than its seed.
  var strangers: Int { state.withLock { $0.strangers } }
}
