import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

/// The saga engine over one store. Create it, call `run()`, and send it requests while it runs. Cancelling `run()`
/// stops it, after a time in which attempts under way are recorded.
public final class Engine: Sendable {
  /// What an engine needs besides its store.
  public struct Configuration: Sendable {
    /// The services that workflows may name; nil lets the checker accept any name.
    public var services: Set<String>?
    /// The services to which workflows may send commands over Kafka. Empty when there is no Kafka; nil allows any name.
    public var kafkaServices: Set<String>?
    /// Whether drafts of workflows can be registered and started.
    public var allowsDrafts = false
    /// The verbs that need a second person's approval.
    public var approvals: Set<OperatorVerb.Name> = []
    /// How long attempts under way may go on after a request to stop the engine.
    public var drainTime = Duration.seconds(20)
    /// Whether the engine learns expected times for steps whose workflow declares none.
    public var learnsExpectations = true
    /// The file in which the engine notes its computations, so that the next process knows during which one this
    /// process died. Nil: no file.
    public var interruptions: InterruptionFile?
    /// The keys that seal sensitive values. Nil: the engine starts no saga of a workflow that declares some.
    public var sealKeys: SealKeys?
    /// Whether the engine takes up sagas that were held without a pause.
    public var takesUpHeld = false
    /// Called before anything of a saga is computed. A drill or a test ends the process there.
    public var beforeComputing: (@Sendable (UniqueID) -> Void)?
    /// The limits on stored data. A test sets smaller ones.
    package var sizes = SagaSizes()
    /// A known fault of the table of turns, for the test that the simulation's rules find it.
    package var turnFault: TurnFault?
    /// How the engine decides. The simulation passes decisions with a known fault, to show that its rules find it.
    package var decide: Decide = { (command, state, definition, now, learned, isDraining) throws(Refusal) in
      try Decider.decision(
        command, state, definition: definition, now: now, learned: learned, isDraining: isDraining)
    }
    public init(services: Set<String>? = nil, kafkaServices: Set<String>? = nil) {
      self.services = services
      self.kafkaServices = kafkaServices
    }
  }

  let host: SagaHost
  let configuration: Configuration
  let readModel: SagaReadModel
  /// Updates the list of people's acts.
  let auditor: Projector
  /// Carries out operations.
  let operations: OperationRunner
  /// Whether the chains are being checked.
  let auditing = Atomic<Bool>(false)
  private let ready = Atomic<Bool>(false)
  /// Whether another process owns the store, and this engine asks for it repeatedly.
  private let isWaiting = Atomic<Bool>(false)

  /// - Parameters:
  ///   - store: the events. This engine is its only writer.
  ///   - executor: makes the attempts of `http` and `kafka` steps, as `ActionExecutors` does.
  ///   - configuration: the services that it knows, and the time that it drains.
  ///   - environment: time and ids.
  ///   - readStore: the store of the lists. Nil keeps them in memory, and every start builds them again.
  ///   - log: the log for the engine's problems, and for the events in a saga's life.
  public init(
    store: any EventStore, executor: any StepExecutor, configuration: Configuration = Configuration(),
    environment: Environment, readStore: (any SagaReadStore)? = nil, log: Log = .silent
  ) {
    self.configuration = configuration
    host = SagaHost(
      events: store, executor: executor, environment: environment, log: log,
      held: HeldSagas(
        store: store, file: configuration.interruptions, beforeComputing: configuration.beforeComputing, log: log),
      sealKeys: configuration.sealKeys, sizes: configuration.sizes, allowsDrafts: configuration.allowsDrafts,
      decide: configuration.decide,
      turnFault: configuration.turnFault)
    operations = OperationRunner(events: store, environment: environment, log: log) { [host] in
      try await host.operate($0, $1)
    }
    readModel = SagaReadModel(
      store: readStore ?? MemoryReadStore(), events: store, environment: environment, log: log)
    auditor = Projector(store: store, projection: AuditProjection(history: host.history), environment: environment) {
      failure in
      log.warning(
        "The list of what people did is behind and will catch up", ("shard", "\(failure.shard)"),
        ("error", "\(failure.error)"))
    }
  }

