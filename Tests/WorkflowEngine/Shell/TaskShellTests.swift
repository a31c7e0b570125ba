import Foundation
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("The engine gives tasks to workers", .timeLimit(.minutes(15)), .inTurn)
struct TaskShellTests {
  private static let members = #""timeout": "2d", "#
  private static let load = #"""
    {"id": "load", "task": {"queue": "robot", "input": {"plate": "${input.plate}"}, "heartbeatTimeout": "30s"},
     "timeout": "1d", "retry": {"maxAttempts": 5, "initialInterval": "1s", "jitter": 0},
     "compensation": {"task": {"queue": "cleaner"}}}
    """#

  /// An engine with a clock of the test's own, and a store that outlives it.
  private struct Site {
    let clock = FakeClock()
    let environment: Environment
    let store: MemoryStore
    var running: RunningEngine

    init() async throws {
      environment = .fake(clock: clock)
      store = MemoryStore(environment: environment)
      running = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
      _ = try await running.engine.register(
        Workflow.of(TaskShellTests.load, members: TaskShellTests.members), by: "test")
    }

    var engine: Engine { running.engine }

    /// Starts a saga, and returns once it offers its task.
    func start(_ plate: String = "P-1") async throws -> UniqueID {
      let id = try await running.start(input: ["plate": .string(plate)]).id
      try await eventually("the task is offered") {
        engine.host.tasks.tasks(of: nil, limit: 1_000).tasks.contains { $0.id.saga == id }
      }
      return id
    }

    func poll(_ worker: String = "robot-1", max: Int = 1, wait: Duration = .zero) async throws -> [GivenTask] {
      try await engine.poll(TaskPoll(queue: "robot", worker: worker, max: max, wait: wait))
    }

    func types(_ id: UniqueID) async throws -> [String] {
      try await engine.history(of: id, after: 0, limit: 100).map(\.type)
    }

    /// Moves the clock forward once the engine waits for the new time.
    func advance(by duration: Duration) async {
      let due = clock.now() + duration
      await clock.waitForSleepers { $0.contains(due) }
      clock.advance(to: due)
    }

    mutating func restart() async throws {
      await running.stop()
      running = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    }
  }

  private func code(of body: () async throws -> Void) async -> String? {
    do {
      try await body()
      return nil
    } catch {
      return (error as? any CodedError)?.code
    }
  }

  @Test("A worker takes a task, and completes it")
  func completes() async throws {
    let site = try await Site()
    let id = try await site.start()
    let given = try #require(try await site.poll().first)
    #expect(given.id == TaskID(saga: id, step: "load", phase: .forward, round: 1, attempt: 1))
    #expect(given.task == RenderedTask(queue: "robot", input: ["plate": "P-1"], heartbeatTimeout: .seconds(30)))
    #expect(given.idempotencyKey == "\(id)/load/1" && given.compensates == nil)
    #expect(given.traceparent.hasPrefix("00-\(id.description.filter { $0 != "-" })-"))
    #expect(given.deadline == site.clock.now() + .seconds(86_400))
    #expect(given.leaseUntil == site.clock.now() + .seconds(30))
    #expect(given.lease.count == 48)
    #expect(try await site.poll().isEmpty, "a task is given once")
    try await site.engine.answer(given.id, lease: given.lease, .succeeded(["run": 7]))
    let state = try await site.running.end(of: id)
    #expect(state.status == .completed && state.step("load")?.output == ["run": 7])
    #expect(
      try await site.types(id) == ["sagaStarted", "attemptStarted", "taskTaken", "stepSucceeded", "sagaCompleted"])
    let history = try await site.engine.history(of: id, after: 0, limit: 100)
    #expect(!history.contains { $0.data.text().contains(given.lease) }, "the history has no lease that could be used")
    #expect(site.engine.tasks(of: nil, limit: 10).tasks.isEmpty)
    await site.running.stop()
  }

  @Test("A poll that waits is answered when a task comes")
  func longPoll() async throws {
    let site = try await Site()
    async let given = site.poll(wait: .seconds(30))
    try await eventually("the worker waits") { site.engine.taskQueues.first?.pollers == 1 }
    let id = try await site.start()
    #expect(try await given.map(\.id.saga) == [id])
    #expect(site.engine.taskQueues.map(\.pollers) == [0])
    await site.running.stop()
  }

  @Test("A poll that waits ends with no task when its time is over, and the queue knows when it was asked")
  func longPollEnds() async throws {
    let site = try await Site()
    let asked = site.clock.now()
    async let given = site.poll(wait: .seconds(20))
    try await eventually("the worker waits") { site.engine.taskQueues.first?.pollers == 1 }
    await site.advance(by: .seconds(20))
    #expect(try await given.isEmpty)
    #expect(
      site.engine.taskQueues == [TaskQueueNow(name: "robot", waiting: 0, taken: 0, pollers: 0, lastAskedAt: asked)])
    await site.running.stop()
  }

  @Test("Tasks are given in the order of their offers, and workers that wait get them in the order in which they asked")
  func order() async throws {
    let site = try await Site()
    var ids: [UniqueID] = []
    for plate in ["P-1", "P-2", "P-3"] {
      ids.append(try await site.start(plate))
      site.clock.advance(by: .milliseconds(5))
    }
    #expect(site.engine.taskQueues.map(\.waiting) == [3])
    #expect(try await site.poll().map(\.id.saga) == [ids[0]])
    #expect(try await site.poll(max: 5).map(\.id.saga) == [ids[1], ids[2]])
    #expect(site.engine.taskQueues.map(\.taken) == [3])
    async let first = site.poll("first", wait: .seconds(50))
    try await eventually("one worker waits") { site.engine.taskQueues.first?.pollers == 1 }
    async let second = site.poll("second", wait: .seconds(50))
    try await eventually("two workers wait") { site.engine.taskQueues.first?.pollers == 2 }
    let (fourth, fifth) = (try await site.start("P-4"), try await site.start("P-5"))
    #expect(try await first.map(\.id.saga) == [fourth])
    #expect(try await second.map(\.id.saga) == [fifth])
    await site.running.stop()
  }

  @Test("A lease without a heartbeat ends: the task is offered again, and the late worker is fenced")
  func leaseEnds() async throws {
    let site = try await Site()
    let id = try await site.start()
    let lost = try #require(try await site.poll("slow").first)
    await site.advance(by: .seconds(30))
    try await site.engine.state(of: id, when: "the attempt has ended") {
      $0.step("load")?.failure?.code == "task.heartbeatLost"
    }
    #expect(
      await code { try await site.engine.answer(lost.id, lease: lost.lease, .succeeded(.null)) } == "task.leaseLost")
    #expect(
      await code { _ = try await site.engine.heartbeat(lost.id, lease: lost.lease, progress: nil) } == "task.leaseLost")
    await site.advance(by: .seconds(1))
    try await eventually("the task is offered again") { site.engine.taskQueues.first?.waiting == 1 }
    let again = try #require(try await site.poll("fast").first)
    #expect(again.id.attempt == 2 && again.lease != lost.lease && again.idempotencyKey == lost.idempotencyKey)
    try await site.engine.answer(again.id, lease: again.lease, .succeeded(.null))
    #expect(
      await code { try await site.engine.answer(lost.id, lease: lost.lease, .succeeded(.null)) } == "task.leaseLost")
    try await site.engine.answer(again.id, lease: again.lease, .succeeded(.null))
    #expect(
      try await site.types(id) == [
        "sagaStarted", "attemptStarted", "taskTaken", "attemptFailed", "attemptStarted", "taskTaken", "stepSucceeded",
        "sagaCompleted",
      ])
    await site.running.stop()
  }

  @Test("A heartbeat keeps the lease, and writes no event")
  func heartbeats() async throws {
    let site = try await Site()
    let id = try await site.start()
    let given = try #require(try await site.poll().first)
    for _ in 0..<4 {
      site.clock.advance(by: .seconds(20))
      let heartbeat = try await site.engine.heartbeat(given.id, lease: given.lease, progress: nil)
      #expect(heartbeat == TaskHeartbeat(isCancelled: false, until: site.clock.now() + .seconds(30)))
    }
    #expect(try await site.types(id) == ["sagaStarted", "attemptStarted", "taskTaken"])
    let listed = try #require(site.engine.tasks(of: "robot", limit: 10).tasks.first)
    #expect(listed.status == .taken && listed.worker == "robot-1" && listed.heartbeatAt == site.clock.now())
    try await site.engine.answer(given.id, lease: given.lease, .succeeded(.null))
    #expect(try await site.running.end(of: id).status == .completed)
    await site.running.stop()
  }

  @Test("Progress becomes an event once a minute at most")
  func progress() async throws {
    let site = try await Site()
    let id = try await site.start()
    let given = try #require(try await site.poll().first)
    for second in 0..<8 {
      _ = try await site.engine.heartbeat(
        given.id, lease: given.lease, progress: StepProgress(message: "column \(second)"))
      site.clock.advance(by: .seconds(10))
    }
    let events = try await site.engine.history(of: id, after: 0, limit: 100)
    #expect(events.compactMap { $0.data["message"]?.stringValue } == ["column 0", "column 6"])
    #expect(site.engine.tasks(of: nil, limit: 1).tasks.first?.progress?.message == "column 7")
    await site.running.stop()
  }

  @Test("After a restart a worker completes under its old lease, and the lease begins again")
  func restart() async throws {
    var site = try await Site()
    let (first, second) = (try await site.start("P-1"), try await site.start("P-2"))
    let given = try await site.poll(max: 2)
    #expect(Set(given.map(\.id.saga)) == [first, second])
    let waiting = try await site.start("P-3")
    site.clock.advance(by: .seconds(25))
    try await site.restart()
    #expect(site.engine.taskQueues.map(\.waiting) == [1] && site.engine.taskQueues.map(\.taken) == [2])
    site.clock.advance(by: .seconds(20))
    let done = try #require(given.first { $0.id.saga == first })
    try await site.engine.answer(done.id, lease: done.lease, .succeeded(["run": 1]))
    #expect(try await site.running.end(of: first).step("load")?.output == ["run": 1])
    #expect(try await site.poll().map(\.id.saga) == [waiting])
    // The other worker has died with the engine. Its lease is as long as any, from the restart on.
    await site.advance(by: .seconds(10))
    try await site.engine.state(of: second, when: "the lease has ended") {
      $0.step("load")?.failure?.code == "task.heartbeatLost"
    }
    await site.running.stop()
  }

  @Test("A paused saga's task is not given out until the saga is resumed")
  func paused() async throws {
    let site = try await Site()
    let id = try await site.start()
    let act = OperatorAct(by: "mia", reason: "wait")
    _ = try await site.engine.operate(id, OperatorRequest(.pause, by: act))
    #expect(try await site.poll().isEmpty)
    #expect(site.engine.tasks(of: "robot", limit: 10).tasks.map(\.status) == [.held])
    _ = try await site.engine.operate(id, OperatorRequest(.resume, by: act))
    #expect(try await site.poll().map(\.id.saga) == [id])
    await site.running.stop()
  }

  @Test("The heartbeat of a cancelled saga's task says so, and what the worker did is undone by a task")
  func cancelled() async throws {
    let site = try await Site()
    let id = try await site.start()
    let given = try #require(try await site.poll().first)
    _ = try await site.engine.cancel(id, by: "mia", reason: "broken")
    #expect(try await site.engine.heartbeat(given.id, lease: given.lease, progress: nil).isCancelled)
    try await site.engine.answer(given.id, lease: given.lease, .succeeded(.null))
    let undo = try #require(
      try await site.engine.poll(TaskPoll(queue: "cleaner", worker: "cleaner-1", wait: .seconds(10))).first)
    #expect(undo.id.phase == .undo && undo.compensates == "\(id)/load/1" && undo.task.input == .null)
    #expect(try await !site.engine.heartbeat(undo.id, lease: undo.lease, progress: nil).isCancelled)
    try await site.engine.answer(undo.id, lease: undo.lease, .succeeded(.null))
    #expect(try await site.running.end(of: id).status == .compensated)
    await site.running.stop()
  }

  @Test("A saga whose task waits, or is with a worker, leaves memory")
  func leavesMemory() async throws {
    let site = try await Site()
    let id = try await site.start()
    try await site.engine.waitUntilAsleep(id)
    let given = try #require(try await site.poll().first)
    try await site.engine.waitUntilAsleep(id)
    try await site.engine.answer(given.id, lease: given.lease, .succeeded(.null))
    #expect(try await site.running.end(of: id).status == .completed)
    await site.running.stop()
  }

  @Test("A saga offers its task also when a command comes before the saga has resumed")
  func commandBeforeResume() async throws {
    let site = try await Site()
    let id = try await site.start()
    try await site.engine.waitUntilAsleep(id)
    let host = site.engine.host
    let stored = try await host.load(id).state
    // The queues know nothing of the saga, as after a restart.
    host.tasks.update(id, [], of: stored)
    #expect(site.engine.tasks(of: nil, limit: 10).tasks.isEmpty)
    let saga = Saga(
      id: id, definition: try await host.definitions.definition(of: stored.definition), state: stored,
      isMarkedAsleep: true, eventsSinceSnapshot: 0, host: host)
    #expect(await saga.tell(.wake))
    await saga.idle()
    #expect(site.engine.tasks(of: nil, limit: 10).tasks.map(\.id.saga) == [id])
    let given = try #require(try await site.poll().first)
    try await site.engine.answer(given.id, lease: given.lease, .succeeded(.null))
    #expect(try await site.running.end(of: id).status == .completed)
    await site.running.stop()
  }

  @Test("Workers that wait are answered when the engine stops")
  func stops() async throws {
    let site = try await Site()
    async let answer = code { _ = try await site.poll(wait: .seconds(60)) }
    try await eventually("the worker waits") { site.engine.taskQueues.first?.pollers == 1 }
    await site.running.stop()
    #expect(await answer == "engine.draining")
  }

  @Test("A step shows its task, and the explanation says what it waits for")
  func shown() async throws {
    let site = try await Site()
    let id = try await site.start()
    func sentence() async throws -> String {
      let saga = try await site.engine.saga(id)
      return Explanation(saga.state, saga.definition, now: site.clock.now(), lastAsked: saga.lastAsked).sentence
    }
    #expect(
      try await sentence() == "The saga waits at step load for a worker of queue robot. "
        + "None has asked since the engine started.")
    let asked = site.clock.now()
    _ = try await site.engine.poll(TaskPoll(queue: "robot", worker: "robot-2"))
    let time = Explanation.Words.time(asked)
    #expect(try await sentence() == "The saga runs step load. Worker robot-2 has its task since \(time).")
    let taken = try #require(try await site.engine.saga(id).tasks.values.first)
    #expect(taken.worker == "robot-2" && taken.leaseUntil == asked + .seconds(30))
    await site.running.stop()
  }
}

@Suite("The queues of tasks", .timeLimit(.minutes(15)), .inTurn)
struct TaskQueueTests {
  @Test("A limited number of workers may wait at once; the next one gets an error with a code")
  func full() async throws {
    let clock = FakeClock()
    let queues = TaskQueues(clock: clock, executor: nil, mostPollers: 2)
    let deadline = clock.now() + .seconds(10)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<2 {
        group.addTask { _ = try? await queues.claims("q", max: 1, ticket: queues.ticket(), until: deadline) }
      }
      try? await eventually("two workers wait") { queues.queues.first?.pollers == 2 }
      let error = await #expect(throws: EngineError.self) {
        try await queues.claims("other", max: 1, ticket: queues.ticket(), until: deadline)
      }
      #expect(error?.code == "task.tooManyPolls")
      queues.close()
    }
    #expect(queues.queues.allSatisfy { $0.pollers == 0 })
  }

  @Test("Entries come out of the heap in the order of their times, then of their numbers")
  func heap() {
    var heap = OfferHeap()
    var random = SeededRandom(name: "heap")
    let id = TaskID(saga: SagaSpecification.id, step: "s", phase: .forward, round: 1, attempt: 1)
    for number in 0..<200 {
      let time = Timestamp(milliseconds: Int64(random.fraction() * 20))
      heap.insert(OfferHeap.Entry(offeredAt: time, number: number, task: id))
    }
    var last: OfferHeap.Entry?
    while let entry = heap.popFirst() {
      if let last { #expect(last < entry) }
      last = entry
    }
    #expect(heap.count == 0)
  }
}
