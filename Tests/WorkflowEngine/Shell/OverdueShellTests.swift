import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import Persistence
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The engine notices overdue steps, over restarts and pauses too", .timeLimit(.minutes(15)), .inTurn)
struct OverdueShellTests {
  static let approval = #"{"id": "w", "signal": {"name": "go"}, "expected": "10m"}"#
  static let day = #""timeout": "1d","#

  private func types(_ engine: Engine, _ id: UniqueID) async throws -> [String] {
    try await engine.history(of: id, after: 0, limit: 100).map(\.type)
  }

  private func overdue(_ engine: Engine) async throws -> [UniqueID] {
    try await engine.waitUntilListed()
    var query = SagaQuery()
    query.overdueAt = engine.host.environment.now()
    return try await engine.list(SagaListRequest(query)).sagas.map(\.id)
  }

  @Test("An overdue wait wakes the scheduler when it is due, and is in lists until it ends")
  func once() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), ScriptedExecutor(), environment: environment)
    let engine = running.engine
    _ = try await engine.register(Workflow.of(Self.approval, members: Self.day), by: "test")
    let id = try await running.start().id
    let due = clock.now() + .seconds(600)
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(to: Timestamp(milliseconds: due.milliseconds - 1))
    #expect(try await types(engine, id) == ["sagaStarted", "waitStarted"])
    #expect(try await overdue(engine) == [])
    clock.advance(to: due)
    try await engine.waitUntilOverdue(id, step: "w")
    #expect(try await types(engine, id) == ["sagaStarted", "waitStarted", "stepOverdue"])
    #expect(try await overdue(engine) == [id])
    let timeline = try await engine.timeline(of: id)
    #expect(timeline.marks.map(\.what) == ["started", "overdue w"])
    clock.advance(by: .seconds(3_600))
    _ = try await engine.signal(id, name: "go", body: .null, signalID: nil, by: "mia")
    #expect(try await running.end(of: id).status == .completed)
    #expect(try await types(engine, id).filter { $0 == "stepOverdue" }.count == 1)
    #expect(try await overdue(engine) == [])
    await running.stop()
  }

  @Test("A step that becomes overdue while no engine runs is reported once by the next engine, with the due time")
  func restart() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    let first = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await first.engine.register(Workflow.of(Self.approval, members: Self.day), by: "test")
    let id = try await first.start().id
    let due = clock.now() + .seconds(600)
    await first.stop()
    clock.advance(by: .seconds(7_200))
    for _ in 0..<2 {
      let next = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
      try await next.engine.waitUntilOverdue(id, step: "w")
      #expect(try await next.engine.saga(id).state.step("w")?.overdue?.since == due)
      #expect(try await types(next.engine, id).filter { $0 == "stepOverdue" }.count == 1)
      #expect(try await overdue(next.engine) == [id])
      await next.stop()
    }
  }

  @Test("A pause defers the overdue time by its length, also over a restart of the engine")
  func pause() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    let act = OperatorAct(by: "mia", reason: "defrosting")
    let first = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await first.engine.register(Workflow.of(Self.approval, members: Self.day), by: "test")
    let id = try await first.start().id
    _ = try await first.engine.operate(id, OperatorRequest(.pause, by: act))
    await first.stop()
    clock.advance(by: .seconds(7_200))
    let second = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    #expect(try await overdue(second.engine) == [])
    _ = try await second.engine.operate(id, OperatorRequest(.resume, by: act))
    let due = clock.now() + .seconds(600)
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(to: due)
    try await second.engine.waitUntilOverdue(id, step: "w")
    #expect(try await second.engine.saga(id).state.step("w")?.overdue?.since == due)
    await second.stop()
  }

  // MARK: Learned

  /// A workflow whose statistics are put there, and an engine that reads them.
  private func taught(
    samples: Int, of milliseconds: Int64, clock: FakeClock, age: Duration = .seconds(3_600), learns: Bool = true,
    steps: String = #"{"id": "w", "signal": {"name": "go"}}"#
  ) async throws -> (store: MemoryStore, read: MemoryReadStore, environment: Environment, engine: RunningEngine) {
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    let read = MemoryReadStore()
    try await Self.teach(read, samples: samples, of: milliseconds, at: clock.now() + (.zero - age))
    let running = try await RunningEngine(
      store, ScriptedExecutor(), environment: environment, readStore: read, learnsExpectations: learns)
    _ = try await running.engine.register(Workflow.of(steps, members: Self.day), by: "test")
    return (store, read, environment, running)
  }

  private static func teach(
    _ read: MemoryReadStore, samples: Int, of milliseconds: Int64, at moment: Timestamp
  ) async throws {
    var minute = StepMinute(workflow: "spec", step: "w", at: StepMinute.of(moment))
    for _ in 0..<samples { minute.durations.add(milliseconds: milliseconds) }
    minute.succeeded = samples
    let reached = try await read.checkpoints(1)[0] ?? ReadCheckpoint(position: 0, hash: [])
    try await read.apply(ReadBatch(generation: 1, shard: 0, from: reached.position, to: reached, minutes: [minute]))
  }

  @Test("The engine learns an expected time from 100 runs, not from 99", arguments: [99, 100])
  func samples(count: Int) async throws {
    let clock = FakeClock()
    let (_, _, _, running) = try await taught(samples: count, of: 60_000, clock: clock)
    // It learns again every minute. Its next wake-up time shows that it has learned.
    for _ in 0..<2 {
      let next = clock.now() + ExpectationLearner.refreshEvery
      await clock.waitForSleepers { $0.contains(next) }
      clock.advance(to: next)
    }
    let id = try await running.start().id
    let learned = running.engine.host.expectations.of("spec")["w"]
    guard count >= ExpectationLearner.leastSamples else {
      #expect(learned == nil)
      await running.stop()
      return
    }
    let expected = try #require(learned)
    #expect(expected.samples == 100 && expected.basis == .learned)
    #expect(expected.duration >= .seconds(120) && expected.duration < .seconds(135))
    let due = clock.now() + expected.duration
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(to: due)
    try await running.engine.waitUntilOverdue(id, step: "w")
    #expect(try await running.engine.saga(id).state.step("w")?.overdue == StepLateness(since: due, expected: expected))
    await running.stop()
  }

  @Test("The learned time is twice the 99th percentile, and at least ten seconds")
  func expectation() {
    func learned(_ durations: [Int64]) -> ExpectedTime? {
      var histogram = DurationHistogram()
      for duration in durations { histogram.add(milliseconds: duration) }
      return ExpectationLearner.expected(histogram)
    }
    #expect(learned(Array(repeating: 3, count: 99)) == nil)
    #expect(learned(Array(repeating: 3, count: 100)) == .learned(.seconds(10), samples: 100))
    let p99 = DurationHistogram.upperBound(DurationHistogram.bucket(20_000))
    #expect(
      learned(Array(repeating: 20_000, count: 199) + [9_999_999])
        == .learned(.milliseconds(2 * p99), samples: 200))
  }

  @Test("Runs older than a week are not learned from; with learning off the engine learns nothing")
  func forgotten() async throws {
    for (age, learns) in [(Duration.seconds(8 * 86_400), true), (.seconds(3_600), false)] {
      let clock = FakeClock()
      let (_, _, _, running) = try await taught(
        samples: 500, of: 60_000, clock: clock, age: age, learns: learns)
      _ = try await running.start()
      await ExpectationLearner(host: running.engine.host, store: running.engine.readModel.store).refreshIf(learns)
      #expect(running.engine.host.expectations.of("spec").isEmpty)
      await running.stop()
    }
  }

  @Test("A time that is learned later applies to sagas that already wait")
  func learnedLater() async throws {
    let clock = FakeClock()
    // It would be due in two minutes, and is asleep by then unless something is due within the minute.
    let (_, read, _, running) = try await taught(
      samples: 0, of: 0, clock: clock,
      steps: #"{"id": "w", "signal": {"name": "go"}}, {"id": "d", "delay": {"for": "50s"}, "dependsOn": []}"#)
    let id = try await running.start().id
    #expect(running.engine.host.isInMemory(id))
    try await running.engine.waitUntilListed()
    try await Self.teach(read, samples: 100, of: 1_000, at: clock.now())
    let learner = ExpectationLearner(host: running.engine.host, store: read)
    await learner.refresh()
    let due = clock.now() + .seconds(10)
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(to: due)
    try await running.engine.waitUntilOverdue(id, step: "w")
    await running.stop()
  }

  @Test("After a restart the learned times are read before open sagas are taken up")
  func learnedRestart() async throws {
    let clock = FakeClock()
    let (store, read, environment, first) = try await taught(samples: 100, of: 600_000, clock: clock)
    await first.engine.learnNow()
    let id = try await first.start().id
    let expected = try #require(first.engine.host.expectations.of("spec")["w"])
    let due = clock.now() + expected.duration
    await first.stop()
    clock.advance(to: due + .seconds(60))
    let second = try await RunningEngine(store, ScriptedExecutor(), environment: environment, readStore: read)
    try await second.engine.waitUntilOverdue(id, step: "w")
    #expect(try await second.engine.saga(id).state.step("w")?.overdue?.since == due)
    await second.stop()
  }

  @Test("The engine learns expected times from its own statistics")
  func statistics() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), ScriptedExecutor(), environment: environment)
    let engine = running.engine
    _ = try await engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    for _ in 0..<100 {
      let id = try await running.start().id
      _ = try await engine.signal(id, name: "go", body: .null, signalID: nil, by: "qa")
    }
    try await engine.waitUntilListed()
    await engine.learnNow()
    #expect(engine.host.expectations.of("spec") == ["w": .learned(.seconds(10), samples: 100)])
    await running.stop()
  }
}

extension Engine {
  fileprivate func learnNow() async { await ExpectationLearner(host: host, store: readModel.store).refresh() }
}

extension ExpectationLearner {
  fileprivate func refreshIf(_ learns: Bool) async { if learns { await refresh() } }
}
