import Persistence
import Runtime
import Values

extension PostgresWriter {
  /// How carefully the writer writes a batch.
  private enum Care {
    /// The owner's memory decides. The unique keys protect the data in the end.
    case trusting
    /// A unique key conflicted. The writer reads everything, answers the refused appends, and tries the others
    /// together.
    case looking
    /// That was not enough: the writer tries the appends one by one.
    case singly
  }

  /// Writes appends and gives each one its answer.
  func write(_ appends: [PendingAppend]) async {
    var unwritten = appends
    var care = Care.trusting
    while true {
      // An append that was given up is not written.
      unwritten.removeAll { $0.ticket.isOver }
      if unwritten.isEmpty { return }
      let connection: PostgresConnection
      switch await session() {
      case .success(let open): connection = open
      case .failure(let error):
        let unknown = StoreError.outcomeUnknown(error.description)
        for pending in unwritten { pending.ticket.give(.failure(pending.isUncertain ? unknown : error)) }
        return
      }
      var batch = WriterBatch(
        recordedAt: environment.now(), shardCount: store.shardCount, keepsEvents: hub.hasFeeds)
      do {
        // 1. Find out what the last session may have committed, before anything else.
        unwritten = try settleUncertain(unwritten, on: connection)
        unwritten = refuseUnowned(unwritten)
        // 2. The appends that fit together go into one transaction. The refused appends get their answer.
        let rest = Array(care == .singly ? unwritten.dropFirst() : [])
        let group = care == .singly ? Array(unwritten.prefix(1)) : unwritten
        let later = try gather(group, into: &batch, looking: care != .trusting, on: connection)
        unwritten = batch.appends.map(\.pending) + later + rest
        if !batch.appends.isEmpty {
          _ = try connection.run(batch.calls())
          committed(batch)
          inbox.progress()
          board.works(number)
        }
        // 3. The appends that touch the same streams or names come next.
        unwritten = later + rest
        if care != .singly || unwritten.isEmpty { care = .trusting }
      } catch {
        (unwritten, care) = failed(error, batch, unwritten: unwritten, care: care)
      }
    }
  }

  private func committed(_ batch: WriterBatch) {
    for (stream, head) in batch.heads { heads.remember(head, of: stream) }
    for (shard, end) in batch.ends { ends[shard] = end }
    hub.grew(Set(batch.ends.keys), by: batch.events)
    for (pending, appended) in batch.appends { pending.ticket.give(.success(appended)) }
  }

  // MARK: Before writing

  private func refuseUnowned(_ unwritten: [PendingAppend]) -> [PendingAppend] {
    unwritten.filter { pending in
      if ends[pending.shard] != nil { return true }
      pending.ticket.give(.failure(.notOwner(shard: pending.shard)))
      return false
    }
  }

  /// Answers the appends that were committed before the session was lost. The outcome of the others is certain again.
  private func settleUncertain(
    _ unwritten: [PendingAppend], on connection: PostgresConnection
  ) throws(PostgresError) -> [PendingAppend] {
    let uncertain = unwritten.filter(\.isUncertain)
    if uncertain.isEmpty { return unwritten }
    let found = try repetitions(of: uncertain, on: connection)
    return unwritten.compactMap { pending in
      if case .success(let appended) = found[pending.id] {
        // This same call wrote them.
        let first = Appended(version: appended.version, position: appended.position, repeated: false)
        hub.grew([pending.shard])
        pending.ticket.give(.success(first))
        return nil
      }
      var pending = pending
      pending.isUncertain = false
      pending.ticket.takeBack()
      return pending
    }
  }

  /// Fills the batch.
  /// - Returns: the appends that come after the batch.
  private func gather(
    _ group: [PendingAppend], into batch: inout WriterBatch, looking: Bool, on connection: PostgresConnection
  ) throws(PostgresError) -> [PendingAppend] {
    try loadHeads(of: group, looking: looking, on: connection)
    let takenKeys = looking ? try takenStartKeys(of: group, on: connection) : [:]
    let takenClaims = try takenClaims(of: group, looking: looking, on: connection)
    var later: [PendingAppend] = []
    var conflicts: [(pending: PendingAppend, actual: StreamHead)] = []
    var verdicts: [(PendingAppend, Result<Appended, StoreError>)] = []
    for pending in group {
      let head = heads[pending.append.stream] ?? .none
      // The names are checked only when the stream has the expected version.
      let isInPlace = head.version == pending.append.expectedVersion
      if isInPlace, let taken = takenKeys[pending.id] {
        verdicts.append((pending, .failure(.startKeyTaken(taken))))
      } else if isInPlace, let taken = takenClaims[pending.id] {
        verdicts.append((pending, .failure(.claimTaken(taken))))
      } else {
        // From here on the append may be sent. A caller that gives it up receives the error that it may have been
        // written.
        guard pending.ticket.send() else { continue }
        switch batch.add(pending, head: head, end: ends[pending.shard] ?? .none) {
        case .added: continue
        case .later: later.append(pending)
        case .conflict(let actual): conflicts.append((pending, actual))
        }
        pending.ticket.takeBack()
      }
    }
    let repeated = try repetitions(of: conflicts.map(\.pending), on: connection)
    for (pending, actual) in conflicts {
      verdicts.append(
        (pending, repeated[pending.id] ?? .failure(.versionConflict(pending.append, actual: actual.version))))
    }
    // The answers are given only now, when nothing can fail any more. So no append is answered twice.
    for (pending, verdict) in verdicts { pending.ticket.give(verdict) }
    if !verdicts.isEmpty { inbox.progress() }
    return later
  }

