import JSON
import Messaging
import TestSupport
import Testing
import Values

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Whole sagas over Kafka", .timeLimit(.minutes(15)), .inTurn)
struct SagaOverKafkaTests {
  /// Two commands, the first with retries; `late` gives the first little time and one attempt.
  private static func workflow(_ name: String, first: String) -> [UInt8] {
    func step(_ id: String, _ more: String) -> String {
      #"""
      {"id": "\#(id)", \#(more), "kafka": {"service": "lab", "command": "make", "body": {"mode": "${input.\#(id)}"}},
       "compensation": {"kafka": {"service": "lab", "command": "undo"}}}
      """#
    }
    let once = #""retry": {"maxAttempts": 1}"#
    return Array(
      #"{"name": "\#(name)", "version": 1, "timeout": "1m", "steps": [\#(step("a", first)), \#(step("b", once))]}"#.utf8
    )
  }

  @Test("Sagas complete, retry, compensate, and undo a step without an answer; a late answer changes nothing")
  func sagas() async throws {
    let bench = try await KafkaBench(workflows: [
      Self.workflow("pair", first: Workflow.quick),
      Self.workflow("hasty", first: #""timeout": "300ms", "retry": {"maxAttempts": 1}"#),
    ])
    let completes = try await bench.start("pair", ["a": "do", "b": "do"])
    let retries = try await bench.start("pair", ["a": "busy", "b": "do"])
    let turnsBack = try await bench.start("pair", ["a": "do", "b": "refuse"])
    let isLate = try await bench.start("hasty", ["a": "late", "b": "do"])

    // 1. Both steps, with progress on the way.
    let completed = try await bench.end(of: completes)
    #expect(completed.status == .completed && completed.step("b")?.output == ["position": "F2-B17"])
    #expect(
      try await bench.events(completes).map(\.typeName) == [
        "sagaStarted", "attemptStarted", "stepProgressed", "stepSucceeded", "attemptStarted", "stepProgressed",
        "stepSucceeded", "sagaCompleted",
      ])

    // 2. A refusal that asks for it, an unknown outcome, and then success: one key, three attempts.
    let retried = try await bench.end(of: retries)
    #expect(retried.status == .completed && retried.step("a")?.forward.count == 3)
    #expect(bench.participant.attempts("\(retries)/a/1") == ["1", "2", "3"])

    // 3. A clean refusal of the second undoes the first.
    let turned = try await bench.end(of: turnsBack)
    #expect(turned.status == .compensated && turned.turnBack?.value.code == "NO_ROOM")
    #expect(turned.step("a")?.status == .undone && turned.step("b")?.outcome == .failed)
    #expect(bench.participant.attempts("\(turnsBack)/a/1/undo") == ["1"])
    #expect(bench.participant.attempts("\(turnsBack)/b/1/undo").isEmpty)

    // 4. No answer in time may mean that it happened: it is undone. That it did happen comes to be known too late.
    let late = try await bench.end(of: isLate)
    #expect(late.status == .compensated && late.turnBack?.value.code == EngineErrorCode.attemptTimeout)
    #expect(late.step("a")?.status == .undone && late.step("a")?.outcome == .unknown)
    let ignored = try await bench.events(isLate).compactMap { event in
      (event.what as? AnswerIgnored).flatMap {
        $0.step == "a" && $0.phase == .forward && $0.attempt == 1 ? $0.answer : nil
      }
    }
    #expect(ignored.map(\.why) == [.late] && ignored.map(\.outcome) == ["succeeded"])
    #expect(bench.kafka.consumers.allSatisfy { $0.deadLettered == 0 && $0.problem == nil })
    await bench.stop()
  }
}
