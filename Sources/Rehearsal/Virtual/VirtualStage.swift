import JSON
import SagaCore
import Values
import Workflows

/// The engine around one virtual saga. It does what the real engine's shell does (`WorkflowEngine/Shell/SagaActor`):
/// decide, store, fold, perform. Instead of waiting, it skips to the next happening.
struct VirtualStage: Sendable {
  private var saga: VirtualSaga
  private var now: Timestamp
  private var state: SagaState?
  private var events: [SagaEvent] = []
  private var recorded = RecordedOutcomes()
  private var calls: [SentCall] = []
  private var refusals: [VirtualRun.RefusedAct] = []
  private var restarts: [Timestamp] = []
  private var account: ParticipantAccount
  private var crashes: [VirtualCrash]
  /// The crashes that have happened.
  private var crashed: [VirtualCrash] = []
  /// What the stage has asked since the last happening.
  private var asked: [VirtualQuestion] = []
  /// The number of calls to undo each step that were sent.
  private var undos: [String: Int] = [:]

  /// What will happen, and when. `order` decides at the same time: first planned, first done.
  private var agenda: [Planned] = []
  private var planned = 0
  private var happened = 0
  /// The attempts that have been sent. Because of it, a call is sent once.
  private var performed: Set<AttemptID> = []
  /// The looks of polling steps that are under way, and when the next ones are due. A crash forgets them.
  private var looks = Looks()
  /// The steps whose participants answer each further look alike.
  private var lastAnswers: Set<String> = []
  /// The number of crashes so far. A report to an engine that has crashed since is lost.
  private var life = 0
  private var isUp = true
  /// Waits for which the people have not been asked yet.
  private var newWaits: [VirtualWait] = []
  private var newCalls: [StepCall] = []
  /// The tasks that workers know. A crash does not change what a worker knows.
  private var knownTasks: Set<TaskID> = []
  /// The tasks that workers take when the saga is no longer paused.
  private var heldTasks: [(call: StepCall, answer: PlannedAnswer)] = []

  private struct Planned {
    let at: Timestamp
    let order: Int
    let what: Happening
  }

  private enum Happening {
    /// The work of a call takes effect at its participant.
    case effect(StepCall)
    /// The executor reports on an attempt. It is lost with the engine.
    case report(StepCall, StepOutcome, life: Int)
    /// A participant's message comes. It waits while the engine is down.
    case message(StepCall, StepOutcome)
    /// A worker takes a task.
    case take(StepCall, PlannedAnswer)
    /// A worker answers its task, or loses it. It waits while the engine is down.
    case worker(StepCall, TaskAnswer.Content)
    /// A child is started, or has ended. The news waits while the engine is down.
    case child(StepCall, ChildReport)
    /// The engine itself reports on a call that can't be made.
    case unmade(SagaCommand, life: Int)
    case act(VirtualAct.Request)
    case crash(VirtualCrash)
    case restart
  }

  init(_ saga: VirtualSaga) {
    self.saga = saga
    now = saga.startedAt
    account = ParticipantAccount(keepsTombstones: saga.keepsTombstones)
    crashes = saga.crashes
  }

  /// Goes on with the turns and the crashes of another plan, which differs only in what was not asked yet.
  mutating func follow(_ saga: VirtualSaga) {
    self.saga = saga
    crashes = saga.crashes
    for crash in crashed { crashes.firstIndex(of: crash).map { _ = crashes.remove(at: $0) } }
  }

  /// Starts the saga.
  mutating func begin() throws(RehearsalError) {
    for act in saga.acts { plan(.act(act.request), at: now + act.after) }
    for crash in saga.crashes {
      if case .at(let after) = crash.point { plan(.crash(crash), at: now + after) }
    }
    try give(.start(saga.start))
    if state == nil, let refusal = refusals.last?.refusal { throw RehearsalError(refusal.code, refusal.message) }
    try perform()
  }

