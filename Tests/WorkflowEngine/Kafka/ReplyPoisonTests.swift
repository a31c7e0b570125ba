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

@Suite("Answers over Kafka that are poison", .timeLimit(.minutes(15)), .inTurn)
struct ReplyPoisonTests {
  typealias Case = CommandPoisonTests.Case

  // MARK: Malformed

  private static let saga = CommandPoisonTests.saga
  private static let right = ["idempotency-key": "\(saga)/a/1", "saga-attempt": "1"]

  private static func malformed(_ what: String, _ body: JSON, _ headers: [String: String] = right, says: String...)
    -> Case
  {
    Case(what, Sent.message(body, topic: "saga.replies", headers: headers), EngineErrorCode.replyMalformed, says)
  }

  private static func member(_ what: String, _ name: String, _ value: JSON, of outcome: String = "failed", says: String)
    -> Case
  {
    var body: JSONObject = ["outcome": .string(outcome), "code": "NO"]
    body[name] = value
    return malformed(what, .object(body), says: "“\(name)”", says)
  }

  private static func key(_ what: String, _ key: String) -> Case {
    malformed(what, Answer.succeeded, ["idempotency-key": key, "saga-attempt": "1"], says: "SAGA/STEP/ROUND", key)
  }

  private static func attempt(_ what: String, _ attempt: String) -> Case {
    malformed(
      what, Answer.succeeded, ["idempotency-key": "\(saga)/a/1", "saga-attempt": attempt],
      says: "saga-attempt, a whole number from 1")
  }

  static let malformed: [Case] = [
    Case("no JSON", Sent.text("done", headers: right), MessagingErrorCode.messageNotJSON, says: "line 1"),
    Case("no value", Sent.bytes(nil, headers: right), MessagingErrorCode.messageNotJSON),
    Case(
      "more than a megabyte", Sent.bytes([UInt8](repeating: 0x20, count: (1 << 20) + 1), headers: right),
      MessagingErrorCode.messageTooLarge, says: "1048577"),
    Case(
      "framed, and no registry", Sent.bytes([0, 0, 0, 0, 1, 0x7B, 0x7D], headers: right),
      MessagingErrorCode.messageMalformed, says: "--schema-registry"),
    Case(
      "half a CloudEvent", Sent.message(Answer.succeeded, headers: right.merging(["ce_specversion": "1.0"]) { $1 }),
      MessagingErrorCode.messageMalformed, says: "“id”"),
    malformed("no object", [1], says: "not array"),
    malformed("no key", Answer.succeeded, ["saga-attempt": "1"], says: "no idempotency-key"),
    malformed(
      "a key of another type", ["outcome": "succeeded", "idempotencyKey": 1, "attempt": 1], [:],
      says: "“idempotencyKey”", "a string"),
    key("a key of nothing", ""), key("a key of somebody else's", "order-17"), key("a key without a round", "\(saga)/a"),
    key("a key of no saga", "S-1/a/1"), key("a key of round zero", "\(saga)/a/0"),
    key("a key of a round in words", "\(saga)/a/one"), key("a key with something behind it", "\(saga)/a/1/redo"),
    key("a key that goes on", "\(saga)/a/1/undo/undo"),
    malformed("no attempt", Answer.succeeded, ["idempotency-key": "\(saga)/a/1"], says: "saga-attempt"),
    attempt("attempt zero", "0"), attempt("an attempt in words", "first"), attempt("half an attempt", "1.5"),
    attempt("an attempt of nothing", ""), attempt("an attempt beyond all numbers", "99999999999999999999"),
    malformed("no outcome", .object([:]), says: "succeeded, failed, unknown and progress"),
    malformed("an outcome of another type", ["outcome": true], says: "succeeded, failed, unknown and progress"),
    malformed("an outcome in other words", ["outcome": "success"], says: "succeeded, failed, unknown and progress"),
    malformed("a failure without a code", ["outcome": "failed", "message": "no"], says: "“code”"),
    malformed("a failure with half a code", ["outcome": "unknown", "code": ""], says: "“code”"),
    malformed(
      "a failure with a code too long", ["outcome": "failed", "code": .string(String(repeating: "X", count: 201))],
      says: "1 to 200"),
    malformed("a number for a code", ["outcome": "failed", "code": 7], says: "“code”"),
    member("a text for gone", "gone", "true", says: "true or false"),
    member("a number for retryable", "retryable", 1, of: "unknown", says: "true or false"),
    member("a text for a wait", "retryAfterMs", "5000", says: "a whole number from 0"),
    member("a wait into the past", "retryAfterMs", -1, says: "a whole number from 0"),
    member("a wait of a part", "retryAfterMs", 0.5, says: "a whole number from 0"),
    member("a number for a message", "message", 1, says: "a string"),
    member("a text for a fraction", "fraction", "40 %", of: "progress", says: "a number"),
  ]