  /// Whether every open saga has been taken up, and the store is known to belong to this engine.
  public var isReady: Bool { notReady == nil }

  /// Why the engine takes no requests; nil when it takes them.
  public var notReady: NotReady? {
    if host.isDraining {
      return NotReady(
        code: EngineErrorCode.engineDraining, message: "The engine is stopping and starts nothing new.")
    }
    let health = host.events.health()
    if health.isTakenOver || isWaiting.load(ordering: .acquiring) {
      return NotReady(
        code: StoreErrorCode.notOwner,
        message: "Another process owns the store. This one waits until the store is free.")
    }
    if !ready.load(ordering: .acquiring) {
      return NotReady(
        code: EngineErrorCode.engineNotReady, message: "The engine is still taking up its open sagas.")
    }
    if !health.isConfirmed {
      let why = health.problem.map { " (\($0.message))" } ?? ""
      return NotReady(
        code: StoreErrorCode.unavailable,
        message: "The store has not confirmed lately that this process owns it\(why). Another process may own it.")
    }
    return nil
  }

  /// Whether the store takes writes.
  public var storeHealth: StoreHealth { host.events.health() }

  /// What the engine counts for the metrics.
  public var meters: EngineMeters { host.meters }

  /// What the engine has to do now.
  public var load: EngineLoad { host.load }

  /// Returns the size of the store and the space that is left for it.
  /// - Throws: `StoreError` when the store can't be asked.
  public func storeSize() async throws -> StoreSize { try await host.events.size() }

  /// How many shards the store has.
  public var shardCount: Int { host.events.shardCount }

  /// Takes ownership of the store's shards, takes up the open sagas, and serves until it is cancelled. Then it drains.
  /// - Parameters:
  ///   - waiting: the time between two attempts to own the shards while another process owns them. Nil throws
  ///     `store.notOwner` at once.
  ///   - owned: called once this engine owns the store and answers for sagas. Sources of commands and answers may
  ///     begin.
  ///   - prepare: called once everything open is taken up, and before the engine is ready. Its use is to register the
  ///     workflows that come with the engine: a ready engine has them.
  ///   - onReady: called once the engine is ready.
  public func run(
    waiting: Duration? = nil, owned: @Sendable () -> Void = {},
    prepare: @Sendable @escaping () async -> Void = {}, onReady: @Sendable () -> Void = {}
  ) async throws {
    // 1. From here on this engine is the only writer.
    try await own(waiting: waiting)
    try await beginWhereTimeEnded()
    host.turns.clear()
    // 2. Load the definitions, which folds need, and the learned expected times.
    try await host.definitions.load()
    let learner = configuration.learnsExpectations ? ExpectationLearner(host: host, store: readModel.store) : nil
    await learner?.refresh()
    await tidyDataKeys()
    owned()
    let result: Result<Void, any Error>
    // Changes of the store's health are watched before anything is in memory that could become stale.
    let health = host.events.healthChanges()
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        // 3. Timers run before sagas are taken up, because that sets timers.
        group.addTask { [host] in
          await host.scheduler.run { [host] in await host.tell($0, .wake) }
        }
        group.addTask { [host] in await host.tasks.leases.run { [host] in await host.endLeases(of: $0) } }
        group.addTask { [self] in try await watch(health) }
        group.addTask { [readModel] in try await readModel.run() }
        group.addTask { [auditor] in try await auditor.run() }
        group.addTask { await self.operations.run { try await self.unfinishedOperations() } }
        if let learner { group.addTask { try await learner.run() } }
        // 4. Open sagas continue where they stopped, except those during which the last processes died.
        try await recover()
        // Now the table of turns is complete.
        host.openTurns()
        await prepare()
        ready.store(true, ordering: .releasing)
        onReady()
        host.log.info("The engine is ready", ("sagas", "\(host.countInMemory)"))
        do {
          // `waitForAll` would be wrong here: after one failure it waits for the others, which end only when they are
          // cancelled.
          while try await group.next() != nil {}
        } catch is CancellationError {}
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    // 5. Drain, however the run ended. This needs a separate task, because this task has been cancelled. If another
    // process has taken the store over, it takes no writes, so there is nothing to wait for.
    let drainTime = host.events.health().isTakenOver ? .zero : configuration.drainTime
    await Task(executorPreference: host.environment.executor) { [host] in
      await host.drain(until: host.environment.now() + drainTime)
    }.value
    host.sagaLog.flush()
    try result.get()
  }

