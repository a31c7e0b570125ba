import Runtime
import SagaCore
import Synchronization
import Values

/// The tasks of all sagas of one engine by their queues, and the workers that wait for them. It stores nothing: each saga
/// says which tasks it has, after a change and after a restart. It has the clocks of the leases.
///
/// A queue gives out its tasks in the order of their offers. Workers that wait get tasks in the order in which they asked.
final class TaskQueues: Sendable {
  /// The most workers that may wait at once, over all queues, in production.
  static let mostPollers = 4_096
  /// The most queues without a task or a waiting worker that are remembered.
  static let mostIdleQueues = 1_000

  /// A task that a poll is about to take.
  typealias Claim = TaskID

  fileprivate struct Entry {
    let queue: String
    let number: Int
    let offeredAt: Timestamp
    let heartbeatTimeout: Duration
    var deadline: Timestamp
    var isCancelled = false
    var isPaused = false
    /// The number of times that its saga has said how it is.
    var news = 0
    var stage = Stage.held

    enum Stage {
      case waiting
      /// A poll is about to take it.
      /// - Parameter news: the number of the saga's news then.
      case claimed(news: Int)
      /// Its saga is paused, or has refused to give it out.
      case held
      case taken(Lease)
    }

    /// Returns when a worker has lost the task at the latest. The end of the wait ends the lease, but not during a pause.
    func end(of lease: Lease, at now: Timestamp) -> Timestamp {
      deadline > now ? min(lease.until, deadline) : lease.until
    }
  }

  fileprivate struct Lease {
    let digest: String
    let worker: String
    let takenAt: Timestamp
    var heartbeatAt: Timestamp?
    var until: Timestamp
    var progress: StepProgress?
    /// When the history got the progress last.
    var progressRecordedAt: Timestamp?
    /// Whether the end of the lease has been reported to the saga.
    var isOver = false
  }

  fileprivate struct Queue {
    var heap = OfferHeap()
    var waiting = 0
    var taken = 0
    /// The tickets of the workers that wait, the first first.
    var parked: [Int] = []
    var lastAskedAt: Timestamp?

    var isIdle: Bool { waiting == 0 && taken == 0 && parked.isEmpty && heap.count == 0 }
  }

  fileprivate struct Poller {
    let queue: String
    let max: Int
    let wake: AsyncStream<Void>.Continuation
    var claims: [Claim] = []
  }

  fileprivate struct State {
    var entries: [TaskID: Entry] = [:]
    var tasks: [UniqueID: Set<TaskID>] = [:]
    var queues: [String: Queue] = [:]
    var pollers: [Int: Poller] = [:]
    var lastNumber = 0
    var lastTicket = 0
    var isClosed = false
  }
  private let state = Mutex(State())
  private let clock: any WallClock
  /// The most workers that may wait at once, over all queues.
  private let mostPollers: Int
  /// Wakes when a lease of a saga ends.
  let leases: Scheduler

  init(clock: any WallClock, executor: (any TaskExecutor)?, mostPollers: Int = TaskQueues.mostPollers) {
    self.clock = clock
    self.mostPollers = mostPollers
    leases = Scheduler(clock: clock, executor: executor)
  }

  // MARK: What sagas have

  /// Takes over the tasks that a saga has now. A task that it had and has no more is dropped. A taken task that is new
  /// here gets its whole heartbeat timeout.
  func update(_ saga: UniqueID, _ tasks: [TaskNow], of state: SagaState) {
    let now = clock.now()
    let (woken, next) = self.state.withLock { all -> ([AsyncStream<Void>.Continuation], Timestamp?) in
      let known = all.tasks[saga] ?? []
      if tasks.isEmpty, known.isEmpty { return ([], nil) }
      for gone in known.subtracting(tasks.map(\.id)) { all.remove(gone) }
      all.tasks[saga] = tasks.isEmpty ? nil : Set(tasks.map(\.id))
      for task in tasks {
        all.put(task, isPaused: state.isPaused, isCancelled: state.isCancelled(task.id), now: now)
      }
      let woken = Set(tasks.map(\.offer.queue)).sorted().flatMap { all.handOver($0) }
      return (woken, all.nextEnd(of: saga))
    }
    leases.set(saga, at: next)
    for poller in woken { poller.finish() }
  }

