import Persistence
import Runtime
import Values
import WorkflowEngine

/// Sends one destination its notices: follows every shard's tail, and tries the first notice of each until it is
/// delivered or given up.
///
/// A failing destination gets one notice at a time, less and less often, however many wait. A notice that fails alone
/// blocks only its shard. Nothing here waits for another destination.
actor NoticeSender {
  nonisolated let destination: any NoticeDestination
  private let store: any EventStore
  private let maker: NoticeMaker
  private let sizes: IncidentSizes
  private let configuration: Notices.Configuration
  private let environment: Environment
  private let log: Log
  nonisolated let inbox = NoticeInbox()

  private let checkpoints: FollowerCheckpoints
  private var deliveries: [DeliveryProgress] = []
  private var memory = DeliveryRecord()
  private var isMemoryChanged = false
  /// The given-up notices that are not stored yet.
  private var deadNotices: [(shard: Int, document: Document)] = []
  /// Set when the destination said that it no longer exists, until this process ends or a test arrives.
  private var goneSince: Timestamp?
  /// The sender does not call the destination before this time.
  private var pauseUntil: Timestamp?
  private var storeProblem: NoticeStatus.Problem?
  /// Shards that could not be read; the time of the next try follows.
  private var unread: Set<Int> = []
  private var readAgainAt: Timestamp?
  private var nextSave: Timestamp?
  private var alarm: Task<Void, Never>?

  /// Returns the name under which the checkpoints of a destination are stored.
  static func follower(_ name: String) -> String { "notices \(name)" }

  init(
    _ destination: any NoticeDestination, store: any EventStore, maker: NoticeMaker, sizes: IncidentSizes,
    configuration: Notices.Configuration, environment: Environment, log: Log
  ) {
    self.destination = destination
    self.store = store
    checkpoints = FollowerCheckpoints(of: Self.follower(destination.name), in: store)
    self.maker = maker
    self.sizes = sizes
    self.configuration = configuration
    self.environment = environment
    self.log = log
  }

  func run() async throws {
    // 1. The hints come first, then the positions: either of them shows what is committed in between.
    let hints = store.committed()
    let result: Result<Void, any Error>
    do {
      try await begin()
      inbox.grew(Set(deliveries.indices))
      try await withThrowingDiscardingTaskGroup { group in
        group.addTask { [inbox, environment, configuration] in
          for await shards in hints {
            inbox.grew(shards)
            // The wait keeps the sender from reading a busy store at every commit.
            do { try await environment.sleep(for: configuration.lookEvery) } catch {
              return
            }
          }
        }
        try await self.work()
        group.cancelAll()
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    // 2. Progress is saved, however the run ended. This needs a separate task, because this one may have been
    // cancelled.
    alarm?.cancel()
    await Task { await self.save() }.value
    await destination.close()
    try result.get()
  }

  /// Begins where the sender stopped. A new destination begins with the events from now on.
  private func begin() async throws {
    while true {
      do throws(StoreError) {
        let kept = try await store.document(collection: DeliveryRecord.collection, id: destination.name)
        try await checkpoints.load()
        if let kept { memory = DeliveryRecord(kept) } else { try await beginAtHeads() }
        deliveries = (0..<store.shardCount).map { DeliveryProgress(shard: $0, checkpoint: checkpoints[$0]) }
        storeProblem = nil
        return
      } catch {
        guard error.kind == .unavailable else { throw error }
        noteStore(error)
        try await environment.sleep(for: configuration.readAgainAfter)
      }
    }
  }

  private func beginAtHeads() async throws(StoreError) {
    var heads: [Int: Int64] = [:]
    for shard in 0..<store.shardCount { heads[shard] = max(checkpoints[shard], try await store.head(shard: shard)) }
    try await checkpoints.move(to: heads)
    // Only now it has begun. Before this write, a restart would begin again.
    try await checkpoints.store([memory.document(of: destination.name)], at: 0)
    log.info("Notices are told from now on", ("destination", destination.name), ("target", destination.target))
  }

  private func work() async throws {
    for await _ in inbox.wakes {
      if inbox.takeAnswered() { takeAsWell() }
      var shards = grown()
      if let moment = readAgainAt, moment <= environment.now() {
        shards.formUnion(unread)
        (unread, readAgainAt) = ([], nil)
      }
      try await look(at: shards)
      while !Task.isCancelled, case let ready = ready(at: environment.now()), !ready.isEmpty {
        await deliver(ready)
        await save()
        try await look(at: grown().union(deliveries.indices.filter { !deliveries[$0].tail.isAtEnd }))
      }
      if let moment = nextSave, moment <= environment.now() { await save() }
      setAlarm()
    }
  }

  // MARK: Finding

  /// Takes the shards that may have grown.
  private func grown() -> Set<Int> {
    let shards = inbox.takeShards().filter(deliveries.indices.contains)
    for shard in shards { deliveries[shard].tail.grew() }
    return shards
  }

  private func look(at shards: Set<Int>) async throws {
    for shard in shards.sorted() {
      do throws(StoreError) {
        try await scan(shard)
        if unread.isEmpty { storeProblem = nil }
      } catch {
        if error.kind == .closed { throw error }
        if Task.isCancelled { return }
        noteStore(error)
        unread.insert(shard)
        readAgainAt = environment.now() + configuration.readAgainAfter
      }
    }
    if nextSave == nil, deliveries.contains(where: { $0.settled != checkpoints[$0.shard] }) {
      nextSave = environment.now() + configuration.saveEvery
    }
  }

  private func scan(_ shard: Int) async throws(StoreError) {
    while deliveries[shard].queue.count < configuration.queueLimit {
      if deliveries[shard].tail.needsRead {
        let after = deliveries[shard].tail.next - 1
        let page = try await store.tail(shard: shard, after: after, limit: configuration.pageSize)
        deliveries[shard].tail.read(page, limit: configuration.pageSize)
      }
      guard let event = deliveries[shard].tail.buffer.first else { return }
      if let notice = try await maker.notice(of: event, wanted: destination.types) { await found(notice, event) }
      // The engine stops, and may not have answered: the next start looks at this event again.
      if Task.isCancelled { return }
      deliveries[shard].tail.take()
    }
    // The other events wait in the store.
    deliveries[shard].tail.restart(after: deliveries[shard].tail.next - 1)
  }

  /// Decides whether a notice is sent, or another one of its incident says it.
  private func found(_ notice: Notice, _ event: StoredEvent) async {
    guard let incident = notice.incident else { return add(notice, event) }
    var decision = memory.incidents.note(
      incident, id: notice.id, at: environment.now(), wait: configuration.incidentWait)
    if decision == .ask { decision = await decideAgain(notice, incident) }
    isMemoryChanged = true
    if nextSave == nil { nextSave = environment.now() + configuration.saveEvery }
    switch decision {
    case .tell(let notBefore): add(notice, event, notBefore: notBefore)
    case .leaveOut, .ask: break
    }
  }

  /// Decides for one more saga of an incident of which a notice was delivered.
  private func decideAgain(_ notice: Notice, _ incident: String) async -> IncidentBook.Decision {
    let now = environment.now()
    let hasOthers = await sizes.hasOthers(incident, notice.subject)
    if hasOthers == false {
      return memory.incidents.open(incident, id: notice.id, at: now, wait: configuration.incidentWait)
    }
    return memory.incidents.stillOpen(
      incident, id: notice.id, size: await sizes.count(incident), at: now, wait: configuration.incidentWait,
      again: hasOthers == nil ? configuration.incidentAgainUnknown : configuration.incidentAgainAfter)
  }

  private func add(_ notice: Notice, _ event: StoredEvent, notBefore: Timestamp? = nil) {
    var pending = DeliveryProgress.Pending(notice: notice, position: event.position)
    pending.notBefore = notBefore
    if let tries = memory.tries[event.shard], tries.position == event.position {
      (pending.tries, pending.since, pending.notBefore) = (tries.count, tries.since, tries.notBefore)
    }
    deliveries[event.shard].queue.append(pending)
  }

  private func noteStore(_ error: StoreError) {
    if storeProblem == nil {
      log.warning(
        "Nobody is told what the store can't be read for; trying again", ("destination", destination.name),
        ("error", error.message))
    }
    storeProblem = .init(code: error.code, message: error.message, at: storeProblem?.at ?? environment.now())
  }

  // MARK: Delivering

  /// Returns the deliveries whose first notice is due: those with the fewest failures first, then the oldest.
  private func ready(at now: Timestamp) -> [Int] {
    if goneSince != nil { return [] }
    if let pauseUntil, now < pauseUntil { return [] }
    let due = deliveries.indices.filter { index in
      deliveries[index].queue.first.map { $0.notBefore ?? now <= now } ?? false
    }
    let sorted = due.sorted { left, right in
      let (one, other) = (deliveries[left].queue[0], deliveries[right].queue[0])
      return (one.tries, one.notice.at, left) < (other.tries, other.notice.at, right)
    }
    return Array(sorted.prefix(memory.failures > 0 ? 1 : configuration.width))
  }

  private func deliver(_ ready: [Int]) async {
    for index in ready { await count(index) }
    let outcomes = await withTaskGroup(of: (Int, NoticeOutcome).self) { group in
      for index in ready {
        let notice = deliveries[index].queue[0].said
        group.addTask { [destination] in (index, await destination.deliver(notice)) }
      }
      var all: [(Int, NoticeOutcome)] = []
      for await one in group { all.append(one) }
      return all
    }
    var arrived: [Int] = []
    var failed: [(Int, NoticeFailure)] = []
    for (index, outcome) in outcomes {
      switch outcome {
      case .delivered: arrived.append(index)
      // The end of the process cut the try off, so it shows nothing about the destination.
      case .failed(let failure): if !Task.isCancelled { failed.append((index, failure)) }
      }
    }
    // Failures come first, because a destination that took any notice works. Failures of one round count as one.
    if !failed.isEmpty { memory.failures += 1 }
    for (index, failure) in failed { didFail(index, failure) }
    for index in arrived { didDeliver(index) }
  }

  /// Counts the sagas that the first notice of a delivery has to say.
  private func count(_ index: Int) async {
    guard let incident = deliveries[index].queue[0].notice.incident else { return }
    deliveries[index].queue[0].sagas = memory.incidents.sagas(in: incident, size: await sizes.count(incident))
  }

  private func didDeliver(_ index: Int) {
    let now = environment.now()
    let told = deliveries[index].queue[0]
    if let incident = told.notice.incident {
      memory.incidents.didTell(incident, id: told.notice.id, sagas: told.sagas ?? 1, at: now)
    }
    deliveries[index].queue.removeFirst()
    memory.tries[index] = nil
    memory.delivered += 1
    memory.lastDeliveredAt = now
    if memory.failures >= 3 {
      // The destination failed, not the notices, so the notices need not wait for their own pauses.
      for index in deliveries.indices where !deliveries[index].queue.isEmpty {
        let soon = now + .milliseconds(Int64(environment.random() % 60_000))
        deliveries[index].queue[0].notBefore = deliveries[index].queue[0].notBefore.map { min($0, soon) }
      }
    }
    if memory.failingSince != nil { log.info("A destination takes notices again", ("destination", destination.name)) }
    (memory.failures, memory.failingSince, pauseUntil) = (0, nil, nil)
    // A notice that fails by itself stays visible in the status.
    if memory.tries.isEmpty { memory.problem = nil }
    isMemoryChanged = true
  }

  private func didFail(_ index: Int, _ failure: NoticeFailure) {
    let now = environment.now()
    memory.failingSince = memory.failingSince ?? now
    memory.problem = .init(code: failure.code, message: failure.message, at: now)
    isMemoryChanged = true
    if failure.isGone {
      goneSince = now
      log.error(
        "A destination answered that it wants no more notices; it gets none until a test of it succeeds",
        ("destination", destination.name), ("error", failure.message))
      return
    }
    let asked = min(failure.retryAfter ?? .zero, configuration.backoff.limit)
    pauseUntil = now + max(asked, min(configuration.longestPause, pause(after: memory.failures)))
    var first = deliveries[index].queue[0]
    first.tries += 1
    let since = first.since ?? now
    guard now - since < configuration.giveUpAfter else { return giveUp(index, first, failure) }
    let notBefore = now + max(asked, pause(after: first.tries))
    (first.since, first.notBefore) = (since, notBefore)
    deliveries[index].queue[0] = first
    memory.tries[index] = .init(position: first.position, count: first.tries, since: since, notBefore: notBefore)
    log.warning(
      "A notice could not be delivered; it is tried again", ("destination", destination.name),
      ("notice", first.notice.id), ("tries", "\(first.tries)"), ("next", "\(notBefore)"), ("error", failure.message))
  }

  private func giveUp(_ index: Int, _ pending: DeliveryProgress.Pending, _ failure: NoticeFailure) {
    let now = environment.now()
    if let incident = pending.notice.incident { memory.incidents.didGiveUp(incident, id: pending.notice.id) }
    let deadNotice = DeadNotice(
      destination: destination.name, id: pending.notice.id, type: pending.notice.type.rawValue, at: pending.notice.at,
      summary: pending.said.summary, attempts: pending.tries, givenUpAt: now, code: failure.code,
      message: failure.message)
    deadNotices.append((index, deadNotice.document(of: pending.said)))
    deliveries[index].queue.removeFirst()
    memory.tries[index] = nil
    memory.givenUp += 1
    memory.lastGivenUpAt = now
    log.error(
      "A notice is GIVEN UP, so that it holds up no other", ("destination", destination.name),
      ("notice", deadNotice.id), ("tries", "\(deadNotice.attempts)"), ("summary", deadNotice.summary),
      ("error", failure.message))
  }

  private func pause(after failures: Int) -> Duration {
    configuration.backoff.pause(after: failures, jitter: environment.random())
  }

  /// A test has arrived: everything that waits is sent at once.
  private func takeAsWell() {
    (goneSince, pauseUntil) = (nil, nil)
    (memory.failures, memory.failingSince) = (0, nil)
    if memory.tries.isEmpty { memory.problem = nil }
    isMemoryChanged = true
    nextSave = environment.now()
    for index in deliveries.indices where !deliveries[index].queue.isEmpty {
      deliveries[index].queue[0].notBefore = nil
    }
  }

  // MARK: Keeping

  /// A checkpoint is only at a position up to which everything is delivered or given up. A dead notice is stored with
  /// its shard's checkpoint, or before it.
  private func save() async {
    nextSave = nil
    guard !deliveries.isEmpty else { return }
    do throws(StoreError) {
      if isMemoryChanged || !deadNotices.isEmpty {
        let shard = deadNotices.first?.shard ?? deliveries.firstIndex { $0.settled != checkpoints[$0.shard] } ?? 0
        let documents = [memory.document(of: destination.name)] + deadNotices.map(\.document)
        try await checkpoints.store(documents, at: shard, to: deliveries[shard].settled)
        (deadNotices, isMemoryChanged) = ([], false)
      }
      try await checkpoints.move(to: Dictionary(uniqueKeysWithValues: deliveries.map { ($0.shard, $0.settled) }))
    } catch {
      // At worst, notices are sent again.
      log.warning(
        "How far a destination was told could not be kept; it will be", ("destination", destination.name),
        ("error", error.message))
      nextSave = environment.now() + configuration.saveEvery
    }
  }

  private func setAlarm() {
    var moments = [readAgainAt, nextSave].compactMap { $0 }
    if let next = nextTryAt { moments.append(next) }
    alarm?.cancel()
    alarm = nil
    guard let moment = moments.min() else { return }
    alarm = Task { [inbox, environment] in
      do { try await environment.clock.sleep(until: moment) } catch { return }
      inbox.wake()
    }
  }

  private var nextTryAt: Timestamp? {
    if goneSince != nil { return nil }
    let first = deliveries.compactMap { $0.queue.first.map { $0.notBefore ?? Timestamp(milliseconds: 0) } }.min()
    guard let first else { return nil }
    return max(first, pauseUntil ?? first)
  }

  // MARK: What it says of itself

  func noteEnd(_ error: StoreError) {
    storeProblem = .init(code: error.code, message: error.message, at: environment.now())
  }

  func status() async throws(StoreError) -> NoticeStatus {
    let waiting = deliveries.flatMap(\.queue)
    let failingSince = (waiting.compactMap(\.since) + [memory.failingSince, storeProblem?.at].compactMap { $0 }).min()
    let state: NoticeStatus.State =
      goneSince != nil
      ? .gone : failingSince != nil ? .failing : waiting.isEmpty ? .current : .delivering
    let query = DocumentQuery(
      collection: DeadNotice.collection, fields: ["destination": destination.name], descending: true,
      limit: configuration.shownDeadNotices)
    return NoticeStatus(
      name: destination.name, kind: destination.kind, target: destination.target,
      types: destination.types.sorted { $0.rawValue < $1.rawValue }, state: state, pending: waiting.count,
      isPendingMore: deliveries.contains { $0.hasMore }, oldestPending: waiting.map(\.notice.at).min(),
      delivered: memory.delivered, lastDeliveredAt: memory.lastDeliveredAt, failingSince: failingSince ?? goneSince,
      failures: memory.failures, problem: storeProblem ?? memory.problem,
      nextTryAt: waiting.isEmpty || failingSince == nil ? nil : nextTryAt, givenUp: memory.givenUp,
      lastGivenUpAt: memory.lastGivenUpAt,
      deadNotices: try await store.documents(query).compactMap(DeadNotice.init))
  }
}
