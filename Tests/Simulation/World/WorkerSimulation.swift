import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import TestSupport
import Values
import WorkflowEngine

/// Sagas whose steps are tasks, workers that take them, die, and answer late or twice, and an engine that crashes. All run
/// on one executor and in virtual time; a seed decides everything.
///
/// The rules: a task is recorded once, however many workers answer it. An answer that is refused changes nothing. An answer
/// that is taken is in the history. Every saga comes to its end.
public enum WorkerSimulation {
  /// More jobs than this in one run mean that something goes round in circles.
  private static let mostJobs = 1_000_000

  /// - Parameter seed: decides everything.
  public static func run(seed: UInt64) -> Run {
    let site = WorkerSite(seed: seed)
    let done = Mutex(false)
    let main = Task(executorPreference: site.executor) {
      await site.live()
      done.withLock { $0 = true }
    }
    var stopped: Violation?
    while stopped == nil, !done.withLock({ $0 }) {
      if site.executor.runOne() {
        if site.executor.count >= mostJobs {
          stopped = Violation("nothing loops hot", nil, "\(mostJobs) jobs have run, at \(site.clock.now)")
        }
      } else if !site.clock.advance() {
        stopped = Violation("nothing silent", nil, "nothing is ready and nothing is due")
      }
    }
    _ = main
    if site.executor.strangers > 0 {
      stopped = Violation("the simulation", nil, "\(site.executor.strangers) jobs came from another thread")
    }
    let (lines, counts) = (site.lines, site.counts)
    var bytes: [UInt8] = Array("\(site.executor.count)".utf8)
    for line in lines { bytes += line.utf8 }
    return Run(
      violations: site.violations + (stopped.map { [$0] } ?? []), lines: lines,
      digest: String(Digest.hex(bytes).prefix(16)), events: counts, calls: site.countOfAnswers)
  }
}

/// The engine, its store and its workers.
private final class WorkerSite: Sendable {
  private struct Current: Sendable {
    let engine: Engine
    let life: Life
    let run: Task<Void, Never>
  }

  /// What a worker was answered.
  private struct Answer: Sendable {
    let task: TaskID
    let output: JSON
    let isTaken: Bool
  }

  private struct State {
    var current: Current?
    var lives = 0
    var isClosing = false
    var sagas: [UniqueID] = []
    var answers: [Answer] = []
    var lines: [String] = []
    var counts: [String: Int] = [:]
    var violations: [Violation] = []
  }

  let seed: UInt64
  let executor: SeededExecutor
  let clock = VirtualClock()
  private let memory: MemoryStore
  private let state = Mutex(State())
  private let countOfSagas: Int
  private let countOfWorkers: Int
  /// How often a worker does something else than its work, in percent.
  private let trouble: Int
  private let healedAt = Duration.seconds(300)

  init(seed: UInt64) {
    self.seed = seed
    executor = SeededExecutor(seed: seed)
    var dice = Dice(seed, "workers")
    let random = Mutex(SeededRandom(seed: dice.next()))
    let clock = clock
    memory = MemoryStore(
      environment: Environment(clock: LifeClock(clock: clock, life: Life(number: 0))) { random.withLock { $0.next() } },
      shardCount: 2)
    countOfSagas = dice.number(3...10)
    countOfWorkers = dice.number(1...6)
    trouble = dice.pick([0, 20, 50, 80])
  }

  var lines: [String] { state.withLock { $0.lines } }
  var counts: [String: Int] { state.withLock { $0.counts } }
  var violations: [Violation] { state.withLock { $0.violations } }
  var countOfAnswers: Int { state.withLock { $0.answers.count } }

  private func trace(_ line: String) {
    let at = (clock.now - clock.start).wholeMilliseconds
    state.withLock { $0.lines.append("\(at) \(line)") }
  }

  private func wait(_ time: Duration) async { do { try await clock.wait(until: clock.now + time) } catch {} }

  private var isHealed: Bool { clock.now - clock.start >= healedAt }
  private var isClosing: Bool { state.withLock { $0.isClosing } }
  private var current: Current? { state.withLock { $0.current }.flatMap { $0.life.isOver ? nil : $0 } }

  // MARK: The engine

