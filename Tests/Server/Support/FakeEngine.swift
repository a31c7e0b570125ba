import JSON
import Persistence
import Runtime
import SagaCore
import Server
import Synchronization
import TestSupport
import Values
import Workflows

@testable import WorkflowEngine

/// An engine in memory: the true core decides and folds, and the test settles the attempts.
final class FakeEngine: SagaEngine {
  private struct Saga {
    var state: SagaState
    var definition: WorkflowDefinition
    var events: [SagaEvent]
  }

  private struct Contents {
    var workflows: [RegisteredWorkflow] = []
    var sagas: [UniqueID: Saga] = [:]
    var keys: [String: UniqueID] = [:]
    var isReady = true
    var storeHealth = StoreHealth()
    var lists: [SagaListRequest] = []
    /// How far the lists are; nil for the usual sample.
    var listState: ProjectionStatus?
    var held: [HeldSaga] = []
    var failure: (any Error)?
    var waits: [Duration] = []
    var acts: [AuditEntry] = []
    var approvals: Set<OperatorVerb.Name> = []
    var allowsDrafts = false
    var begun: [UniqueID] = []
    var carriesOut = false
    var turns: [TurnLine] = []
    var whileWaiting: (@Sendable (FakeEngine, UniqueID) throws -> Void)?
  }

  let clock: FakeClock
  let environment: Environment
  /// What a test has counted.
  let meters = EngineMeters()
  private let contents = Mutex(Contents())

  private let services: Set<String>?
  /// True operations, that act on the sagas here.
  private let desk: OperationRunner
  private let deskStore: MemoryStore

  /// - Parameter services: those that workflows may name; nil for any.
  init(services: Set<String>? = nil) {
    self.services = services
    clock = FakeClock()
    environment = .fake(clock: clock)
    let sagas = Sagas()
    deskStore = MemoryStore(environment: environment, shardCount: 2)
    desk = OperationRunner(events: deskStore, environment: environment, log: .silent) {
      try sagas.engine().tell($0, .operate($1))
    }
    sagas.know(self)
  }

  /// The engine, for what is made before it.
  private final class Sagas: Sendable {
    private let known = Mutex<FakeEngine?>(nil)
    func know(_ engine: FakeEngine) { known.withLock { $0 = engine } }
    func engine() throws -> FakeEngine {
      guard let engine = known.withLock({ $0 }) else { throw CancellationError() }
      return engine
    }
  }

  struct NoAttemptUnderWay: Error { let step: String }

  // MARK: What a test does

  let shardCount = 64
  func storeSize() async throws -> StoreSize {
    if let failure = contents.withLock({ $0.failure }) { throw failure }
    return StoreSize(bytes: 4_096, freeBytes: 1 << 30)
  }
  var isReady: Bool {
    get { contents.withLock { $0.isReady } }
    set { contents.withLock { $0.isReady = newValue } }
  }

  var storeHealth: StoreHealth {
    get { contents.withLock { $0.storeHealth } }
    set { contents.withLock { $0.storeHealth = newValue } }
  }

  /// Takes drafts from now on.
  func allowDrafts() { contents.withLock { $0.allowsDrafts = true } }

  private func requireDrafts() throws(EngineError) {
    guard !contents.withLock({ $0.allowsDrafts }) else { return }
    throw EngineError(code: EngineErrorCode.workflowDraftsOff, message: "This engine takes no drafts.")
  }

  /// Returns the version to which a verb moves a saga.
  private func target(of verb: OperatorVerb, in workflow: String) throws(EngineError) -> MoveTarget? {
    guard case .migrate(let version) = verb else { return nil }
    if VersionName.isDraft(version) { try requireDrafts() }
    let found = try self.workflow(workflow, version: version)
    return MoveTarget(definition: found.definition, digest: found.digest)
  }

  /// Every question is answered with this from now on.
  /// Sets what `GET /v1/concurrency` shows.
  func show(_ turns: [TurnLine]) { contents.withLock { $0.turns = turns } }

  func turns(of key: String) -> TurnLine? { contents.withLock { $0.turns.first { $0.key == key } } }

