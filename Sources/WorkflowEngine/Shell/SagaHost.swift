import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

/// The shared parts of the sagas of one engine: the store, the clock, the executors, and the sagas in memory.
final class SagaHost: Sendable {
  static let snapshotEvery = 200
  /// The time without work after which a saga leaves memory. Its row says when it wants to be woken.
  static let sleepAfter = Duration.seconds(60)
  /// The time after which a saga that could not be written is checked again, unless a request for it comes before.
  private static let lookAgainAfter = Duration.seconds(30)

  let events: any EventStore
  let history: SagaHistory
  let environment: Environment
  let log: Log
  let scheduler: Scheduler
  /// The tasks that sagas offer to workers.
  let tasks: TaskQueues
  let definitions: DefinitionCache
  let waiters = EndWaiters()
  let expectations = Expectations()
  let decide: Decide
  /// What the metrics count.
  let meters = EngineMeters()
  /// The log lines of committed events.
  let sagaLog: SagaLog
  /// The number of sagas that decide, or whose append is under way.
  let working = Atomic<Int>(0)
  /// The turns that sagas hold and wait for.
  let turns: Turns
  /// Whether drafts can be registered and started.
  private let allowsDrafts: Bool
  private let executor: any StepExecutor
  private let registry = Mutex<[UniqueID: Entry]>([:])
  private let attempts = Mutex(AttemptTasks())
  private let holding = Atomic<Bool>(false)
  private let stopped = Atomic<Bool>(false)

  private enum Entry {
    case live(Saga)
    case loading(Task<Saga, any Error>)
  }

  private struct AttemptTasks {
    var nextID = 0
    var running: [Int: Task<Void, Never>] = [:]
    /// The task of each step's newest attempt, while it runs.
    var newest: [StepOfSaga: Int] = [:]
  }

  private struct StepOfSaga: Hashable {
    let saga: UniqueID
    let step: String
  }

  /// The held sagas, and the note of the sagas that are being computed.
  let held: HeldSagas
  /// The first command for a saga when it comes back into memory: a pause, for a saga that is to be held.
  private let firsts = Mutex<[UniqueID: SagaCommand]>([:])
  /// For each polling saga that has left memory: its looks that were due by this time have been made. It costs less
  /// than the saga's timer. After a restart the engine does not know it, and each poll that is due looks once.
  private let lookedUntil = Mutex<[UniqueID: Timestamp]>([:])
  /// Runs the computations of sagas: the simulation's executor, or the threads for sagas.
  var computing: any WorkThreads { environment.executor ?? WorkPool.sagas }

  /// The children at which the engine has looked for their waiting parents, and whose end was not reported yet.
  let watched = Mutex<Set<UniqueID>>([])

  /// The limits on stored data.
  let sizes: SagaSizes

  /// The keys of sensitive values.
  let dataKeys: DataKeys

  init(
    events: any EventStore, executor: any StepExecutor, environment: Environment, log: Log, held: HeldSagas,
    sealKeys: SealKeys? = nil, sizes: SagaSizes, allowsDrafts: Bool = false, decide: @escaping Decide,
    turnFault: TurnTable.Fault? = nil
  ) {
    turns = Turns(fault: turnFault)
    self.allowsDrafts = allowsDrafts
    self.held = held
    self.sizes = sizes
    dataKeys = DataKeys(store: events, keys: sealKeys, environment: environment, log: log)
    self.events = events
    history = SagaHistory(events)
    self.decide = decide
    self.executor = executor
    self.environment = environment
    self.log = log
    sagaLog = SagaLog(log, environment: environment)
    scheduler = Scheduler(clock: environment.clock, executor: environment.executor)
    tasks = TaskQueues(clock: environment.clock, executor: environment.executor)
    definitions = DefinitionCache(store: events, log: log)
  }

  // MARK: Asking sagas

  /// Gives a saga a command, and brings the saga back into memory if it has left it.
  /// - Returns: the state once the consequences of the command are stored.
  func ask(_ id: UniqueID, _ command: SagaCommand) async throws -> SagaState {
    while true {
      let saga = try await saga(id)
      do {
        if let state = try await saga.ask(try complete(command, in: saga.workflow)) { return state }
      } catch is Retired {}
    }
  }