  private static let workflow = #"""
    {"name": "work", "version": 1, "timeout": "6h", "steps": [
      {"id": "load", "timeout": "2h", "retry": {"maxAttempts": 50, "initialInterval": "1s", "maxInterval": "5s"},
       "task": {"queue": "robot", "input": "${input.n}", "heartbeatTimeout": "10s"},
       "compensation": {"task": {"queue": "robot", "heartbeatTimeout": "10s"}, "timeout": "2h",
         "retry": {"maxAttempts": 50, "initialInterval": "1s", "maxInterval": "5s"}}},
      {"id": "read", "timeout": "2h", "retry": {"maxAttempts": 50, "initialInterval": "1s", "maxInterval": "5s"},
       "task": {"queue": "reader", "input": "${steps.load.output.n}", "heartbeatTimeout": "10s"}, "compensation": "none"}]}
    """#

  /// No step calls a participant.
  private struct NoParticipant: StepExecutor {
    func perform(_ call: StepCall) async -> StepOutcome { .notSent(SimulatedExecutor.notSent) }
  }

  private func begin() {
    let life = Life(
      number: state.withLock { state in
        state.lives += 1
        return state.lives
      })
    var dice = Dice(seed, "life", life.number)
    let random = Mutex(SeededRandom(seed: dice.next()))
    let environment = Environment(clock: LifeClock(clock: clock, life: life), executor: executor) {
      random.withLock { $0.next() }
    }
    var configuration = Engine.Configuration(services: [], kafkaServices: [])
    configuration.drainTime = .seconds(1)
    configuration.learnsExpectations = false
    let engine = Engine(
      store: WorkerStore(store: memory, life: life), executor: NoParticipant(), configuration: configuration,
      environment: environment)
    trace("life \(life.number) begins")
    let run = Task(executorPreference: executor) { [self] in
      do {
        try await engine.run(prepare: {
          while !life.isOver, !Task.isCancelled {
            if (try? await engine.register(Array(Self.workflow.utf8), by: "simulation")) != nil { return }
            await self.wait(.milliseconds(100))
          }
        })
      } catch {
        self.trace("life \(life.number) ended with \(error)")
      }
      life.end()
    }
    state.withLock { $0.current = Current(engine: engine, life: life, run: run) }
  }

  /// Ends the engine's process, and returns when nothing of it runs any more.
  private func crash() async {
    guard let current = state.withLock({ $0.current }) else { return }
    trace("life \(current.life.number) crashes")
    current.run.cancel()
    if current.life.end() { clock.end(life: current.life.number) }
    await current.run.value
  }

  private func supervise() async {
    var dice = Dice(seed, "crashes")
    begin()
    while !isClosing {
      await wait(dice.time(2_000...60_000))
      if isClosing || isHealed || !dice.chance(70) { continue }
      await crash()
      await wait(dice.time(1...8_000))
      begin()
    }
  }

  // MARK: The people

  private func client(_ number: Int) async {
    var dice = Dice(seed, "client", number)
    await wait(dice.time(1...60_000))
    var id: UniqueID?
    while id == nil {
      id = try? await current?.engine.start(
        StartRequest(workflow: "work", input: ["n": .int(number)], idempotencyKey: "saga-\(number)", by: "client")
      ).id
      if id == nil { await wait(.milliseconds(300)) }
    }
    guard let id else { return }
    state.withLock { $0.sagas.append(id) }
    guard dice.chance(30) else { return }
    await wait(dice.time(1...60_000))
    let verb: OperatorVerb = dice.chance(50) ? .cancel : .pause
    let act = OperatorAct(by: "operator", reason: "to see what happens")
    _ = try? await current?.engine.operate(id, OperatorRequest(verb, by: act))
    guard verb == .pause else { return }
    await wait(dice.time(1...30_000))
    while !isClosing {
      if let now = try? await current?.engine.saga(id).state {
        if !now.isPaused || now.end != nil { return }
        _ = try? await current?.engine.operate(id, OperatorRequest(.resume, by: act))
      }
      await wait(.milliseconds(500))
    }
  }

  // MARK: The workers

  private func worker(_ number: Int) async {
    var dice = Dice(seed, "worker", number)
    let queue = number % 2 == 0 ? "robot" : "reader"
    while !isClosing {
      let poll = TaskPoll(
        queue: queue, worker: "worker-\(number)", max: dice.number(1...3),
        wait: isHealed ? .seconds(20) : dice.time(1...20_000))
      guard let given = try? await current?.engine.poll(poll), !given.isEmpty else {
        await wait(.milliseconds(200))
        continue
      }
      for task in given { await work(task, &dice, by: number) }
    }
  }

  private func work(_ given: GivenTask, _ dice: inout Dice, by worker: Int) async {
    trace("worker-\(worker) takes \(given.id)")
    let output: JSON = ["n": .int(worker), "attempt": .int(given.id.attempt)]
    let isTroubled = !isHealed && dice.chance(trouble)
    switch isTroubled ? dice.number(0...4) : 5 {
    // The worker dies, before or after its work.
    case 0: return
    // It works without heartbeats, and answers when it has lost the task, or just not yet.
    case 1:
      await wait(dice.time(5_000...40_000))
      await answer(given, .succeeded(output), output, by: worker)
    // It fails cleanly.
    case 2:
      let failure = StepFailure(code: "JAM", classes: [TaskAnswer.failureClass], message: "jammed", isRetryable: true)
      await answer(given, .failed(failure), nil, by: worker)
    // It does not know what it did.
    case 3:
      let failure = StepFailure(code: "LOST", classes: [TaskAnswer.failureClass], message: "lost", isRetryable: true)
      await answer(given, .unknown(failure), nil, by: worker)
    // It completes twice, the second time much later.
    case 4:
      await answer(given, .succeeded(output), output, by: worker)
      await wait(dice.time(1...60_000))
      await answer(given, .succeeded(output), output, by: worker)
    default:
      for _ in 0..<dice.number(0...4) {
        await wait(.seconds(3))
        _ = try? await current?.engine.heartbeat(given.id, lease: given.lease, progress: nil)
      }
      await answer(given, .succeeded(output), output, by: worker)
    }
  }

  /// Answers until the engine has said yes or no.
  private func answer(_ given: GivenTask, _ outcome: StepOutcome, _ output: JSON?, by worker: Int) async {
    for _ in 0..<2_000 {
      if isClosing { return }
      guard let current else {
        await wait(.milliseconds(300))
        continue
      }
      do {
        try await current.engine.answer(given.id, lease: given.lease, outcome)
        // An engine that has died meanwhile has said nothing.
        if current.life.isOver { continue }
        return note(given.id, output, isTaken: true, by: worker)
      } catch let refusal as Refusal {
        if current.life.isOver { continue }
        if refusal.code != EngineErrorCode.taskLeaseLost {
          violates("a worker's answer", "\(given.id) was refused with \(refusal.code)")
        }
        return note(given.id, output, isTaken: false, by: worker)
      } catch {
        await wait(.milliseconds(300))
      }
    }
    violates("a worker's answer", "\(given.id) was not answered")
  }

  private func note(_ task: TaskID, _ output: JSON?, isTaken: Bool, by worker: Int) {
    trace("worker-\(worker) answers \(task): \(isTaken ? "taken" : "refused")")
    guard let output else { return }
    state.withLock { $0.answers.append(Answer(task: task, output: output, isTaken: isTaken)) }
  }

  private func violates(_ rule: String, _ what: String) {
    state.withLock { $0.violations.append(Violation(rule, nil, what)) }
  }

  // MARK: The whole run

  func live() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.supervise() }
      for number in 0..<countOfSagas { group.addTask { await self.client(number) } }
      // Two more workers have no trouble once the world is healed, one for each queue.
      for number in 0..<(countOfWorkers + 2) { group.addTask { await self.worker(number) } }
      await wait(healedAt + .seconds(900))
      await judge()
      state.withLock { $0.isClosing = true }
      group.cancelAll()
      guard let run = state.withLock({ $0.current?.run }) else { return }
      run.cancel()
      await run.value
    }
  }

  private func judge() async {
    let (sagas, answers) = state.withLock { ($0.sagas, $0.answers) }
    if sagas.count != countOfSagas { violates("every saga starts", "\(sagas.count) of \(countOfSagas) started") }
    for id in sagas {
      let facts = ((try? await memory.read(id, after: 0, limit: 100_000)) ?? []).map(Fact.init)
      for fact in facts {
        state.withLock { $0.counts[fact.type, default: 0] += 1 }
        trace("stored \(id) \(fact.type) \(fact.data.text())")
      }
      if !["sagaCompleted", "sagaCompensated"].contains(facts.last?.type ?? "") {
        violates("every saga comes to its end", "\(id) is at \(facts.last?.type ?? "nothing")")
      }
      for step in ["load", "read"] {
        judge(id, step, facts, answers.filter { $0.task.saga == id && $0.task.step == step })
      }
    }
  }

  /// Compares what workers were answered with the history of one step.
  private func judge(_ id: UniqueID, _ step: String, _ facts: [Fact], _ answers: [Answer]) {
    let succeeded = facts.filter { $0.type == "stepSucceeded" && $0.step == step }
    if succeeded.count > 1 { violates("a task is recorded once", "\(id) \(step) succeeded \(succeeded.count) times") }
    let undone = facts.filter { $0.type == "undoSucceeded" && $0.step == step }
    if undone.count > 1 { violates("a task is recorded once", "\(id) \(step) was undone \(undone.count) times") }
    let taken = answers.filter { $0.isTaken && $0.task.phase == .forward }
    let outputs = Set(taken.map(\.output))
    if outputs.count > 1 { violates("a fenced worker changes nothing", "\(id) \(step) took \(outputs.count) answers") }
    if let output = outputs.first, succeeded.first?.data["output"] != output {
      violates("an answer that is taken is in the history", "\(id) \(step) has not \(output.text())")
    }
    if let output = succeeded.first?.data["output"] {
      let refused = answers.filter { !$0.isTaken && $0.task.phase == .forward && $0.output == output }
      if !refused.isEmpty {
        violates("an answer that is refused changes nothing", "\(id) \(step) has \(output.text())")
      }
    }
    // Between two takes of a step, the attempt of the first has ended.
    var holder: Int?
    for fact in facts where fact.step == step {
      switch fact.type {
      case "taskTaken":
        if let holder { violates("one worker has a task", "\(id) \(step) is taken while attempt \(holder) is open") }
        holder = fact.number("attempt")
      case "stepSucceeded", "stepFailed", "attemptFailed", "undoSucceeded", "undoFailed": holder = nil
      default: break
      }
    }
  }
}

/// One engine's connection to the store. It is gone when its engine's life is over.
private final class WorkerStore: StoreInFront {
  let store: any EventStore
  private let life: Life

  init(store: any EventStore, life: Life) {
    self.store = store
    self.life = life
  }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    if life.isOver { throw .closed }
    let appended = try await store.append(append)
    // The process may end after the store has taken the append, and before it learns of it.
    if life.isOver { throw .closed }
    return appended
  }
}
