import JSON
import Persistence
import Runtime
import Values
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

  /// What a saga computes runs on the threads for sagas, whoever asks it.
  nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }
  private nonisolated let queue: any SerialExecutor
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
  /// Set while the store can't write: who asks then is told at once.
  private var trouble: StoreError?
  private var appends = 0

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
    // Before anything else is asked of it: nothing that was in flight before will report any more.
    if let first { mailbox = [Letter(command: first, startKey: nil, reply: nil)] }
    if let state, state.end == nil, state.hasAttemptInFlight {
      mailbox.append(Letter(command: .recover, startKey: nil, reply: nil))
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

  /// Decides, appends, and acts. While the store can't write, commands that callers wait for are withdrawn and their callers
  /// told so; the engine's own news is kept and decided again.
  private func process(_ letters: [Letter]) async {
    var letters = letters
    var pause = SagaHost.firstPause
    var isUnfinished = false
    while true {
      let decision = host.held.computing(id) { decide(letters) }
      mailbox = decision.left + mailbox
      isUnfinished = decision.isUnfinished
      guard let append = decision.append else {
        if let state {
          for letter in decision.accepted { letter.reply?(.success(state)) }
          rearm(state, decision.learned)
        }
        break
      }
      let replies = ReplyOnce(decision.accepted)
      do {
        appends += 1
        let number = appends
        try await host.store(append) { error in
          // It may have been written: the callers are told so, and the append goes on until it is known.
          replies.fail(error)
          Task(executorPreference: host.environment.executor) { await self.note(error, inAppend: number) }
        }
        appends += 1
        trouble = nil
      } catch {
        appends += 1
        guard let error = error as? StoreError, SagaHost.isWorthRepeating(error), !host.isStopped else {
          trouble = nil
          replies.fail(error)
          await recover(from: error, letters: decision.accepted)
          return
        }
        // Nothing was written.
        replies.fail(error)
        note(error)
        letters = decision.accepted.filter { $0.reply == nil } + mailbox
        mailbox = []
        if !letters.isEmpty {
          await host.rest(pause)
          pause = min(pause * 2, SagaHost.longestPause)
          letters += mailbox
          mailbox = []
        }
        trouble = nil
        if letters.isEmpty { return }
        continue
      }
      state = decision.state
      eventsSinceSnapshot += append.events.count
      isMarkedAsleep = decision.isAsleep
      perform()
      if let state {
        for letter in replies.take() { letter.reply?(.success(state)) }
        host.changed(state)
      }
      break
    }
    await snapshotIfDue()
    if isUnfinished, !isRetired, state?.end == nil {
      mailbox.append(Letter(command: .wake, startKey: nil, reply: nil))
    }
  }

  private func note(_ error: StoreError, inAppend number: Int) {
    if appends == number { note(error) }
  }

  /// While the store can't write, whoever asks is told at once, and what was asked is never done.
  private func note(_ error: StoreError) {
    let told = StoreError.unavailable(error.detail ?? error.message)
    trouble = told
    for letter in mailbox { letter.reply?(.failure(told)) }
    mailbox.removeAll { $0.reply != nil }
  }

  // MARK: Deciding

  private struct Decision {
    var accepted: [Letter] = []
    var state: SagaState?
    var append: Append?
    var isAsleep = false
    /// There is more to decide than one decision may compute.
    var isUnfinished = false
    /// What one append has no room for.
    var left: [Letter] = []
    /// What was expected of steps when it was decided.
    var learned: LearnedTimes = [:]
  }

  private func decide(_ letters: [Letter]) -> Decision {
    var decision = Decision(state: state, learned: learned)
    var events: [NewEvent] = []
    var size = 0
    var startKey: NewStartKey?
    let now = host.environment.now()
    let isHolding = host.isHolding
    for (index, letter) in letters.enumerated() {
      if size > SagaSizes.mostAppend || decision.isUnfinished {
        decision.left = Array(letters[index...])
        break
      }
      do {
        let one = try decide(letter.command, decision, now, isHolding)
        decision.state = one.state
        decision.isUnfinished = one.isUnfinished
        events += one.events
        size += one.events.reduce(0) { $0 + $1.data.count }
        startKey = startKey ?? letter.startKey
        decision.accepted.append(letter)
      } catch {
        if letter.reply == nil {
          host.log.error("News of a saga could not be recorded", ("saga", "\(id)"), ("error", "\(error)"))
        }
        letter.reply?(.failure(error))
      }
    }
    guard let after = decision.state, !events.isEmpty else { return decision }
    SagaEventCoding.finish(&events, after)
    let wakeAt = nextWake(of: after, decision.learned)
    // What is held back is not idle: it is to be taken up at the next start.
    decision.isAsleep = !isHolding && !decision.isUnfinished && host.isSleep(after, wakeAt: wakeAt, now: now)
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
    _ command: SagaCommand, _ decision: Decision, _ now: Timestamp, _ isHolding: Bool
  ) throws -> One {
    let new = try host.decide(command, decision.state, definition, now, decision.learned, isHolding)
    var state = decision.state
    for event in new.events { state = try SagaState.evolve(state, event) }
    let events = SagaEventCoding.encode(new.events)
    do {
      if let state { try SagaSizes.check(events, before: decision.state, after: state) }
    } catch {
      guard let smaller = command.withoutOutput(because: error) else { throw error }
      return try decide(smaller, decision, now, isHolding)
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
    let current = Set(state.steps.compactMap(PerformedAttempt.init))
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
          Letter(
            command: .attemptSettled(
              step: step, phase: phase, round: round, attempt: number, outcome: .failed(failure)),
            startKey: nil, reply: nil))
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
