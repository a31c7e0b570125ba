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

/// An engine that sends commands, a broker that is away, and answers that come all the same: what is tested is what the
/// engine makes of them.
final class ReplyBench: Sendable {
  let store: any EventStore
  let clock: FakeClock
  let kafka: KafkaStepExecutor
  let watched: WatchedExecutor
  let running: RunningEngine
  let handlers: MessageHandlers

  /// Five attempts, each at once after the one before.
  static let quick = Workflow.quick
  static let once = #""retry": {"maxAttempts": 1}"#

  static func kafka(_ id: String, service: String = "lab", _ more: String = once) -> String {
    #"""
    {"id": "\#(id)", "kafka": {"service": "\#(service)", "command": "make"}, "timeout": "30s", \#(more),
     "compensation": {"kafka": {"service": "\#(service)", "command": "undo"}, "timeout": "30s", \#(quick)}}
    """#
  }

  init(_ steps: String..., store: (any EventStore)? = nil, clock: FakeClock = FakeClock()) async throws {
    let environment = Environment.fake(clock: clock)
    self.clock = clock
    self.store = store ?? MemoryStore(environment: environment)
    kafka = try KafkaStepExecutor(
      cluster: KafkaCluster(brokers: "127.0.0.1:1"),
      services: [
        KafkaService(name: "lab", topic: "lab.commands"),
        KafkaService(name: "careful", topic: "careful.commands", keepsTombstones: true),
      ], replyTopic: "saga.replies", clock: clock,
      // No broker is there. A command waits in the client for longer than a test takes on a busy machine.
      patience: .seconds(3_600))
    watched = WatchedExecutor(ActionExecutors(http: ScriptedExecutor(), kafka: kafka))
    running = try await RunningEngine(self.store, watched, environment: environment, drainTime: .zero)
    handlers = KafkaReplies(engine: running.engine, executor: kafka, unframe: nil, log: .silent).handlers
    let content = Array(
      #"{"name": "spec", "version": 1, "timeout": "1d", "steps": [\#(steps.joined(separator: ","))]}"#.utf8)
    if !steps.isEmpty { _ = try await running.engine.register(content, by: "test") }
  }

  func close() async {
    await running.stop()
    await kafka.close()
  }

  /// Starts a saga and waits until the first attempt of a step is under way.
  func start(until step: String = "a") async throws -> UniqueID {
    let id = try await running.start().id
    try await underWay(id, step)
    return id
  }

  func state(_ id: UniqueID) async throws -> SagaState { try await running.engine.saga(id).state }

  /// Waits until an attempt is under way, and its executor waits for the answer.
  func underWay(_ id: UniqueID, _ step: String, _ phase: StepPhase = .forward, attempt: Int = 1) async throws {
    try await eventually("attempt \(attempt) of step \(step) is under way") {
      let inFlight = try await state(id).step(step)?.inFlight
      let isCalled = watched.calls.contains {
        $0.saga == id && $0.step == step && $0.phase == phase && $0.attempt == attempt
      }
      return isCalled && inFlight?.phase == phase && inFlight?.attempt.number == attempt
    }
  }

  /// Waits until the executor has given up waiting, and says with what.
  func outcome(of step: String, _ phase: StepPhase = .forward, attempt: Int = 1) async throws -> StepOutcome {
    try await eventualValue("attempt \(attempt) of step \(step) has an outcome") {
      watched.outcome(of: step, phase, attempt: attempt)
    }
  }

  /// Lets an attempt's time pass.
  func timeOut() async {
    let due = clock.now() + .seconds(30)
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(to: due)
  }

  func answer(_ message: KafkaMessage) async throws { try await handlers.handle(message) }

  func poison(_ message: KafkaMessage, _ place: SourceLocation = #_sourceLocation) async -> Poison? {
    await WorkflowEngineTests.poison(handlers, message, place)
  }

  func types(_ id: UniqueID) async throws -> [String] {
    try await store.read(id, after: 0, limit: 100).map(\.type)
  }

  /// The last answer that changed nothing.
  func ignored(_ id: UniqueID) async throws -> IgnoredAnswer? {
    for stored in try await store.read(id, after: 0, limit: 100).reversed() {
      if let ignored = try SagaEventCoding.decode(stored).what as? AnswerIgnored { return ignored.answer }
    }
    return nil
  }
}

/// An answer as a message.
struct Answer {
  static let succeeded: JSON = ["outcome": "succeeded", "output": ["n": 1]]
  static let failed: JSON = ["outcome": "failed", "code": "NO", "message": "no such tube"]
  static let unknown: JSON = ["outcome": "unknown", "code": "LOST", "message": "the arm stopped"]
  static let progress: JSON = ["outcome": "progress", "message": "thawing", "fraction": 0.4]
  static let gone: JSON = ["outcome": "failed", "code": "NONE", "message": "nothing there", "gone": true]

  static func to(
    _ id: UniqueID, _ body: JSON, step: String = "a", undo: Bool = false, round: Int = 1, attempt: Int = 1,
    number: Int = 0
  ) -> KafkaMessage {
    Sent.message(
      body, topic: "saga.replies", offset: number,
      headers: [
        "idempotency-key": "\(id)/\(step)/\(round)\(undo ? "/undo" : "")", "saga-attempt": "\(attempt)",
        "ce_specversion": "1.0", "ce_id": "r-\(number)", "ce_source": "/lab", "ce_type": "dev.tracseq.saga.reply",
      ])
  }
}