  func turns(after key: String?, limit: Int) -> [TurnLine] {
    contents.withLock { contents in
      Array(contents.turns.filter { line in key.map { $0 < line.key } ?? true }.prefix(limit))
    }
  }

  var turnCounts: TurnCounts {
    contents.withLock { contents in
      TurnCounts(
        keys: contents.turns.count, held: contents.turns.reduce(0) { $0 + $1.held },
        waiting: contents.turns.reduce(0) { $0 + $1.waiting })
    }
  }

  func fail(_ error: any Error) { contents.withLock { $0.failure = error } }

  /// How long requests have asked to wait.
  var waits: [Duration] { contents.withLock { $0.waits } }

  /// Sets an action that runs while a request waits for a saga's end.
  func whileWaiting(_ act: @escaping @Sendable (FakeEngine, UniqueID) throws -> Void) {
    contents.withLock { $0.whileWaiting = act }
  }

  func register(_ text: String) throws { _ = try register(Array(text.utf8), user: "test") }

  func start(_ workflow: String, input: JSON = Samples.input) throws -> UniqueID {
    try begin(StartRequest(workflow: workflow, input: input, by: "test")).id
  }

  /// Settles the attempt that a step has under way.
  func settle(_ id: UniqueID, _ step: String, _ outcome: StepOutcome) throws {
    let inFlight = try contents.withLock { try Self.saga(id, $0).state.step(step)?.inFlight }
    guard let inFlight else { throw NoAttemptUnderWay(step: step) }
    _ = try tell(
      id, .attemptSettled(step: step, phase: inFlight.phase, attempt: inFlight.attempt.number, outcome: outcome))
  }

  @discardableResult
  func tell(_ id: UniqueID, _ command: SagaCommand) throws -> SagaState {
    let now = environment.now()
    var command = command
    if case .operate(var request) = command {
      let workflow = try contents.withLock { try Self.saga(id, $0).definition.name }
      request.target = try target(of: request.verb, in: workflow)
      command = .operate(request)
    }
    return try contents.withLock { [command] contents in
      if let failure = contents.failure { throw failure }
      var saga = try Self.saga(id, contents)
      let events = try Decider.decide(command, saga.state, definition: saga.definition, now: now)
      for event in events { saga.state = try SagaState.evolve(saga.state, event) }
      let version = saga.state.definition.version
      if version != saga.definition.version,
        let moved = contents.workflows.first(where: {
          $0.definition.name == saga.definition.name && $0.definition.version == version
        })
      {
        saga.definition = moved.definition
      }
      saga.events += events
      contents.sagas[id] = saga
      return saga.state
    }
  }

  // MARK: SagaEngine

  /// Adds an act to the audit.
  func note(_ act: AuditEntry) { contents.withLock { $0.acts.append(act) } }

  func audit(_ filter: AuditFilter, after: DocumentCursor?, limit: Int) async throws -> AuditPage {
    let all = contents.withLock { $0.acts }.filter { act in
      filter.matches(act) && (after.map { filter.places($0, before: act.cursor) } ?? true)
    }
    .sorted { filter.places($0.cursor, before: $1.cursor) }
    return AuditPage(entries: Array(all.prefix(limit)), next: all.count > limit ? all[limit - 1].cursor : nil)
  }

  /// An empty store's, whose chains a true store walks.
  private func store() -> MemoryStore { MemoryStore(environment: environment, shardCount: 2) }
  func auditHead() async throws -> AuditHead { try await store().auditHead(at: environment.now()) }
  func auditVerify(against head: AuditHead?) async throws -> AuditReport { try await store().audit(against: head) }

  func check(_ content: [UInt8]) -> CheckResult { WorkflowChecker.check(content, services: services) }

  func register(_ content: [UInt8], isDraft: Bool, by: String, from: String?) async throws -> Registration {
    if isDraft { try requireDrafts() }
    return try register(content, isDraft: isDraft, user: by)
  }