  /// Plays the saga, from where the stage is, until nothing more can happen.
  /// - Parameter record: gets the questions of the run; nil for a run that no other run follows.
  mutating func play(
    people: (VirtualWait) -> [VirtualAct], participant: (VirtualCall) -> PlannedAnswer, record: inout VirtualRecord?
  ) throws(RehearsalError) {
    var goesOn = true
    while goesOn {
      record?.note(asked)
      asked = []
      record?.keep(self)
      ask(people, participant)
      record?.note(asked)
      asked = []
      goesOn = try step()
    }
    record?.note(asked)
  }

  func result() throws(RehearsalError) -> VirtualRun {
    guard let state else { throw RehearsalError(EngineErrorCode.sagaNotFound, "The saga has not started.") }
    return VirtualRun(
      state: state, events: events, calls: calls, refusals: refusals, account: account, restarts: restarts,
      quietAt: now, recorded: recorded)
  }

  // MARK: Time

  /// Does the next happening.
  /// - Returns: false when nothing is left.
  private mutating func step() throws(RehearsalError) -> Bool {
    let wake = isUp ? nextWake : nil
    let next = agenda.indices.min { (agenda[$0].at, agenda[$0].order) < (agenda[$1].at, agenda[$1].order) }
    happened += 1
    guard happened <= saga.budget.happenings else {
      throw RehearsalError(
        RehearsalErrorCode.budget, "The run has more than \(saga.budget.happenings) happenings; it stopped at \(now).")
    }
    if let wake, next.map({ wake < agenda[$0].at }) ?? true {
      try move(to: wake)
      let before = events.count
      try give(.wake)
      try perform()
      if events.count == before, let again = nextWake, again <= now {
        throw RehearsalError(
          EngineErrorCode.historyImpossible, "Something is due at \(again) that the core does not do.")
      }
      return true
    }
    guard let next else { return false }
    let planned = agenda.remove(at: next)
    try move(to: planned.at)
    try happen(planned.what)
    return true
  }

  private var nextWake: Timestamp? {
    state.flatMap { Decider.nextWake(of: $0, definition: saga.definition, looks: looks) }
  }

  private mutating func move(to time: Timestamp) throws(RehearsalError) {
    now = max(now, time)
    guard now - saga.startedAt <= saga.budget.time else {
      throw RehearsalError(
        RehearsalErrorCode.budget, "The run takes longer than \(saga.budget.time.components.seconds) seconds.")
    }
  }

  private mutating func plan(_ what: Happening, at time: Timestamp) {
    planned += 1
    agenda.append(Planned(at: time, order: planned, what: what))
  }

  private mutating func happen(_ what: Happening) throws(RehearsalError) {
    switch what {
    case .effect(let call): account.takeEffect(call.step, round: call.round, call.phase, at: now)
    case .report(let call, let outcome, let life):
      guard life == self.life, isUp else { return }
      if crash(at: call, isRecorded: false) { return }
      try give(call.report(outcome))
      try performUnlessCrashed(call)
    case .message(let call, let outcome):
      guard isUp else { return wait(for: what) }
      if crash(at: call, isRecorded: false) {
        // The message is read again after the restart.
        wait(for: what)
        return
      }
      let answer = StepAnswer(
        step: call.step, phase: call.phase, round: call.round, attempt: call.attempt,
        id: "\(call.idempotencyKey)#\(call.attempt)/answer", content: .settled(outcome))
      try give(.answered(answer))
      try performUnlessCrashed(call)
    case .take(let call, let answer):
      guard isUp else { return wait(for: what) }
      try take(call, answer)
    case .worker(let call, let content):
      guard isUp else { return wait(for: what) }
      guard hasTask(call) else { return }
      if crash(at: call, isRecorded: false) {
        // The worker answers again after the restart.
        wait(for: what)
        return
      }
      try give(.task(TaskAnswer(task: call.task, lease: Self.lease(of: call), content: content)))
      try performUnlessCrashed(call)
    case .child(let call, let report):
      guard isUp else { return wait(for: what) }
      if crash(at: call, isRecorded: false) {
        if case .ended = report.content { wait(for: what) }
        return
      }
      try give(.child(report))
      try performUnlessCrashed(call)
    case .unmade(let command, let life):
      guard life == self.life, isUp else { return }
      try give(command)
      try perform()
    case .act(let request):
      guard isUp else { return wait(for: what) }
      try give(request.command)
      try perform()
    case .crash(let crash): if isUp { fall(crash) }
    case .restart: try restart()
    }
  }

