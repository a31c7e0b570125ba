import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import HTTPSteps
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Answers in the engine's shell", .timeLimit(.minutes(15)), .inTurn)
struct AnswerShellTests {
  static let workflow = Workflow.of(
    #"""
    {"id": "a", "kafka": {"service": "lab", "command": "make"}, \#(Workflow.quick),
     "compensation": {"kafka": {"service": "lab", "command": "undo"}}}
    """#,
    Workflow.step("b"))

  private func answer(_ content: StepAnswer.Content, step: String = "a") -> StepAnswer {
    StepAnswer(step: step, phase: .forward, round: 1, attempt: 1, id: "m-1", content: content)
  }

  @Test("An answer ends an attempt whose executor still waits; the executor's later outcome changes nothing")
  func answersWhileWaiting() async throws {
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { call in
      guard call.step == "a" else { return .succeeded(.null) }
      for await _ in gate { break }
      return .unknown(StepFailure(code: "timeout", message: "no answer", isRetryable: true))
    }
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, executor)
    _ = try await running.engine.register(Self.workflow, by: "test")
    let id = try await running.start().id
    await executor.waitForCalls()
    let progressed = try await running.engine.answer(id, answer(.progress(StepProgress(message: "thawing"))))
    #expect(progressed.step("a")?.progress?.value.message == "thawing")
    let state = try await running.engine.answer(id, answer(.settled(.succeeded(["n": 1]))))
    #expect(state.step("a")?.output == ["n": 1], "it is stored when the answer returns")
    let ended = try await running.end(of: id)
    #expect(ended.status == .completed)
    open.yield()
    await running.stop()
    #expect(try await store.read(id, after: 0, limit: 20).count == ended.version, "nothing came after the end")
    #expect(
      try await store.read(id, after: 0, limit: 20).map(\.type) == [
        "sagaStarted", "attemptStarted", "stepProgressed", "stepSucceeded", "attemptStarted", "stepSucceeded",
        "sagaCompleted",
      ])
  }

  @Test("An answer to an ended saga, an unknown saga or an unknown step is refused")
  func refused() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(Self.workflow, by: "test")
    let id = try await running.start().id
    _ = try await running.end(of: id)
    let success = answer(.settled(.succeeded(.null)))
    #expect(
      await #expect(throws: Refusal.self) { try await running.engine.answer(id, success) }?.code
        == EngineErrorCode.sagaEnded)
    let nobody = Environment.system.newID()
    #expect(
      await #expect(throws: Refusal.self) { try await running.engine.answer(nobody, success) }?.code
        == EngineErrorCode.sagaNotFound)
    await running.stop()
  }

  @Test("A cancel by a message takes effect once, however often it is delivered")
  func cancelTwice() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a"), #"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    _ = try await running.engine.cancel(id, by: "lims", reason: "wrong tube", commandID: "m-7")
    let ended = try await running.end(of: id)
    #expect(ended.status == .compensated && ended.turnBack?.value.commandID == "m-7")
    let again = try await running.engine.cancel(id, by: "lims", reason: "wrong tube", commandID: "m-7")
    #expect(again == ended)
    await #expect(throws: Refusal.self) { try await running.engine.cancel(id, by: "lims", reason: "wrong tube") }
    await running.stop()
  }

  // MARK: Executors

  private static func call(_ action: RenderedAction) -> StepCall {
    StepCall(
      saga: SagaSpecification.id, workflow: "w", step: "a", phase: .forward, round: 1, attempt: 1, action: action,
      idempotencyKey: "k", compensates: nil, timeout: .seconds(1))
  }
  private static let http = call(
    .http(
      RenderedHTTP(
        service: "s", method: "GET", path: "/", headers: [], query: [], body: nil, success: [200...299])))
  private static let kafka = call(.kafka(RenderedKafka(service: "s", command: "c")))

  @Test("Each attempt goes to the executor of its kind")
  func kinds() async {
    let (web, broker) = (ScriptedExecutor { _ in .succeeded("web") }, ScriptedExecutor { _ in .succeeded("broker") })
    let executors = ActionExecutors(http: web, kafka: broker)
    #expect(await executors.perform(Self.http) == .succeeded("web"))
    #expect(await executors.perform(Self.kafka) == .succeeded("broker"))
    #expect(web.calls == [Self.http] && broker.calls == [Self.kafka])
  }

  @Test("Without Kafka a command fails cleanly before anything is sent", arguments: [true, false])
  func withoutKafka(isAlone: Bool) async {
    let client = HTTPClient()
    let http = HTTPStepExecutor(client: client, services: [], clock: Environment.system.clock)
    let outcome =
      isAlone ? await http.perform(Self.kafka) : await ActionExecutors(http: http, kafka: nil).perform(Self.kafka)
    guard case .failed(let failure) = outcome else {
      Issue.record("it is \(outcome)")
      return
    }
    #expect(failure.code == EngineErrorCode.kafkaNotConfigured && failure.isRetryable)
    await client.shutdown()
  }

  @Test("An engine without Kafka registers no workflow that needs it, and says why")
  func registering() async throws {
    let engine = Engine(
      store: MemoryStore(environment: .system), executor: ScriptedExecutor(),
      configuration: Engine.Configuration(kafkaServices: []), environment: .system)
    let error = await #expect(throws: EngineError.self) { try await engine.register(Self.workflow, by: "test") }
    #expect(
      error?.findings.filter { $0.severity == .error }.map(\.code)
        == Array(repeating: WorkflowErrorCode.needsKafka, count: 2))
  }
}