  @Test("Each answer is poison, with a reason that names the place", arguments: malformed)
  func isPoison(_ one: Case) async throws {
    let handlers = MessageHandlers { message in _ = try KafkaReply(await InboundMessage(message, unframe: nil)) }
    let found = await poison(handlers, one.message)
    #expect(found?.code == one.code)
    for part in one.says { #expect(found?.message.contains(part) ?? false, "\(found?.message ?? "") lacks \(part)") }
  }

  // MARK: Answers to nothing

  @Test("An answer for an unknown saga, an impossible saga or an unknown step is poison")
  func unknown() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"))
    let id = try await bench.start()
    let nobody = Environment.system.newID()
    let noSaga = await bench.poison(Answer.to(nobody, Answer.succeeded))
    #expect(noSaga?.code == EngineErrorCode.sagaNotFound && noSaga?.message.contains("\(nobody)") ?? false)
    let never = UniqueID.derived(from: "no saga's")
    #expect(await bench.poison(Answer.to(never, Answer.succeeded))?.code == EngineErrorCode.sagaNotFound)
    let noStep = await bench.poison(Answer.to(id, Answer.succeeded, step: "z"))
    #expect(noStep?.code == EngineErrorCode.stepUnknown && noStep?.message.contains("“z”") ?? false)
    #expect(try await bench.state(id).version == 2)
    await bench.close()
  }

