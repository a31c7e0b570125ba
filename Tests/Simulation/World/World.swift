import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// One simulated laboratory: an engine that crashes and starts again, its store, its participants, and the people around
/// it, all on one executor and one clock.
final class World: Sendable {
  struct Current: Sendable {
    let engine: Engine
    let executor: SimulatedExecutor
    let life: Life
  }
  private struct State {
    var current: Current?
    var run: Task<Void, Never>?
    var isStoreAway = 0
    var isHealed = false
    var isClosing = false
    var pause = Duration.seconds(1)
    var crashes: [Scenario.Stop]
    var appendsUntilCrash = 0
    var storeDice: Dice
    var counted: Set<String> = []
    /// The version of each saga in the store.
    var versions: [UniqueID: Int] = [:]
    var ids: [Int: UniqueID] = [:]
    var names: [UniqueID: String] = [:]
    var answers: [Answer] = []
    var problems: [Violation] = []
    var lines: [String] = []
    var counts: [String: Int] = [:]
    var held: [UniqueID: [Append]] = [:]
    /// When the engine got the store's answer to a question for a turn.
    var turnsKnown: [String: Timestamp] = [:]
    var lives = 0
  }
  let scenario: Scenario
  let fault: EngineFault?
  let executor: SeededExecutor
  let clock = VirtualClock()
  let memory: MemoryStore
  let books = Books()
  private let state: Mutex<State>

  init(_ scenario: Scenario, fault: EngineFault?) {
    self.scenario = scenario
    self.fault = fault
    executor = SeededExecutor(seed: scenario.seed)
    var dice = Dice(scenario.seed, "memory")
    let seed = dice.next()
    let random = Mutex(SeededRandom(seed: seed))
    let clock = clock
    memory = MemoryStore(
      environment: Environment(clock: LifeClock(clock: clock, life: Life(number: 0))) {
        random.withLock { $0.next() }
      }, shardCount: 2)
    let crashes = scenario.stops.filter { if case .crashAtAppend = $0.kind { true } else { false } }
    state = Mutex(State(crashes: crashes, storeDice: Dice(scenario.seed, "store")))
    state.withLock { Self.countToNextCrash(&$0) }
  }

  // MARK: What is happening

  var now: Timestamp { clock.now }
  var current: Current? { state.withLock { $0.current }.flatMap { $0.life.isOver ? nil : $0 } }
  var isHealed: Bool { state.withLock { $0.isHealed } }
  var isStoreAway: Bool { state.withLock { $0.isStoreAway > 0 && !$0.isHealed } }
  var answers: [Answer] { state.withLock { $0.answers } }
  var problems: [Violation] { state.withLock { $0.problems } }
  var lines: [String] { state.withLock { $0.lines } }
  var counts: [String: Int] { state.withLock { $0.counts } }
  var turnsKnown: [String: Timestamp] { state.withLock { $0.turnsKnown } }
  func id(of saga: Int) -> UniqueID? { state.withLock { $0.ids[saga] } }
  /// Returns the id of a saga that the store has, also when its client got no answer.
  func storedID(of saga: Int) -> UniqueID? {
    state.withLock { state in state.ids[saga] ?? state.names.first { $0.value == "saga-\(saga)" }?.key }
  }
  func name(of saga: UniqueID) -> String { state.withLock { $0.names[saga] ?? "\(saga)" } }
  func plan(of saga: UniqueID) -> Scenario.SagaPlan? {
    let number = state.withLock { state in state.ids.first { $0.value == saga }?.key }
    return scenario.sagas.first { $0.number == number }
  }

  /// Returns how the step of a call polls. A saga is known by its name also when its client got no answer.
  func poll(of call: StepCall) -> StepPlan.Poll? {
    let name = name(of: call.saga)
    guard let plan = scenario.sagas.first(where: { "saga-\($0.number)" == name }) else { return nil }
    return scenario.workflows[plan.workflow].step(call.step)?.poll
  }

  func wait(_ time: Duration) async { do { try await clock.wait(until: now + time) } catch {} }
  func wait(until time: Duration) async { do { try await clock.wait(until: clock.start + time) } catch {} }

  func trace(_ line: String) {
    let at = now - clock.start
    state.withLock { $0.lines.append("\(at.wholeMilliseconds) \(line)") }
  }

  func answered(_ answer: Answer) {
    trace("answer \(answer)")
    state.withLock { $0.answers.append(answer) }
  }