  private func register(_ content: [UInt8], isDraft: Bool = false, user: String) throws -> Registration {
    let result = check(content)
    guard var definition = result.definition else {
      throw EngineError(
        code: EngineErrorCode.workflowInvalid, message: "The workflow has errors.", findings: result.findings)
    }
    let digest = Digest.hex(definition.source.bytes(.canonical))
    let now = environment.now()
    return try contents.withLock { contents in
      if let failure = contents.failure { throw failure }
      if isDraft {
        let drafts = contents.workflows.filter {
          $0.definition.name == definition.name && VersionName.isDraft($0.definition.version)
        }
        let latest = drafts.min { $0.definition.version < $1.definition.version }
        let number = -(latest?.definition.version ?? 0)
        definition = definition.asDraft(latest?.digest == digest ? number : number + 1)
      }
      let same = contents.workflows.first {
        $0.definition.name == definition.name && $0.definition.version == definition.version
      }
      guard same == nil || same?.digest == digest else {
        throw EngineError(code: EngineErrorCode.workflowConflict, message: "It has other content.")
      }
      if same == nil {
        contents.workflows.append(
          RegisteredWorkflow(definition: definition, digest: digest, registeredAt: now, registeredBy: user))
        contents.workflows.sort {
          ($0.definition.name, $0.definition.version) < ($1.definition.name, $1.definition.version)
        }
      }
      return Registration(
        name: definition.name, version: definition.version, digest: digest, isNew: same == nil,
        warnings: result.warnings)
    }
  }

  func workflows() -> [RegisteredWorkflow] { contents.withLock { $0.workflows } }

  func workflow(_ name: String, version: Int?) throws(EngineError) -> RegisteredWorkflow {
    let all = workflows().filter { $0.definition.name == name && (version == nil || $0.definition.version == version) }
    // The latest draft comes first, and the latest released version last.
    let latest = all.last.map { VersionName.isDraft($0.definition.version) } == true ? all.first : all.last
    guard let found = latest else {
      throw EngineError(code: EngineErrorCode.workflowNotFound, message: "There is no workflow “\(name)”.")
    }
    return found
  }

  func latestDraft(of name: String) throws(EngineError) -> RegisteredWorkflow {
    let found = workflows().first { $0.definition.name == name }
    guard let found, VersionName.isDraft(found.definition.version) else {
      throw EngineError(code: EngineErrorCode.workflowNotFound, message: "There is no draft of “\(name)”.")
    }
    return found
  }

  func start(_ request: StartRequest) async throws -> Started { try begin(request) }

  func saga(of workflow: String, startedBy key: String) async throws -> UniqueID {
    guard let id = contents.withLock({ $0.keys["\(workflow)\n\(key)"] }) else {
      throw Refusal(EngineErrorCode.sagaNotFound, "The key has started no saga.")
    }
    return id
  }

  private func begin(_ request: StartRequest) throws -> Started {
    let key = request.idempotencyKey.map { "\(request.workflow)\n\($0)" }
    let known = try contents.withLock { contents -> UniqueID? in
      guard let id = key.flatMap({ contents.keys[$0] }) else { return nil }
      let differences = StartDifferences.between(request, try Self.saga(id, contents).state.start)
      guard differences.isEmpty else {
        throw EngineError(code: EngineErrorCode.sagaStartKeyReused, message: differences.joined(separator: "; "))
      }
      return id
    }
    if let known { return Started(id: known, isNew: false) }
    if request.wantsDraft { try requireDrafts() }
    let workflow =
      try request.wantsDraft
      ? latestDraft(of: request.workflow) : workflow(request.workflow, version: request.version)
    let definition = workflow.definition
    if VersionName.isDraft(definition.version) {
      if request.version == nil, !request.wantsDraft {
        throw EngineError(code: EngineErrorCode.workflowOnlyDrafts, message: "It has only drafts.")
      }
      try requireDrafts()
    }
    if let refusal = definition.refusal(ofInput: request.input) { throw refusal }
    let now = environment.now()
    let start = SagaStart(
      id: environment.newID(), workflow: definition.name, version: definition.version,
      definitionDigest: workflow.digest, steps: definition.steps.map(\.id), input: request.input,
      deadline: now + definition.timeout, idempotencyKey: request.idempotencyKey, tags: request.tags ?? [],
      by: request.by, from: request.from)
    return try contents.withLock { contents in
      if let failure = contents.failure { throw failure }
      if let key { contents.keys[key] = start.id }
      let events = try Decider.decide(.start(start), nil, definition: definition, now: now)
      contents.sagas[start.id] = Saga(
        state: try SagaState(folding: events), definition: definition, events: events)
      return Started(id: start.id, isNew: true)
    }
  }