  // MARK: Versions

  /// - Throws: `EngineError` `workflow.draftsOff` when the engine takes no drafts.
  func requireDrafts() throws(EngineError) {
    guard !allowsDrafts else { return }
    throw EngineError(
      code: EngineErrorCode.workflowDraftsOff,
      message: "This engine takes no drafts, so that none runs by accident. Start it with --drafts to try drafts.")
  }

  /// Returns the version to which a verb moves a saga; nil for every other verb.
  /// - Throws: `EngineError` `workflow.notFound` or `workflow.draftsOff`.
  func target(of verb: OperatorVerb, in workflow: String) throws(EngineError) -> MoveTarget? {
    guard case .migrate(let version) = verb else { return nil }
    guard let entry = definitions.entry(named: workflow, version: version) else {
      throw EngineError(
        code: EngineErrorCode.workflowNotFound,
        message: "There is no workflow “\(workflow)” \(VersionName.long(version)). Register it first.")
    }
    if VersionName.isDraft(version) { try requireDrafts() }
    return MoveTarget(definition: entry.definition, digest: entry.digest)
  }

  /// Adds the version to which a command moves the saga.
  private func complete(_ command: SagaCommand, in workflow: String) throws(EngineError) -> SagaCommand {
    guard case .operate(var request) = command else { return command }
    request.target = try target(of: request.verb, in: workflow)
    return .operate(request)
  }

  /// Gives a saga a command for which no caller waits.
  ///
  /// If the store is unavailable for a short time, the saga must not lose the command or its timer.
  /// - Returns: false when the saga could not be brought back, or not yet.
  @discardableResult func tell(_ id: UniqueID, _ command: SagaCommand) async -> Bool {
    let backoff = Backoff(first: .milliseconds(100), limit: .seconds(5))
    var failures = 0
    while true {
      do {
        while try await !saga(id).tell(command) {}
        return true
      } catch {
        guard let trouble = error as? StoreError, Self.isWorthRepeating(trouble), !isStopped else {
          log.error("A saga can't be brought back", ("saga", "\(id)"), ("error", "\(error)"))
          return false
        }
        if command == .wake {
          // The retry is not made here, because the scheduler waits for all sagas that it wakes together.
          scheduler.set(id, atLatest: environment.now() + .seconds(1))
          return false
        }
        failures += 1
        do { try await environment.sleep(for: backoff.pause(after: failures)) } catch { return true }
      }
    }
  }

  /// Starts a saga under a new id.
  func start(_ start: SagaStart, definition: WorkflowDefinition, key: NewStartKey?) async throws -> SagaState {
    guard definition.hasSensitiveParts else { return try await begin(start, definition, key, seal: nil) }
    // The key is in the store before the first event. It is also the key of the digest of the input, which would
    // otherwise let a reader of the store try values.
    let seal = try await dataKeys.make(for: start.id, of: definition.name)
    var key = key
    key?.digest = Digest.bytes(hexadecimal: seal.digest(of: start.input.bytes(.canonical))) ?? []
    do {
      return try await begin(start.sealed, definition, key, seal: seal)
    } catch {
      // A child may have been started by an earlier try. While it is not known whether the saga was started, its key
      // stays, too.
      let isCertain = (error as? StoreError).map { !Self.isWorthRepeating($0) } ?? (error is Refusal)
      if isCertain, start.parent == nil { await dataKeys.discard(start.id) }
      throw error
    }
  }

  private func begin(
    _ start: SagaStart, _ definition: WorkflowDefinition, _ key: NewStartKey?, seal: SagaSeal?
  ) async throws -> SagaState {
    let saga = Saga(
      id: start.id, definition: definition, state: nil, seal: seal, isMarkedAsleep: false, eventsSinceSnapshot: 0,
      host: self)
    registry.withLock { $0[start.id] = .live(saga) }
    guard let state = try await saga.ask(.start(start), startKey: key) else { throw Retired() }
    return state
  }

  /// Returns the state as it is stored, without bringing the saga into memory.
  func state(of id: UniqueID) async throws -> SagaState {
    if case .live(let saga)? = registry.withLock({ $0[id] }), let state = await saga.current { return state }
    return try await load(id).state
  }