  func report(_ violation: Violation) { state.withLock { $0.problems.append(violation) } }

  func learn(_ id: UniqueID, of saga: Int) {
    state.withLock { state in
      state.ids[saga] = state.ids[saga] ?? id
      state.names[id] = "saga-\(saga)"
    }
  }

  // MARK: Lives

  /// Runs engine after engine until the world closes.
  func supervise() async {
    while !state.withLock({ $0.isClosing }) {
      let ended = begin()
      await ended.value
      let pause = state.withLock { state in
        defer { state.pause = .seconds(1) }
        return state.isClosing ? .zero : state.pause
      }
      if pause > .zero { await wait(pause) }
    }
  }

  private func begin() -> Once<Void> {
    let life = Life(
      number: state.withLock { state in
        state.lives += 1
        return state.lives
      })
    var dice = Dice(scenario.seed, "life", life.number)
    let seed = dice.next()
    let random = Mutex(SeededRandom(seed: seed))
    let environment = Environment(clock: LifeClock(clock: clock, life: life), executor: executor) {
      random.withLock { $0.next() }
    }
    var configuration = Engine.Configuration(services: ["plain", "careful"], kafkaServices: ["plain", "careful"])
    configuration.drainTime = .seconds(2)
    configuration.learnsExpectations = false
    if let decide = fault?.decide { configuration.decide = decide }
    configuration.turnFault = fault?.ofTurns
    let performer = SimulatedExecutor(world: self, life: life)
    let engine = Engine(
      store: SimulatedStore(world: self, life: life), executor: performer, configuration: configuration,
      environment: environment,
      log: Log(from: .warning) { [weak self] level, message, values in
        self?.trace("log \(level) \(message) \(values.map { "\($0.0)=\($0.1)" }.joined(separator: " "))")
      })
    trace("life \(life.number) begins")
    let ended = Once<Void>()
    let run = Task(executorPreference: executor) { [self] in
      do {
        try await engine.run(prepare: { await self.register(engine, life) })
      } catch {
        trace("life \(life.number) ended with \(error)")
      }
      life.end()
      trace("life \(life.number) is over")
      ended.set(())
    }
    state.withLock { state in
      state.current = Current(engine: engine, executor: performer, life: life)
      state.run = run
    }
    return ended
  }

  private func register(_ engine: Engine, _ life: Life) async {
    for workflow in (scenario.hasChildren ? [scenario.child] : []) + scenario.workflows.flatMap(\.versions) {
      while !life.isOver, !Task.isCancelled {
        do {
          _ = try await engine.register(workflow.content, by: "simulation")
          break
        } catch let error as EngineError {
          let findings = error.findings.map { "\($0)" }.joined(separator: "; ")
          return report(
            Violation("the simulation", nil, "made a workflow that is refused: \(error.message) \(findings)"))
        } catch {
          await wait(.milliseconds(200))
        }
      }
    }
  }

  /// The engine's process ends now.
  func crash(_ life: Life) {
    let run = state.withLock { state in state.current?.life === life ? state.run : nil }
    trace("life \(life.number) crashes")
    run?.cancel()
    if life.end() { clock.end(life: life.number) }
  }

  /// The engine's process is asked to stop.
  func stop() {
    trace("the engine is asked to stop")
    state.withLock { $0.run }?.cancel()
  }

  func close() {
    state.withLock { $0.isClosing = true }
    stop()
  }

  // MARK: The weather

  /// Sets up what the scenario has at set times.
  func plan() {
    for stop in scenario.stops {
      let at: Duration
      switch stop.kind {
      case .crashAtAppend: continue
      case .crash(let moment), .stop(let moment): at = moment
      }
      clock.after(at) { [self] in
        guard let current, !isHealed else { return }
        state.withLock { $0.pause = stop.pause }
        if case .crash = stop.kind { crash(current.life) } else { self.stop() }
      }
    }
    for outage in scenario.outages {
      clock.after(outage.from) { [self] in
        trace("outage \(outage.number) begins")
        state.withLock { $0.isStoreAway += 1 }
      }
      clock.after(outage.to) { [self] in
        trace("outage \(outage.number) ends")
        state.withLock { $0.isStoreAway -= 1 }
      }
    }
  }

  func heal() {
    trace("the world is healed")
    state.withLock { $0.isHealed = true }
  }

  struct Weather {
    var pause = Duration.zero
    var isRefused = false
    var meetsAnother = false
    var losesAnswer = false
    var answerPause = Duration.zero
  }

