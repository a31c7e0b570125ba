import Foundation

/// Runs tasks, and gives actors serial executors that run on the same threads.
public protocol WorkThreads: TaskExecutor {
  /// Returns a serial executor for one actor.
  func queue() -> any SerialExecutor
}

/// Separate threads for one kind of work, such as the evaluation of sagas, the reading of large requests, or the
/// answers for a monitor. The work can occupy all of them without blocking other work.
///
/// Jobs run in the order in which they arrive. Urgent jobs, those of tasks with `TaskPriority.high`, run first. Some
/// threads run only urgent jobs, so an operator's verb never waits for a thread. A pool exists as long as the process.
/// Its threads start with its first job.
public final class WorkPool: WorkThreads {
  /// The work that waits for a thread.
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

  /// The stack size of each thread. An evaluation nests at most 640 levels (`Budget.depth`). Memory is used only as far
  /// as a stack grows.
  private static let stackSize = 16 << 20

  /// - Parameters:
  ///   - name: the name of the threads in a debugger.
  ///   - threads: the number of threads that run every job; nil means one for each processor, at least two.
  ///   - urgentThreads: the number of threads that run only urgent jobs.
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
    // A thread for urgent jobs must not consume the signal for another thread.
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

/// The serial executor of one actor. Its jobs run on the threads of a pool, one at a time, for every caller of the
/// actor.
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
    // The caller need not hold the queue. As soon as the job is in the line, another thread may run it, and with it the
    // last use of the actor, which held the queue, may end.
    let kept = Unmanaged.passUnretained(self).retain()
    defer { kept.release() }
    line.lock.lock()
    line.jobs.append(job)
    line.lock.unlock()
    // The pool has one entry for each job. The entry of an urgent job may run the jobs that came before it.
    pool.add(.queue(self), isUrgent: WorkPool.isUrgent(job))
  }

  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Runs jobs until none is left. If another thread already does so, that thread runs the new jobs too.
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
  /// Decides, renders and folds sagas. One thread is reserved for the requests of operators.
  public static let sagas = WorkPool(name: "saga", urgentThreads: 1)
  /// Reads requests and builds answers of any size.
  public static let requests = WorkPool(name: "request")
  /// Reads and answers the requests of operators: verbs, signals, and other small requests.
  public static let verbs = WorkPool(name: "verb", threads: 2)
  /// Answers a monitor: `/healthz`, `/readyz`, `/metrics`.
  public static let monitors = WorkPool(name: "monitor", threads: 2)
}
