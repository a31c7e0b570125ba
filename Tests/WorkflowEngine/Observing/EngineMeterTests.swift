import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("What the engine counts", .timeLimit(.minutes(15)), .inTurn)
struct EngineMeterTests {
  private static let refusal = StepFailure(code: "NO", message: "no")

  /// Refuses step `b`, for good.
  private static func refusingB(_ call: StepCall) -> StepOutcome {
    call.step == "b" && call.phase == .forward ? .failed(refusal) : .succeeded(["ok": true])
  }

  @Test("A saga that completes is counted, and so are its steps, calls and appends")
  func completes() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    for _ in 0..<3 { _ = try await running.end(of: try await running.start().id) }
    let meters = running.engine.meters
    #expect(meters.count("tracseq_sagas_started_total") == [["spec"]: 3])
    #expect(meters.count("tracseq_sagas_ended_total") == [["spec", "completed"]: 3])
    #expect(
      meters.count("tracseq_step_attempts_total") == [["spec", "a", "forward"]: 3, ["spec", "b", "forward"]: 3])
    #expect(meters.count("tracseq_step_failures_total").isEmpty)
    #expect(meters.count("tracseq_calls_total") == [["lab", "succeeded"]: 6])
    #expect(meters.observations("tracseq_saga_seconds") == [["spec", "completed"]: 3])
    #expect(meters.observations("tracseq_step_seconds") == [["spec", "a"]: 3, ["spec", "b"]: 3])
    #expect(meters.observations("tracseq_call_seconds") == [["lab"]: 6])
    // Each saga has six events; how many appends carry them depends on what comes together.
    let events = try #require(meters.histogram("tracseq_append_events").first)
    #expect(events.sum == 18 * 1_000_000)
    #expect(meters.observations("tracseq_append_seconds") == [[]: events.count])
    await running.stop()
  }

  @Test("A refusal counts as a failure, and what it undoes as undone; attempts that are repeated count as retries")
  func turnsBack() async throws {
    let running = try await RunningEngine(
      MemoryStore(environment: .system),
      ScriptedExecutor { call in
        if call.step == "a", call.phase == .undo, call.attempt == 1 {
          return .unknown(StepFailure(code: "http.503", message: "later", isRetryable: true))
        }
        return Self.refusingB(call)
      })
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    #expect(try await running.end(of: try await running.start().id).status == .compensated)
    let meters = running.engine.meters
    #expect(meters.count("tracseq_sagas_turned_back_total") == [["spec", "stepFailed"]: 1])
    #expect(meters.count("tracseq_sagas_ended_total") == [["spec", "compensated"]: 1])
    #expect(meters.count("tracseq_step_failures_total") == [["spec", "b", "forward"]: 1])
    #expect(meters.count("tracseq_step_retries_total") == [["spec", "a", "undo"]: 1])
    #expect(meters.count("tracseq_step_undos_total") == [["spec", "a"]: 1])
    #expect(meters.observations("tracseq_undo_seconds") == [["spec", "a"]: 1])
    #expect(
      meters.count("tracseq_calls_total") == [
        ["lab", "succeeded"]: 2, ["lab", "unanswered"]: 2,
      ], "the refusal and the lost answer have no status here")
    await running.stop()
  }

  @Test("A saga that becomes stuck counts once each time, and so does the operator's verb")
  func stuck() async throws {
    let running = try await RunningEngine(
      MemoryStore(environment: .system),
      ScriptedExecutor { call in
        call.step == "a" && call.phase == .undo ? .failed(Self.refusal) : Self.refusingB(call)
      })
    let engine = running.engine
    _ = try await engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    let id = try await running.start().id
    try await engine.wait(for: id, toBe: .stuck)
    let act = OperatorAct(by: "mia", reason: "again", from: nil)
    _ = try await engine.operate(id, OperatorRequest(.retry(step: "a"), by: act))
    try await eventually("the saga is stuck again") {
      engine.meters.count("tracseq_sagas_stuck_total") == [["spec"]: 2]
    }
    _ = try await engine.operate(id, OperatorRequest(.abandon, by: act))
    #expect(engine.meters.count("tracseq_verbs_total") == [["retry"]: 1, ["abandon"]: 1])
    #expect(engine.meters.count("tracseq_sagas_ended_total") == [["spec", "abandoned"]: 1])
    #expect(engine.meters.count("tracseq_step_failures_total")[["spec", "a", "undo"]] == 2)
    await running.stop()
  }

  @Test("An engine that takes up the sagas of an earlier process counts nothing of what that process did")
  func restart() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    let first = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await first.engine.register(
      Workflow.of(Workflow.step("a"), #"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await first.start().id
    try await first.engine.wait(for: id, step: "w", toBe: .waiting)
    await first.stop()

    let second = try await RunningEngine(store, ScriptedExecutor(), environment: environment)
    _ = try await second.engine.signal(id, name: "go", body: .null, signalID: nil, by: "mia")
    #expect(try await second.end(of: id).status == .completed)
    #expect(second.engine.meters.count("tracseq_sagas_started_total").isEmpty)
    #expect(second.engine.meters.count("tracseq_step_attempts_total").isEmpty)
    #expect(second.engine.meters.count("tracseq_sagas_ended_total") == [["spec", "completed"]: 1])
    await second.stop()
  }

  @Test("All items of a step count as the step")
  func items() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let step = #"""
      {"id": "run", "forEach": {"items": "${input.tubes[*]}", "as": "tube", "key": "${tube}"},
       "http": {"service": "lab", "method": "PUT", "path": "/run/${tube}"},
       "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/run/${tube}"}}}
      """#
    _ = try await running.engine.register(Workflow.of(step), by: "test")
    let id = try await running.start(input: ["tubes": ["A", "B", "C"]]).id
    #expect(try await running.end(of: id).status == .completed)
    let meters = running.engine.meters
    #expect(meters.count("tracseq_step_attempts_total") == [["spec", "run", "forward"]: 3])
    #expect(meters.observations("tracseq_step_seconds") == [["spec", "run"]: 1])
    await running.stop()
  }

  @Test("One act of an operator counts once, however many events it has")
  func acts() {
    let now = Timestamp(milliseconds: 1_772_352_000_000)
    func event(_ what: any SagaEventContent) -> SagaEvent { SagaEvent(at: now, what) }
    let act = OperatorAct(by: "mia", reason: "again", commandID: "c-1")
    let wish = TurnBack(cause: .cancelled, code: "saga.cancelled", message: "m", by: "mia", reason: "no consent")
    let events = [
      event(OperatorRetried(step: "a", phase: .forward, input: nil, act: act)),
      event(OperatorRetried(step: "b", phase: .undo, input: nil, act: act)),
      event(TurnBackRequested(wish)), event(TurnedBack(wish)),
      event(
        OperatorRetried(
          step: "a", phase: .forward, input: nil, act: OperatorAct(by: "mia", reason: "again", commandID: "c-2"))),
    ]
    #expect(
      SagaEvent.acts(in: events, before: nil).map(\.typeName) == [
        "operatorRetried", "turnBackRequested", "operatorRetried",
      ])
  }

  @Test("The status of an HTTP answer is in the counter, and a call without an answer is counted as such")
  func statuses() {
    let meters = EngineMeters()
    let http = RenderedAction.http(
      RenderedHTTP(service: "lab", method: "GET", path: "/", headers: [], query: [], body: nil, success: [200...299]))
    let kafka = RenderedAction.kafka(RenderedKafka(service: "robot", command: "c"))
    meters.called(http, .answered(LookAnswer(status: 201, body: .null)), in: .milliseconds(3))
    meters.called(http, .failed(Self.refusal), in: .zero)
    meters.called(http, .notSent(Self.refusal), in: .zero)
    meters.called(kafka, .failed(Self.refusal), in: .zero)
    meters.called(kafka, .unknown(Self.refusal), in: .zero)
    #expect(
      meters.count("tracseq_calls_total") == [
        ["lab", "201"]: 1, ["lab", "unanswered"]: 1, ["lab", "notSent"]: 1, ["robot", "failed"]: 1,
        ["robot", "unanswered"]: 1,
      ])
    #expect(meters.observations("tracseq_call_seconds") == [["lab"]: 3, ["robot"]: 2])
  }

  @Test("An append that the store refuses is counted with its code")
  func refusedAppends() async throws {
    let store = MortalStore(MemoryStore(environment: .system), appends: 1, takesLast: true)
    let running = try await RunningEngine(store, ScriptedExecutor(), drainTime: .zero)
    _ = try await running.engine.register(Workflow.of(Workflow.step("a")), by: "test")
    _ = try? await running.start()
    try await eventually("an append has failed") {
      !running.engine.meters.count("tracseq_append_failures_total").isEmpty
    }
    await running.stop()
  }

  @Test("The load shows timers and the sagas in memory")
  func load() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), ScriptedExecutor(), environment: environment)
    let engine = running.engine
    _ = try await engine.register(
      Workflow.of(#"{"id": "d", "delay": {"for": "2h"}}"#, members: OverdueShellTests.day), by: "test")
    let id = try await running.start().id
    try await engine.waitUntilAsleep(id)
    try await eventually("no saga works") { engine.load.sagasWorking == 0 }
    let load = engine.load
    #expect(load.timers == 1 && load.sagasInMemory == 0 && load.attemptsUnderWay == 0 && load.timerDelay == .zero)
    await running.stop()
  }
}

extension EngineMeters {
  /// The counters of a metric by their label values.
  func count(_ name: String) -> [[String]: Int64] {
    let samples = counters.first { $0.family.name == name }?.samples ?? []
    return Dictionary(uniqueKeysWithValues: samples.map { ($0.labels, $0.value) })
  }

  func histogram(_ name: String) -> [HistogramFamily.Sample] {
    histograms.first { $0.family.name == name }?.samples ?? []
  }

  /// The numbers of values of a histogram by their label values.
  func observations(_ name: String) -> [[String]: Int64] {
    Dictionary(uniqueKeysWithValues: histogram(name).map { ($0.labels, $0.count) })
  }
}
