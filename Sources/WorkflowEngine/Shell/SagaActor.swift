import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

/// One saga: a thin shell around the core. Inputs queue while an append is in flight, and the next append takes them
/// all: decide → append → evolve → effects. Only appended events change the state. The saga acts on a decision only
/// after its append.
actor Saga {
  /// A command, and how its caller gets the answer.
  private struct Input {
    let command: SagaCommand
    let startKey: NewStartKey?
    /// Nil for a report for which no caller waits, and once the caller has its answer.
    var reply: (@Sendable (Result<SagaState, any Error>) -> Void)?
    /// Whether the engine itself gave it, so that no caller waits or waited for it.
    let isNews: Bool

    init(
      command: SagaCommand, startKey: NewStartKey? = nil,
      reply: (@Sendable (Result<SagaState, any Error>) -> Void)? = nil
    ) {
      self.command = command
      self.startKey = startKey
      self.reply = reply
      isNews = reply == nil
    }

    mutating func answer(_ result: Result<SagaState, any Error>) {
      reply?(result)
      reply = nil
    }
  }

  /// A saga always computes on the threads for sagas, for every caller.
  nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }
  private nonisolated let queue: any SerialExecutor
  nonisolated let id: UniqueID
  /// The name of its workflow.
  nonisolated let workflow: String
  /// The definition that the stored state follows. A move changes it.
  private var definition: WorkflowDefinition
  private let host: SagaHost
  /// Seals and opens the saga's sensitive values; nil when it has none.
  private let seal: SagaSeal?
  private var state: SagaState?
  /// The inputs that wait for the next append.
  private var inputs: [Input] = []
  /// The inputs in the append under way.
  private var appending: [Input] = []
  private var isWorking = false
  private var isRetired = false
  /// Whether the saga's row among the open streams says that it sleeps.
  private var isMarkedAsleep: Bool
  /// The attempts that an executor has. Because of it, an effect is performed once.
  private var performed: Set<AttemptID> = []
  /// Whether the effects of the state were performed since the saga came into memory.
  private var hasPerformed = false
  /// The looks of polling steps that are under way, and when the next ones are due. The history has their timetable.
  private var looks: Looks
  private var eventsSinceSnapshot = 0
  private var idlers: [CheckedContinuation<Void, Never>] = []
  /// Set while the store can't write: new callers fail at once.
  private var trouble: StoreError?

  /// - Parameters:
  ///   - state: nil for a saga that is about to start.
  ///   - seal: nil for a saga without sensitive values, and for an ended one whose key can't be had.
  ///   - isMarkedAsleep: whether its row among the open streams says that it sleeps.
  ///   - looks: the looks that have been made, as far as the engine remembers.
  ///   - first: a command that comes before everything else.
  init(
    id: UniqueID, definition: WorkflowDefinition, state: SagaState?, seal: SagaSeal? = nil, isMarkedAsleep: Bool,
    eventsSinceSnapshot: Int, looks: Looks = Looks(), first: SagaCommand? = nil, host: SagaHost
  ) {
    self.id = id
    self.definition = definition
    workflow = definition.name
    self.state = state
    self.seal = seal
    self.isMarkedAsleep = isMarkedAsleep
    self.eventsSinceSnapshot = eventsSinceSnapshot
    self.looks = looks
    self.host = host
    queue = host.computing.queue()
    // This command comes before all others: no executor reports the attempts that were in flight before.
    if let first { inputs = [Input(command: first)] }
    if let state, state.end == nil, state.hasCallInFlight { inputs.append(Input(command: .recover)) }
  }

  /// Gives the saga a command and waits until its consequences are stored.
  /// - Returns: the state then, or nil when the saga has left memory and must be brought back first.
  /// - Throws: `Refusal`, or the store's error.
  func ask(_ command: SagaCommand, startKey: NewStartKey? = nil) async throws -> SagaState? {
    if isRetired { return nil }
    if let trouble { throw trouble }
    return try await withCheckedThrowingContinuation { continuation in
      put(Input(command: command, startKey: startKey) { continuation.resume(with: $0.map { $0 }) })
    }
  }

  /// Gives the saga a report for which no caller waits.
  /// - Returns: false when the saga has left memory and must be brought back first.
  func tell(_ command: SagaCommand) -> Bool {
    if isRetired { return false }
    put(Input(command: command))
    return true
  }

  /// Performs the effects of the stored state, after the saga was brought back into memory.
  func resume() {
    guard let state, state.end == nil, !isWorking, !isRetired else { return }
    if inputs.isEmpty { perform() } else { beginWork() }
  }

  /// Checks the steps after a change of their expected times: a step may become overdue earlier.
  func expectationsChanged() {
    guard let state, state.end == nil, !isRetired, let moment = nextWake(of: state, definition, learned, looks) else {
      return
    }
    if isWorking || moment <= host.environment.now() {
      put(Input(command: .wake))
    } else {
      host.scheduler.set(id, at: moment)
    }
  }

  /// The learned expected times of its steps.
  private var learned: LearnedTimes { host.expectations.of(workflow) }

  private func nextWake(
    of state: SagaState, _ definition: WorkflowDefinition, _ learned: LearnedTimes, _ looks: Looks
  ) -> Timestamp? {
    Decider.nextWake(of: state, definition: definition, learned: learned, looks: looks)
  }

  /// Returns once all its inputs are stored.
  func idle() async {
    guard isWorking else { return }
    await withCheckedContinuation { idlers.append($0) }
  }

  /// The state as it is stored, or nil before the start.
  var current: SagaState? { state }

  private func put(_ input: Input) {
    inputs.append(input)
    if !isWorking { beginWork() }
  }

  private func beginWork() {
    isWorking = true
    host.working.add(1, ordering: .relaxed)
    Task(executorPreference: host.environment.executor) { await self.work() }
  }

  private func work() async {
    while !inputs.isEmpty {
      let batch = inputs
      inputs = []
      await process(batch)
    }
    isWorking = false
    host.working.subtract(1, ordering: .relaxed)
    retireIfIdle()
    let waiting = idlers
    idlers = []
    for idler in waiting { idler.resume() }
  }

  /// Decides, appends, and acts. While the store can't write, waiting callers get the error and their commands are
  /// withdrawn. The engine's own inputs stay and are decided again.
  private func process(_ batch: [Input]) async {
    var batch = batch
    var failures = 0
    var isUnfinished = false
    while true {
      batch = withTurns(batch)
      let decision = host.held.computing(id) { decide(batch) }
      inputs = decision.left + inputs
      isUnfinished = decision.isUnfinished
      appending = decision.accepted
      guard let append = decision.append else {
        looks = decision.looks
        if let state {
          answerAppending(.success(state))
          // After a restart, the calls of children are made again without an event. A command can also come before
          // `resume`. Then the effects of the stored state are still to be performed.
          if !hasPerformed || batch.contains(where: { $0.command == .recover }) {
            perform()
          } else {
            rearm(state, decision.learned)
          }
        }
        break
      }
      do {
        try await store(append)
        trouble = nil
      } catch {
        guard SagaHost.isWorthRepeating(error), !host.isStopped else {
          trouble = nil
          answerAppending(.failure(error))
          await recover(from: error)
          return
        }
        // Nothing was written.
        answerAppending(.failure(error))
        failCallers(error)
        batch = appending + inputs
        inputs = []
        if batch.isEmpty {
          trouble = nil
          return
        }
        failures += 1
        await host.rest(after: failures)
        batch += inputs
        inputs = []
        trouble = nil
        continue
      }
      if let after = decision.state { host.committed(decision.news, before: state, after: after) }
      state = decision.state
      definition = decision.definition
      looks = decision.looks
      eventsSinceSnapshot += append.events.count
      isMarkedAsleep = decision.isAsleep
      perform()
      if let state {
        // A caller that has its answer finds its turns in the table.
        host.noteTurns(of: state)
        answerAppending(.success(state))
        host.changed(state)
      }
      break
    }
    appending = []
    await snapshotIfDue()
    if isUnfinished, !isRetired, state?.end == nil { inputs.append(Input(command: .wake)) }
  }

  /// Appends. If it is unknown whether an append was written, the saga repeats the append until that is known. The
  /// append id prevents a second write. The callers don't wait that long: they get the error `store.outcomeUnknown`.
  /// - Throws: why it was not written. Then nothing was written, unless the engine is being stopped.
  private func store(_ append: Append) async throws(StoreError) {
    var failures = 0
    var isUnknown = false
    while true {
      do {
        let watch = Stopwatch()
        _ = try await host.events.append(append)
        host.meters.appended(append.events.count, in: watch.elapsed)
        return
      } catch {
        host.meters.notAppended(because: error.code)
        if error.kind == .outcomeUnknown { isUnknown = true }
        guard isUnknown, SagaHost.isWorthRepeating(error), !host.isStopped else { throw error }
        host.log.warning(
          "The store does not say whether it has written; the engine asks again", ("saga", "\(append.stream)"),
          ("error", error.description))
        let unknown = StoreError.outcomeUnknown(error.detail ?? error.message)
        answerAppending(.failure(unknown))
        failCallers(unknown)
        failures += 1
        await host.rest(after: failures)
        if host.isStopped { throw error }
      }
    }
  }

  /// Answers the callers of the append under way, each once. The engine's own inputs stay in `appending`.
  private func answerAppending(_ result: Result<SagaState, any Error>) {
    for index in appending.indices { appending[index].answer(result) }
    if case .failure = result { appending.removeAll { !$0.isNews } }
  }

  /// While the store can't write, fails waiting and new callers immediately. The engine never carries out their
  /// commands.
  private func failCallers(_ error: StoreError) {
    let unavailable = StoreError.unavailable(error.detail ?? error.message)
    trouble = unavailable
    for index in inputs.indices { inputs[index].answer(.failure(unavailable)) }
    inputs.removeAll { !$0.isNews }
  }

  // MARK: Deciding

  /// Returns the inputs behind the turns that have come. The table is asked before each decision, because an offer counts
  /// only for the state that the table knows.
  private func withTurns(_ batch: [Input]) -> [Input] {
    guard let state, state.end == nil, state.hasTurns else { return batch }
    let others = batch.filter { if case .takeTurns = $0.command { false } else { true } }
    let offers = host.turns.offers(to: id)
    return offers.isEmpty ? others : [Input(command: .takeTurns(offers))] + others
  }

  private struct Decision {
    var accepted: [Input] = []
    var state: SagaState?
    /// The definition that the state follows.
    var definition: WorkflowDefinition
    var append: Append?
    /// The events of the append.
    var news: [SagaEvent] = []
    var isAsleep = false
    /// Whether more is due than one decision may compute.
    var isUnfinished = false
    /// The inputs for which the append has no room.
    var left: [Input] = []
    /// The expected times at the time of the decision.
    var learned: LearnedTimes = [:]
    /// The looks without those that the decision ends.
    var looks: Looks
  }

  private func decide(_ batch: [Input]) -> Decision {
    var decision = Decision(state: state, definition: definition, learned: learned, looks: looks)
    var events: [NewEvent] = []
    var size = 0
    var startKey: NewStartKey?
    let now = host.environment.now()
    let isDraining = host.isDraining
    for (index, input) in batch.enumerated() {
      if size > host.sizes.mostAppend || decision.isUnfinished {
        decision.left = Array(batch[index...])
        break
      }
      if case .looked(let report) = input.command { decision.looks.end(report, at: now) }
      do {
        let one = try decide(input.command, decision, now, isDraining)
        if let pausedAt = decision.state?.pausedAt, one.state?.pausedAt == nil {
          decision.looks.shift(by: max(.zero, now - pausedAt))
        }
        decision.state = one.state
        decision.definition = one.definition
        decision.isUnfinished = one.isUnfinished
        events += one.events
        decision.news += one.news
        size += one.events.reduce(0) { $0 + $1.data.count }
        startKey = startKey ?? input.startKey
        decision.accepted.append(input)
      } catch {
        if input.isNews {
          host.log.error("News of a saga could not be recorded", ("saga", "\(id)"), ("error", "\(error)"))
        }
        input.reply?(.failure(error))
      }
    }
    guard let after = decision.state, !events.isEmpty else { return decision }
    SagaEventCoding.finish(&events, after)
    let wakeAt = nextWake(of: after, decision.definition, decision.learned, decision.looks)
    // A saga that waits because of the drain is not idle: the next start takes it up. So it takes up a saga whose look
    // was under way, and one with turns, because they are in the table before any turn is given. It also takes up a saga
    // that waits for children, to look at them.
    decision.isAsleep =
      !isDraining && !after.hasTurns && !decision.isUnfinished && !decision.looks.isOneUnderWay
      && after.awaitedChildren.isEmpty && host.isSleep(after, wakeAt: wakeAt, now: now)
    decision.append = Append(
      stream: id, expectedVersion: state?.version ?? 0,
      events: events, appendID: host.environment.newID(),
      startKey: startKey, open: openChange(to: decision, wakeAt: wakeAt))
    return decision
  }

  /// The effect of one command on a state, as it would be stored.
  private struct One {
    var state: SagaState?
    var definition: WorkflowDefinition
    var events: [NewEvent]
    /// The same events before they were encoded.
    var news: [SagaEvent]
    var isUnfinished: Bool
  }

  /// - Throws: `Refusal` when the saga can't take the command, or would become too large to store.
  private func decide(
    _ command: SagaCommand, _ decision: Decision, _ now: Timestamp, _ isDraining: Bool
  ) throws -> One {
    if seal == nil { try command.requireNoSeal(of: decision.state) }
    let command = seal.map { command.withDigests(by: $0) } ?? command
    let new = try host.decide(command, decision.state, decision.definition, now, decision.learned, isDraining)
    // The state follows from the events as they are stored: sealed.
    let decided = try seal?.sealed(new.events, by: command.target ?? decision.definition) ?? new.events
    var state = decision.state
    for event in decided {
      try SagaState.evolve(&state, event)
      state?.opener = ValueOpener(seal)
    }
    let definition = command.definition(of: state) ?? decision.definition
    // Nothing of a paused saga is evaluated.
    if state?.isPaused == false { state?.loadItems(by: definition) }
    let events = SagaEventCoding.encode(decided)
    do {
      if let state { try host.sizes.check(events, before: decision.state, after: state) }
    } catch {
      guard let smaller = command.withoutOutput(because: error) else { throw error }
      return try decide(smaller, decision, now, isDraining)
    }
    return One(state: state, definition: definition, events: events, news: new.events, isUnfinished: new.isUnfinished)
  }

  private func openChange(to decision: Decision, wakeAt: Timestamp?) -> OpenChange? {
    if decision.state?.end != nil { return .closed }
    if decision.isAsleep { return .sleeping(until: wakeAt) }
    // A saga that opens again has no row.
    if state == nil || state?.end != nil { return .opened }
    return isMarkedAsleep ? .awake : nil
  }

  // MARK: Effects

  private func perform() {
    guard let state else { return }
    hasPerformed = true
    look(state)
    host.tasks.update(id, state.tasks(by: definition), of: state)
    host.watchChildren(of: state)
    var moment: Timestamp?
    let current = Set(state.stepsInFlight.compactMap(AttemptID.init))
    // Calls of attempts that are already under way are not rendered again.
    let known = performed
    let effects = host.held.computing(id) {
      Decider.effects(of: state, definition: definition, learned: learned, looks: looks) { step in
        step.offer == nil && AttemptID(step).map { !known.contains($0) } ?? false
      }
    }
    for effect in effects {
      switch effect {
      case .call(let call): send(call)
      case .unrenderable(let step, let phase, let number, let failure):
        let round = state.step(step)?.round ?? 1
        put(
          Input(
            command: .attemptSettled(
              step: step, phase: phase, round: round, attempt: number, outcome: .failed(failure))))
      case .wake(let at):
        moment = at
      }
    }
    performed = current
    host.scheduler.set(id, at: moment)
  }

  private func send(_ call: StepCall) {
    guard host.isDraining else {
      host.perform(call)
      return
    }
    // An earlier process may have started the child. The next start of the engine asks for it again.
    if case .workflow = call.action { return }
    // The saga decided this just before the engine began to stop. The attempt is returned, and is made after the next
    // start.
    let failure = StepFailure(
      code: EngineErrorCode.engineDraining, message: "The engine stopped before the call was sent.", isRetryable: true)
    put(
      Input(
        command: .attemptSettled(
          step: call.step, phase: call.phase, round: call.round, attempt: call.attempt, outcome: .notSent(failure))))
  }

  /// Makes the looks that are due. A look needs no append, because the history has the timetable.
  private func look(_ state: SagaState) {
    guard state.isPolling, !host.isDraining else { return }
    let now = host.environment.now()
    let due = host.held.computing(id) {
      Decider.dueLooks(of: state, definition: definition, looks: looks, now: now)
    }
    for look in due {
      switch look {
      case .call(let call):
        if let step = state.step(call.step) { looks.begin(step, at: now) }
        host.perform(call)
      case .unrenderable(let report):
        if let step = state.step(report.step) { looks.begin(step, at: now) }
        put(Input(command: .looked(report)))
      }
    }
  }

  /// Sets the timer again after a wake-up that changed nothing, so that it is not the last wake-up.
  private func rearm(_ state: SagaState, _ learned: LearnedTimes) {
    look(state)
    guard let moment = nextWake(of: state, definition, learned, looks) else { return }
    if moment > host.environment.now() || host.isDraining {
      host.scheduler.set(id, at: moment)
    } else {
      // A new timer would fire again immediately.
      host.log.error("Something is due that the core does not do", ("saga", "\(id)"), ("due", "\(moment)"))
    }
  }

  // MARK: When an append fails

  /// Reads the stored state again, because the state in memory may be older. The engine's own inputs go back to the
  /// queue.
  private func recover(from error: StoreError) async {
    let news = appending
    appending = []
    guard case .versionConflict = error.kind, state != nil else {
      host.lost(self.id, to: error)
      retire()
      return
    }
    host.log.warning("A saga was written to by another; reading it again", ("saga", "\(id)"))
    do {
      let loaded = try await host.load(id)
      definition = try await host.definitions.definition(of: loaded.state.definition)
      state = loaded.state
      host.held.computing(id) { _ = state?.loadItems(by: definition) }
      host.noteTurns(of: loaded.state)
      eventsSinceSnapshot = loaded.eventsSinceSnapshot
      isMarkedAsleep = true
      inputs = news + inputs
      // Attempts of an earlier process are settled first. If they were performed now, each would be sent a second time.
      if !inputs.contains(where: { $0.command == .recover }) { perform() }
    } catch {
      host.lost(id, to: error)
      retire()
    }
  }

  // MARK: Leaving memory

  /// Removes an ended or sleeping saga from memory: it costs a row, not an actor.
  private func retireIfIdle() {
    guard inputs.isEmpty, !isRetired else { return }
    guard let state else {
      // The start was refused.
      retire()
      return
    }
    if state.end != nil { return retire() }
    let now = host.environment.now()
    // The row of a saga with turns does not say that it sleeps, and yet it leaves memory.
    guard
      isMarkedAsleep || restsOnChildren(state) || isLeftToWorkers(state)
        || state.hasTurns && host.isSleep(state, wakeAt: nextWake(of: state, definition, learned, looks), now: now)
    else { return }
    guard state.isPolling else { return retire() }
    // A poll whose look is under way, or due soon, stays in memory.
    guard !looks.isOneUnderWay, host.isFar(nextWake(of: state, definition, learned, looks), from: now)
    else {
      return
    }
    host.hasLooked(id, until: state.pausedAt ?? now)
    retire()
  }

  /// Returns whether only workers do something with the saga soon. The queues have its tasks and their leases, so it need
  /// not be in memory. Its row stays awake, because after a restart it must offer its tasks again.
  private func isLeftToWorkers(_ state: SagaState) -> Bool {
    state.isWaitingForWorkers && !host.isDraining
      && host.isFar(nextWake(of: state, definition, learned, looks), from: host.environment.now())
  }

  /// Whether a saga waits for its children alone. Its row says that it is awake, so that the next start takes it up and
  /// looks at the children.
  private func restsOnChildren(_ state: SagaState) -> Bool {
    !state.awaitedChildren.isEmpty && !state.isPolling
      && host.isSleep(state, wakeAt: nextWake(of: state, definition, learned, looks), now: host.environment.now())
  }

  private func retire() {
    isRetired = true
    host.forget(self)
    for input in inputs { input.reply?(.failure(Retired())) }
    inputs = []
  }

  private func snapshotIfDue() async {
    // A snapshot has every item. So a saga with many items has fewer snapshots: each one follows as many events as there
    // are items.
    guard let state, state.end == nil, eventsSinceSnapshot >= max(SagaHost.snapshotEvery, state.itemsBegun) else {
      return
    }
    eventsSinceSnapshot = 0
    await host.saveSnapshot(of: state)
  }
}

extension SagaCommand {
  /// Returns the definition to which the command has moved a saga; nil when it has not.
  fileprivate func definition(of state: SagaState?) -> WorkflowDefinition? {
    guard case .operate(let request) = self, let target = request.target,
      state?.definition.version == target.definition.version
    else { return nil }
    return target.definition
  }
}

/// The saga left memory before a command reached it. The caller must ask again.
struct Retired: Error {}
