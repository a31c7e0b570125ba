import Foundation

/// Runs tasks, and gives actors serial executors that run on the same threads.
public protocol WorkThreads: TaskExecutor {
  /// Returns a serial executor for one actor.
  func queue() -> any SerialExecutor
}

/// Threads of their own for one kind of work, so that it can take all of them and nothing else waits: the evaluation of
/// sagas, the reading of large requests, the answers that a monitor waits for.
///
/// Jobs run in the order in which they come, urgent ones first: those of tasks with `TaskPriority.high`. Some threads
/// take nothing but urgent jobs, so that an operator's verb never waits for a thread. A pool lives as long as the
/// process; threads start with its first job.
public final class WorkPool: WorkThreads {
  /// What waits for a thread.
  fileprivate enum Work {
    case job(UnownedJob)
    case queue(WorkQueue)
  }

  // Sound: `works`, `urgents` and `isStarted` are read and written only while `condition` is locked.
  private final class Line: @unchecked Sendable {
    let condition = NSCondition()
    var works = FIFO<Work>()
    var urgents = FIFO<Work>()
    var isStarted = false
  }

  private let line = Line()
  private let name: String
  private let threads: Int
  private let urgentThreads: Int

  /// The stack of each thread. What is evaluated nests 640 levels deep at most (`Budget.depth`); memory is used
  /// only as far as a stack grows.
  private static let stackSize = 16 << 20

  /// - Parameters:
  ///   - name: of its threads, as a debugger shows them.
  ///   - threads: that take every job; nil: one for each processor, at least two.
  ///   - urgentThreads: that take urgent jobs alone.
  public init(name: String, threads: Int? = nil, urgentThreads: Int = 0) {
    self.name = name
    self.threads = threads ?? max(2, ProcessInfo.processInfo.activeProcessorCount)
    self.urgentThreads = urgentThreads
  }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    add(.job(job), isUrgent: Self.isUrgent(job))
  }

  public func queue() -> any SerialExecutor { WorkQueue(on: self) }

  fileprivate static func isUrgent(_ job: UnownedJob) -> Bool { job.priority.rawValue >= TaskPriority.high.rawValue }

  fileprivate func add(_ work: Work, isUrgent: Bool) {
    line.condition.lock()
    if isUrgent { line.urgents.append(work) } else { line.works.append(work) }
    let starts = !line.isStarted
    line.isStarted = true
    // A thread that takes urgent jobs alone must not swallow the signal for another.
    if urgentThreads > 0 { line.condition.broadcast() } else { line.condition.signal() }
    line.condition.unlock()
    if starts { start() }
  }

  private func start() {
    for number in 0..<threads + urgentThreads {
      let isUrgentAlone = number >= threads
      let thread = Thread { [self] in
        while true { run(next(isUrgentAlone)) }
      }
      thread.name = "\(name)-\(number)"
      thread.stackSize = Self.stackSize
      thread.start()
    }
  }

  private func next(_ isUrgentAlone: Bool) -> Work {
    line.condition.lock()
    defer { line.condition.unlock() }
    while true {
      if let work = line.urgents.popFirst() { return work }
      if !isUrgentAlone, let work = line.works.popFirst() { return work }
      line.condition.wait()
    }
  }

  private func run(_ work: Work) {
    switch work {
    case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
    case .queue(let queue): queue.run()
    }
  }
}

/// The serial executor of one actor: its jobs run on the threads of a pool, one at a time, whoever asks the actor.
public final class WorkQueue: SerialExecutor {
  // Sound: `jobs` and `isRunning` are read and written only while `lock` is locked.
  private final class Line: @unchecked Sendable {
    let lock = NSLock()
    var jobs = FIFO<UnownedJob>()
    var isRunning = false
  }

  private let line = Line()
  private let pool: WorkPool

  public init(on pool: WorkPool) { self.pool = pool }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    line.lock.lock()
    line.jobs.append(job)
    line.lock.unlock()
    // One entry of the pool for each job; the entry of an urgent one may run those that came before it.
    pool.add(.queue(self), isUrgent: WorkPool.isUrgent(job))
  }

  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Runs jobs until there is none, unless another thread is doing so: that one takes what has come meanwhile.
  fileprivate func run() {
    guard begin() else { return }
    while let job = next() { job.runSynchronously(on: asUnownedSerialExecutor()) }
  }

  private func begin() -> Bool {
    line.lock.lock()
    defer { line.lock.unlock() }
    guard !line.isRunning, !line.jobs.isEmpty else { return false }
    line.isRunning = true
    return true
  }

  private func next() -> UnownedJob? {
    line.lock.lock()
    defer { line.lock.unlock() }
    let job = line.jobs.popFirst()
    if job == nil { line.isRunning = false }
    return job
  }
}

extension WorkPool {
  /// Decides, renders and folds sagas. One thread is kept for what an operator asks.
  public static let sagas = WorkPool(name: "saga", urgentThreads: 1)
  /// Reads requests and makes answers of any size.
  public static let requests = WorkPool(name: "request")
  /// Reads and answers what operators ask: verbs, signals, and whatever is as small.
  public static let verbs = WorkPool(name: "verb", threads: 2)
  /// Answers a monitor: `/healthz`, `/readyz`, `/metrics`.
  public static let monitors = WorkPool(name: "monitor", threads: 2)
}