  /// A message or a person waits until the engine runs again.
  private mutating func wait(for what: Happening) {
    let up = agenda.compactMap { if case .restart = $0.what { $0.at } else { nil } }.min() ?? now
    plan(what, at: up)
  }

  // MARK: Deciding

  private mutating func give(_ command: SagaCommand) throws(RehearsalError) {
    var command = command
    let (given, before, pausedAt) = (command, events.count, state?.pausedAt)
    if case .looked(let report) = command { looks.end(report, at: now) }
    defer {
      if let pausedAt, state?.pausedAt == nil { looks.shift(by: max(.zero, now - pausedAt)) }
      skipEqualLooks(after: given, before)
    }
    while true {
      let decision: (events: [SagaEvent], isUnfinished: Bool)
      do {
        decision = try Decider.decision(command, state, definition: saga.definition, now: now)
      } catch {
        guard error.code != EngineErrorCode.historyImpossible else { throw RehearsalError(error.code, error.message) }
        refusals.append(VirtualRun.RefusedAct(at: now, command: command, refusal: error))
        return
      }
      for event in decision.events {
        do { try SagaState.evolve(&state, event) } catch { throw RehearsalError(error.code, error.message) }
        note(event)
      }
      state?.loadItems(by: saga.definition)
      events += decision.events
      guard events.count <= saga.budget.events else {
        throw RehearsalError(
          RehearsalErrorCode.budget, "The saga has more than \(saga.budget.events) events; the run stopped at \(now).")
      }
      guard decision.isUnfinished, !decision.events.isEmpty else { return }
      command = .wake
    }
  }

  /// Skips the looks that would get the same answer once more.
  private mutating func skipEqualLooks(after command: SagaCommand, _ eventsBefore: Int) {
    guard events.count == eventsBefore, case .looked(let report) = command, lastAnswers.contains(report.step),
      let step = state?.step(report.step)
    else { return }
    looks.skip(toEndOf: step)
  }

  private mutating func note(_ event: SagaEvent) {
    recorded.note(event)
    if let done = event.what as? StepSucceeded, let step = saga.definition.step(ItemID.step(of: done.step)),
      step.action.isSignal, step.undo != nil
    {
      // A signal whose step has an undo reports work of people. It is in effect from now on.
      account.takeEffect(done.step, round: state?.step(done.step)?.round ?? 1, .forward, at: event.at)
    }
    if let undone = event.what as? UndoSucceeded,
      saga.definition.step(ItemID.step(of: undone.step))?.undoSignal != nil
    {
      // The person who confirms an undo has undone the step.
      account.takeEffect(undone.step, round: state?.step(undone.step)?.round ?? 1, .undo, at: event.at)
    }
    guard let wait = event.what as? WaitStarted, let signal = wait.signal, let state else { return }
    newWaits.append(
      VirtualWait(
        step: wait.step, phase: wait.phase, signal: signal, round: state.step(wait.step)?.round ?? 1, since: event.at,
        until: wait.until))
  }

  // MARK: Effects

  private mutating func performUnlessCrashed(_ call: StepCall) throws(RehearsalError) {
    if !crash(at: call, isRecorded: true) { try perform() }
  }

  private mutating func perform() throws(RehearsalError) {
    try takeTurns()
    guard let state else { return }
    makeLooks(state)
    if !state.isPaused {
      for held in heldTasks { plan(.take(held.call, held.answer), at: now) }
      heldTasks = []
    }
    let (known, given) = (performed, knownTasks)
    let effects = Decider.calls(of: state, definition: saga.definition) { step in
      if let task = step.task(of: state.id) { return !given.contains(task) }
      return AttemptID(step).map { !known.contains($0) } ?? false
    }
    performed = Set(state.stepsInFlight.compactMap(AttemptID.init))
    for effect in effects {
      switch effect {
      case .call(let call): newCalls.append(call)
      case .unrenderable(let step, let phase, let attempt, let failure):
        plan(
          .unmade(
            .attemptSettled(
              step: step, phase: phase, round: state.step(step)?.round ?? 1, attempt: attempt, outcome: .failed(failure)
            ), life: life),
          at: now)
      case .wake: break
      }
    }
  }

