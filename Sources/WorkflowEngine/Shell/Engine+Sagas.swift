import JSON
import Persistence
import Runtime
import Streaming
import Workflows

// Starting sagas, looking at them, and acting on them.
extension Engine {
  /// Starts a saga; with an idempotency key that has started one, gives that one.
  /// - Throws: `EngineError` `workflow.notFound`, `saga.startKeyReused` when the key came with other input, or
  ///   `engine.notReady`.
  public func start(_ request: StartRequest) async throws -> Started {
    try requireReady()
    let workflow = try workflow(request.workflow, version: request.version)
    let definition = workflow.definition
    let now = host.environment.now()
    var key: NewStartKey?
    if let text = request.idempotencyKey {
      let new = NewStartKey(
        scope: request.workflow, key: text, digest: Digest.sha256(request.input.bytes(.canonical)))
      if let existing = try await host.events.startKey(scope: new.scope, key: new.key) {
        return try Self.same(existing, as: new)
      }
      key = new
    }
    let start = SagaStart(
      id: newID(for: key), workflow: definition.name, version: definition.version, definitionDigest: workflow.digest,
      steps: definition.steps.map(\.id), input: request.input, deadline: now + definition.timeout,
      idempotencyKey: request.idempotencyKey, tags: request.tags, by: request.by)
    do {
      _ = try await host.start(start, definition: definition, key: key)
      return Started(id: start.id, isNew: true)
    } catch let error as StoreError {
      if case .outcomeUnknown = error.kind {
        throw OutcomeUnknown("Saga \(start.id) may have been started.", saga: start.id)
      }
      guard case .startKeyTaken(let existing) = error.kind, let key else { throw error }
      return try Self.same(existing, as: key)
    }
  }

  /// The key is claimed in the transaction of the saga's first event, so the saga lives in the key's shard.
  private func newID(for key: NewStartKey?) -> UniqueID {
    guard let key else { return host.environment.newID() }
    return host.events.newStream(scope: key.scope, key: key.key, in: host.environment)
  }

  private static func same(_ existing: StartKey, as new: NewStartKey) throws(EngineError) -> Started {
    guard existing.digest == new.digest else {
      throw EngineError(
        code: EngineErrorCode.sagaStartKeyReused,
        message: "The Idempotency-Key “\(new.key)” has started saga \(existing.stream) with other input.")
    }
    return Started(id: existing.stream, isNew: false)
  }

  /// A saga as it is stored now.
  /// - Throws: `Refusal` `saga.notFound`.
  public func saga(_ id: UniqueID) async throws -> SagaNow {
    let state = try await host.state(of: id)
    return SagaNow(state: state, definition: try await host.definitions.definition(of: state.start))
  }

  /// Waits until a saga has ended.
  /// - Returns: its state then, or as it stands when the time is over.
  public func waitForEnd(of id: UniqueID, atMost time: Duration) async throws -> SagaNow {
    let ended = host.waiters.subscribe(to: id)
    let now = try await saga(id)
    guard now.state.end == nil else { return now }
    let clock = host.environment.clock
    let deadline = clock.now() + time
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in ended { return } }
      group.addTask { do { try await clock.sleep(until: deadline) } catch {} }
      await group.next()
      group.cancelAll()
    }
    return try await saga(id)
  }

  /// The most bytes of events that `history` reads, and then one page of it.
  public static let mostHistory = 16 << 20

  /// A saga's stored events, oldest first; fewer than `limit`, though more follow, when they are large.
  public func history(of id: UniqueID, after version: Int, limit: Int) async throws -> [HistoryEntry] {
    try SagaHost.requireSagaID(id)
    var page: [StoredEvent] = []
    var size = PageSize()
    var bytes = 0
    while page.count < limit, bytes <= Self.mostHistory {
      let wanted = min(size.count, limit - page.count)
      let part = try await host.events.read(id, after: page.last?.version ?? version, limit: wanted)
      size.note(part)
      bytes += part.reduce(0) { $0 + $1.data.count }
      page += part
      if part.count < wanted { break }
    }
    if page.isEmpty { _ = try await host.state(of: id) }
    if let first = page.first, SagaHost.isOther(first) { throw SagaHost.notFound(id) }
    return try page.map { stored in
      HistoryEntry(
        version: stored.version, type: stored.type, recordedAt: stored.recordedAt,
        data: try SagaEventCoding.json(stored.data, of: stored),
        meta: try SagaEventCoding.json(stored.meta, of: stored), hash: stored.hash)
    }
  }

  /// Gives a saga a signal.
  /// - Throws: `Refusal` when the saga knows no such signal, waits for it no more, or does not accept the body.
  public func signal(
    _ id: UniqueID, name: String, body: JSON, signalID: String?, by: String
  ) async throws -> SignalAnswer {
    let before = try await host.state(of: id)
    if let taken = before.signal(name), before.isUsed(signal: name) || taken.body == body { return .repeated }
    let after = try await host.ask(id, .signal(name: name, signalID: signalID, body: body, by: by))
    // Two at once: the second finds what the first left.
    guard let taken = after.signal(name), taken.body == body, taken.id == signalID, taken.by == by else {
      return .repeated
    }
    let isTaken = after.steps.contains { $0.waitingFor?.hasSameScalars(as: name) ?? false && $0.status != .waiting }
    return isTaken ? .taken : .kept
  }

  /// Does what an operator asks, and returns once it and what follows from it is stored.
  /// - Throws: `Refusal` with the reason, and with the verbs that the saga takes as it stands.
  public func operate(_ id: UniqueID, _ request: OperatorRequest) async throws -> SagaState {
    let state = try await host.ask(id, .operate(request))
    // What an operator has resumed or ended is held back no more.
    if !state.isPaused || state.end != nil { await host.held.release(id) }
    return state
  }

  /// Turns a saga back, or, where a second person has to agree, asks for it.
  /// - Parameters:
  ///   - from: the way that it came.
  ///   - commandID: names the message that asks for it. Delivered again it changes nothing and is no error, also when
  ///     the saga has ended meanwhile.
  public func cancel(
    _ id: UniqueID, by: String, reason: String, from: String? = nil, commandID: String? = nil
  ) async throws -> SagaState {
    let request = OperatorRequest(
      .cancel, by: OperatorAct(by: by, reason: reason, from: from, commandID: commandID))
    guard try await needsApproval(.cancel, of: id) else { return try await operate(id, request) }
    _ = try await ask(id, request)
    return try await host.state(of: id)
  }

  /// Gives a saga a participant's answer, and returns once what follows from it is stored. An answer that comes late or
  /// again is recorded, and changes nothing.
  /// - Throws: `Refusal` `saga.notFound`, `saga.ended` or `step.unknown`.
  public func answer(_ id: UniqueID, _ answer: StepAnswer) async throws -> SagaState {
    try await host.ask(id, .answered(answer))
  }

  func requireReady() throws(EngineError) {
    if let notReady { throw EngineError(code: notReady.code, message: notReady.message) }
  }
}
