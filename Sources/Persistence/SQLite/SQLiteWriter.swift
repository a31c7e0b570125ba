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
  }
  private struct Waiting {
    var jobs: [Job] = []
    var isDraining = false
    var isClosed = false
  }

  /// The most that goes into one transaction.
  private static let batchLimit = 1_000

  private let queue = DispatchQueue(label: "tracseq.sqlite.writer")
  private let waiting = Mutex(Waiting())
  private let hub: CommitHub
  private var session: SQLiteSession?

  init(_ session: sending SQLiteSession, hub: CommitHub) {
    self.session = session
    self.hub = hub
  }

  /// Runs `write` in a transaction, with whatever else is waiting, and returns when that is committed.
  func submit<Value: Sendable>(
    _ write: @escaping @Sendable (SQLiteSession) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Value, StoreError>, Never>) in
      enqueue(
        Job(
          write: { session throws(StoreError) in
            let value = try write(session)
            return { continuation.resume(returning: .success(value)) }
          },
          fail: { continuation.resume(returning: .failure($0)) }))
    }
    return try result.get()
  }

  /// Lets what is waiting be written, then closes the connection. Later jobs fail.
  func close() async {
    waiting.withLock { $0.isClosed = true }
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

  private func commit(_ batch: [Job]) {
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
            // through an append, takes the whole batch back.
            let isClean = session.database.totalChanges == before && session.database.isInTransaction
            guard isClean else { throw error }
            answers.append { job.fail(error) }
          }
        }
        return answers
      }
      // Readers first, answers after: whoever waits for an answer may look at the tail at once.
      let grown = session.committed()
      hub.grew(grown.shards, by: grown.events)
      for answer in answers { answer() }
    } catch {
      session.rolledBack()
      for job in batch { job.fail(error) }
    }
  }
}