  /// Lets the saga take each turn that it waits for, except those that never come: no other saga holds one.
  private mutating func takeTurns() throws(RehearsalError) {
    while let all = state?.awaitedTurns, !all.isEmpty {
      asked += all.map { .turn(step: $0.step ?? "") }
      let awaited = all.filter { !saga.turnsNever.contains($0.step ?? "") }
      guard !awaited.isEmpty else { return }
      let before = events.count
      try give(.takeTurns(awaited))
      guard events.count > before else { return }
    }
  }

  private mutating func makeLooks(_ state: SagaState) {
    guard state.isPolling else { return }
    for look in Decider.dueLooks(of: state, definition: saga.definition, looks: looks, now: now) {
      switch look {
      case .call(let call):
        if let step = state.step(call.step) { looks.begin(step, at: now) }
        newCalls.append(call)
      case .unrenderable(let report):
        if let step = state.step(report.step) { looks.begin(step, at: now) }
        plan(.unmade(.looked(report), life: life), at: now)
      }
    }
  }

  /// What the stage asks next.
  var nextQuestions: [VirtualQuestion] {
    newWaits.map { .wait(step: $0.step, $0.phase) } + newCalls.map { .call(step: $0.step, $0.phase) }
  }

  /// Asks the people and the participants what they do about the newest waits and calls.
  private mutating func ask(_ people: (VirtualWait) -> [VirtualAct], _ participant: (VirtualCall) -> PlannedAnswer) {
    asked += nextQuestions
    for wait in newWaits {
      for act in people(wait) { plan(.act(act.request), at: now + act.after) }
    }
    for call in newCalls { send(call, participant) }
    newWaits = []
    newCalls = []
  }

  private mutating func send(_ call: StepCall, _ participant: (VirtualCall) -> PlannedAnswer) {
    let work = account.work(call.step, round: call.round)
    let answer = participant(
      VirtualCall(
        call: call, at: now, number: calls.count + 1, isInEffect: work?.isInEffect ?? false,
        isUndone: work?.undoneAt != nil, undos: undos[call.step, default: 0]))
    if call.phase == .undo { undos[call.step, default: 0] += 1 }
    calls.append(SentCall(call: call, at: now, answer: answer))
    if answer.isLast { lastAnswers.insert(call.step) } else { lastAnswers.remove(call.step) }
    if case .task = call.action {
      knownTasks.insert(call.task)
      if answer.isTaken { plan(.take(call, answer), at: now) }
      return
    }
    if case .workflow(let child) = call.action { return play(child, call, answer) }
    if let effect = answer.effect { plan(.effect(call), at: now + effect) }
    let isMessage = if case .kafka = call.action { true } else { false }
    let isInTime = answer.after < call.timeout
    if let outcome = answer.outcome, isInTime || isMessage {
      plan(isMessage ? .message(call, outcome) : .report(call, outcome, life: life), at: now + answer.after)
    }
    if answer.outcome == nil || !isInTime {
      plan(.report(call, .unknown(Self.timeout(of: call)), life: life), at: now + call.timeout)
    }
  }

  // MARK: Workers

  /// A worker takes a task, and works. It sends heartbeats until it answers or dies. A task that is no longer offered is not
  /// taken. A task of a paused saga waits.
  private mutating func take(_ call: StepCall, _ answer: PlannedAnswer) throws(RehearsalError) {
    guard let step = state?.step(call.step), step.isOnlyOffered, step.task(of: call.saga) == call.task else { return }
    if state?.isPaused ?? false {
      heldTasks.append((call, answer))
      return
    }
    try give(.taken(TaskClaim(task: call.task, worker: "worker", lease: Self.lease(of: call))))
    guard hasTask(call) else { return }
    if let effect = answer.effect { plan(.effect(call), at: now + effect) }
    if let outcome = answer.outcome {
      // An answer after the end of the wait is refused, because the lease has ended with it.
      if answer.after < call.timeout { plan(.worker(call, .settled(outcome)), at: now + answer.after) }
    } else if case .task(let task) = call.action {
      plan(.worker(call, .lost), at: now + task.heartbeatTimeout)
    }
    try perform()
  }