  // MARK: Polls

  /// Returns a number that keeps a worker's place among those that wait.
  func ticket() -> Int {
    state.withLock { all in
      all.lastTicket += 1
      return all.lastTicket
    }
  }

  private enum Asked {
    case claims([Claim])
    case parked(AsyncStream<Void>)
    case full
  }

  /// Claims tasks of a queue, the longest waiting first. If there is none, waits for one.
  /// - Parameter ticket: the worker's place among those that wait.
  /// - Returns: at most `max` tasks, which the caller takes, holds or releases. None when the time is over.
  /// - Throws: `EngineError` `task.tooManyPolls` when too many workers wait; `engine.draining` when the task is
  ///   cancelled.
  func claims(_ queue: String, max: Int, ticket: Int, until deadline: Timestamp) async throws -> [Claim] {
    let now = clock.now()
    let asked = state.withLock { all -> Asked in
      all.queues[queue, default: Queue()].lastAskedAt = now
      all.forgetIdleQueues()
      let claims = all.claim(queue, max)
      if !claims.isEmpty || deadline <= now || all.isClosed { return .claims(claims) }
      guard all.pollers.count < mostPollers else { return .full }
      let (stream, wake) = AsyncStream<Void>.makeStream()
      all.pollers[ticket] = Poller(queue: queue, max: max, wake: wake)
      all.park(ticket, in: queue)
      return .parked(stream)
    }
    switch asked {
    case .claims(let claims): return claims
    case .full:
      throw EngineError(
        code: EngineErrorCode.taskTooManyPolls,
        message: "\(mostPollers) workers wait for tasks already. Ask again later, or let fewer workers wait.")
    case .parked(let stream):
      await withTaskGroup(of: Void.self) { [clock] group in
        group.addTask { for await _ in stream {} }
        group.addTask { do { try await clock.sleep(until: deadline) } catch {} }
        await group.next()
        group.cancelAll()
      }
      let claims = state.withLock { $0.leave(ticket) }
      if Task.isCancelled {
        for claim in claims { release(claim) }
        throw EngineError(
          code: EngineErrorCode.engineDraining, message: "The wait for a task was cut off. Ask again.")
      }
      return claims
    }
  }

  /// Gives a claimed task back to its queue, because it could not be taken.
  func release(_ task: Claim) { giveBack(task, isRefused: false) }

  /// Keeps a claimed task out of its queue until its saga says how it is, because the saga refused to give it out.
  func hold(_ task: Claim) { giveBack(task, isRefused: true) }

  private func giveBack(_ task: Claim, isRefused: Bool) {
    let woken = state.withLock { all -> [AsyncStream<Void>.Continuation] in
      guard let entry = all.entries[task], case .claimed(let news) = entry.stage else { return [] }
      // What the saga said since the claim may be newer than its refusal.
      let isHeld = entry.isPaused || isRefused && entry.news == news
      all.set(isHeld ? .held : .waiting, of: task)
      return all.handOver(entry.queue)
    }
    for poller in woken { poller.finish() }
  }

  /// Answers all waiting workers with nothing, and lets no other wait.
  func close() {
    let woken = state.withLock { all in
      all.isClosed = true
      return all.pollers.values.map(\.wake)
    }
    for poller in woken { poller.finish() }
  }

  // MARK: Leases

  /// What a heartbeat finds.
  struct Heartbeat {
    /// Whether the worker should stop.
    let isCancelled: Bool
    /// When the lease ends without another heartbeat.
    let until: Timestamp
    /// Whether the history gets the progress.
    let recordsProgress: Bool
  }