  @Test("No message ends a step that sends no command: a call, a signal, a delay, or an undo by a call")
  func otherKinds() async throws {
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let environment = Environment.system
    let store = MemoryStore(environment: environment)
    let running = try await RunningEngine(
      store,
      ScriptedExecutor { _ in
        for await _ in gate { break }
        return .unknown(StepFailure(code: "LOST", message: "lost"))
      })
    let kafka = try KafkaStepExecutor(
      cluster: KafkaCluster(brokers: "127.0.0.1:1"), services: [], replyTopic: "r", clock: environment.clock)
    let handlers = KafkaReplies(engine: running.engine, executor: kafka, unframe: nil, log: .silent).handlers
    let once = #""retry": {"maxAttempts": 1}"#
    let alone = #""dependsOn": []"#
    _ = try await running.engine.register(
      Workflow.of(
        Workflow.step("call", once),
        #"{"id": "signal", \#(alone), "timeout": "1m", "signal": {"name": "go"}}"#,
        #"{"id": "delay", \#(alone), "delay": {"for": "1m"}}"#,
        #"""
        {"id": "command", \#(alone), "kafka": {"service": "lab", "command": "make"}, \#(once),
         "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/a"}, \#(Workflow.quick)}}
        """#), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, step: "delay", toBe: .waiting)
    let before = try await running.engine.saga(id).state
    for step in ["call", "signal", "delay"] {
      let found = await poison(handlers, Answer.to(id, Answer.succeeded, step: step))
      #expect(found?.code == EngineErrorCode.replyMalformed && found?.message.contains("step \(step)") ?? false)
    }
    #expect(
      await poison(handlers, Answer.to(id, Answer.progress, step: "call"))?.code == EngineErrorCode.replyMalformed)
    let undo = await poison(handlers, Answer.to(id, Answer.succeeded, step: "command", undo: true))
    #expect(undo?.code == EngineErrorCode.replyMalformed && undo?.message.contains("undo of step command") ?? false)
    #expect(try await running.engine.saga(id).state == before)
    open.finish()
    await running.stop()
    await kafka.close()
  }

  @Test("An answer is not poison when the store is unavailable; a retry records it")
  func storeAway() async throws {
    let clock = FakeClock()
    let store = MoodyStore(MemoryStore(environment: .fake(clock: clock)))
    let bench = try await ReplyBench(ReplyBench.kafka("a"), ReplyBench.kafka("b"), store: store, clock: clock)
    let id = try await bench.start()
    store.refuseAppends(1)
    let message = Answer.to(id, Answer.succeeded)
    let error = await #expect(throws: StoreError.self) { try await bench.answer(message) }
    #expect(error?.kind == .outcomeUnknown)
    // The engine appends it again after a short time. Until then each caller gets the same error.
    let again = clock.now() + .milliseconds(50)
    await clock.waitForSleepers { $0.contains(again) }
    clock.advance(to: again)
    try await bench.underWay(id, "b")
    try await bench.answer(message)
    #expect(try await bench.ignored(id)?.why == .repeated)
    await bench.close()
  }

  // MARK: Ended sagas

  @Test("For an ended saga a recorded answer is a harmless repeat, and a new answer is poison")
  func ended() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a", ReplyBench.quick), ReplyBench.kafka("b"))
    let id = try await bench.start()
    func retried(_ code: JSON) -> JSON { ["outcome": "failed", "code": code, "retryable": true] }
    // 1. Two refusals, a late answer, progress, success; then a refusal of the next step, and the undo.
    let recorded = [
      Answer.to(id, retried("FIRST"), number: 1),
      Answer.to(id, retried("SECOND"), attempt: 2, number: 2),
      Answer.to(id, Answer.failed, attempt: 1, number: 3),
      Answer.to(id, Answer.progress, attempt: 3, number: 4),
      Answer.to(id, Answer.succeeded, attempt: 3, number: 5),
      Answer.to(id, Answer.unknown, step: "b", number: 6),
      Answer.to(id, ["outcome": "succeeded"], step: "b", undo: true, number: 7),
      Answer.to(id, Answer.gone, undo: true, number: 8),
    ]
    let underWay: [(String, StepPhase, Int)?] = [
      ("a", .forward, 1), ("a", .forward, 2), ("a", .forward, 3), nil, nil, ("b", .forward, 1), ("b", .undo, 1),
      ("a", .undo, 1),
    ]
    for (message, attempt) in zip(recorded, underWay) {
      if let (step, phase, number) = attempt {
        if let due = try await bench.state(id).step(step)?.retryAt { bench.clock.advance(to: due) }
        try await bench.underWay(id, step, phase, attempt: number)
      }
      try await bench.answer(message)
    }
    let end = try await bench.running.end(of: id)
    #expect(end.status == .compensated)
    // 2. Each again: to a saga that has left memory, as after a restart.
    for message in recorded { try await bench.answer(message) }
    #expect(try await bench.state(id) == end)
    // 3. News.
    let news = [
      Answer.to(id, retried("THIRD"), number: 1),
      Answer.to(id, retried("FIRST"), attempt: 2, number: 1),
      Answer.to(id, Answer.failed, attempt: 1, number: 9),
      Answer.to(id, ["outcome": "progress", "message": "frozen"], attempt: 3, number: 4),
      Answer.to(id, ["outcome": "succeeded", "output": ["n": 2]], attempt: 3, number: 5),
      Answer.to(id, Answer.succeeded, round: 2, number: 5),
      Answer.to(id, Answer.succeeded, step: "b", number: 6),
      Answer.to(id, Answer.failed, step: "b", undo: true, number: 7),
      Answer.to(id, Answer.failed, undo: true, number: 8),
    ]
    for message in news {
      #expect(
        await bench.poison(message)?.code == EngineErrorCode.sagaEnded, "\(message.header("idempotency-key") ?? "")")
    }
    #expect(try await bench.state(id) == end)
    await bench.close()
  }

  @Test("Answers for a saga whose history can't be read are poison")
  func unreadable() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"))
    let stream = Environment.system.newID()
    _ = try await bench.store.append(
      Append(
        stream: stream, expectedVersion: 0,
        events: [NewEvent(type: "fromElsewhere", data: Array("{}".utf8), meta: Array(#"{"schema":1}"#.utf8))],
        appendID: Environment.system.newID()))
    #expect(await bench.poison(Answer.to(stream, Answer.succeeded))?.code == EngineErrorCode.eventUnreadable)
    await bench.close()
  }
}