  func weather(of append: Append) -> Weather {
    if isHealed { return Weather() }
    let trouble = scenario.storeTrouble
    return state.withLock { state in
      var weather = Weather()
      if state.storeDice.chance(40) { weather.pause = state.storeDice.time(1...20) }
      if state.storeDice.chance(20) { weather.answerPause = state.storeDice.time(1...20) }
      guard state.storeDice.chance(trouble) else { return weather }
      switch state.storeDice.number(0...9) {
      case 0...2: weather.pause = state.storeDice.time(100...4_000)
      case 3...4: weather.answerPause = state.storeDice.time(100...4_000)
      case 5...6: weather.isRefused = true
      case 7...8: weather.losesAnswer = true
      default: weather.meetsAnother = append.expectedVersion > 0
      }
      return weather
    }
  }

  /// Whether the process is to die with this append, and whether the store has taken it then.
  func stop(atAppendOf life: Life) -> (isTaken: Bool, Void)? {
    if isHealed { return nil }
    return state.withLock { state in
      guard let stop = state.crashes.first, case .crashAtAppend(_, let taken) = stop.kind else { return nil }
      state.appendsUntilCrash -= 1
      if state.appendsUntilCrash > 0 { return nil }
      state.crashes.removeFirst()
      state.pause = stop.pause
      Self.countToNextCrash(&state)
      return (taken, ())
    }
  }

  private static func countToNextCrash(_ state: inout State) {
    if case .crashAtAppend(let number, _)? = state.crashes.first?.kind { state.appendsUntilCrash = number }
  }