  /// The shortest time between two events with the progress of a task.
  static let progressEvery = Duration.seconds(60)

  /// Extends a lease by its heartbeat timeout.
  /// - Returns: nil when the task is not under this lease.
  func heartbeat(_ task: TaskID, lease digest: String, progress: StepProgress?) -> Heartbeat? {
    let now = clock.now()
    let beat = state.withLock { all -> (Heartbeat, Timestamp?)? in
      guard let entry = all.entries[task], case .taken(var lease) = entry.stage, lease.digest == digest, !lease.isOver
      else { return nil }
      lease.heartbeatAt = now
      lease.until = now + entry.heartbeatTimeout
      var records = false
      if let progress, progress != lease.progress {
        lease.progress = progress
        records = lease.progressRecordedAt.map { now - $0 >= Self.progressEvery } ?? true
        if records { lease.progressRecordedAt = now }
      }
      all.entries[task]?.stage = .taken(lease)
      return (
        Heartbeat(isCancelled: entry.isCancelled, until: entry.end(of: lease, at: now), recordsProgress: records),
        all.nextEnd(of: task.saga)
      )
    }
    guard let (heartbeat, next) = beat else { return nil }
    leases.set(task.saga, at: next)
    return heartbeat
  }

  /// Returns the reports on the leases of a saga that have ended.
  func endedLeases(of saga: UniqueID) -> [TaskAnswer] {
    let now = clock.now()
    let (ended, next) = state.withLock { all -> ([TaskAnswer], Timestamp?) in
      var ended: [TaskAnswer] = []
      for task in all.tasks[saga] ?? [] {
        guard case .taken(var lease)? = all.entries[task]?.stage, !lease.isOver, lease.until <= now else { continue }
        lease.isOver = true
        all.entries[task]?.stage = .taken(lease)
        ended.append(TaskAnswer(task: task, lease: lease.digest, content: .lost))
      }
      return (ended.sorted { $0.task.description < $1.task.description }, all.nextEnd(of: saga))
    }
    leases.set(saga, at: next)
    return ended
  }

  // MARK: What people see

  /// Returns the queues, by name.
  var queues: [TaskQueueNow] {
    state.withLock { all in
      all.queues.map { name, queue in
        TaskQueueNow(
          name: name, waiting: queue.waiting, taken: queue.taken, pollers: queue.parked.count,
          lastAskedAt: queue.lastAskedAt)
      }
    }.sorted { $0.name < $1.name }
  }

  /// Returns when a worker last asked a queue; nil when none has asked since the engine started.
  func lastAsked(_ queue: String) -> Timestamp? { state.withLock { $0.queues[queue]?.lastAskedAt } }

  /// Returns tasks, the first offered first.
  /// - Parameters:
  ///   - queue: nil for the tasks of all queues.
  ///   - limit: the most tasks.
  /// - Returns: the tasks, and the number of the others.
  func tasks(of queue: String?, limit: Int) -> (tasks: [OfferedTask], more: Int) {
    let now = clock.now()
    let found = state.withLock { all in
      all.entries.filter { queue == nil || $0.value.queue == queue }
        .map { ($0.value.number, OfferedTask($0.key, $0.value, at: now)) }
    }
    let sorted = found.sorted { ($0.1.offeredAt, $0.0) < ($1.1.offeredAt, $1.0) }
    return (sorted.prefix(limit).map(\.1), max(0, sorted.count - limit))
  }

  /// Returns a task that is offered, or that a worker has.
  func task(_ id: TaskID) -> OfferedTask? {
    let now = clock.now()
    return state.withLock { all in all.entries[id].map { OfferedTask(id, $0, at: now) } }
  }
}

// MARK: Under the lock