  func saga(_ id: UniqueID) async throws -> SagaNow {
    try contents.withLock { contents in
      if let failure = contents.failure { throw failure }
      let saga = try Self.saga(id, contents)
      return SagaNow(
        state: saga.state, definition: saga.definition, children: Self.childrenNow(of: saga.state.children, contents))
    }
  }

  func names(of sagas: [UniqueID]) async -> [UniqueID: SagaName] {
    contents.withLock { contents in
      var names: [UniqueID: SagaName] = [:]
      for id in sagas {
        guard let start = contents.sagas[id]?.state.start else { continue }
        names[id] = SagaName(title: start.title, key: start.idempotencyKey)
      }
      return names
    }
  }

  func childrenNow(of children: [ChildLink]) async throws -> [UniqueID: ChildNow] {
    contents.withLock { Self.childrenNow(of: children, $0) }
  }

  private static func childrenNow(of children: [ChildLink], _ contents: Contents) -> [UniqueID: ChildNow] {
    var childrenNow: [UniqueID: ChildNow] = [:]
    for child in children { childrenNow[child.saga] = contents.sagas[child.saga].map { ChildNow($0.state) } }
    return childrenNow
  }

  func waitForEnd(of id: UniqueID, atMost time: Duration) async throws -> SagaNow {
    let act = contents.withLock { contents in
      contents.waits.append(time)
      return contents.whileWaiting
    }
    try act?(self, id)
    return try await saga(id)
  }

  func history(of id: UniqueID, after version: Int, limit: Int) async throws -> [HistoryEntry] {
    let events = try contents.withLock { try Self.saga(id, $0).events }
    return events.enumerated().dropFirst(version).prefix(limit).map { index, event in
      HistoryEntry(
        version: index + 1, type: event.typeName, recordedAt: event.at, data: event.data, meta: ["schema": 1],
        hash: Digest.sha256(event.data.bytes()))
    }
  }

  func list(_ request: SagaListRequest) async throws -> SagaPage {
    let states = try contents.withLock { contents in
      if let failure = contents.failure { throw failure }
      contents.lists.append(request)
      return contents.sagas.values.map(\.state)
    }
    let store = try await readModel(of: states)
    let page = try await store.list(request.query, after: request.after, limit: request.limit)
    let facets = request.wantsFacets ? try await store.facets(request.query) : nil
    return SagaPage(
      sagas: page.rows, next: page.next, facets: facets, isBehind: request.seen?.positions[0] == 99,
      lists: try await projections())
  }

  /// The true read model in memory, filled with what is there now.
  private func readModel(of states: [SagaState]) async throws -> MemoryReadStore {
    let store = MemoryReadStore()
    let rows = states.map { SagaRow($0, shard: 0, at: environment.now(), startWords: SagaRow.startWords($0.start)) }
    try await store.apply(
      ReadBatch(
        generation: 1, shard: 0, from: 0, to: ReadCheckpoint(position: 1, hash: []),
        changes: rows.map { SagaChange(old: nil, new: $0) }))
    return store
  }

  func incidents(_ query: IncidentQuery, after: IncidentCursor?, limit: Int) async throws -> SagaIncidents {
    let states = try contents.withLock { contents in
      if let failure = contents.failure { throw failure }
      return contents.sagas.values.map(\.state)
    }
    return try await readModel(of: states).incidents(query, after: after, limit: limit)
  }

  func waitUntilListed(_ positions: [Int: Int64]) async throws -> Bool { positions[0] != 99 }

  /// The requests for lists, in order.
  var lists: [SagaListRequest] { contents.withLock { $0.lists } }

  func seen(_ id: UniqueID) async throws -> SeenToken { SeenToken(positions: [0: 7]) }

  func timeline(of id: UniqueID, showsItems: Bool) async throws -> Timeline {
    let events = try contents.withLock { try Self.saga(id, $0).events }
    return events.reduce(into: Timeline(showsItems: showsItems)) { $0.note($1) }
  }