  /// Whether a saga is about to start, and the store has not confirmed its first event.
  func isStarting(_ id: UniqueID) async -> Bool {
    guard case .live(let saga)? = registry.withLock({ $0[id] }) else { return false }
    return await saga.current == nil
  }

  /// Brings a saga into memory, once for any number of callers.
  func saga(_ id: UniqueID) async throws -> Saga {
    let entry = registry.withLock { registry -> Entry in
      if let entry = registry[id] { return entry }
      let loading = Entry.loading(Task(executorPreference: computing) { try await self.bringBack(id) })
      registry[id] = loading
      return loading
    }
    switch entry {
    case .live(let saga): return saga
    case .loading(let task): return try await task.value
    }
  }

  private func bringBack(_ id: UniqueID) async throws -> Saga {
    do {
      let loaded = try await load(id)
      let definition = try await definitions.definition(of: loaded.state.definition)
      // Without its key a saga stays as it is stored, and is not taken up.
      let seal = loaded.seal
      if seal == nil, loaded.state.start.isSealed, loaded.state.end == nil { throw dataKeys.missing(id) }
      seal?.learn(from: loaded.state)
      let looked = lookedUntil.withLock { $0.removeValue(forKey: id) }
      let first = firsts.withLock { $0.removeValue(forKey: id) }
      // A saga in memory knows the items of its steps, so that no command computes all of them again. Before a saga is
      // paused, nothing of it is evaluated.
      var state = loaded.state
      if first == nil, !state.isPaused { held.computing(id) { state.loadItems(by: definition) } }
      // Its row may say that it sleeps. If the saga is treated as asleep, its next append corrects the row.
      let saga = Saga(
        id: id, definition: definition, state: state, seal: seal, isMarkedAsleep: true,
        eventsSinceSnapshot: loaded.eventsSinceSnapshot,
        looks: looked.map { Looks(of: state, madeUntil: $0) } ?? Looks(),
        first: first, host: self)
      // The table gets the turns before anyone can give the saga a command. Otherwise a turn that the command releases
      // would come back into the table, and nothing would release it again.
      noteTurns(of: loaded.state)
      registry.withLock { $0[id] = .live(saga) }
      await saga.resume()
      return saga
    } catch {
      registry.withLock { $0[id] = nil }
      throw error
    }
  }

  /// Pauses a saga before anything of it is evaluated. It must not be in memory.
  /// - Returns: false when it has ended.
  func pause(_ id: UniqueID, because reason: String) async throws -> Bool {
    let act = OperatorAct(by: HeldBy.actor, reason: reason, from: HeldBy.way)
    firsts.withLock { $0[id] = .operate(OperatorRequest(.pause, by: act)) }
    let saga: Saga
    do {
      saga = try await self.saga(id)
    } catch {
      firsts.withLock { $0[id] = nil }
      throw error
    }
    await saga.idle()
    guard let state = await saga.current, state.end == nil else { return false }
    return state.isPaused
  }

  /// Returns once a saga that is in memory has stored everything that it was given.
  func idle(_ id: UniqueID) async {
    if case .live(let saga)? = registry.withLock({ $0[id] }) { await saga.idle() }
  }

  /// The number of sagas in memory.
  var countInMemory: Int { registry.withLock { $0.count } }

  func isInMemory(_ id: UniqueID) -> Bool { registry.withLock { $0[id] != nil } }

  /// Remembers the looks of a polling saga that leaves memory.
  func hasLooked(_ id: UniqueID, until time: Timestamp) { lookedUntil.withLock { $0[id] = time } }

  func forget(_ saga: Saga) {
    registry.withLock { registry in
      if case .live(let registered)? = registry[saga.id], registered === saga { registry[saga.id] = nil }
    }
  }

  // MARK: What sagas ask of the host

  /// The pauses between tries while the store can't write.
  private static let backoff = Backoff(first: .milliseconds(50), limit: .seconds(2))

  /// Waits before another try to write. Returns at once when the task is cancelled.
  func rest(after failures: Int) async {
    do { try await environment.sleep(for: Self.backoff.pause(after: failures)) } catch {}
  }

  /// Whether the time for the drain is over: appends are not tried again.
  var isStopped: Bool { stopped.load(ordering: .relaxed) }

