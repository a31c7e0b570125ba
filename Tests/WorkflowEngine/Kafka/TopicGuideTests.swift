import Foundation
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

/// The commands of `docs/kafka.md` are understood by the engine.
@Suite("The guide to the topics", .timeLimit(.minutes(15)), .inTurn)
struct TopicGuideTests {
  static let guide = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("docs/kafka.md")
  static let example = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"

  /// Every `kcat -P … <<'END'` of the guide, as the message that it sends.
  static func messages() throws -> [KafkaMessage] {
    let text = try String(contentsOf: guide, encoding: .utf8)
    var messages: [KafkaMessage] = []
    for match in text.replacing("\\\n", with: " ").matches(of: /kcat -P ([^\n]*)<<'END'\n(.*)\nEND\n/) {
      var words = match.1.split(separator: " ").map(String.init)[...]
      var (topic, key): (String, String?) = ("", nil)
      var headers: [KafkaHeader] = []
      while let word = words.popFirst() {
        let value = words.popFirst() ?? ""
        switch word {
        case "-b": continue
        case "-t": topic = value
        case "-k": key = value
        case "-H":
          let pair = value.split(separator: "=", maxSplits: 1).map(String.init)
          headers.append(KafkaHeader(pair[0], pair[1]))
        default: Issue.record("kcat knows no \(word) here")
        }
      }
      messages.append(
        KafkaMessage(
          topic: topic, partition: 0, offset: Int64(messages.count), key: key.map { Array($0.utf8) },
          value: Array(match.2.utf8), headers: headers))
    }
    return messages
  }

  @Test("The guide's commands start, signal and cancel a saga")
  func commands() async throws {
    let running = try await RunningEngine(MemoryStore(environment: .system), ScriptedExecutor())
    let workflow = #"""
      {"name": "release-report", "version": 1, "timeout": "1h",
       "steps": [{"id": "approve", "timeout": "30m", "signal": {"name": "approval"}},
                 {"id": "wait", "delay": {"for": "30m"}}]}
      """#
    _ = try await running.engine.register(Array(workflow.utf8), by: "test")
    let handlers = KafkaCommands(engine: running.engine, unframe: nil).handlers
    let messages = try Self.messages()
    #expect(messages.count == 4)
    for message in messages.prefix(2) { try await handlers.handle(message) }
    // Delivered again, they start nothing.
    for message in messages.prefix(2) { try await handlers.handle(message) }
    let id = try await running.engine.start(
      StartRequest(
        workflow: "release-report", input: ["report": "R-2026-17"], idempotencyKey: "R-2026-17", by: "test"))
    #expect(!id.isNew)
    let started = try await running.engine.saga(id.id).state
    #expect(started.start.by == "lims")
    #expect(started.start.tags == ["ward-3"])
    // The guide's saga does not exist; its commands are sent to the saga that was just started.
    for message in messages.suffix(2) {
      let text = String(decoding: message.value ?? [], as: UTF8.self).replacing(Self.example, with: "\(id.id)")
      try await handlers.handle(
        KafkaMessage(topic: message.topic, partition: 0, offset: message.offset, value: Array(text.utf8)))
    }
    let ended = try await running.end(of: id.id)
    #expect(ended.status == .compensated)
    #expect(ended.turnBack?.value.by == "j.meier")
    #expect(ended.step("approve")?.output == ["approved": true])
    await running.stop()
  }

  @Test("The guide's answers have the outcomes that the guide names")
  func answers() async throws {
    let text = try String(contentsOf: Self.guide, encoding: .utf8)
    let answers = text.matches(of: /\| `(\{"outcome": [^`]*\})` \|/).map { String($0.1) }
    #expect(answers.count == 4)
    for answer in answers {
      let reply = try KafkaReply(
        try await InboundMessage(
          KafkaMessage(
            topic: "saga.replies", partition: 0, offset: 0, value: Array(answer.utf8),
            headers: [
              KafkaHeader("idempotency-key", "\(Self.example)/store/1"), KafkaHeader("saga-attempt", "2"),
            ]), unframe: nil))
      #expect(reply.step == "store")
      switch (try JSON(parsing: answer)["outcome"]?.stringValue, reply.outcome) {
      case ("succeeded", .succeeded), ("failed", .failed), ("unknown", .unknown): break
      case ("progress", nil): #expect(reply.progress?.fraction == 0.4)
      default: Issue.record("\(answer) was read as \(String(describing: reply.outcome))")
      }
    }
  }
}
