import JSON
import Persistence
import Runtime
import SagaCore
import Values
import Workflows

// Starts, reads and commands of sagas.
extension Engine {
  /// Starts a saga. If the idempotency key has already started one, returns that one.
  /// - Throws: `EngineError` `workflow.notFound`, `workflow.draftsOff`, `workflow.onlyDrafts`, `saga.startKeyReused` when
  ///   the key came with other input, or `engine.notReady`. `Refusal` `input.invalid` when the input doesn't meet the schema of the workflow; nothing is
  ///   stored then.
  public func start(_ request: StartRequest) async throws -> Started {
    try requireReady()
    // This applies also when the workflow's latest version, or the requested one, is another one now.
    if let known = try await known(request) { return known }
    let workflow = try workflow(toStart: request)
    let definition = workflow.definition
    if definition.inputSchema != nil, let refusal = await computed({ definition.refusal(ofInput: request.input) }) {
      throw refusal
    }
    if definition.hasSensitiveParts { try host.dataKeys.requireKeys(for: definition.name) }
    let now = host.environment.now()
    let key = request.idempotencyKey.map { key in
      NewStartKey(scope: request.workflow, key: key, digest: Digest.sha256(request.input.bytes(.canonical)))
    }
    let start = SagaStart(
      id: newID(for: key), workflow: definition.name, version: definition.version, definitionDigest: workflow.digest,
      steps: definition.steps.map(\.id), input: request.input, deadline: now + definition.timeout,
      idempotencyKey: request.idempotencyKey, tags: request.tags ?? [], by: request.by, from: request.from)
    do {
      _ = try await host.start(start, definition: definition, key: key)
      return Started(id: start.id, isNew: true)
    } catch let error as StoreError {
      if case .outcomeUnknown = error.kind {
        throw OutcomeUnknown("Saga \(start.id) may have been started.", saga: start.id)
      }
      guard case .startKeyTaken(let existing) = error.kind else { throw error }
      return try await same(existing, as: request)
    }
  }

  private func workflow(toStart request: StartRequest) throws(EngineError) -> RegisteredWorkflow {
    if request.wantsDraft {
      try host.requireDrafts()
      return try latestDraft(of: request.workflow)
    }
    let workflow = try workflow(request.workflow, version: request.version)
    guard VersionName.isDraft(workflow.definition.version) else { return workflow }
    guard request.version != nil else {
      throw EngineError(
        code: EngineErrorCode.workflowOnlyDrafts,
        message: "“\(request.workflow)” has only drafts. Register a version, or start the draft: `--draft`, or "
          + "\"version\": \"draft\".")
    }
    try host.requireDrafts()
    return workflow
  }

  /// Returns an id in the shard of the key: the key is claimed in the transaction of the saga's first event.
  private func newID(for key: NewStartKey?) -> UniqueID {
    guard let key else { return host.environment.newID() }
    return host.events.newStream(scope: key.scope, key: key.key, in: host.environment)
  }

  /// Returns a saga as it is stored now.
  /// - Throws: `Refusal` `saga.notFound`.
  public func saga(_ id: UniqueID) async throws -> SagaNow {
    let state = try await host.state(of: id)
    var saga = SagaNow(
      state: state.closed, definition: try await host.definitions.definition(of: state.definition),
      children: try await childrenNow(of: state.children))
    if state.hasTurns { saga.turns = host.turns.places(of: id, atMost: Self.mostHolders) }
    for task in state.tasks(by: saga.definition) {
      saga.tasks[task.id] = host.tasks.task(task.id)
      saga.lastAsked[task.offer.queue] = host.tasks.lastAsked(task.offer.queue)
    }
    return saga
  }

  /// Returns the saga that a key has started: the name by which a caller knows it.
  /// - Throws: `Refusal` `saga.notFound` when the key has started no saga of the workflow; `EngineError`
  ///   `engine.notReady`.
  public func saga(of workflow: String, startedBy key: String) async throws -> UniqueID {
    try requireReady()
    guard let known = try await host.events.startKey(scope: workflow, key: key) else {
      throw Refusal(
        EngineErrorCode.sagaNotFound, "The key “\(key)” has started no saga of the workflow “\(workflow)”.")
    }
    return known.stream
  }

  /// Waits until a saga has ended.
  /// - Returns: the saga's state at its end, or its current state when the time is over.
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

  /// The number of bytes of events after which `history` reads no further page.
  public static let mostHistory = 16 << 20

  /// Returns a saga's stored events, oldest first. Large events give fewer than `limit`, although more follow.
  public func history(of id: UniqueID, after version: Int, limit: Int) async throws -> [HistoryEntry] {
    try SagaHost.requireSagaID(id)
    var events: [StoredEvent] = []
    var bytes = 0
    let (last, isEndless) = version.addingReportingOverflow(limit)
    var pages = host.history.pages(of: id, after: version, upTo: isEndless ? .max : last)
    while bytes <= Self.mostHistory, let page = try await pages.next() {
      bytes += page.reduce(0) { $0 + $1.data.count }
      events += page
    }
    if events.isEmpty { _ = try await host.state(of: id) }
    if let first = events.first, SagaHost.isOther(first) { throw SagaHost.notFound(id) }
    return try events.map { stored in
      HistoryEntry(
        version: stored.version, type: stored.type, recordedAt: stored.recordedAt,
        data: try SagaEventCoding.json(stored.data, of: stored),
        meta: try SagaEventCoding.json(stored.meta, of: stored), hash: stored.hash)
    }
  }

