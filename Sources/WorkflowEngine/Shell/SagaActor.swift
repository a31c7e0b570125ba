import JSON
import Persistence
import Runtime
import SagaCore
import Values
import Workflows

/// One saga: a thin shell around the core. Inputs queue while an append is in flight, and the next append takes them all:
/// decide → append → evolve → effects. Only what has been appended changes the state, and the saga acts on a decision only
/// after it is appended.
actor Saga {
  /// A command, and how its caller gets the answer.
  private struct Input {
    let command: SagaCommand
    let startKey: NewStartKey?
    /// Nil for news that no caller waits for, and once the caller has its answer.
    var reply: (@Sendable (Result<SagaState, any Error>) -> Void)?
    /// Whether the engine itself gave it: no caller waits or waited for it.
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
  nonisolated let definition: WorkflowDefinition
  private let host: SagaHost
  private var state: SagaState?
  /// What waits for the next append.
  private var inputs: [Input] = []
  /// What the append under way carries.
  private var appending: [Input] = []
  private var isWorking = false
  private var isRetired = false
  /// Whether the saga's row among the open streams says that it sleeps.
  private var isMarkedAsleep: Bool
  /// The attempts that an executor has: an effect is performed once.
  private var performed: Set<PerformedAttempt> = []
  private var eventsSinceSnapshot = 0
  private var idlers: [CheckedContinuation<Void, Never>] = []
  /// Set while the store can't write: new callers fail at once.
  private var trouble: StoreError?

  private struct PerformedAttempt: Hashable {
    let step: String
    let phase: StepPhase
    let round: Int
    let attempt: Int

    /// The step's attempt in flight, if there is one.
    init?(_ state: StepState) {
      guard let (phase, attempt) = state.inFlight else { return nil }
      (self.step, self.phase, self.round, self.attempt) = (state.id, phase, state.round, attempt.number)
    }
  }

  /// - Parameters:
  ///   - state: nil for a saga that is about to start.
  ///   - isMarkedAsleep: whether its row among the open streams says that it sleeps.
  ///   - first: is done before anything else.
  init(
    id: UniqueID, definition: WorkflowDefinition, state: SagaState?, isMarkedAsleep: Bool, eventsSinceSnapshot: Int,
    first: SagaCommand? = nil, host: SagaHost
  ) {
    self.id = id
    self.definition = definition
    self.state = state
    self.isMarkedAsleep = isMarkedAsleep
    self.eventsSinceSnapshot = eventsSinceSnapshot
    self.host = host
    queue = host.computing.queue()
    // Before anything else is asked of it: no executor reports what was in flight before.
    if let first { inputs = [Input(command: first)] }
    if let state, state.end == nil, state.hasAttemptInFlight { inputs.append(Input(command: .recover)) }
  }

  /// Gives the saga a command and waits until what follows from it is stored.
  /// - Returns: the state then, or nil when the saga has left memory and must be brought back first.
  /// - Throws: `Refusal`, or the store's error.
  func ask(_ command: SagaCommand, startKey: NewStartKey? = nil) async throws -> SagaState? {
    if isRetired { return nil }
    if let trouble { throw trouble }
    return try await withCheckedThrowingContinuation { continuation in
      put(Input(command: command, startKey: startKey) { continuation.resume(with: $0.map { $0 }) })
    }
  }

  /// Gives the saga news that no caller waits for.
  /// - Returns: false when the saga has left memory and must be brought back first.
  func tell(_ command: SagaCommand) -> Bool {
    if isRetired { return false }
    put(Input(command: command))
    return true
  }

  /// Takes up what the stored state says ought to be in flight, after the saga was brought back into memory.
  func resume() {
    guard let state, state.end == nil, !isWorking, !isRetired else { return }
    if inputs.isEmpty { perform() } else { beginWork() }
  }

  /// What is expected of its steps has changed: something may be due earlier than it was.
  func expectationsChanged() {
    guard let state, state.end == nil, !isRetired, let moment = nextWake(of: state, learned) else { return }
    if isWorking || moment <= host.environment.now() {
      put(Input(command: .wake))
    } else {
      host.scheduler.set(id, at: moment)
    }
  }

  /// What has been learned of its steps until now.
  private var learned: LearnedTimes { host.expectations.of(definition.name) }

  private func nextWake(of state: SagaState, _ learned: LearnedTimes) -> Timestamp? {
    Decider.nextWake(of: state, definition: definition, learned: learned)
  }

  /// Returns once everything that it was given is stored.
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
    Task(executorPreference: host.environment.executor) { await self.work() }
  }

  private func work() async {
    while !inputs.isEmpty {
      let batch = inputs
      inputs = []
      await process(batch)
    }
    isWorking = false
    retireIfIdle()
    let waiting = idlers
    idlers = []
    for idler in waiting { idler.resume() }
  }

  /// Decides, appends, and acts. While the store can't write, the commands of waiting callers are withdrawn and the callers
  /// get the error; the engine's own news is kept and decided again.
  private func process(_ batch: [Input]) async {
    var batch = batch
    var pause = SagaHost.firstPause
    var isUnfinished = false
    while true {
      let decision = host.held.computing(id) { decide(batch) }
      inputs = decision.left + inputs
      isUnfinished = decision.isUnfinished
      appending = decision.accepted
      guard let append = decision.append else {
        if let state {
          answerAppending(.success(state))
          rearm(state, decision.learned)
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
        await host.rest(pause)
        pause = min(pause * 2, SagaHost.longestPause)
        batch += inputs
        inputs = []
        trouble = nil
        continue
      }
      state = decision.state
      eventsSinceSnapshot += append.events.count
      isMarkedAsleep = decision.isAsleep
      perform()
      if let state {
        answerAppending(.success(state))
        host.changed(state)
      }
      break
    }
    appending = []
    await snapshotIfDue()
    if isUnfinished, !isRetired, state?.end == nil { inputs.append(Input(command: .wake)) }
  }

  /// Appends. Once it isn't known whether an append was written, it is repeated until it is known: it carries an id, so it
  /// is never made twice. The callers don't wait that long: they get the error `store.outcomeUnknown`.
  /// - Throws: why it was not written. Nothing was written then, unless the engine is being stopped.
  private func store(_ append: Append) async throws(StoreError) {
    var pause = SagaHost.firstPause
    var isUnknown = false
    while true {
      do {
        _ = try await host.events.append(append)
        return
      } catch {
        if error.kind == .outcomeUnknown { isUnknown = true }
        guard isUnknown, SagaHost.isWorthRepeating(error), !host.isStopped else { throw error }
        host.log.warning(
          "The store does not say whether it has written; the engine asks again", ("saga", "\(append.stream)"),
          ("error", error.description))
        let unknown = StoreError.outcomeUnknown(error.detail ?? error.message)
        answerAppending(.failure(unknown))
        failCallers(unknown)
        await host.rest(pause)
        if host.isStopped { throw error }
        pause = min(pause * 2, SagaHost.longestPause)
      }
    }
  }

  /// Answers the callers of the append under way, each once. The engine's own news stays in `appending`.
  private func answerAppending(_ result: Result<SagaState, any Error>) {
    for index in appending.indices { appending[index].answer(result) }
    if case .failure = result { appending.removeAll { !$0.isNews } }
  }

  /// While the store can't write, fails the callers that wait, and new ones, instead of letting them wait. The engine never
  /// does what they asked for.
  private func failCallers(_ error: StoreError) {
    let unavailable = StoreError.unavailable(error.detail ?? error.message)
    trouble = unavailable
    for index in inputs.indices { inputs[index].answer(.failure(unavailable)) }
    inputs.removeAll { !$0.isNews }
  }

  // MARK: Deciding

  private struct Decision {
    var accepted: [Input] = []
    var state: SagaState?
    var append: Append?
    var isAsleep = false
    /// There is more to decide than one decision may compute.
    var isUnfinished = false
    /// What one append has no room for.
    var left: [Input] = []
    /// What was expected of steps when it was decided.
    var learned: LearnedTimes = [:]
  }

  private func decide(_ batch: [Input]) -> Decision {
    var decision = Decision(state: state, learned: learned)
    var events: [NewEvent] = []
    var size = 0
    var startKey: NewStartKey?
    let now = host.environment.now()
    let isDraining = host.isDraining
    for (index, input) in batch.enumerated() {
      if size > SagaSizes.mostAppend || decision.isUnfinished {
        decision.left = Array(batch[index...])
        break
      }
      do {
        let one = try decide(input.command, decision, now, isDraining)
        decision.state = one.state
        decision.isUnfinished = one.isUnfinished
        events += one.events
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
    let wakeAt = nextWake(of: after, decision.learned)
    // A saga that waits because of the drain is not idle: the next start takes it up.
    decision.isAsleep = !isDraining && !decision.isUnfinished && host.isSleep(after, wakeAt: wakeAt, now: now)
    decision.append = Append(
      stream: id, expectedVersion: state?.version ?? 0,
      events: events, appendID: host.environment.newID(),
      startKey: startKey, open: openChange(to: decision, wakeAt: wakeAt))
    return decision
  }

  /// What one command makes of a state, as it would be stored.
  private struct One {
    var state: SagaState?
    var events: [NewEvent]
    var isUnfinished: Bool
  }

  /// - Throws: `Refusal` when the saga can't take the command, or could not be stored after it.
  private func decide(
    _ command: SagaCommand, _ decision: Decision, _ now: Timestamp, _ isDraining: Bool
  ) throws -> One {
    let new = try host.decide(command, decision.state, definition, now, decision.learned, isDraining)
    var state = decision.state
    for event in new.events { try SagaState.evolve(&state, event) }
    let events = SagaEventCoding.encode(new.events)
    do {
      if let state { try SagaSizes.check(events, before: decision.state, after: state) }
    } catch {
      guard let smaller = command.withoutOutput(because: error) else { throw error }
      return try decide(smaller, decision, now, isDraining)
    }
    return One(state: state, events: events, isUnfinished: new.isUnfinished)
  }

  private func openChange(to decision: Decision, wakeAt: Timestamp?) -> OpenChange? {
    if decision.state?.end != nil { return .closed }
    if decision.isAsleep { return .sleeping(until: wakeAt) }
    if state == nil { return .opened }
    return isMarkedAsleep ? .awake : nil
  }

  // MARK: Effects

  private func perform() {
    guard let state else { return }
    var moment: Timestamp?
    let current = Set(state.stepsInFlight.compactMap(PerformedAttempt.init))
    // What is under way already is not rendered again.
    let known = performed
    let effects = host.held.computing(id) {
      Decider.effects(of: state, definition: definition, learned: learned) { step in
        PerformedAttempt(step).map { !known.contains($0) } ?? false
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
    // The saga decided this just before the engine began to stop. The attempt is returned, and is made after the next
    // start.
    let failure = StepFailure(
      code: EngineErrorCode.engineDraining, message: "The engine stopped before the call was sent.", isRetryable: true)
    put(
      Input(
        command: .attemptSettled(
          step: call.step, phase: call.phase, round: call.round, attempt: call.attempt, outcome: .notSent(failure))))
  }

  /// A wake-up that changed nothing must not be the last one.
  private func rearm(_ state: SagaState, _ learned: LearnedTimes) {
    guard let moment = nextWake(of: state, learned) else { return }
    if moment > host.environment.now() || host.isDraining {
      host.scheduler.set(id, at: moment)
    } else {
      // Setting it again would only come back at once.
      host.log.error("Something is due that the core does not do", ("saga", "\(id)"), ("due", "\(moment)"))
    }
  }

  // MARK: When an append fails

  /// The state in memory may be behind what is stored: reads it again, and puts back the engine's own news.
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
      state = loaded.state
      eventsSinceSnapshot = loaded.eventsSinceSnapshot
      isMarkedAsleep = true
      inputs = news + inputs
      // Attempts of an earlier process are settled first: performing them now would send each of them a second time.
      if !inputs.contains(where: { $0.command == .recover }) { perform() }
    } catch {
      host.lost(id, to: error)
      retire()
    }
  }

  // MARK: Leaving memory

  /// Ended and sleeping sagas cost rows, not actors.
  private func retireIfIdle() {
    guard inputs.isEmpty, !isRetired else { return }
    guard let state else {
      // A start that was refused.
      retire()
      return
    }
    if state.end != nil || isMarkedAsleep { retire() }
  }

  private func retire() {
    isRetired = true
    host.forget(self)
    for input in inputs { input.reply?(.failure(Retired())) }
    inputs = []
  }

  private func snapshotIfDue() async {
    guard let state, state.end == nil, eventsSinceSnapshot >= SagaHost.snapshotEvery else { return }
    eventsSinceSnapshot = 0
    await host.saveSnapshot(of: state)
  }
}

/// The saga left memory while a command was on its way; it is to be asked again.
struct Retired: Error {}