  private func own(waiting: Duration?) async throws {
    while true {
      do {
        try await host.events.own(shards: nil)
        isWaiting.store(false, ordering: .releasing)
        return
      } catch {
        guard let waiting, SagaHost.isWorthRepeating(error) else { throw error }
        if !isWaiting.exchange(true, ordering: .acquiringAndReleasing) {
          host.log.warning(
            "The store can't be owned yet; the engine asks again until it can", ("error", error.description))
        }
        try await host.environment.sleep(for: waiting)
      }
    }
  }

  /// Sets the engine's time so that events never go back in time. If the wall clock is behind the events of an earlier
  /// process, this process continues from their time.
  private func beginWhereTimeEnded() async throws {
    var last: Timestamp?
    for shard in 0..<host.events.shardCount {
      let head = try await host.events.head(shard: shard)
      guard head > 0, let event = try await host.events.tail(shard: shard, after: head - 1, limit: 1).first else {
        continue
      }
      last = max(event.recordedAt, last ?? event.recordedAt)
    }
    // A time that is further ahead comes from a damaged record, not from a wrong clock.
    guard let last, last <= host.environment.now() + Self.furthestBehind else { return }
    host.environment.clock.begin(at: last)
  }

  private static let furthestBehind = Duration.seconds(100 * 366 * 86_400)

  /// Logs when writes fail and when they work again. Ends the engine when another process has taken over the store
  /// or the store has lost events, because the state in memory may differ from that of the store.
  private func watch(_ changes: AsyncStream<StoreHealth>) async throws {
    var before = StoreHealth()
    for await health in changes {
      if let problem = health.problem, problem.message != before.problem?.message {
        host.log.error(
          "The store can't be written; the engine is not ready until it can", ("code", problem.code),
          ("since", "\(problem.since)"), ("error", problem.message))
      } else if health.problem == nil, before.problem != nil {
        host.log.warning("The store can be written again")
      }
      if let intruders = health.intruders, intruders != before.intruders {
        host.log.error(
          "Another program has written events into a shard; the engine goes on behind them",
          ("shard", "\(intruders.shard)"), ("position", "\(intruders.position)"), ("count", "\(intruders.count)"))
      }
      if let loss = health.loss {
        host.log.error(
          "The store has lost events that it had confirmed; the engine goes on from what the store still has",
          ("shard", "\(loss.shard)"), ("position", "\(loss.position)"), ("count", "\(loss.count)"))
      } else if health.isTakenOver {
        host.log.error("Another process has taken over the store; the engine waits until the store is free")
      }
      if health.isTakenOver {
        ready.store(false, ordering: .releasing)
        throw StoreError(.notOwner, "another process has taken over the store")
      }
      before = health
    }
  }

  private func recover() async throws {
    let suspects = try await holdBack()
    for shard in 0..<host.events.shardCount {
      var last: UniqueID?
      while true {
        let page = try await host.events.openStreams(shard: shard, after: last, limit: 1_000)
        await concurrently(page.filter { !suspects.contains($0.stream) }) { await self.takeUp($0) }
        guard page.count == 1_000, let end = page.last else { break }
        last = end.stream
      }
    }
    for id in suspects.sorted() { await takeUpAlone(id) }
  }

  /// Takes up a saga during which the last process may have died. No other such saga is taken up beside it.
  private func takeUpAlone(_ id: UniqueID) async {
    host.log.warning("A saga that the last process may have died of is taken up", ("saga", "\(id)"))
    let isRead = await host.held.doing(.alone, with: id) {
      let isRead = await host.tell(id, .wake)
      await host.idle(id)
      return isRead
    }
    if !isRead { await host.noteTurnsOfUnread(id) }
  }