  /// Returns a saga's events, oldest first: at most `limit`. Large events give fewer, although more follow.
  public func events(of id: UniqueID, after version: Int, limit: Int) async throws -> [SagaEvent] {
    try await history(of: id, after: version, limit: limit).map {
      try SagaEvent(type: $0.type, schema: $0.meta["schema"]?.intValue ?? 1, data: $0.data)
    }
  }

  /// Returns a saga's events: first the stored ones, then each new one, until the saga has ended. The events of a child
  /// that its parent has opened again go on until its new end.
  public func follow(_ id: UniqueID, after version: Int) -> AsyncThrowingStream<SagaEvent, any Error> {
    let (events, continuation) = AsyncThrowingStream.makeStream(of: SagaEvent.self)
    // This comes before the first read, so that no event between them is missed.
    let hints = host.events.committed()
    let shard = host.events.shard(of: id)
    let task = Task {
      do {
        var version = version
        var committed = hints.makeAsyncIterator()
        while true {
          // The end is read from the store, as the events are, so the page begins with the last known event. The state in
          // memory is behind the store for a short time, and after the last commit no hint comes.
          let known = max(version - 1, 0)
          let page = try await self.events(of: id, after: known, limit: 500)
          for event in page.dropFirst(version - known) { continuation.yield(event) }
          if known + page.count > version {
            version = known + page.count
            continue
          }
          // An end with events behind it is that of a child which its parent has opened again.
          if page.last?.isEnd == true || page.last?.what is SagaForgotten { break }
          while let shards = await committed.next(), !shards.contains(shard) {}
          try Task.checkCancellation()
        }
        continuation.finish()
      } catch {
        continuation.finish(throwing: error)
      }
    }
    continuation.onTermination = { _ in task.cancel() }
    return events
  }

  /// Gives a saga a signal. The same signal again changes nothing, and gets the result of the first one.
  /// - Parameter formerIDs: the ids that an older version would have given the signal.
  /// - Throws: `Refusal` when the saga knows no such signal, no longer waits for it, does not accept the body, or keeps
  ///   too many signals. `signal.invalid` has the violations of the schema. A repeat of a refused signal gets the code of the first refusal.
  public func signal(
    _ id: UniqueID, _ signal: SignalGiven, formerIDs: [String] = []
  ) async throws -> SignalAnswer {
    let signal = signal.named(by: host.environment.newID())
    let before = try await host.state(of: id)
    let isRepeat = before.known(signal, formerIDs: formerIDs) != nil
    let after = isRepeat ? before : try await host.ask(id, .give(signal, formerIDs: formerIDs))
    let definition = try await host.definitions.definition(of: after.definition)
    do {
      return try after.answer(to: signal, formerIDs: formerIDs, isRepeat: isRepeat, definition)
    } catch {
      guard error.code == EngineErrorCode.signalInvalid else { throw error }
      throw await computed { error.withViolations(of: signal, definition) }
    }
  }

  /// Computes on the threads for sagas, whose stacks are large enough for every budget.
  func computed<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await Task(executorPreference: host.computing) { body() }.value
  }

  public func signal(
    _ id: UniqueID, name: String, body: JSON, signalID: String?, by: String
  ) async throws -> SignalAnswer {
    try await signal(id, SignalGiven(name: name, id: signalID, body: body, by: by))
  }

  /// Carries out an operator's verb. Returns once the verb and its consequences are stored.
  /// - Throws: `Refusal` with the reason, and with the verbs that the saga takes in its current state.
  public func operate(_ id: UniqueID, _ request: OperatorRequest) async throws -> SagaState {
    try await host.operate(id, request).closed
  }

  /// Starts a saga's compensation. If a second person has to agree, requests it instead.
  /// - Parameters:
  ///   - from: the way that the request came.
  ///   - commandID: the id of the message that requests it. A repeated message changes nothing and is not an error,
  ///     also when the saga has ended since.
  public func cancel(
    _ id: UniqueID, by: String, reason: String, from: String? = nil, commandID: String? = nil
  ) async throws -> SagaState {
    let request = OperatorRequest(
      .cancel, by: OperatorAct(by: by, reason: reason, from: from, commandID: commandID))
    guard try await needsApproval(.cancel, of: id) else { return try await operate(id, request) }
    _ = try await ask(id, request)
    return try await host.state(of: id).closed
  }

  /// Gives a saga a participant's answer, and returns once its consequences are stored. A late or repeated answer is
  /// recorded, and changes nothing.
  /// - Throws: `Refusal` `saga.notFound`, `saga.ended` or `step.unknown`.
  public func answer(_ id: UniqueID, _ answer: StepAnswer) async throws -> SagaState {
    try await host.ask(id, .answered(answer)).closed
  }

  func requireReady() throws(EngineError) {
    if let notReady { throw EngineError(code: notReady.code, message: notReady.message) }
  }
}