extension TaskQueues.State {
  fileprivate mutating func put(_ task: TaskNow, isPaused: Bool, isCancelled: Bool, now: Timestamp) {
    if entries[task.id] == nil {
      lastNumber += 1
      entries[task.id] = TaskQueues.Entry(
        queue: task.offer.queue, number: lastNumber, offeredAt: task.offeredAt,
        heartbeatTimeout: task.heartbeatTimeout, deadline: task.deadline)
    }
    entries[task.id]?.deadline = task.deadline
    entries[task.id]?.isCancelled = isCancelled
    entries[task.id]?.isPaused = isPaused
    entries[task.id]?.news += 1
    guard let entry = entries[task.id] else { return }
    if let taken = task.offer.taken {
      if case .taken(let lease) = entry.stage, lease.digest == taken.lease { return }
      set(
        .taken(
          TaskQueues.Lease(
            digest: taken.lease, worker: taken.worker, takenAt: taken.at,
            until: now + entry.heartbeatTimeout, progress: task.progress?.value,
            progressRecordedAt: task.progress?.at)), of: task.id)
      return
    }
    switch entry.stage {
    case .claimed, .taken: break
    case .waiting: if isPaused { set(.held, of: task.id) }
    case .held: if !isPaused { set(.waiting, of: task.id) }
    }
  }

  fileprivate mutating func remove(_ task: TaskID) {
    set(.held, of: task)
    entries[task] = nil
  }

  /// Changes the stage of a task, and counts it in its queue.
  fileprivate mutating func set(_ stage: TaskQueues.Entry.Stage, of task: TaskID) {
    guard let entry = entries[task] else { return }
    var queue = queues[entry.queue] ?? TaskQueues.Queue()
    switch entry.stage {
    case .waiting: queue.waiting -= 1
    case .taken: queue.taken -= 1
    case .claimed, .held: break
    }
    entries[task]?.stage = stage
    switch stage {
    case .waiting:
      queue.waiting += 1
      queue.heap.insert(OfferHeap.Entry(offeredAt: entry.offeredAt, number: entry.number, task: task))
    case .taken: queue.taken += 1
    case .claimed, .held: break
    }
    // Entries of tasks that no longer wait must not pile up.
    if queue.heap.count > 2 * queue.waiting + 1_024 {
      queue.heap = OfferHeap(
        entries.compactMap { id, one in
          guard one.queue == entry.queue, case .waiting = one.stage else { return nil }
          return OfferHeap.Entry(offeredAt: one.offeredAt, number: one.number, task: id)
        })
    }
    queues[entry.queue] = queue
  }

  /// Claims the tasks of a queue that wait longest.
  fileprivate mutating func claim(_ queue: String, _ max: Int) -> [TaskID] {
    var claims: [TaskID] = []
    while claims.count < max, let first = queues[queue]?.heap.popFirst() {
      // A task that was given back has two entries with its number. One of them is enough.
      guard let entry = entries[first.task], entry.number == first.number, case .waiting = entry.stage else { continue }
      set(.claimed(news: entry.news), of: first.task)
      claims.append(first.task)
    }
    return claims
  }

  fileprivate mutating func park(_ ticket: Int, in queue: String) {
    let place = queues[queue]?.parked.firstIndex { $0 > ticket } ?? queues[queue]?.parked.count ?? 0
    queues[queue]?.parked.insert(ticket, at: place)
  }

  /// Gives the waiting tasks of a queue to the workers that wait.
  /// - Returns: those to wake.
  fileprivate mutating func handOver(_ queue: String) -> [AsyncStream<Void>.Continuation] {
    var woken: [AsyncStream<Void>.Continuation] = []
    while let ticket = queues[queue]?.parked.first, let poller = pollers[ticket] {
      let claims = claim(queue, poller.max)
      if claims.isEmpty { return woken }
      pollers[ticket]?.claims = claims
      queues[queue]?.parked.removeFirst()
      woken.append(poller.wake)
    }
    return woken
  }

