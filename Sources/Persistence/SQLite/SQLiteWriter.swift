import Dispatch
import Synchronization

/// The one connection that writes, on a queue of its own. What is waiting when a commit returns goes into the next
/// transaction together: the wait for one flush to the disk gathers the next batch.
///
/// `session` is touched on `queue` alone; the rest is Sendable by itself. That makes the class sound across threads.
final class SQLiteWriter: @unchecked Sendable {
  /// Something to write.
  private struct Job: Sendable {
    /// Either refuses before it has written anything, or writes and gives what to do once it is committed.
    let write: @Sendable (SQLiteSession) throws(StoreError) -> @Sendable () -> Void
    let fail: @Sendable (StoreError) -> Void
    /// Whether its caller has been answered: then it is not written any more.
    let isOver: @Sendable () -> Bool
    let giveUp: @Sendable (String) -> Void
    /// Its caller waits as long as it takes.
    let isPatient: Bool
    let since = ContinuousClock.now
  }
  private struct Waiting {
    var jobs: [Job] = []
    /// Those under way too.
    var unanswered: [Job] = []
    var lastProgress = ContinuousClock.now
    var isDraining = false
    var isClosed = false
  }

  /// The most that goes into one transaction.
  private static let batchLimit = 1_000
  /// How long it may wait before writes count as failing.
  private static let longestSilence = Duration.seconds(2)
  private static let number = 0

  private let queue = DispatchQueue(label: "tracseq.sqlite.writer")
  private let waiting = Mutex(Waiting())
  /// How long a caller waits while nothing is committed.
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
    // The queue may wait for the disk: callers are answered by another.
    watches.withLock { $0 = [StoreWatch { [weak self] in self?.sweep() }] }
  }

  /// Runs `write` in a transaction, with whatever else is waiting, and returns when that is committed.
  /// - Parameter isPatient: the caller waits as long as it takes.
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

  /// Writes something now and then from here on, by which it is found out whether writes work while nobody wants any.
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

  /// Lets what is waiting be written, then closes the connection. Later jobs fail.
  func close() async {
    waiting.withLock { $0.isClosed = true }
    watches.withLock { $0 = [] }
    await withCheckedContinuation { continuation in
      queue.async {
        // 1. What was waiting before the close.
        self.drain()
        // 2. Closing the last connection also moves the log into the file.
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

  /// - Parameter isSecondTry: what the first one met was a row of another program.
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
            // A refusal leaves nothing behind and concerns this job alone. Anything else, such as a full disk half-way
            // through an append or a row of another program in the way, takes the whole batch back.
            let isClean = session.database.totalChanges == before && session.database.isInTransaction
            guard isClean, error.kind != .corrupt else { throw error }
            answers.append { job.fail(error) }
          }
        }
        return answers
      }
      // Readers first, answers after: whoever waits for an answer may look at the tail at once.
      let grown = session.committed()
      waiting.withLock { $0.lastProgress = ContinuousClock.now }
      if grown.shards.isEmpty { board.beats(Self.number) } else { board.works(Self.number) }
      hub.grew(grown.shards, by: grown.events)
      for answer in answers { answer() }
    } catch {
      session.rolledBack()
      waiting.withLock { $0.lastProgress = ContinuousClock.now }
      if case .corrupt = error.kind {
        // A rule of the schema was broken: by a row that another program wrote, or by one append of these. The others are
        // written without it.
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

  /// - Returns: whether another program has written to a shard. This one goes on behind that.
  private func passIntruders(_ session: SQLiteSession) -> Bool {
    do {
      let found = try session.passIntruders()
      for one in found { board.found(one.count, shard: one.shard, position: one.position) }
      return !found.isEmpty
    } catch {
      // The next write shows what is wrong.
      return false
    }
  }
}