  func calls(of id: UniqueID, step: String?, after version: Int, limit: Int) async throws -> CallPage {
    let saga = try contents.withLock { try Self.saga(id, $0) }
    if let step, saga.state.step(step) == nil {
      throw Refusal(EngineErrorCode.stepUnknown, "The saga has no step “\(step)”.")
    }
    var trail = CallTrail(step: step, after: version, limit: limit) { _ in saga.definition }
    var state: SagaState?
    for (index, event) in saga.events.enumerated() where !trail.isDone {
      if let state { trail.note(event, version: index + 1, before: state) }
      try SagaState.evolve(&state, event)
      if let state { trail.noteFolded(state, isEndOfAppend: true) }
    }
    return CallPage(trail)
  }

  func saga(_ id: UniqueID, version: Int) async throws -> SagaNow {
    let saga = try contents.withLock { try Self.saga(id, $0) }
    guard version <= saga.events.count else {
      throw EngineError(code: EngineErrorCode.sagaVersionUnknown, message: "There is no version \(version) of it.")
    }
    return SagaNow(
      state: try SagaState(folding: saga.events.prefix(version)), definition: saga.definition)
  }

  func statistics(of workflow: String, _ range: MomentRange) async throws -> [StepMinute] {
    _ = try self.workflow(workflow, version: nil)
    var minute = StepMinute(workflow: workflow, step: "a", at: StepMinute.of(environment.now()))
    minute.started = 2
    minute.succeeded = 1
    minute.durations.add(milliseconds: 100)
    return range.contains(minute.at) ? [minute] : []
  }

  func show(_ lists: ProjectionStatus?) { contents.withLock { $0.listState = lists } }
  func hold(_ held: [HeldSaga]) { contents.withLock { $0.held = held } }
  var held: [HeldSaga] { contents.withLock { $0.held } }

  func projections() async throws -> ProjectionStatus {
    if let known = contents.withLock({ $0.listState }) { return known }
    return ProjectionStatus(
      store: "memory", generation: 1, shards: [.init(shard: 0, position: 5, head: 7, rebuilt: 3)],
      waited: .milliseconds(1_500),
      rebuilding: .init(generation: 2, since: environment.now()))
  }

  func rebuildProjections(by: String, from: String?) async throws -> ProjectionStatus { try await projections() }

  func counts() async throws -> [SagaStatus: Int] {
    try contents.withLock { contents in
      if let failure = contents.failure { throw failure }
      return Dictionary(contents.sagas.values.map { ($0.state.status, 1) }, uniquingKeysWith: +)
    }
  }

  func signal(_ id: UniqueID, _ signal: SignalGiven, formerIDs: [String]) async throws -> SignalAnswer {
    let signal = signal.named(by: environment.newID())
    let before = try await saga(id)
    let isRepeat = before.state.known(signal, formerIDs: formerIDs) != nil
    let after = isRepeat ? before.state : try tell(id, .give(signal, formerIDs: formerIDs))
    do {
      return try after.answer(to: signal, formerIDs: formerIDs, isRepeat: isRepeat, before.definition)
    } catch {
      throw error.withViolations(of: signal, before.definition)
    }
  }

  func operate(_ id: UniqueID, _ request: OperatorRequest) async throws -> SagaState {
    try tell(id, .operate(request))
  }

  func forget(_ id: UniqueID, _ act: OperatorAct) async throws -> SagaState { try tell(id, .forget(act)) }

  // MARK: Operations

  /// These verbs wait for a second person from now on.
  func requireApproval(of verbs: OperatorVerb.Name...) { contents.withLock { $0.approvals = Set(verbs) } }

  func needsApproval(_ verb: OperatorVerb, of id: UniqueID) async throws -> Bool { isGuarded(verb.name) }
  private func isGuarded(_ verb: OperatorVerb.Name) -> Bool { contents.withLock { $0.approvals.contains(verb) } }

  func ask(_ id: UniqueID, _ request: OperatorRequest) async throws -> WorkflowEngine.Operation {
    let now = try await saga(id)
    let target = try target(of: request.verb, in: now.definition.name)
    try Decider.requireTaken(request.verb, by: now.state, now.definition, to: target, now: environment.now())
    return try await begin(OperationRequest(request.verb, .sagas([id]), by: request.act), key: nil).operation
  }

