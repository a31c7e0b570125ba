import JSON
import JSONSchema
import Messaging
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The engine and the schemas of workflows", .timeLimit(.minutes(15)), .inTurn)
struct InputSchemaTests {
  static let schema = #"{"type": "object", "required": ["barcode"], "properties": {"volumeUl": {"maximum": 1000}}}"#

  static func workflow(_ schema: String) -> [UInt8] {
    Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#, members: #""inputSchema": \#(schema),"#)
  }

  @Test("A start with an input that doesn't meet the schema is refused with every violation, and stores nothing")
  func refused() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Self.workflow(Self.schema), by: "test")
    let refusal = await #expect(throws: Refusal.self) {
      try await running.start(input: ["volumeUl": 1200], key: "k")
    }
    #expect(refusal?.code == EngineErrorCode.inputInvalid)
    #expect(
      refusal?.message
        == "The input doesn't meet the schema of spec version 1: barcode is missing; the schema requires it. "
        + "volumeUl is 1200; the schema allows at most 1000.")
    #expect(refusal?.violations.map(\.instance.description) == ["/input", "/input/volumeUl"])
    #expect(refusal?.violations.map(\.keyword) == ["/required", "/properties/volumeUl/maximum"])
    #expect(try await store.openStreams(shard: nil, after: nil, limit: 10).isEmpty)
    #expect(try await store.startKey(scope: "spec", key: "k") == nil)
    // The key is free, because nothing was stored.
    #expect(try await running.start(input: ["barcode": "T-1"], key: "k").isNew)
    await running.stop()
  }

  @Test("A start over Kafka is poison when its input doesn't meet the schema")
  func overKafka() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(Self.workflow(Self.schema), by: "test")
    let found = await poison(
      CommandTests.handlers(running), Form.plain.command("start", ["workflow": "spec", "input": "text"]))
    #expect(found?.code == EngineErrorCode.inputInvalid)
    #expect(found?.message.contains("the input is a string; the schema allows only an object") == true)
    await running.stop()
  }

  @Test(
    "A workflow that was stored with a schema of no use still runs; its schema refuses nothing, and the log says so")
  func stored() async throws {
    let environment = Environment.system
    let store = MemoryStore(environment: environment)
    let content = Self.workflow(#"{"pattern": "^(?!x)", "required": ["barcode"]}"#)
    try await store.own(shards: nil)
    let source = try JSON(parsing: content)
    _ = try await store.put(
      StoredDefinition(
        name: "spec", version: 1, digest: Digest.sha256(source.bytes(.canonical)), data: content, registeredBy: "old",
        registeredAt: environment.now()))
    let lines = Mutex<[String]>([])
    let engine = Engine(
      store: store, executor: ScriptedExecutor(), environment: environment,
      log: Log { level, message, values in
        lines.withLock { $0.append("\(level.rawValue) \(message) \(values.map { "\($0.0)=\($0.1)" })") }
      })
    let task = Task { try await engine.run() }
    try await engine.waitUntilReady()
    #expect(try await engine.start(StartRequest(workflow: "spec", input: [:], by: "test")).isNew)
    let line = try #require(lines.withLock { $0 }.first { $0.contains("schema") })
    #expect(line.hasPrefix("warning "))
    #expect(line.contains("code=\(SchemaErrorCode.unsupported)"), "\(line)")
    #expect(line.contains("schema=/inputSchema"), "\(line)")
    task.cancel()
    _ = await task.result
  }

  @Test("A saga that began before its schema was enforced goes on, and its repeated start finds it")
  func earlier() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Self.workflow(Self.schema), by: "test")
    let workflow = try running.engine.workflow("spec", version: nil)
    // An earlier version stored this start without a look at the schema.
    let id = running.engine.host.events.newStream(scope: "spec", key: "k", in: .system)
    _ = try await running.engine.host.start(
      SagaStart(
        id: id, workflow: "spec", version: 1, definitionDigest: workflow.digest, steps: ["w"], input: "text",
        deadline: Environment.system.now() + .seconds(300), idempotencyKey: "k", tags: [], by: "old"),
      definition: workflow.definition,
      key: NewStartKey(scope: "spec", key: "k", digest: Digest.sha256(JSON.string("text").bytes(.canonical))))
    let again = try await running.start(input: "text", key: "k")
    #expect(again.id == id && !again.isNew)
    _ = try await running.engine.signal(id, name: "go", body: 1, signalID: "s", by: "qa")
    #expect(try await running.end(of: id).status == .completed)
    await running.stop()
  }
}