  private func takeUp(_ open: OpenStream) async {
    if host.held.isUntouchable(open.stream) { return await host.noteTurnsOfUnread(open.stream) }
    if open.asleep {
      // Millions of sagas may sleep. Each costs an entry in the timer, and comes back at its time or with an input.
      // The row may be slightly old: if a command came since, the saga has set its own timer.
      if let wakeAt = open.wakeAt { host.scheduler.setIfNone(open.stream, at: wakeAt) }
    } else {
      let isRead = await host.tell(open.stream, .wake)
      if !isRead { await host.noteTurnsOfUnread(open.stream) }
    }
  }
}

// MARK: For the modules beside the engine

extension Engine {
  /// The store that the engine writes.
  package var store: any EventStore { host.events }

  /// Returns a definition that a saga follows.
  /// - Throws: `HistoryError` or `StoreError` when it can't be read.
  package func definition(of saga: SagaDefinition) async throws -> WorkflowDefinition {
    try await host.definitions.definition(of: saga)
  }
}

// MARK: Workflows

extension Engine {
  /// Returns the checker's findings in a workflow, with the services that this engine knows. Changes nothing.
  public func check(_ content: [UInt8]) -> CheckResult {
    WorkflowChecker.check(content, services: configuration.services, kafkaServices: configuration.kafkaServices)
  }

  /// Checks a workflow and stores it for ever under its name and version.
  /// - Parameter isDraft: true to store it as the next draft of its name, whatever its version. The content of the latest
  ///   draft again is that draft.
  /// - Throws: `EngineError` with the findings when it has errors, or when the version already belongs to other
  ///   content. For a draft: `workflow.draftsOff` or `workflow.tooManyDrafts`.
  public func register(
    _ content: [UInt8], isDraft: Bool = false, by: String, from: String? = nil
  ) async throws -> Registration {
    if isDraft { try host.requireDrafts() }
    let result = check(content)
    guard let definition = result.definition else {
      let count = result.errors.count
      let more = result.omitted > 0 ? " \(result.omitted) more findings are not listed." : ""
      throw EngineError(
        code: EngineErrorCode.workflowInvalid,
        message: "The workflow has \(count) error\(count == 1 ? "" : "s").\(more)", findings: result.findings)
    }
    let now = host.environment.now()
    let (entry, isNew) =
      isDraft
      ? try await host.definitions.registerDraft(definition, by: by, at: now)
      : try await host.definitions.register(definition, by: by, at: now)
    if isNew { host.sagaLog.registered(definition.name, version: entry.definition.version, by: by) }
    if isNew, let from { await keepWay(from, of: entry) }
    return Registration(
      name: definition.name, version: entry.definition.version, digest: entry.digest, isNew: isNew,
      warnings: result.warnings)
  }

  /// Returns every version of every registered workflow, by name and then version.
  public func workflows() -> [RegisteredWorkflow] { host.definitions.all.map(RegisteredWorkflow.init) }

  /// - Parameters:
  ///   - name: the workflow's name.
  ///   - version: the version, below zero for a draft. Nil for the latest: the latest released version, or the latest
  ///     draft of a workflow that has only drafts.
  /// - Throws: `EngineError` `workflow.notFound`.
  public func workflow(_ name: String, version: Int?) throws(EngineError) -> RegisteredWorkflow {
    guard let entry = host.definitions.entry(named: name, version: version) else {
      let which = version.map { " \(VersionName.long($0))" } ?? ""
      throw EngineError(
        code: EngineErrorCode.workflowNotFound, message: "There is no workflow “\(name)”\(which). Register it first.")
    }
    return RegisteredWorkflow(entry)
  }

  /// Returns the latest draft of a workflow.
  /// - Throws: `EngineError` `workflow.notFound`.
  public func latestDraft(of name: String) throws(EngineError) -> RegisteredWorkflow {
    guard let entry = host.definitions.latestDraft(named: name) else {
      throw EngineError(
        code: EngineErrorCode.workflowNotFound,
        message: "There is no draft of a workflow “\(name)”. Register one with --draft first.")
    }
    return RegisteredWorkflow(entry)
  }
}

extension RegisteredWorkflow {
  init(_ entry: DefinitionCache.Entry) {
    self.init(
      definition: entry.definition, digest: entry.digest, registeredAt: entry.registeredAt,
      registeredBy: entry.registeredBy)
  }
}