  func preview(_ verb: OperatorVerb, _ target: OperationTarget) async throws -> OperationPreview {
    var items: [OperationPreview.Item] = []
    for id in try await sagas(of: target) {
      var refusal: OperationResult.Reason?
      let now = try? await saga(id)
      do {
        let now = try await saga(id)
        let move = try self.target(of: verb, in: now.definition.name)
        try Decider.requireTaken(verb, by: now.state, now.definition, to: move, now: environment.now())
      } catch let error as Refusal {
        refusal = .init(code: error.code, message: error.message)
      }
      items.append(.init(saga: id, workflow: now?.state.start.workflow, status: now?.state.status, refusal: refusal))
    }
    return OperationPreview(items: items, needsApproval: isGuarded(verb.name))
  }

  func begin(
    _ request: OperationRequest, key: String?
  ) async throws -> (operation: WorkflowEngine.Operation, isNew: Bool) {
    var plan = OperationPlan(request, needsApproval: isGuarded(request.verb.name))
    plan.sagas = try await sagas(of: request.target)
    try await deskStore.own(shards: nil)
    let begun = try await desk.begin(plan, key: key)
    let starts = contents.withLock { contents in
      if begun.isNew { contents.begun.append(begun.operation.id) }
      defer { contents.carriesOut = true }
      return !contents.carriesOut
    }
    if starts { Task { [desk] in await desk.run { [] } } }
    return begun
  }

  private func sagas(of target: OperationTarget) async throws -> [UniqueID] {
    switch target {
    case .sagas(let ids): return ids
    case .filter(let query, _): return try await list(SagaListRequest(query, limit: 10_000)).sagas.map(\.id)
    }
  }

  func operation(_ id: UniqueID) async throws -> WorkflowEngine.Operation { try await desk.operation(id) }

  func standing(of operation: WorkflowEngine.Operation) async throws -> [SagaStatus: Int] { try await counts() }

  func operations(
    status: WorkflowEngine.Operation.Status?, after: DocumentCursor?, limit: Int
  ) async throws -> OperationPage {
    var all: [JSON] = []
    for id in contents.withLock({ $0.begun }).reversed() {
      let operation = try await operation(id)
      if status == nil || status == operation.status { all.append(operation.json) }
    }
    return OperationPage(operations: Array(all.prefix(limit)), next: nil)
  }

  func approve(_ id: UniqueID, _ act: OperatorAct) async throws -> WorkflowEngine.Operation {
    let decision = OperationDecision(by: act.by, reason: act.reason, from: act.from, at: environment.now())
    return try await desk.decide(id) { operation in
      try OperationRules.checkApproval(operation, by: act)
      return .approved(decision)
    }
  }

  func decline(_ id: UniqueID, _ act: OperatorAct) async throws -> WorkflowEngine.Operation {
    let decision = OperationDecision(by: act.by, reason: act.reason, from: act.from, at: environment.now())
    return try await desk.decide(id) { operation in
      try OperationRules.requireWaiting(operation)
      return .declined(decision)
    }
  }

  func stop(_ id: UniqueID, _ act: OperatorAct) async throws -> WorkflowEngine.Operation {
    let decision = OperationDecision(by: act.by, reason: act.reason, from: act.from, at: environment.now())
    return try await desk.decide(id) { operation in
      try OperationRules.requireOpen(operation)
      return .stopped(decision)
    }
  }

  // MARK: Tasks

  var offered: [(task: TaskNow, definition: WorkflowDefinition)] {
    let all = contents.withLock { contents in
      contents.sagas.values.flatMap { saga in
        saga.state.tasks(by: saga.definition).map { (task: $0, definition: saga.definition) }
      }
    }
    return all.sorted { ($0.task.offeredAt, $0.task.id.description) < ($1.task.offeredAt, $1.task.id.description) }
  }

  private static func saga(_ id: UniqueID, _ contents: Contents) throws -> Saga {
    guard let saga = contents.sagas[id] else { throw Refusal(EngineErrorCode.sagaNotFound, "There is no such saga.") }
    return saga
  }
}