  static func isWorthRepeating(_ error: StoreError) -> Bool {
    switch error.kind {
    case .unavailable, .outcomeUnknown, .notOwner: true
    case .versionConflict, .startKeyTaken, .claimTaken, .definitionConflict, .checkpointConflict, .invalid, .closed,
      .corrupt, .locked, .foreign, .newerVersion, .olderVersion:
      false
    }
  }

  struct Loaded {
    /// With its sealed values open, when their key can be had.
    let state: SagaState
    let seal: SagaSeal?
    let eventsSinceSnapshot: Int
  }

  /// Loads a saga as it is stored now.
  /// - Throws: `saga.held` for a saga that the engine does not read.
  func load(_ id: UniqueID) async throws -> Loaded {
    try Self.requireSagaID(id)
    if held.isUntouchable(id) {
      throw Refusal(
        EngineErrorCode.sagaHeld,
        "The saga is held back: processes died while they read it. Start the engine with --take-up-held to read it again."
      )
    }
    let snapshot = try await history.snapshot(of: id)
    var fold = held.computing(id) { SagaFold(snapshot) }
    let shortcut = fold.version
    var seal = try await open(&fold, id)
    var pages = history.pages(of: id, after: shortcut)
    while let page = try await pages.next() {
      if let first = page.first, Self.isOther(first) { break }
      var rest = page[...]
      if fold.version == 0, let first = rest.popFirst() {
        // The first event says whether the saga has a key. Digests of later events need it.
        try held.computing(id) { _ = try fold.take(first) }
        seal = try await open(&fold, id)
      }
      let events = rest
      try held.computing(id) { for event in events { try fold.take(event) } }
    }
    guard let state = fold.state else { throw Self.notFound(id) }
    return Loaded(state: state, seal: seal, eventsSinceSnapshot: fold.version - shortcut)
  }

  /// Opens the sealed values of a saga that is being folded, when their key can be had.
  private func open(_ fold: inout SagaFold, _ id: UniqueID) async throws -> SagaSeal? {
    guard fold.start?.isSealed == true, let seal = try await dataKeys.known(id) else { return nil }
    fold.open(with: ValueOpener(seal))
    return seal
  }

  /// Returns whether an event does not belong to a saga: the store also has the streams of the echo and of operations.
  static func isOther(_ event: StoredEvent) -> Bool {
    event.type == ReservedEvents.echoRewound || OperationEvent.isOne(event.type) || EngineAct.isOne(event.type)
  }

  /// Saga ids have one UUID version, so the store is not asked for an id of another version.
  static func requireSagaID(_ id: UniqueID) throws {
    if id.moment == nil { throw notFound(id) }
  }

  static func notFound(_ id: UniqueID) -> Refusal {
    Refusal(EngineErrorCode.sagaNotFound, "There is no saga \(id).")
  }

  func saveSnapshot(of state: SagaState) async {
    do {
      try await events.save(Snapshot(stream: state.id, version: state.version, data: state.snapshotText))
    } catch {
      // The saga works without a snapshot. The next one is tried after the same number of events.
      log.warning("A snapshot could not be saved", ("saga", "\(state.id)"), ("error", error.message))
    }
  }

  /// Gives an attempt to its executor, and the outcome to the saga.
  ///
  /// The step's earlier attempt has settled by now. But an answer that came as a message may have settled it before its
  /// task sent it. So that task is cancelled, and has ended before this attempt begins. Without this, a step could be
  /// sent after its undo.
  func perform(_ call: StepCall) {
    let step = StepOfSaga(saga: call.saga, step: call.step)
    attempts.withLock { attempts in
      attempts.nextID += 1
      let id = attempts.nextID
      let earlier = attempts.newest[step].flatMap { attempts.running[$0] }
      attempts.newest[step] = id
      // The body of a call is written, and its answer is read, on the threads for sagas.
      attempts.running[id] = Task(executorPreference: computing) {
        if let earlier {
          earlier.cancel()
          await earlier.value
        }
        if case .workflow(let action) = call.action {
          if let report = await self.perform(call, action) { await self.tell(call.saga, report) }
        } else {
          let watch = Stopwatch()
          let outcome = await self.executor.perform(call)
          self.meters.called(call.action, outcome, in: watch.elapsed)
          await self.tell(call.saga, call.report(outcome))
        }
        self.attempts.withLock { attempts in
          attempts.running[id] = nil
          if attempts.newest[step] == id { attempts.newest[step] = nil }
        }
      }
      if stopped.load(ordering: .relaxed) { attempts.running[id]?.cancel() }
    }
  }

