import JSON
import Persistence
import Runtime
import Workflows

/// One saga: a thin shell around the core. Inputs queue in a mailbox while an append is in flight, and the next append
/// takes them all: decide → append → evolve → effects. Only what has been appended changes the state, and nothing acts on
/// a decision before it is appended.
actor Saga {
  /// A command and who waits to hear what became of it.
  struct Letter {
    let command: SagaCommand
    let startKey: NewStartKey?
    let reply: (@Sendable (Result<SagaState, any Error>) -> Void)?
  }

  nonisolated let id: UniqueID
  nonisolated let definition: WorkflowDefinition
  private let host: SagaHost
  private var state: SagaState?
  private var mailbox: [Letter] = []
  private var isWorking = false
  private var isRetired = false
  /// Whether the saga's row among the open streams says that it sleeps.
  private var isMarkedAsleep: Bool
  /// The attempts that have been handed to an executor: an effect is performed once.
  private var performed: Set<PerformedAttempt> = []
  private var eventsSinceSnapshot = 0
  private var idlers: [CheckedContinuation<Void, Never>] = []
  /// Set while an append meets a store that is out of reach: who asks then is told at once.
  private var trouble: StoreError?
  private var appends = 0

  private struct PerformedAttempt: Hashable {
    let step: String
    let phase: StepPhase
    let round: Int
    let attempt: Int
  }

  /// - Parameters:
  ///   - state: nil for a saga that is about to start.
  ///   - isMarkedAsleep: whether its row among the open streams says that it sleeps.
  init(
    id: UniqueID, definition: WorkflowDefinition, state: SagaState?, isMarkedAsleep: Bool, eventsSinceSnapshot: Int,
    host: SagaHost
  ) {
    self.id = id
    self.definition = definition
    self.state = state
    self.isMarkedAsleep = isMarkedAsleep
    self.eventsSinceSnapshot = eventsSinceSnapshot
    self.host = host
    // Before anything else is asked of it: nothing that was in flight before will report any more.
    if let state, state.end == nil, state.hasAttemptInFlight {
      mailbox = [Letter(command: .recover, startKey: nil, reply: nil)]
    }
  }

  /// Gives the saga a command and waits until what follows from it is stored.
  /// - Returns: the state then, or nil when the saga has left memory and must be brought back first.
  /// - Throws: `Refusal`, or the store's error.
  func ask(_ command: SagaCommand, startKey: NewStartKey? = nil) async throws -> SagaState? {
    if isRetired { return nil }
    if let trouble { throw trouble }
    return try await withCheckedThrowingContinuation { continuation in
      put(Letter(command: command, startKey: startKey) { continuation.resume(with: $0.map { $0 }) })
    }
  }

  /// Gives the saga news that nobody waits for.
  /// - Returns: false when the saga has left memory and must be brought back first.
  func tell(_ command: SagaCommand) -> Bool {
    if isRetired { return false }
    put(Letter(command: command, startKey: nil, reply: nil))
    return true
  }

  /// Takes up what the stored state says ought to be in flight, after the saga was brought back into memory.
  func resume() {
    guard let state, state.end == nil, !isWorking, !isRetired else { return }
    if mailbox.isEmpty { perform() } else { beginWork() }
  }

  /// What is expected of its steps has changed: something may be due earlier than it was.
  func expectAnew() {
    guard let state, state.end == nil, !isRetired, let moment = nextWake(of: state, learned) else { return }
    if isWorking || moment <= host.environment.now() {
      put(Letter(command: .wake, startKey: nil, reply: nil))
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

  private func put(_ letter: Letter) {
    mailbox.append(letter)
    if !isWorking { beginWork() }
  }

  private func beginWork() {
    isWorking = true
    Task(executorPreference: host.environment.executor) { await self.work() }
  }

  private func work() async {
    while !mailbox.isEmpty {
      let letters = mailbox
      mailbox = []
      await process(letters)
    }
    isWorking = false
    retireIfIdle()
    let waiting = idlers
    idlers = []
    for idler in waiting { idler.resume() }
  }

  private func process(_ letters: [Letter]) async {
    let decision = decide(letters)
    let replies = ReplyOnce(decision.accepted)
    if let append = decision.append {
      do {
        appends += 1
        let number = appends
        try await host.store(append) { error in
          replies.fail(error)
          Task(executorPreference: host.environment.executor) { await self.note(error, inAppend: number) }
        }
        appends += 1
        trouble = nil
      } catch {
        appends += 1
        trouble = nil
        replies.fail(error)
        await recover(from: error, letters: decision.accepted)
        return
      }
      state = decision.state
      eventsSinceSnapshot += append.events.count
      isMarkedAsleep = decision.isAsleep
      perform()
    }
    if let state {
      for letter in replies.take() { letter.reply?(.success(state)) }
      if decision.append != nil { host.changed(state) } else { rearm(state, decision.learned) }
    }
    await snapshotIfDue()
  }

  /// Nobody waits in the dark while the store is out of reach.
  private func note(_ error: StoreError, inAppend number: Int) {
    guard appends == number else { return }
    trouble = error
    for letter in mailbox { letter.reply?(.failure(error)) }
    mailbox.removeAll { $0.reply != nil }
  }

  // MARK: Deciding

  private struct Decision {
    var accepted: [Letter] = []
    var state: SagaState?
    var append: Append?
    var isAsleep = false
    /// What was expected of steps when it was decided.
    var learned: LearnedTimes = [:]
  }

  private func decide(_ letters: [Letter]) -> Decision {
    var decision = Decision(state: state, learned: learned)
    var events: [SagaEvent] = []
    var startKey: NewStartKey?
    let now = host.environment.now()
    let isHolding = host.isHolding
    for letter in letters {
      do {
        let new = try host.decide(letter.command, decision.state, definition, now, decision.learned, isHolding)
        for event in new { decision.state = try SagaState.evolve(decision.state, event) }
        events += new
        startKey = startKey ?? letter.startKey
        decision.accepted.append(letter)
      } catch {
        letter.reply?(.failure(error))
      }
    }
    guard let after = decision.state, !events.isEmpty else { return decision }
    let wakeAt = nextWake(of: after, decision.learned)
    // What is held back is not idle: it is to be taken up at the next start.
    decision.isAsleep = !isHolding && host.isSleep(after, wakeAt: wakeAt, now: now)
    decision.append = Append(
      stream: id, expectedVersion: state?.version ?? 0,
      events: SagaEventCoding.encode(events, finally: after), appendID: host.environment.newID(),
      startKey: startKey, open: openChange(to: decision, wakeAt: wakeAt))
    return decision
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
    var current: Set<PerformedAttempt> = []
    for effect in Decider.effects(of: state, definition: definition, learned: learned) {
      switch effect {
      case .call(let call):
        let attempt = PerformedAttempt(
          step: call.step, phase: call.phase, round: call.round, attempt: call.attempt)
        current.insert(attempt)
        if performed.insert(attempt).inserted { send(call) }
      case .unrenderable(let step, let phase, let number, let failure):
        let round = state.step(step)?.round ?? 1
        let attempt = PerformedAttempt(step: step, phase: phase, round: round, attempt: number)
        current.insert(attempt)
        if performed.insert(attempt).inserted {
          put(
            Letter(
              command: .attemptSettled(
                step: step, phase: phase, round: round, attempt: number, outcome: .failed(failure)),
              startKey: nil, reply: nil))
        }
      case .wake(let at):
        moment = at
      }
    }
    performed = current
    host.scheduler.set(id, at: moment)
  }

  private func send(_ call: StepCall) {
    guard host.isHolding else {
      host.perform(call)
      return
    }
    // Decided just before the engine was told to stop: it goes back, and is made after the next start.
    let failure = StepFailure(
      code: EngineErrorCode.engineDraining, message: "The engine stopped before the call was sent.", isRetryable: true)
    put(
      Letter(
        command: .attemptSettled(
          step: call.step, phase: call.phase, round: call.round, attempt: call.attempt, outcome: .notMade(failure)),
        startKey: nil, reply: nil))
  }

  /// A moment that came and changed nothing must not be the last one.
  private func rearm(_ state: SagaState, _ learned: LearnedTimes) {
    guard let moment = nextWake(of: state, learned) else { return }
    if moment > host.environment.now() || host.isHolding {
      host.scheduler.set(id, at: moment)
    } else {
      // Setting it again would only come back at once.
      host.log.error("Something is due that the core does not do", ("saga", "\(id)"), ("due", "\(moment)"))
    }
  }

  // MARK: When an append fails

  /// The state in memory may be behind what is stored: read it again, and put back what nobody waits for.
  private func recover(from error: any Error, letters: [Letter]) async {
    guard let error = error as? StoreError, case .versionConflict = error.kind, state != nil else {
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
      mailbox = letters.filter { $0.reply == nil } + mailbox
      // Attempts of an earlier process are settled first: performing them now would send each of them a second time.
      if !mailbox.contains(where: { $0.command == .recover }) { perform() }
    } catch {
      host.lost(id, to: error)
      retire()
    }
  }

  // MARK: Leaving memory

  /// Ended and sleeping sagas cost rows, not actors.
  private func retireIfIdle() {
    guard mailbox.isEmpty, !isRetired else { return }
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
    for letter in mailbox { letter.reply?(.failure(Retired())) }
    mailbox = []
  }

  private func snapshotIfDue() async {
    guard let state, state.end == nil, eventsSinceSnapshot >= SagaHost.snapshotEvery else { return }
    eventsSinceSnapshot = 0
    await host.saveSnapshot(of: state)
  }
}

/// The saga left memory while a command was on its way; it is to be asked again.
struct Retired: Error {}
