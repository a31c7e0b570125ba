import Dispatch
import Synchronization

/// The only connection that writes, on its own queue. All jobs that wait when a commit returns go into the next
/// transaction together. So the wait for one disk flush collects the next batch.
///
/// `session` is used only on `queue`; all other members are Sendable. So the class is safe across threads.
final class SQLiteWriter: @unchecked Sendable {
  /// One write job.
  private struct Job: Sendable {
    /// Either refuses before it has written anything, or writes and returns the work to do after the commit.
    let write: @Sendable (SQLiteSession) throws(StoreError) -> @Sendable () -> Void
    let fail: @Sendable (StoreError) -> Void
    /// Returns true when the caller has its answer. Then the job is not written.
    let isOver: @Sendable () -> Bool
    let giveUp: @Sendable (String) -> Void
    /// True when the caller waits without a time limit.
    let isPatient: Bool
    let since = ContinuousClock.now
  }
  private struct Waiting {
    var jobs: [Job] = []
    /// The jobs without an answer, including those under way.
    var unanswered: [Job] = []
    var lastProgress = ContinuousClock.now
    var isDraining = false
    var isClosed = false
  }

  /// The most jobs in one transaction.
  private static let batchLimit = 1_000
  /// The time after which a waiting write makes the store's health show a problem.
  private static let longestSilence = Duration.seconds(2)
  private static let number = 0

  private let queue = DispatchQueue(label: "tracseq.sqlite.writer")
  private let waiting = Mutex(Waiting())
  /// The time that a caller waits while nothing is committed.
  private let patience: Duration
  private let hub: CommitHub
  private let board: StoreHealthBoard
  private let watches = Mutex<[StoreWatch]>([])
  private var session: SQLiteSession?

  init(_ session: sending SQLiteSession, hub: CommitHub, board: StoreHealthBoard, patience: Duration) {
    self.session = session
    self.patience = patience
    self.hub = hub
    self.board = board
    // The queue may wait for the disk, so another thread answers callers.
    watches.withLock { $0 = [StoreWatch { [weak self] in self?.sweep() }] }
  }