  /// Reports the leases of a saga that have ended.
  func endLeases(of id: UniqueID) async {
    for lost in tasks.endedLeases(of: id) { await tell(id, .task(lost)) }
  }

  /// Returns whether a saga sleeps. One that offers a task does not: after a restart it must offer the task again.
  func isSleep(_ state: SagaState, wakeAt: Timestamp?, now: Timestamp) -> Bool {
    guard state.end == nil, state.stepsInFlight.isEmpty else { return false }
    return isFar(wakeAt, from: now)
  }

  /// Returns whether a saga may leave memory until then.
  func isFar(_ wakeAt: Timestamp?, from now: Timestamp) -> Bool {
    wakeAt.map { $0 - now > Self.sleepAfter } ?? true
  }

  /// Counts and logs the events of a committed append.
  /// - Parameters:
  ///   - before: the saga before them; nil for its start.
  ///   - after: the saga after them.
  func committed(_ events: [SagaEvent], before: SagaState?, after: SagaState) {
    meters.committed(events, before: before, after: after)
    sagaLog.committed(events, before: before, after: after)
  }

  /// What the engine has to do now.
  var load: EngineLoad {
    var load = EngineLoad()
    load.sagasInMemory = countInMemory
    load.sagasWorking = working.load(ordering: .relaxed)
    load.attemptsUnderWay = attempts.withLock { $0.running.count }
    load.timers = scheduler.count
    load.timerDelay = scheduler.delay
    return load
  }

  func changed(_ state: SagaState) {
    guard state.end != nil else { return }
    waiters.ended(state)
    held.clear(state.id)
    childEnded(state)
  }

  func lost(_ id: UniqueID, to error: any Error) {
    // If a start finds its key taken, that is an answer, not a lost append.
    if let error = error as? StoreError, case .startKeyTaken = error.kind { return }
    log.error(
      "A saga could not be written, left memory, and will be read again", ("saga", "\(id)"),
      ("error", "\(error)"))
    if !isStopped { scheduler.set(id, atLatest: environment.now() + Self.lookAgainAfter) }
  }

  /// Makes the sagas of these workflows check the expected times of their steps: a step may become overdue earlier.
  ///
  /// This concerns only sagas in memory. A sleeping saga wakes at the time that was known when it went to sleep, and
  /// checks then.
  func expectationsChanged(_ workflows: Set<String>) async {
    for saga in sagasInMemory where workflows.contains(saga.workflow) { await saga.expectationsChanged() }
  }

  // MARK: Stopping

  /// While the engine drains, it records what is reported and starts nothing new.
  var isDraining: Bool { holding.load(ordering: .relaxed) }

  /// Starts nothing new, and waits until `deadline` for attempts under way to be recorded. An attempt that is cut off
  /// then is recorded as unknown after the next start.
  func drain(until deadline: Timestamp) async {
    holding.store(true, ordering: .relaxed)
    turns.close()
    tasks.close()
    let clock = environment.clock
    let timer = Task(executorPreference: environment.executor) {
      do { try await clock.sleep(until: deadline) } catch { return }
      // The time is over: calls are cut off, and appends are not tried again. `perform` cuts off later calls.
      self.stopped.store(true, ordering: .relaxed)
      for task in self.runningAttempts { task.cancel() }
    }
    // 1. Wait for attempts, and for those that were decided just before.
    while case let running = runningAttempts, !running.isEmpty {
      for task in running { await task.value }
    }
    // 2. Store their outcomes before the store is closed.
    for saga in sagasInMemory { await saga.idle() }
    stopped.store(true, ordering: .relaxed)
    timer.cancel()
    held.clearAll()
  }

  private var runningAttempts: [Task<Void, Never>] { attempts.withLock { Array($0.running.values) } }

  private var sagasInMemory: [Saga] {
    registry.withLock { registry in
      registry.values.compactMap { entry in
        if case .live(let saga) = entry { saga } else { nil }
      }
    }
  }
}