  // MARK: After a failure

  /// Handles a failed batch. Nothing of it is in the store, unless the session was lost: then the outcome is unknown.
  private func failed(
    _ error: PostgresError, _ batch: WriterBatch, unwritten: [PendingAppend], care: Care
  ) -> ([PendingAppend], Care) {
    let sent = Set(batch.appends.map(\.pending.id))
    for stream in batch.heads.keys { heads.forget(stream) }
    switch error.kind {
    case .lost, .unreachable: uncertain.formUnion(batch.appends.map(\.pending.append.appendID))
    case .refused, .unexpectedAnswer, .invalidSettings, .foreignSchema, .newerSchema, .olderSchema:
      for (pending, _) in batch.appends { pending.ticket.takeBack() }
    }
    switch error.kind {
    case .lost, .unreachable:
      let marked = unwritten.map { pending in
        var pending = pending
        if sent.contains(pending.id) { pending.isUncertain = true }
        return pending
      }
      return (marked, .looking)
    case .refused(.checkViolation):
      if let connection, connection.isOpen, madePartitions(for: batch, on: connection) { return (unwritten, care) }
      if sent.count > 1 { return (unwritten, .singly) }
      return (giveUp(error, sent, unwritten), care)
    case .refused(let state) where state.endsSession:
      // Another session may succeed. An append that was refused alone several times is refused for its own reason.
      board.fails(number, .unavailable(error.description))
      return (tryAgain(unwritten, sent, atMost: 3, error), care == .trusting ? .looking : care)
    case .refused(.uniqueViolation) where error.isOfEvents && hasPassedIntruders(batch):
      return (unwritten, .looking)
    case .refused(let state) where state == .uniqueViolation || state.isTransient || state == .queryCanceled:
      if care != .singly { return (unwritten, care == .trusting ? .looking : .singly) }
      // The append was tried alone, and no conflict has a name. It conflicted with another session, which may happen a
      // few times.
      let alone = sent.isEmpty ? Set(unwritten.prefix(1).map(\.id)) : sent
      return (tryAgain(unwritten, alone, atMost: 10, error), care)
    case .refused(let state) where (state.isAboutTheValues || state.isAboutConstraints) && sent.count > 1:
      return (unwritten, .singly)
    case .refused, .unexpectedAnswer, .invalidSettings, .foreignSchema, .newerSchema, .olderSchema:
      return (giveUp(error, sent, unwritten), care)
    }
  }

  /// - Parameters:
  ///   - ids: the appends that were just tried.
  ///   - most: the most tries of each append.
  private func tryAgain(
    _ unwritten: [PendingAppend], _ ids: Set<UInt64>, atMost most: Int, _ error: PostgresError
  ) -> [PendingAppend] {
    let again = unwritten.map { pending in
      var pending = pending
      if ids.contains(pending.id) { pending.tries += 1 }
      return pending
    }
    let exhausted = Set(again.filter { $0.tries >= most }.map(\.id))
    return exhausted.isEmpty ? again : giveUp(error, exhausted, again)
  }

  /// Handles an occupied position of a shard or stream, although only this session may write there.
  private func hasPassedIntruders(_ batch: WriterBatch) -> Bool {
    guard let connection, connection.isOpen else { return false }
    do {
      return try passIntruders(in: Set(batch.ends.keys), on: connection)
    } catch {
      // The next try shows the error.
      return false
    }
  }

  private func giveUp(_ error: PostgresError, _ ids: Set<UInt64>, _ unwritten: [PendingAppend]) -> [PendingAppend] {
    // If nothing was sent, an earlier read failed. It would fail again for all of the appends.
    let refused = ids.isEmpty && error.state != .uniqueViolation && error.state?.isTransient != true
    let verdict: StoreError
    switch error.state {
    case let state? where state.isAboutTheValues:
      verdict = StoreError(.invalid, "Postgres can't store these values", detail: error.description)
    case let state? where state.isAboutConstraints:
      let rule = [error.table, error.constraint].compactMap { $0 }.joined(separator: ", ")
      verdict = .refusedByRule("\(error.description) (\(rule))")
    default:
      verdict = .unavailable(error.description)
      board.fails(number, verdict, isRefused: true)
    }
    return unwritten.filter { pending in
      guard refused || ids.contains(pending.id) else { return true }
      pending.ticket.give(.failure(verdict))
      return false
    }
  }

  /// - Returns: true when a partition was missing. Then another try can succeed.
  private func madePartitions(for batch: WriterBatch, on connection: PostgresConnection) -> Bool {
    do {
      let months = Set(batch.appends.map(\.pending.month))
      return try !PostgresPartitions.make(months, on: connection, lockKey: names.lockKey).isEmpty
    } catch {
      // Another process may have created it at the same time; another try shows it.
      return error.state == .duplicateTable || error.state?.isTransient == true
    }
  }
}
