import Persistence
import Runtime
import Values

extension PostgresWriter {
  /// How carefully a batch is written.
  private enum Care {
    /// The owner's memory decides; the keys hold it in the end.
    case trusting
    /// A key was hit: everything is looked up, who is refused gets their verdict, the others are tried together.
    case looking
    /// That wasn't enough: one by one.
    case singly
  }

  /// Writes appends and gives each its own answer.
  func write(_ appends: [PendingAppend]) async {
    var unwritten = appends
    var care = Care.trusting
    while true {
      // What was given up is not written any more.
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
        // 1. What the last session may have committed is looked up before anything else.
        unwritten = try settleUncertain(unwritten, on: connection)
        unwritten = refuseUnowned(unwritten)
        // 2. What fits together goes into one transaction; who can't be written gets the verdict.
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
        // 3. What touches the same streams or names comes next.
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

  /// Those that were committed before the session got lost are answered; the others are certain again.
  private func settleUncertain(
    _ unwritten: [PendingAppend], on connection: PostgresConnection
  ) throws(PostgresError) -> [PendingAppend] {
    let uncertain = unwritten.filter(\.isUncertain)
    if uncertain.isEmpty { return unwritten }
    let found = try repetitions(of: uncertain, on: connection)
    return unwritten.compactMap { pending in
      if case .success(let appended) = found[pending.id] {
        // It was this very call that wrote them.
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
  /// - Returns: those whose turn comes after it.
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
      // Only when the stream is where it should be are the names looked at.
      let isInPlace = head.version == pending.append.expectedVersion
      if isInPlace, let taken = takenKeys[pending.id] {
        verdicts.append((pending, .failure(.startKeyTaken(taken))))
      } else if isInPlace, let taken = takenClaims[pending.id] {
        verdicts.append((pending, .failure(.claimTaken(taken))))
      } else {
        // From here on it may leave: who gives it up is told that it may have been written.
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
    // Answered only now that nothing can fail any more: nobody is answered twice.
    for (pending, verdict) in verdicts { pending.ticket.give(verdict) }
    if !verdicts.isEmpty { inbox.progress() }
    return later
  }

  // MARK: After a failure

  /// Nothing of the batch is in the store, unless the session got lost: then nobody knows.
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
      // Another session may do better. What was refused alone a few times is refused for its own sake.
      board.fails(number, .unavailable(error.description))
      return (tryAgain(unwritten, sent, atMost: 3, error), care == .trusting ? .looking : care)
    case .refused(.uniqueViolation) where error.isOfEvents && hasPassedIntruders(batch):
      return (unwritten, .looking)
    case .refused(let state) where state == .uniqueViolation || state.isTransient || state == .queryCanceled:
      if care != .singly { return (unwritten, care == .trusting ? .looking : .singly) }
      // Alone, and nothing taken that could be named: it lost against another session, which may happen a few times.
      let alone = sent.isEmpty ? Set(unwritten.prefix(1).map(\.id)) : sent
      return (tryAgain(unwritten, alone, atMost: 10, error), care)
    case .refused(let state) where (state.isAboutTheValues || state.isAboutConstraints) && sent.count > 1:
      return (unwritten, .singly)
    case .refused, .unexpectedAnswer, .invalidSettings, .foreignSchema, .newerSchema, .olderSchema:
      return (giveUp(error, sent, unwritten), care)
    }
  }

  /// - Parameters:
  ///   - ids: those that were tried just now.
  ///   - most: how often each may be tried.
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

  /// A place of a shard or a stream was taken, though only this session may take any.
  private func hasPassedIntruders(_ batch: WriterBatch) -> Bool {
    guard let connection, connection.isOpen else { return false }
    do {
      return try passIntruders(in: Set(batch.ends.keys), on: connection)
    } catch {
      // The next try shows what is wrong.
      return false
    }
  }

  private func giveUp(_ error: PostgresError, _ ids: Set<UInt64>, _ unwritten: [PendingAppend]) -> [PendingAppend] {
    // With nothing sent it was a look before that failed: it would fail for all of them, again and again.
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

  /// - Returns: whether a partition was missing, so that trying again makes sense.
  private func madePartitions(for batch: WriterBatch, on connection: PostgresConnection) -> Bool {
    do {
      let months = Set(batch.appends.map(\.pending.month))
      return try !PostgresPartitions.make(months, on: connection, lockKey: names.lockKey).isEmpty
    } catch {
      // Another process may have been at it; trying again shows.
      return error.state == .duplicateTable || error.state?.isTransient == true
    }
  }
}