  /// Returns whether the worker of a call still has its task.
  private func hasTask(_ call: StepCall) -> Bool {
    guard let step = state?.step(call.step), step.task(of: call.saga) == call.task else { return false }
    return step.offer?.taken?.lease == Self.lease(of: call)
  }

  private static func lease(of call: StepCall) -> String { "lease of \(call.task)" }

  /// Plays a child as its answer says. Its end is the answer, however long it takes. A child that is undone ends what it
  /// was about to do.
  private mutating func play(_ workflow: RenderedWorkflow, _ call: StepCall, _ answer: PlannedAnswer) {
    if !workflow.turnsBack {
      let child = ChildLink(
        saga: .derived(from: call.idempotencyKey), workflow: workflow.name, version: workflow.version ?? 1)
      func report(_ content: ChildReport.Content) -> Happening {
        .child(call, ChildReport(step: call.step, round: call.round, phase: call.phase, content))
      }
      plan(report(.started(child)), at: now)
      if let effect = answer.effect { plan(.effect(call), at: now + effect) }
      guard let end = answer.outcome.flatMap({ ChildEnd(of: child, $0) }) else { return }
      plan(report(.ended(end)), at: now + answer.after)
    } else {
      agenda.removeAll { planned in
        switch planned.what {
        case .effect(let other), .child(let other, _): other.idempotencyKey == call.compensates
        case .report, .message, .take, .worker, .unmade, .act, .crash, .restart: false
        }
      }
      if let effect = answer.effect { plan(.effect(call), at: now + effect) }
      guard var outcome = answer.outcome else { return }
      if case .failed(var failure) = outcome, failure.isGone {
        // A child that was never started is never started later.
        failure.keepsTombstones = true
        outcome = .failed(failure)
      }
      plan(.report(call, outcome, life: life), at: now + answer.after)
    }
  }

  /// The failure that the engine's executors report at the timeout of an attempt. The answer of an http call that comes
  /// later is lost; a message that comes later is read.
  private static func timeout(of call: StepCall) -> StepFailure {
    switch call.action {
    case .http(let http):
      StepFailure(
        code: EngineErrorCode.attemptTimeout, classes: ["http.timeout", "http.sent"],
        message: "\(http.service) did not answer in time.", isRetryable: true)
    case .kafka(let kafka):
      StepFailure(
        code: EngineErrorCode.attemptTimeout, classes: ["kafka.noAnswer"],
        message: "\(kafka.service) did not answer in time.", isRetryable: true)
    case .task(let task):
      StepFailure(code: EngineErrorCode.taskTimeout, message: "No worker of \(task.queue) answered in time.")
    case .workflow(let workflow):
      StepFailure(
        code: EngineErrorCode.attemptTimeout, message: "\(workflow.name) did not start in time.", isRetryable: true)
    }
  }

  // MARK: Crashes

  /// Returns whether the engine crashes here. Then it has crashed.
  private mutating func crash(at call: StepCall, isRecorded: Bool) -> Bool {
    guard let index = crashes.firstIndex(where: { $0.matches(call, isRecorded: isRecorded) }) else { return false }
    let crash = crashes.remove(at: index)
    crashed.append(crash)
    fall(crash)
    return true
  }

  private mutating func fall(_ crash: VirtualCrash) {
    isUp = false
    life += 1
    // Calls that were decided and not sent are lost, and so are the questions to the people.
    newCalls = []
    plan(.restart, at: now + crash.downtime)
  }

  private mutating func restart() throws(RehearsalError) {
    isUp = true
    restarts.append(now)
    performed = []
    looks = Looks()
    let stored: SagaState
    do { stored = try SagaState(folding: events) } catch { throw RehearsalError(error.code, error.message) }
    state = stored
    if stored.end == nil, stored.hasAttemptInFlight { try give(.recover) }
    try perform()
  }
}