  /// Another writer adds an event to the saga that says nothing.
  func interfere(in stream: UniqueID) async {
    guard let history = try? await memory.read(stream, after: 0, limit: 10_000), let last = history.last,
      history.first?.type == "sagaStarted", !["sagaCompleted", "sagaCompensated", "sagaAbandoned"].contains(last.type),
      let plan = plan(of: stream), let step = scenario.workflows[plan.workflow].steps.first
    else { return }
    let data: JSON = [
      "at": .string("\(now)"), "step": .string(step.id), "phase": "forward", "round": 1, "attempt": 1, "why": "late",
      "outcome": "succeeded", "answer": "another writer",
    ]
    var dice = Dice(scenario.seed, "another", last.version)
    let append = Append(
      stream: stream, expectedVersion: last.version,
      events: [NewEvent(type: "answerIgnored", data: data.bytes(), meta: Array(#"{"schema":1}"#.utf8))],
      appendID: UniqueID(high: dice.next(), low: dice.next()))
    if (try? await memory.append(append)) != nil { note(append) }
  }

  // MARK: What is stored

  /// Notes what the store has taken.
  func note(_ append: Append) {
    state.withLock { $0.versions[append.stream] = append.lastVersion }
    for event in append.events {
      state.withLock { $0.counts[event.type, default: 0] += 1 }
      if event.type == "sagaStarted" { name(append.stream, from: event) }
      trace("stored \(name(of: append.stream)) \(event.type) \(String(decoding: event.data, as: UTF8.self))")
      guard ["attemptStarted", "pollStarted"].contains(event.type), let data = try? JSON(parsing: event.data) else {
        continue
      }
      if event.type == "pollStarted" {
        state.withLock { _ = $0.counted.insert("\(append.stream)/\(data["step"]?.stringValue ?? "") polls") }
        continue
      }
      let key = Self.attempt(
        append.stream, data["step"]?.stringValue ?? "", data["phase"]?.stringValue ?? "", data["round"]?.intValue ?? 0,
        data["attempt"]?.intValue ?? 0)
      state.withLock { _ = $0.counted.insert(key) }
    }
  }

  /// Notes that the engine has got the store's answer.
  func noteAnswer(_ append: Append) {
    for (number, event) in append.events.enumerated() where event.type == "turnAsked" {
      state.withLock { $0.turnsKnown["\(append.stream)/\(append.expectedVersion + number + 1)"] = now }
    }
  }

  /// Names a saga after its place in the scenario, which is in its input.
  private func name(_ saga: UniqueID, from event: NewEvent) {
    let start = (try? JSON(parsing: event.data))?["saga"]
    if let parent = start?["parent"], let step = parent["step"]?.stringValue,
      let id = parent["saga"]?.stringValue.flatMap({ UniqueID($0) })
    {
      state.withLock { $0.names[saga] = "\($0.names[id] ?? "\(id)")/\(step)" }
      return
    }
    guard let number = start?["input"]?["value"]?.intValue else { return }
    state.withLock { $0.names[saga] = $0.names[saga] ?? "saga-\(number)" }
  }

  private static func attempt(_ saga: UniqueID, _ step: String, _ phase: String, _ round: Int, _ number: Int) -> String
  {
    "\(saga)/\(step)/\(phase)/\(round)/\(number)"
  }

  /// For a store with a fault: answers at once and appends later, or never when the process dies before.
  func answerBeforeAppend(_ append: Append, _ life: Life) -> Appended? {
    let isFirst = state.withLock { state in
      state.held[append.stream, default: []].append(append)
      return state.held[append.stream]?.count == 1
    }
    if isFirst {
      clock.after(.milliseconds(40)) { [self] in
        Task(executorPreference: executor) { [self] in await appendHeld(append.stream, life) }
      }
    }
    return Appended(version: append.lastVersion, position: 0, repeated: false)
  }

  /// Stores the appends of a stream that were answered before they were stored. Reads by the process are up to date.
  func appendHeld(_ stream: UniqueID, _ life: Life) async {
    while let next = state.withLock({ state in
      state.held[stream]?.isEmpty == false ? state.held[stream]?.removeFirst() : nil
    }) {
      if !life.isOver, (try? await memory.append(next)) != nil { note(next) }
    }
  }

  // MARK: Participants

  /// Returns the participant's behaviour for a call. It depends on the call alone.
  func behaviour(of call: StepCall) -> Behaviour {
    let number = plan(of: call.saga)?.number ?? 99
    var dice = Dice(
      scenario.seed, "call/\(call.step)/\(call.phase.rawValue)", number, call.round, call.attempt)
    return Behaviour.draw(&dice, trouble: isHealed ? 0 : scenario.participantTrouble)
  }

  /// A call leaves the engine.
  func isSent(_ call: StepCall, by life: Life) {
    var key = Self.attempt(call.saga, call.step, call.phase.rawValue, call.round, call.attempt)
    var look: String?
    // The timetable counts a look.
    if case .unrecorded? = call.look {
      key = "\(call.saga)/\(call.step) polls"
      look = "life \(life.number), version \(state.withLock { $0.versions[call.saga] ?? 0 })"
    }
    let isCounted = state.withLock { $0.counted.contains(key) }
    trace("sent \(name(of: call.saga)) \(call.step) \(call.phase.rawValue) \(call.round) \(call.attempt)")
    books.note(call, at: now, isCounted: isCounted, look: look)
  }

  /// A call arrives at its participant.
  func arrives(_ call: StepCall, after time: Duration, answer: @escaping @Sendable (StepOutcome) -> Void) {
    clock.after(time) { [self] in
      let service: String
      switch call.action {
      case .http(let http): service = http.service
      case .kafka(let kafka): service = kafka.service
      // `WorkerSimulation` has the tasks.
      case .task(let task): service = task.queue
      case .workflow(let workflow): service = workflow.name
      }
      trace("arrives \(name(of: call.saga)) \(call.step) \(call.phase.rawValue) \(call.round) \(call.attempt)")
      if call.look != nil, let poll = poll(of: call) {
        answer(books.look(call, poll, at: now))
        return
      }
      answer(books.take(call, keepsTombstones: service == "careful", at: now))
    }
  }

  /// A participant's answer is on the topic: it is delivered until an engine has dealt with it.
  func replies(to call: StepCall, _ outcome: StepOutcome, _ what: String) {
    Task(executorPreference: executor) { [self] in
      for _ in 0..<2_000 {
        guard let current else {
          await wait(.milliseconds(300))
          continue
        }
        let answer = StepAnswer(
          step: call.step, phase: call.phase, round: call.round, attempt: call.attempt,
          id: "\(call.idempotencyKey)#\(call.attempt)/\(what)", content: .settled(outcome))
        do {
          let state = try await current.engine.answer(call.saga, answer)
          if current.life.isOver { continue }
          guard let step = state.step(call.step) else { return }
          let attempts = call.phase == .forward ? step.forward : step.undo
          current.executor.recorded(
            call.idempotencyKey, outcome, upTo: attempts.count,
            stillInFlight: step.inFlight.flatMap { $0.phase == call.phase ? $0.attempt.number : nil })
          return
        } catch is Refusal {
          return
        } catch {
          await wait(.milliseconds(300))
        }
      }
    }
  }
}
