import JSON
import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Commands over Kafka that are poison", .timeLimit(.minutes(15)), .inTurn)
struct CommandPoisonTests {
  /// A message, the code that it is refused with, and what the reason says.
  struct Case: Sendable, CustomTestStringConvertible {
    let what: String
    let message: KafkaMessage
    let code: String
    let says: [String]
    var testDescription: String { what }

    init(_ what: String, _ message: KafkaMessage, _ code: String, says: String...) {
      self.init(what, message, code, says)
    }

    init(_ what: String, _ message: KafkaMessage, _ code: String, _ says: [String]) {
      self.what = what
      self.message = message
      self.code = code
      self.says = says
    }
  }

  // MARK: No command at all

  private static let event = ["ce_specversion": "1.0", "ce_id": "1", "ce_source": "/lims"]

  static let envelopes: [Case] = [
    Case("cut off", Sent.text(#"{"command": "start", "#), MessagingErrorCode.messageNotJSON, says: "line 1, column 22"),
    Case("two values", Sent.text(#"{"command": "start"} {}"#), MessagingErrorCode.messageNotJSON, says: "line 1"),
    Case("no UTF-8", Sent.bytes([0x22, 0xFF, 0x22]), MessagingErrorCode.messageNotJSON, says: "line 1"),
    Case("a member twice", Sent.text(#"{"command": "a", "command": "b"}"#), MessagingErrorCode.messageNotJSON),
    Case(
      "too deep", Sent.text(String(repeating: "[", count: 5_000) + String(repeating: "]", count: 5_000)),
      MessagingErrorCode.messageNotJSON),
    Case("empty", Sent.text(""), MessagingErrorCode.messageNotJSON),
    Case("no value", Sent.bytes(nil), MessagingErrorCode.messageNotJSON),
    Case("an array", Sent.text("[1]"), EngineErrorCode.commandInvalid, says: "no CloudEvent", "“command”"),
    Case("no command", Sent.text(#"{"workflow": "spec"}"#), EngineErrorCode.commandInvalid, says: "“command”"),
    Case("a number as command", Sent.text(#"{"command": 1}"#), EngineErrorCode.commandInvalid, says: "“command”"),
    Case(
      "an unknown command", Sent.text(#"{"command": "stop"}"#), MessagingErrorCode.messageUnknownType,
      says: "saga.stop”", "saga.cancel, dev.tracseq.saga.signal, dev.tracseq.saga.start"),
    Case(
      "an event of somebody else's",
      Sent.message(
        .object([:]), headers: event.merging(["ce_type": "com.example.order"]) { $1 }),
      MessagingErrorCode.messageUnknownType, says: "“com.example.order”", "dev.tracseq.saga.start"),
    Case(
      "an event that is no command",
      Sent.message(.object([:]), headers: event.merging(["ce_type": "dev.tracseq.saga.reply"]) { $1 }),
      MessagingErrorCode.messageUnknownType, says: "saga.reply”"),
    Case(
      "an event whose data is no object",
      Sent.message([1], headers: event.merging(["ce_type": "dev.tracseq.saga.start"]) { $1 }),
      EngineErrorCode.commandInvalid, says: "not array"),
    Case(
      "an event without an id",
      Sent.message(
        .object([:]),
        headers: ["ce_specversion": "1.0", "ce_source": "/lims", "ce_type": "dev.tracseq.saga.start"]),
      MessagingErrorCode.messageMalformed, says: "“id”"),
    Case(
      "an event of another version",
      Sent.message(
        .object([:]), headers: event.merging(["ce_specversion": "0.3", "ce_type": "dev.tracseq.saga.start"]) { $1 }),
      MessagingErrorCode.messageMalformed, says: "“0.3”"),
    Case(
      "a structured event that is no JSON", Sent.text("{", headers: ["content-type": "application/cloudevents+json"]),
      MessagingErrorCode.messageNotJSON, says: "line 1"),
    Case(
      "a structured event with its data in base64",
      Sent.text(
        #"{"specversion": "1.0", "id": "1", "source": "/s", "type": "dev.tracseq.saga.start", "data_base64": "e30="}"#,
        headers: ["content-type": "application/cloudevents+json"]), MessagingErrorCode.messageMalformed,
      says: "data_base64"),
    Case(
      "more than a megabyte", Sent.bytes([UInt8](repeating: 0x20, count: 1 << 20) + Array("1".utf8)),
      MessagingErrorCode.messageTooLarge, says: "1048577 bytes", "1048576"),
    Case(
      "framed, and no registry", Sent.bytes([0, 0, 0, 0, 1] + Array("{}".utf8)), MessagingErrorCode.messageMalformed,
      says: "--schema-registry"),
  ]

  // MARK: Members

  private static func start(_ what: String, _ members: JSONObject, says: String...) -> Case {
    var all: JSONObject = ["workflow": "spec", "input": .object([:])]
    for (name, value) in members { all[name] = value }
    return Case(what, Form.plain.command("start", all), EngineErrorCode.commandInvalid, says)
  }

  static let saga = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"
  private static let long = String(repeating: "x", count: 256)

  static let members: [Case] = [
    start("a member too many", ["inputs": 1], says: "/inputs: unknown", "by, input, key, tags, version, workflow"),
    Case(
      "nothing but the command", Form.binary.command("start", [:]), EngineErrorCode.commandInvalid,
      says: "/workflow: is required", "/input: is required"),
    start("null for a workflow", ["workflow": .null], says: "/workflow: is required"),
    start("a number for a workflow", ["workflow": 1], says: "/workflow: must be a string of 1 to 255"),
    start("no letter for a workflow", ["workflow": ""], says: "/workflow: must be"),
    start("a text for a version", ["version": "1"], says: "/version: must be a whole number from 1"),
    start("version zero", ["version": 0], says: "/version"),
    start("half a version", ["version": 1.5], says: "/version"),
    start("a key with a space", ["key": "R 17"], says: "/key: must be 1 to 255 visible ASCII characters"),
    start("a key beyond ASCII", ["key": "größe"], says: "/key"),
    start("a key of nothing", ["key": ""], says: "/key"),
    start("a key too long", ["key": .string(long)], says: "/key"),
    start("a number for a key", ["key": 17], says: "/key"),
    start("a text for tags", ["tags": "ward-3"], says: "/tags: must be up to 16 strings of 1 to 100"),
    start("a number among tags", ["tags": ["a", 1]], says: "/tags"),
    start("an empty tag", ["tags": [""]], says: "/tags"),
    start("a tag too long", ["tags": [.string(long)]], says: "/tags"),
    start("tags too many", ["tags": .array(Array(repeating: "t", count: 17))], says: "/tags"),
    start("a number for a person", ["by": 1], says: "/by"),
    start("a person too long", ["by": .string(long)], says: "/by"),
    start(
      "everything wrong at once", ["version": 0, "key": "ü", "tags": 1, "more": 1], says: "/more", "/version", "/key",
      "/tags"),
    Case(
      "a signal to nobody", Form.plain.command("signal", ["signal": "go"]), EngineErrorCode.commandInvalid,
      says: "/saga: is required"),
    Case(
      "a saga that is no id", Form.binary.command("signal", ["saga": "S-1", "signal": "go"]),
      EngineErrorCode.commandInvalid, says: "/saga: must be a saga's id, a UUID"),
    Case(
      "a number for a saga", Form.structured.command("cancel", ["saga": 1, "reason": "r"]),
      EngineErrorCode.commandInvalid, says: "/saga"),
    Case(
      "no signal", Form.plain.command("signal", ["saga": .string(saga)]), EngineErrorCode.commandInvalid,
      says: "/signal: is required"),
    Case(
      "a misspelt body", Form.plain.command("signal", ["saga": .string(saga), "signal": "go", "boddy": 1]),
      EngineErrorCode.commandInvalid, says: "/boddy: unknown; there is body, by, key, saga, signal, workflow"),
    Case(
      "no reason", Form.plain.command("cancel", ["saga": .string(saga)]), EngineErrorCode.commandInvalid,
      says: "/reason: is required"),
    Case(
      "an endless reason",
      Form.plain.command("cancel", ["saga": .string(saga), "reason": .string(String(repeating: "r", count: 2_001))]),
      EngineErrorCode.commandInvalid, says: "/reason", "2000"),
  ]

  // MARK: What the engine refuses

  static let refused: [Case] = [
    Case(
      "an unknown workflow", Form.plain.command("start", ["workflow": "nothing", "input": 1]),
      EngineErrorCode.workflowNotFound, says: "“nothing”"),
    Case(
      "an unknown version", Form.binary.command("start", ["workflow": "spec", "version": 9, "input": 1]),
      EngineErrorCode.workflowNotFound, says: "version 9"),
    Case(
      "a key of another input", Form.structured.command("start", ["workflow": "spec", "input": 2, "key": "taken"]),
      EngineErrorCode.sagaStartKeyReused, says: "taken"),
    Case(
      "a signal to an unknown saga", Form.plain.command("signal", ["saga": .string(saga), "signal": "go"]),
      EngineErrorCode.sagaNotFound, says: saga),
    // A store would refuse such an id as an invalid question.
    Case(
      "a signal to what can be no saga",
      Form.plain.command("signal", ["saga": "5b40865d-e4dc-43f2-8d30-c0c0f8f78473", "signal": "go"]),
      EngineErrorCode.sagaNotFound, says: "5b40865d-e4dc-43f2-8d30-c0c0f8f78473"),
    Case(
      "a cancel of what can be no saga",
      Form.plain.command("cancel", ["saga": "00000000-0000-0000-0000-000000000000", "reason": "r"]),
      EngineErrorCode.sagaNotFound),
    Case(
      "an unknown signal", Form.plain.command("signal", ["saga": "SAGA", "signal": "stop"]),
      EngineErrorCode.signalUnknown, says: "“stop”", "go"),
    Case(
      "no reason but space", Form.binary.command("cancel", ["saga": "SAGA", "reason": " \n"]),
      EngineErrorCode.sagaReasonMissing),
  ]

  @Test(
    "Each command is poison, with a code and a reason that names the place",
    arguments: envelopes + members + refused)
  func isPoison(_ one: Case) async throws {
    let store = MemoryStore(environment: .system)
    let running = try await CommandTests.engine(on: store)
    let known = try await running.start(input: 1, key: "taken").id
    let value = one.message.value.map {
      Array(String(decoding: $0, as: UTF8.self).replacing("SAGA", with: "\(known)").utf8)
    }
    let isText = one.message.value.map { String(validating: $0, as: UTF8.self) != nil } ?? true
    let message = KafkaMessage(
      topic: one.message.topic, partition: 0, offset: 0, value: isText ? value : one.message.value,
      headers: one.message.headers)
    let found = await poison(CommandTests.handlers(running), message)
    #expect(found?.code == one.code)
    for part in one.says { #expect(found?.message.contains(part) ?? false, "\(found?.message ?? "") lacks \(part)") }
    try await running.engine.waitUntilListed()
    #expect(try await running.engine.list(SagaListRequest(limit: 9)).sagas.map(\.id) == [known])
    await running.stop()
  }

  @Test("A command of a megabyte is accepted")
  func largest() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await CommandTests.engine(on: store)
    let head = #"{"command": "start", "workflow": "spec", "key": "large", "input": ""#
    let fill = String(repeating: "x", count: (1 << 20) - head.utf8.count - 2)
    try await CommandTests.handlers(running).handle(Sent.text(head + fill + #""}"#))
    #expect(try await store.startKey(scope: "spec", key: "large") != nil)
    await running.stop()
  }

  @Test("Commands for a saga whose history can't be read are poison")
  func unreadable() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await CommandTests.engine(on: store)
    let stream = Environment.system.newID()
    _ = try await store.append(
      Append(
        stream: stream, expectedVersion: 0,
        events: [NewEvent(type: "fromElsewhere", data: Array("{}".utf8), meta: Array(#"{"schema":1}"#.utf8))],
        appendID: Environment.system.newID()))
    let found = await poison(
      CommandTests.handlers(running), Form.plain.command("signal", ["saga": .string("\(stream)"), "signal": "go"]))
    #expect(found?.code == EngineErrorCode.eventUnreadable)
    await running.stop()
  }
}