  /// Runs `write` in a transaction, together with all other waiting jobs. Returns when the transaction is committed.
  /// - Parameter isPatient: true when the caller waits without a time limit.
  func submit<Value: Sendable>(
    isPatient: Bool = false, _ write: @escaping @Sendable (SQLiteSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result = await withCheckedContinuation { continuation in
      let ticket = WriteTicket<Value>(continuation)
      enqueue(
        Job(
          write: { session throws(StoreError) in
            guard ticket.send() else { throw .unavailable("the caller has its answer") }
            let value = try write(session)
            return { ticket.give(.success(value)) }
          },
          fail: { ticket.give(.failure($0)) }, isOver: { ticket.isOver }, giveUp: { ticket.giveUp($0) },
          isPatient: isPatient))
    }
    return try result.get()
  }

  /// Starts the heartbeat writes. They show whether writes work while no caller writes.
  func startBeats() {
    let beats = StoreWatch(every: .seconds(5)) { [weak self] in self?.beat() }
    watches.withLock { watches in
      if watches.count == 1 { watches.append(beats) }
    }
  }

  private func beat() {
    enqueue(
      Job(
        write: { session throws(StoreError) in
          try session.beat()
          return {}
        },
        fail: { _ in }, isOver: { false }, giveUp: { _ in }, isPatient: true))
  }

  private func sweep() {
    let now = ContinuousClock.now
    let (overdue, isStalled) = waiting.withLock { waiting -> ([Job], Bool) in
      waiting.unanswered.removeAll { $0.isOver() }
      guard let oldest = waiting.unanswered.first else { return ([], false) }
      let silence = now - waiting.lastProgress
      let overdue = waiting.unanswered.filter { job in
        let age = now - job.since
        return !job.isPatient && age > patience && (silence > patience || age > patience * 4)
      }
      return (overdue, min(silence, now - oldest.since) > Self.longestSilence)
    }
    if isStalled { board.stalls(Self.number, for: Self.longestSilence) }
    let reason = board.health.problem?.message ?? "too much waits to be written"
    for job in overdue { job.giveUp(reason) }
  }

  /// Moves the write-ahead log into the file and empties it. A log that has been moved keeps the old pages until then.
  /// - Throws: `store.unavailable` when a reader has kept the log in use.
  func emptyLog() async throws(StoreError) {
    let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, StoreError>, Never>) in
      queue.async {
        guard let session = self.session else { return continuation.resume(returning: .failure(.closed)) }
        do throws(StoreError) {
          continuation.resume(returning: .success(try session.emptyLog()))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    try result.get()
  }

  /// Closes the connection after all waiting jobs are written. Later jobs fail.
  func close() async {
    waiting.withLock { $0.isClosed = true }
    watches.withLock { $0 = [] }
    await withCheckedContinuation { continuation in
      queue.async {
        // 1. The jobs from before the close.
        self.drain()
        // 2. Closing the last connection also moves the write-ahead log into the file.
        self.session = nil
        continuation.resume()
      }
    }
  }

  private func enqueue(_ job: Job) {
    enum Next { case refuse, wait, start }
    let next = waiting.withLock { waiting -> Next in
      if waiting.isClosed { return .refuse }
      waiting.jobs.append(job)
      if !job.isPatient { waiting.unanswered.append(job) }
      if waiting.isDraining { return .wait }
      waiting.isDraining = true
      return .start
    }
    switch next {
    case .refuse: job.fail(.closed)
    case .wait: break
    case .start: queue.async { self.drain() }
    }
  }

  private func drain() {
    while true {
      let batch = waiting.withLock { waiting -> [Job] in
        let batch = Array(waiting.jobs.prefix(Self.batchLimit))
        waiting.jobs.removeFirst(batch.count)
        if batch.isEmpty { waiting.isDraining = false }
        return batch
      }
      if batch.isEmpty { return }
      commit(batch)
    }
  }

  /// - Parameter isSecondTry: true when the first try met a row of another program.
  private func commit(_ jobs: [Job], isSecondTry: Bool = false) {
    let batch = jobs.filter { !$0.isOver() }
    if batch.isEmpty { return }
    guard let session else {
      for job in batch { job.fail(.closed) }
      return
    }
    session.keepsEvents = hub.hasFeeds
    do throws(StoreError) {
      let answers = try session.database.transaction { () throws(StoreError) in
        var answers: [@Sendable () -> Void] = []
        answers.reserveCapacity(batch.count)
        for job in batch {
          let before = session.database.totalChanges
          do throws(StoreError) {
            answers.append(try job.write(session))
          } catch {
            // A clean refusal changes nothing and affects only this job. Any other error rolls the whole batch back:
            // for example a full disk in the middle of an append, or a row of another program.
            let isClean = session.database.totalChanges == before && session.database.isInTransaction
            guard isClean, error.kind != .corrupt else { throw error }
            answers.append { job.fail(error) }
          }
        }
        return answers
      }
      // Readers learn of the commit before the callers do. A caller with an answer may read the tail immediately.
      let grown = session.committed()
      waiting.withLock { $0.lastProgress = ContinuousClock.now }
      if grown.shards.isEmpty { board.beats(Self.number) } else { board.works(Self.number) }
      hub.grew(grown.shards, by: grown.events)
      for answer in answers { answer() }
    } catch {
      session.rolledBack()
      waiting.withLock { $0.lastProgress = ContinuousClock.now }
      if case .corrupt = error.kind {
        // A row broke a rule of the schema. Either another program wrote a row, or one append of this batch is at
        // fault. The other appends are written without it.
        if batch.count > 1 {
          for job in batch { commit([job]) }
          return
        }
        if !isSecondTry, passIntruders(session) { return commit(batch, isSecondTry: true) }
      } else {
        board.fails(Self.number, error, isRefused: true)
      }
      for job in batch { job.fail(error) }
    }
  }

  /// - Returns: true when another program has written to a shard. This session continues after those events.
  private func passIntruders(_ session: SQLiteSession) -> Bool {
    do {
      let found = try session.passIntruders()
      for one in found { board.found(one.count, shard: one.shard, position: one.position) }
      return !found.isEmpty
    } catch {
      // The next write shows the error.
      return false
    }
  }
}
