import JSON
import Persistence
import Runtime
import SagaCore
import Values

/// Runs operations: begins them, continues them after a restart, and takes people's decisions on them. Each operation
/// is a stream of events. Each effect on a saga is also an event of that saga.
actor OperationRunner {
  /// Carries out a request on a saga. Throws a `Refusal` when the saga doesn't take it.
  typealias Act = @Sendable (UniqueID, OperatorRequest) async throws -> SagaState

  /// The most sagas of one operation. A person can still look through this number.
  static let mostSagas = 10_000
  private static let sagasAnEvent = 500
  static let keyScope = "/operations"

  let events: any EventStore
  let environment: Environment
  let log: Log
  private let perform: Act
  /// The operations that are under way or waiting, as they were last stored.
  private var open: [UniqueID: Operation] = [:]
  /// The last position in each shard that the runner has written. A list must have reached it.
  private(set) var written: [Int: Int64] = [:]
  /// The operations that are being carried out. `again` has those of them to check once more afterwards.
  private var carried: Set<UniqueID> = []
  private var again: Set<UniqueID> = []
  private var sleepers: [UniqueID: Task<Void, Never>] = [:]
  /// The operations that are known to have ended. A state that was read before the end must not be kept after it.
  private var ended: Set<UniqueID> = []
  private let (due, dueNow) = AsyncStream.makeStream(of: UniqueID.self)

  init(events: any EventStore, environment: Environment, log: Log, act: @escaping Act) {
    self.events = events
    self.environment = environment
    self.log = log
    perform = act
  }

  /// Carries operations out until it is cancelled.
  /// - Parameter unfinished: returns the operations that were under way at the last stop, once they are known.
  func run(unfinished: @Sendable @escaping () async throws -> [UniqueID]) async {
    await withDiscardingTaskGroup { group in
      group.addTask {
        await self.takeUp(unfinished)
      }
      for await id in due { group.addTask { await self.carryOut(id) } }
      group.cancelAll()
    }
  }

  private func takeUp(_ unfinished: () async throws -> [UniqueID]) async {
    while true {
      do {
        for id in try await unfinished() { dueNow.yield(id) }
        return
      } catch let error as StoreError where SagaHost.isWorthRepeating(error) {
        log.warning("Operations that were under way can't be read yet", ("error", error.message))
      } catch {
        if !Task.isCancelled { log.error("Operations that were under way are not taken up", ("error", "\(error)")) }
        return
      }
      do { try await environment.sleep(for: .seconds(1)) } catch { return }
    }
  }

  // MARK: Beginning

  /// Stores an operation and begins it, unless a second person has to agree first.
  /// - Parameter key: the idempotency key. The same key again gives the same operation.
  /// - Throws: `EngineError` `command.reused` when the key named another request.
  func begin(_ plan: OperationPlan, key: String?) async throws -> (operation: Operation, isNew: Bool) {
    if let known = try await known(plan, key: key) { return (known, false) }
    let startKey = key.map { NewStartKey(scope: Self.keyScope, key: $0, digest: plan.digest) }
    let id = startKey.map { events.newStream(scope: $0.scope, key: $0.key, in: environment) } ?? environment.newID()
    let chunks = stride(from: 0, to: plan.sagas.count, by: Self.sagasAnEvent).map { start in
      OperationEvent.selected(Array(plan.sagas[start..<min(start + Self.sagasAnEvent, plan.sagas.count)]))
    }
    let first = [.started(plan, count: plan.sagas.count, at: environment.now())] + chunks
    do {
      try await append(first, to: id, after: 0, startKey: startKey)
    } catch let error as StoreError {
      if case .outcomeUnknown = error.kind {
        throw OutcomeUnknown("Operation \(id) may have begun.", operation: id)
      }
      guard case .startKeyTaken(let known) = error.kind, let startKey else { throw error }
      return (try await same(known, as: startKey), false)
    }
    // This comes before the read: if the read fails, the operation is carried out all the same.
    if !plan.needsApproval { dueNow.yield(id) }
    do {
      return (try await self.operation(id), true)
    } catch is StoreError {
      throw OutcomeUnknown("Operation \(id) has begun.", operation: id)
    }
  }

  /// Returns the operation that a key has begun; nil when the key is new.
  func known(_ plan: OperationPlan, key: String?) async throws -> Operation? {
    guard let key, let known = try await events.startKey(scope: Self.keyScope, key: key) else { return nil }
    return try await same(known, as: NewStartKey(scope: Self.keyScope, key: key, digest: plan.digest))
  }

  /// Returns the operation that an earlier version began for the same request. Nil also when the key named another
  /// request.
  func knownBefore(_ plan: OperationPlan, key: String?) async throws -> Operation? {
    guard let key, let known = try await events.startKey(scope: Self.keyScope, key: key), known.digest == plan.digest
    else { return nil }
    return try await operation(known.stream)
  }

  private func same(_ known: StartKey, as new: NewStartKey) async throws -> Operation {
    guard known.digest == new.digest else {
      throw EngineError(
        code: EngineErrorCode.commandReused,
        message: "The Idempotency-Key “\(new.key)” has begun operation \(known.stream), which was another request.")
    }
    return try await operation(known.stream)
  }

  // MARK: What people say

  func decide(
    _ id: UniqueID, _ event: @Sendable (Operation) throws -> OperationEvent
  ) async throws -> Operation {
    let operation = try await change(id) { [try event($0)] }
    switch operation.status {
    case .running: dueNow.yield(id)
    case .stopped: sleepers[id]?.cancel()
    case .waiting, .finished, .declined: break
    }
    return operation
  }

  // MARK: Carrying out

  private func carryOut(_ id: UniqueID) async {
    guard carried.insert(id).inserted else {
      again.insert(id)
      return
    }
    defer {
      carried.remove(id)
      if again.remove(id) != nil { dueNow.yield(id) }
    }
    while !Task.isCancelled {
      do {
        return try await carryOn(id)
      } catch let error as StoreError where SagaHost.isWorthRepeating(error) {
        // The results so far are known. The operation continues from there.
        do { try await environment.sleep(for: .seconds(1)) } catch { return }
      } catch {
        if Task.isCancelled { return }
        // The store did not take the operation's first event.
        if (error as? EngineError)?.code == EngineErrorCode.operationNotFound { return }
        log.error("An operation is held up until the next start", ("operation", "\(id)"), ("error", "\(error)"))
        return
      }
    }
  }

  private func carryOn(_ id: UniqueID) async throws {
    let operation = try await operation(id)
    guard operation.status == .running else { return }
    let remaining = operation.remaining
    let beginning = environment.now()
    var index = 0
    while index < remaining.count {
      let turn = beginning + operation.plan.pace.turn(index)
      if turn > environment.now() { await sleep(id, until: turn) }
      guard !Task.isCancelled, try await self.operation(id).status == .running else { return }
      guard case let elapsed = environment.now() - beginning, operation.plan.pace.turn(index) <= elapsed else {
        continue
      }
      let batch = remaining[index...].prefix(50).enumerated()
        .prefix { operation.plan.pace.turn(index + $0.offset) <= elapsed }.map(\.element)
      let results = await act(on: batch, operation)
      // The results are stored, whatever the operation's status is by now.
      if !results.isEmpty {
        let now = environment.now()
        try await change(id, patiently: true) { _ in [.acted(results, at: now)] }
      }
      // The engine is stopping. The next start takes up the remaining sagas.
      if results.count < batch.count { return }
      index += batch.count
    }
    let now = environment.now()
    try await change(id, patiently: true) { $0.status == .running ? [.finished(at: now)] : [] }
  }

  private func act(on batch: [UniqueID], _ operation: Operation) async -> [OperationResult] {
    await withTaskGroup(of: OperationResult?.self) { group in
      for saga in batch { group.addTask { await self.act(on: saga, operation) } }
      var results: [OperationResult] = []
      for await result in group { if let result { results.append(result) } }
      return results
    }
  }

  /// - Returns: nil when the task was cancelled before an answer came.
  private nonisolated func act(on saga: UniqueID, _ operation: Operation) async -> OperationResult? {
    // The saga's own history says who agreed.
    let second = operation.approved.map { ", agreed to by \($0.by)" } ?? ""
    let act = OperatorAct(
      by: operation.plan.act.by, reason: operation.plan.act.reason, from: "operation \(operation.id)\(second)",
      commandID: "operation/\(operation.id)")
    let request = OperatorRequest(operation.plan.verb, by: act, expectedVersion: operation.plan.expectedVersion)
    while !Task.isCancelled {
      do {
        return OperationResult(saga: saga, version: try await perform(saga, request).version)
      } catch let error as StoreError where SagaHost.isWorthRepeating(error) {
        // The verb has a name: should it have been taken, the saga knows it again.
        do { try await environment.sleep(for: .seconds(1)) } catch { return nil }
      } catch {
        // Any other error concerns only this saga: the operation continues with the next one.
        if Task.isCancelled { return nil }
        return OperationResult.Reason(whyNotRead: error).map { OperationResult(saga: saga, refusal: $0) }
      }
    }
    return nil
  }

  private func sleep(_ id: UniqueID, until moment: Timestamp) async {
    let clock = environment.clock
    let sleeper = Task(executorPreference: environment.executor) {
      do { try await clock.sleep(until: moment) } catch {}
    }
    sleepers[id] = sleeper
    await withTaskCancellationHandler {
      await sleeper.value
    } onCancel: {
      sleeper.cancel()
    }
    sleepers[id] = nil
  }

  // MARK: Storing

  /// An operation as it is stored.
  /// - Throws: `EngineError` `operation.notFound`.
  func operation(_ id: UniqueID) async throws -> Operation {
    if let operation = open[id] { return operation }
    let operation = try await load(id)
    keep(operation)
    return open[id] ?? operation
  }

  /// Keeps an operation that is under way or waits, unless something newer of it is known.
  private func keep(_ operation: Operation) {
    if operation.status.isEnd {
      ended.insert(operation.id)
      open[operation.id] = nil
    } else if !ended.contains(operation.id), (open[operation.id]?.version ?? 0) < operation.version {
      open[operation.id] = operation
    }
  }

  private func load(_ id: UniqueID) async throws -> Operation {
    var operation: Operation?
    if id.moment != nil {
      var pages = events.pages(of: id)
      while let page = try await pages.next() {
        if operation == nil, let first = page.first, first.type != "operationStarted" { break }
        for event in page { try Operation.evolve(&operation, event) }
      }
    }
    guard let operation else {
      throw EngineError(code: EngineErrorCode.operationNotFound, message: "There is no operation \(id).")
    }
    return operation
  }

  /// Decides on the operation's current state and appends the events. If another append came first, it decides again.
  /// - Parameter patiently: true to wait while the store is unavailable.
  @discardableResult
  private func change(
    _ id: UniqueID, patiently: Bool = false, _ decide: @Sendable (Operation) throws -> [OperationEvent]
  ) async throws -> Operation {
    while true {
      let before = try await operation(id)
      let events = try decide(before)
      if events.isEmpty { return before }
      do {
        try await append(events, to: id, after: before.version, patiently: patiently)
      } catch let error as StoreError {
        guard case .versionConflict = error.kind else { throw error }
        open[id] = nil
        continue
      }
      var after: Operation? = before
      for (index, event) in events.enumerated() {
        Operation.evolve(&after, event, id: id, version: before.version + index + 1)
      }
      guard let after else { return before }
      keep(after)
      return after
    }
  }

  private func append(
    _ new: [OperationEvent], to id: UniqueID, after version: Int, startKey: NewStartKey? = nil, patiently: Bool = false
  ) async throws {
    let append = Append(
      stream: id, expectedVersion: version, events: new.map(\.stored), appendID: environment.newID(),
      startKey: startKey)
    do {
      let appended = try await self.append(append, patiently: patiently)
      let shard = events.shard(of: id)
      written[shard] = max(written[shard] ?? 0, appended.position)
    } catch {
      open[id] = nil
      // The store may have taken the append although its answer was lost. Then the runner carries the operation out,
      // although the caller got an error.
      if let error = error as? StoreError, error.kind == .outcomeUnknown { dueNow.yield(id) }
      throw error
    }
  }

  private func append(_ append: Append, patiently: Bool) async throws -> Appended {
    while true {
      do {
        return try await events.append(append)
      } catch {
        guard patiently, SagaHost.isWorthRepeating(error) else { throw error }
        try await environment.sleep(for: .seconds(1))
      }
    }
  }
}

extension OperationPlan {
  /// Of what was asked, by which a repeat is known. Not of the sagas: a filter may find others the second time.
  fileprivate var digest: [UInt8] {
    var asked: JSONObject = ["request": verb.json, "by": .string(act.by), "reason": .string(act.reason)]
    asked["filter"] = filter ?? .array(sagas.map { .string($0.description) })
    return Digest.sha256(JSON.object(asked).bytes(.canonical))
  }
}
