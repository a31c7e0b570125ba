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

@Suite("Commands over Kafka", .timeLimit(.minutes(15)), .inTurn)
struct CommandTests {
  static let workflow = Workflow.of(
    Workflow.step("a"), #"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b"))

  static func engine(on store: any EventStore) async throws -> RunningEngine {
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(workflow, by: "test")
    return running
  }

  static func handlers(_ running: RunningEngine) -> MessageHandlers {
    KafkaCommands(engine: running.engine, unframe: nil).handlers
  }

  private func sagas(_ running: RunningEngine) async throws -> [UniqueID] {
    try await running.engine.waitUntilListed()
    return try await running.engine.list(SagaListRequest(limit: 100)).sagas.map(\.id)
  }

  /// Waits until the step is in a status.
  private func wait(_ running: RunningEngine, _ id: UniqueID, _ step: String, _ status: StepStatus) async throws {
    try await running.engine.wait(for: id, step: step, toBe: status)
  }

  @Test(
    "A repeated start makes one saga: repeated at once, after its end, and to a new engine", arguments: Form.allCases)
  func start(form: Form) async throws {
    let store = MemoryStore(environment: .system)
    let first = try await Self.engine(on: store)
    let message = form.command(
      "start", ["workflow": "spec", "version": 1, "input": ["n": 1], "tags": ["ward-3", "urgent"]], number: 7)
    for _ in 0..<2 { try await Self.handlers(first).handle(message) }
    let id = try #require(try await sagas(first).first)
    #expect(try await sagas(first).count == 1)
    let start = try await first.engine.saga(id).state.start
    #expect(start.input == ["n": 1] && start.tags == ["ward-3", "urgent"] && start.version == 1)
    #expect(start.by == form.sender && start.from == "kafka saga.commands")
    #expect(start.idempotencyKey == (form == .plain ? "kafka message saga.commands/3/7" : "kafka event /lims m-7"))

    _ = try await first.engine.signal(id, name: "go", body: .null, signalID: nil, by: "qa")
    let ended = try await first.end(of: id)
    try await Self.handlers(first).handle(message)
    await first.stop()
    let second = try await Self.engine(on: store)
    try await Self.handlers(second).handle(message)
    #expect(try await sagas(second) == [id])
    #expect(try await second.engine.saga(id).state == ended, "and it changed nothing")
    await second.stop()
  }

  @Test("Many concurrent deliveries of a start make one saga")
  func atOnce() async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    let message = Form.binary.command("start", ["workflow": "spec", "input": .null])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<20 { group.addTask { try await handlers.handle(message) } }
      try await group.waitForAll()
    }
    #expect(try await sagas(running).count == 1)
    await running.stop()
  }

  @Test("A CloudEvent is recognised by source and id, and plain JSON by its place in the topic")
  func identity() async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    let members: JSONObject = ["workflow": "spec", "input": .null]
    let event = Form.binary.command("start", members, number: 1)
    let sentAgain = KafkaMessage(
      topic: "saga.commands", partition: 5, offset: 99, value: event.value, headers: event.headers)
    for message in [event, sentAgain] { try await handlers.handle(message) }
    #expect(try await sagas(running).count == 1)
    // The same event in the other mode is the same event.
    try await handlers.handle(Form.structured.command("start", members, number: 1))
    #expect(try await sagas(running).count == 1)
    // Another source may use the same ids.
    try await handlers.handle(Form.binary.command("start", members, number: 1, source: "/other"))
    for place in 1...2 { try await handlers.handle(Form.plain.command("start", members, number: place)) }
    #expect(try await sagas(running).count == 4)
    await running.stop()
  }

  @Test("An identity is short, belongs to one message, and is never equal to a key that a caller chooses")
  func longIdentity() async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    let members: JSONObject = ["workflow": "spec", "input": .null]
    let long = String(repeating: "x", count: 300)
    for source in ["/a source", "/größe", long, long + "y"] {
      for _ in 0..<2 { try await handlers.handle(Form.binary.command("start", members, source: source)) }
    }
    #expect(try await sagas(running).count == 4)
    for id in try await sagas(running) {
      let key = try #require(try await running.engine.saga(id).state.start.idempotencyKey)
      #expect(key.utf8.count <= 255 && key.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "\(key)")
      #expect(key.contains(" "), "\(key)")
    }
    await running.stop()
  }

  @Test("A key belongs to one saga, over Kafka and REST; the named user wins over the sender")
  func sharedKey() async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    let overREST = try await running.start(input: ["n": 1], key: "R-17")
    try await handlers.handle(
      Form.plain.command("start", ["workflow": "spec", "input": ["n": 1], "key": "R-17", "by": "mia"], number: 4))
    #expect(try await sagas(running) == [overREST.id])
    #expect(try await running.engine.saga(overREST.id).state.start.by == "test")

    let message = Form.binary.command(
      "start", ["workflow": "spec", "input": ["n": 2], "key": "R-18", "by": "mia"], number: 5)
    try await handlers.handle(message)
    let again = try await running.start(input: ["n": 2], key: "R-18")
    #expect(!again.isNew)
    #expect(try await running.engine.saga(again.id).state.start.by == "mia")
    let refused = await poison(
      handlers, Form.plain.command("start", ["workflow": "spec", "input": ["n": 3], "key": "R-18"], number: 6))
    #expect(refused?.code == EngineErrorCode.sagaStartKeyReused && refused?.message.contains("R-18") ?? false)
    await running.stop()
  }

  @Test("A signal and a cancel name a saga by the key of its start")
  func byKey() async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    for key in ["R-1", "R-2"] { _ = try await running.start(key: key) }
    let first = try await running.engine.saga(of: "spec", startedBy: "R-1")
    let second = try await running.engine.saga(of: "spec", startedBy: "R-2")
    try await wait(running, first, "w", .waiting)
    try await wait(running, second, "w", .waiting)
    try await handlers.handle(
      Form.plain.command("signal", ["workflow": "spec", "key": "R-1", "signal": "go"], number: 1))
    #expect(try await running.end(of: first).status == .completed)
    try await handlers.handle(
      Form.plain.command("cancel", ["workflow": "spec", "key": "R-2", "reason": "wrong tube"], number: 2))
    #expect(try await running.end(of: second).status == .compensated)
    let unknown = await poison(
      handlers, Form.plain.command("signal", ["workflow": "spec", "key": "R-3", "signal": "go"], number: 3))
    #expect(unknown?.code == EngineErrorCode.sagaNotFound)
    for members: JSONObject in [
      ["workflow": "spec", "signal": "go"], ["key": "R-1", "signal": "go"],
      ["saga": .string(first.description), "key": "R-1", "signal": "go"],
    ] {
      let wrong = await poison(handlers, Form.plain.command("signal", members, number: 4))
      #expect(wrong?.code == EngineErrorCode.commandInvalid, "\(members)")
    }
    await running.stop()
  }

  @Test(
    "A repeated signal is taken once: repeated at once, after the end, and to a new engine",
    arguments: Form.allCases)
  func signal(form: Form) async throws {
    let store = MemoryStore(environment: .system)
    let first = try await Self.engine(on: store)
    let id = try await first.start().id
    try await wait(first, id, "w", .waiting)
    let message = form.command(
      "signal", ["saga": .string("\(id)"), "signal": "go", "body": ["approved": true]], number: 2)
    for _ in 0..<2 { try await Self.handlers(first).handle(message) }
    let ended = try await first.end(of: id)
    #expect(ended.status == .completed && ended.step("w")?.output == ["approved": true])
    #expect(ended.signals.count == 1 && ended.signals.first?.by == form.sender)
    #expect(ended.signals.first?.id == (form == .plain ? "kafka message saga.commands/3/2" : "kafka event /lims m-2"))
    try await Self.handlers(first).handle(message)
    await first.stop()
    let second = try await Self.engine(on: store)
    try await Self.handlers(second).handle(message)
    #expect(try await second.engine.saga(id).state == ended)
    await second.stop()
  }

  @Test(
    "A signal that asks for a laboratory role needs one of the topic's, unless no sender is compared",
    arguments: [([], false), (["night"], false), (["night", "qa"], true), (nil, true)] as [([String]?, Bool)])
  func labRoles(of topic: [String]?, isTaken: Bool) async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(#"{"id": "w", "signal": {"name": "go", "roles": ["qa"]}}"#), by: "test")
    let id = try await running.start().id
    try await wait(running, id, "w", .waiting)
    let handlers = KafkaCommands(engine: running.engine, unframe: nil, labRoles: topic).handlers
    let message = Form.plain.command("signal", ["saga": .string("\(id)"), "signal": "go"])
    if isTaken {
      try await handlers.handle(message)
      #expect(try await running.end(of: id).signals.count == 1)
    } else {
      #expect(await poison(handlers, message)?.code == EngineErrorCode.signalRoleMissing)
      #expect(try await running.engine.saga(id).state.signals.isEmpty)
    }
    await running.stop()
  }

  @Test("A signal that comes early is kept; one without a body is null; another message is another signal")
  func earlySignal() async throws {
    let running = try await RunningEngine(
      MemoryStore(environment: .system),
      ScriptedExecutor { _ in .failed(StepFailure(code: "LATER", message: "later", isRetryable: true)) })
    let never = #""retry": {"maxAttempts": 2, "initialInterval": "1h"}"#
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a", never), #"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    let handlers = Self.handlers(running)
    let message = Form.plain.command("signal", ["saga": .string("\(id)"), "signal": "go", "by": "mia"])
    for _ in 0..<2 { try await handlers.handle(message) }
    let kept = try await running.engine.saga(id).state.signals
    #expect(kept.count == 1 && kept[0].body == .null && kept[0].by == "mia" && kept[0].from == "kafka saga.commands")
    try await handlers.handle(
      Form.plain.command("signal", ["saga": .string("\(id)"), "signal": "go", "body": 1], number: 1))
    #expect(try await running.engine.saga(id).state.signals.map(\.fate) == [.kept, .kept])
    await running.stop()
  }

  @Test("A late repeat of a signal after a rewind counts for nothing, and another body under its identity is poison")
  func signalAfterRewind() async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    let id = try await running.start().id
    try await wait(running, id, "w", .waiting)
    func signal(_ body: JSON) -> KafkaMessage {
      Form.binary.command("signal", ["saga": .string("\(id)"), "signal": "go", "body": body], number: 8)
    }
    _ = try await running.engine.operate(id, OperatorRequest(.pause, by: OperatorAct(by: "op", reason: "look")))
    try await handlers.handle(signal(1))
    try await wait(running, id, "w", .succeeded)
    _ = try await running.engine.operate(
      id, OperatorRequest(.rewind(step: "w"), by: OperatorAct(by: "op", reason: "the wrong plate")))
    _ = try await running.engine.operate(id, OperatorRequest(.resume, by: OperatorAct(by: "op", reason: "go on")))
    try await wait(running, id, "w", .waiting)
    try await handlers.handle(signal(1))
    #expect(try await running.engine.saga(id).state.step("w")?.status == .waiting)
    #expect(await poison(handlers, signal(2))?.code == EngineErrorCode.commandReused)
    #expect(try await running.engine.saga(id).state.step("w")?.status == .waiting)
    await running.stop()
  }

  @Test("The identity of a message is never equal to an idempotency key of the REST API", arguments: Form.allCases)
  func otherKeySpace(form: Form) async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    let former = form == .plain ? "kafka:saga.commands/3/7" : "kafka:/lims#m-7"
    // Somebody's key over REST has the form that older versions gave an identity.
    let overREST = try await running.engine.start(
      StartRequest(workflow: "spec", input: ["n": 1], idempotencyKey: former, by: "eve", from: "rest 10.0.0.7"))
    try await handlers.handle(form.command("start", ["workflow": "spec", "input": ["n": 1]], number: 7))
    #expect(try await sagas(running).count == 2)
    try await wait(running, overREST.id, "w", .waiting)
    _ = try await running.engine.signal(
      overREST.id, SignalGiven(name: "go", id: former, body: 1, by: "eve", from: "rest 10.0.0.7"))
    let other = await poison(
      handlers, form.command("signal", ["saga": .string("\(overREST.id)"), "signal": "go", "body": 1], number: 7))
    #expect(other?.code == EngineErrorCode.signalTooLate || other?.code == EngineErrorCode.sagaEnded, "no repeat")
    await running.stop()
  }

  @Test(
    "A start, a signal and a cancel that an older version took are recognised after the upgrade",
    arguments: Form.allCases)
  func upgraded(form: Form) async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    func former(_ number: Int) -> String {
      form == .plain ? "kafka:saga.commands/3/\(number)" : "kafka:/lims#m-\(number)"
    }
    // An older version said nothing of the way.
    let old = try await running.engine.start(
      StartRequest(workflow: "spec", input: ["n": 1], idempotencyKey: former(7), tags: ["ward-3"], by: form.sender))
    let members: JSONObject = ["workflow": "spec", "input": ["n": 1], "tags": ["ward-3"]]
    try await handlers.handle(form.command("start", members, number: 7))
    #expect(try await sagas(running) == [old.id])
    var other = members
    other["tags"] = ["ward-4"]
    #expect(
      await poison(handlers, form.command("start", other, number: 7))?.code == EngineErrorCode.sagaStartKeyReused)

    try await wait(running, old.id, "w", .waiting)
    _ = try await running.engine.signal(old.id, name: "go", body: 1, signalID: former(8), by: form.sender)
    try await handlers.handle(
      form.command("signal", ["saga": .string("\(old.id)"), "signal": "go", "body": 1], number: 8))
    #expect(try await running.engine.saga(old.id).state.signals.count == 1)

    let second = try await running.start().id
    try await wait(running, second, "w", .waiting)
    _ = try await running.engine.cancel(second, by: form.sender, reason: "wrong tube", commandID: former(9))
    try await handlers.handle(
      form.command("cancel", ["saga": .string("\(second)"), "reason": "wrong tube"], number: 9))
    await running.stop()
  }

  @Test("A message at the same place in a topic that was created again is another message")
  func topicMadeAgain() async throws {
    let running = try await Self.engine(on: MemoryStore(environment: .system))
    let handlers = Self.handlers(running)
    for moment in [1_000, 2_000, 2_000] {
      let message = Form.plain.command("start", ["workflow": "spec", "input": .null], number: 1)
      try await handlers.handle(
        KafkaMessage(
          topic: message.topic, partition: message.partition, offset: message.offset, key: message.key,
          value: message.value, headers: message.headers, timestamp: Timestamp(milliseconds: Int64(moment))))
    }
    #expect(try await sagas(running).count == 2)
    await running.stop()
  }

  @Test("Different pairs of source and id have different identities, whatever characters they contain")
  func ambiguous() async throws {
    let pairs = [
      ("/a#b", "c"), ("/a", "b#c"), ("/a%23b", "c"), ("/a", "b c"), ("/a b", "c"), ("/a%20b", "c"), ("/a\u{301}", "b"),
      ("/a#\u{301}x", "y"), ("/a", "\u{301}x#y"), ("/e\u{301}", "1"), ("/\u{e9}", "1"),
    ]
    var identities: Set<[UInt8]> = []
    for (source, id) in pairs {
      let message = Sent.message(
        .null, headers: ["ce_specversion": "1.0", "ce_id": id, "ce_source": source, "ce_type": "t"])
      identities.insert(Array(try await InboundMessage(message, unframe: nil).identity.utf8))
      let event = CloudEvent(id: id, source: source, type: "t", data: [])
      identities.insert(Array(event.identity.utf8))
    }
    #expect(identities.count == 2 * pairs.count)
  }

  @Test(
    "A repeated cancel starts compensation once: repeated at once, after the end, and to a new engine",
    arguments: Form.allCases)
  func cancel(form: Form) async throws {
    let store = MemoryStore(environment: .system)
    let first = try await Self.engine(on: store)
    let id = try await first.start().id
    try await wait(first, id, "w", .waiting)
    let message = form.command("cancel", ["saga": .string("\(id)"), "reason": "wrong tube"], number: 3)
    for _ in 0..<2 { try await Self.handlers(first).handle(message) }
    let ended = try await first.end(of: id)
    #expect(ended.status == .compensated && ended.step("a")?.status == .undone)
    #expect(ended.turnBack?.value.by == form.sender && ended.turnBack?.value.reason == "wrong tube")
    #expect(ended.turnBack?.value.from == "kafka saga.commands")
    try await Self.handlers(first).handle(message)
    await first.stop()
    let second = try await Self.engine(on: store)
    try await Self.handlers(second).handle(message)
    #expect(try await second.engine.saga(id).state == ended)
    let another = await poison(
      Self.handlers(second), form.command("cancel", ["saga": .string("\(id)"), "reason": "no more"], number: 4))
    #expect(another?.code == EngineErrorCode.sagaEnded)
    await second.stop()
  }
}
