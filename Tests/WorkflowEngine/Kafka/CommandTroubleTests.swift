import JSON
import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Commands over Kafka that the engine can't run for now", .timeLimit(.minutes(15)), .inTurn)
struct CommandTroubleTests {
  private static let start = Form.binary.command("start", ["workflow": "spec", "input": .null])

  @Test("An engine that has not started takes no message, and the message is not poison")
  func notReady() async throws {
    let engine = Engine(
      store: MemoryStore(environment: .system), executor: ScriptedExecutor(), environment: .system)
    let handlers = KafkaCommands(engine: engine, unframe: nil).handlers
    let error = await #expect(throws: EngineError.self) { try await handlers.handle(Self.start) }
    #expect(error?.code == EngineErrorCode.engineNotReady)
  }

  @Test("An engine that is stopping starts nothing; the message is not poison, and the next engine takes it")
  func stopping() async throws {
    let store = MemoryStore(environment: .system)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let executor = ScriptedExecutor { _ in
      for await _ in gate { break }
      return .succeeded(.null)
    }
    let first = try await RunningEngine(store, executor)
    _ = try await first.engine.register(Workflow.of(Workflow.step("a")), by: "test")
    _ = try await first.start()
    await executor.waitForCalls()
    async let stopped: Void = first.stop()
    try await first.engine.waitUntilDraining()
    let message = Form.plain.command("start", ["workflow": "spec", "input": .null, "key": "k"])
    await #expect(throws: EngineError.self) {
      try await KafkaCommands(engine: first.engine, unframe: nil).handlers.handle(message)
    }
    open.yield()
    await stopped
    #expect(try await store.startKey(scope: "spec", key: "k") == nil)
    let second = try await RunningEngine(store, ScriptedExecutor())
    try await KafkaCommands(engine: second.engine, unframe: nil).handlers.handle(message)
    #expect(try await store.startKey(scope: "spec", key: "k") != nil)
    await second.stop()
  }

  @Test("A command is not poison when the store is unavailable; after a retry it took effect once")
  func storeAway() async throws {
    let store = MoodyStore(MemoryStore(environment: .system))
    let running = try await CommandTests.engine(on: store)
    let handlers = CommandTests.handlers(running)
    // The append is taken, and only its answer is lost.
    store.refuseAppends(1)
    await #expect(throws: OutcomeUnknown.self) { try await handlers.handle(Self.start) }
    try await handlers.handle(Self.start)
    try await running.engine.waitUntilListed()
    let sagas = try await running.engine.list(SagaListRequest(limit: 10)).sagas
    #expect(sagas.count == 1)
    let id = try #require(sagas.first?.id)
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    try await running.engine.waitUntilAsleep(id)

    store.refuseReads(1)
    let signal = Form.plain.command("signal", ["saga": .string("\(id)"), "signal": "go"])
    let atSignal = await #expect(throws: StoreError.self) { try await handlers.handle(signal) }
    #expect(atSignal?.kind == .unavailable)
    try await handlers.handle(signal)
    let ended = try await running.end(of: id)
    #expect(ended.status == .completed && ended.signals.count == 1)
    await running.stop()
  }

  @Test("An unavailable registry makes no poison; a schema id that it does not know does")
  func registryAway() async throws {
    let running = try await CommandTests.engine(on: MemoryStore(environment: .system))
    let framed = Sent.bytes([0, 0, 0, 0, 9] + (Self.start.value ?? []))
    let away = KafkaCommands(engine: running.engine) { _ in
      throw RegistryError(code: RegistryErrorCode.registryUnavailable, message: "it is away")
    }
    await #expect(throws: RegistryError.self) { try await away.handlers.handle(framed) }
    let unknown = KafkaCommands(engine: running.engine) { _ in
      throw Poison(RegistryErrorCode.schemaUnknown, "there is no schema 9")
    }
    #expect(await poison(unknown.handlers, framed)?.code == RegistryErrorCode.schemaUnknown)
    await running.stop()
  }

  @Test("A command with a registry's frame is read in every form", arguments: Form.allCases)
  func framed(form: Form) async throws {
    let store = MemoryStore(environment: .system)
    let running = try await CommandTests.engine(on: store)
    let handlers = KafkaCommands(engine: running.engine) { Array($0.dropFirst(5)) }.handlers
    let plain = form.command("start", ["workflow": "spec", "input": .null, "key": "k"])
    try await handlers.handle(
      KafkaMessage(
        topic: plain.topic, partition: 0, offset: 0, value: [0, 0, 0, 0, 9] + (plain.value ?? []),
        headers: plain.headers))
    #expect(try await store.startKey(scope: "spec", key: "k") != nil)
    await running.stop()
  }
}