  /// Ends the wait of a worker.
  /// - Returns: the tasks that it was given.
  fileprivate mutating func leave(_ ticket: Int) -> [TaskID] {
    guard let poller = pollers.removeValue(forKey: ticket) else { return [] }
    queues[poller.queue]?.parked.removeAll { $0 == ticket }
    return poller.claims
  }

  /// Returns when the next lease of a saga ends.
  fileprivate func nextEnd(of saga: UniqueID) -> Timestamp? {
    (tasks[saga] ?? []).compactMap { task in
      guard case .taken(let lease)? = entries[task]?.stage, !lease.isOver else { return nil }
      return lease.until
    }.min()
  }

  /// Forgets the queues that were asked for longest ago, so that names of workers alone don't fill the memory.
  fileprivate mutating func forgetIdleQueues() {
    guard queues.count > 2 * TaskQueues.mostIdleQueues else { return }
    let idle = queues.filter { $0.value.isIdle }.sorted {
      ($0.value.lastAskedAt ?? Timestamp(milliseconds: 0)) < ($1.value.lastAskedAt ?? Timestamp(milliseconds: 0))
    }
    for (name, _) in idle.dropLast(TaskQueues.mostIdleQueues) { queues[name] = nil }
  }
}

// MARK: Values

/// A queue of tasks now.
public struct TaskQueueNow: Sendable, Hashable {
  public let name: String
  /// The number of tasks that wait for a worker.
  public let waiting: Int
  /// The number of tasks that workers have.
  public let taken: Int
  /// The number of workers that wait for a task.
  public let pollers: Int
  /// When a worker last asked for a task; nil when none has asked since the engine started.
  public let lastAskedAt: Timestamp?

  public init(name: String, waiting: Int, taken: Int, pollers: Int, lastAskedAt: Timestamp?) {
    self.name = name
    self.waiting = waiting
    self.taken = taken
    self.pollers = pollers
    self.lastAskedAt = lastAskedAt
  }
}

/// A task that is offered, or that a worker has.
public struct OfferedTask: Sendable, Hashable {
  public enum Status: String, Sendable, Hashable, CaseIterable {
    case waiting
    /// It is not given out, because its saga is paused.
    case held
    case taken
  }
  public let id: TaskID
  public let queue: String
  public let status: Status
  public let offeredAt: Timestamp
  /// The end of the whole wait.
  public let deadline: Timestamp
  /// The worker that has it; nil when none has.
  public let worker: String?
  public let takenAt: Timestamp?
  /// Nil before the first heartbeat, and after a restart of the engine.
  public let heartbeatAt: Timestamp?
  /// When the lease ends without another heartbeat.
  public let leaseUntil: Timestamp?
  public let progress: StepProgress?

  public init(
    id: TaskID, queue: String, status: Status, offeredAt: Timestamp, deadline: Timestamp, worker: String? = nil,
    takenAt: Timestamp? = nil, heartbeatAt: Timestamp? = nil, leaseUntil: Timestamp? = nil,
    progress: StepProgress? = nil
  ) {
    self.id = id
    self.queue = queue
    self.status = status
    self.offeredAt = offeredAt
    self.deadline = deadline
    self.worker = worker
    self.takenAt = takenAt
    self.heartbeatAt = heartbeatAt
    self.leaseUntil = leaseUntil
    self.progress = progress
  }

  fileprivate init(_ id: TaskID, _ entry: TaskQueues.Entry, at now: Timestamp) {
    var (status, lease): (Status, TaskQueues.Lease?) = (.waiting, nil)
    switch entry.stage {
    case .waiting, .claimed: break
    case .held: status = .held
    case .taken(let taken): (status, lease) = (.taken, taken)
    }
    self.init(
      id: id, queue: entry.queue, status: status, offeredAt: entry.offeredAt, deadline: entry.deadline,
      worker: lease?.worker, takenAt: lease?.takenAt, heartbeatAt: lease?.heartbeatAt,
      leaseUntil: lease.map { entry.end(of: $0, at: now) },
      progress: lease?.progress)
  }
}
