import JSON
import Messaging
import Persistence
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

/// The forms in which a message may say the same.
enum Form: String, CaseIterable, Sendable {
  case plain, binary, structured

  /// A command as a message.
  /// - Parameters:
  ///   - word: `start`, `signal`, `cancel`.
  ///   - number: gives the message its place, and the event its id.
  func command(_ word: String, _ members: JSONObject, number: Int = 0, source: String = "/lims") -> KafkaMessage {
    switch self {
    case .plain:
      var all: JSONObject = ["command": .string(word)]
      for (name, value) in members { all[name] = value }
      return Sent.message(.object(all), offset: number)
    case .binary:
      return Sent.message(
        .object(members), offset: number,
        headers: [
          "ce_specversion": "1.0", "ce_id": "m-\(number)", "ce_source": source, "ce_type": "dev.tracseq.saga.\(word)",
          "content-type": "application/json",
        ])
    case .structured:
      return Sent.message(
        [
          "specversion": "1.0", "id": .string("m-\(number)"), "source": .string(source),
          "type": .string("dev.tracseq.saga.\(word)"), "datacontenttype": "application/json", "data": .object(members),
        ], offset: number, headers: ["content-type": "application/cloudevents+json; charset=utf-8"])
    }
  }

  /// The sender of such a command when the command names no user.
  var sender: String { self == .plain ? "kafka saga.commands" : "kafka /lims" }
}

/// Messages, as they come.
enum Sent {
  static func message(
    _ body: JSON, topic: String = "saga.commands", offset: Int = 0, headers: [String: String] = [:]
  ) -> KafkaMessage {
    bytes(body.bytes(), topic: topic, offset: offset, headers: headers)
  }

  static func text(_ text: String, offset: Int = 0, headers: [String: String] = [:]) -> KafkaMessage {
    bytes(Array(text.utf8), offset: offset, headers: headers)
  }

  static func bytes(
    _ bytes: [UInt8]?, topic: String = "saga.commands", offset: Int = 0, headers: [String: String] = [:]
  ) -> KafkaMessage {
    KafkaMessage(
      topic: topic, partition: 3, offset: Int64(offset), key: Array("k".utf8), value: bytes,
      headers: headers.sorted { $0.key < $1.key }.map { KafkaHeader($0.key, $0.value) })
  }
}

/// The poison that a message turns out to be.
func poison(
  _ handlers: MessageHandlers, _ message: KafkaMessage, _ sourceLocation: SourceLocation = #_sourceLocation
) async -> Poison? {
  await #expect(throws: Poison.self, sourceLocation: sourceLocation) { try await handlers.handle(message) }
}

/// An executor whose outcomes are kept, and can be waited for.
final class WatchedExecutor: StepExecutor {
  private struct State {
    var calls: [StepCall] = []
    var outcomes: [(StepCall, StepOutcome)] = []
  }
  private let inner: any StepExecutor
  private let state = Mutex(State())

  init(_ inner: any StepExecutor) { self.inner = inner }

  var calls: [StepCall] { state.withLock { $0.calls } }

  func outcome(of step: String, _ phase: StepPhase = .forward, attempt: Int = 1) -> StepOutcome? {
    state.withLock { state in
      state.outcomes.first { $0.0.step == step && $0.0.phase == phase && $0.0.attempt == attempt }?.1
    }
  }

  func perform(_ call: StepCall) async -> StepOutcome {
    state.withLock { $0.calls.append(call) }
    let outcome = await inner.perform(call)
    state.withLock { $0.outcomes.append((call, outcome)) }
    return outcome
  }
}
