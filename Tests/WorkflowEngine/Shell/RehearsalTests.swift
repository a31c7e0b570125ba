import JSON
import Persistence
import Rehearsal
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// What participants answer: by step and phase (`b.forward`), one outcome an attempt. The last one repeats; a call
/// without a script succeeds.
private struct Script: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let outcomes: [String: [StepOutcome]]

  init(_ name: String, _ outcomes: [String: [StepOutcome]]) {
    testDescription = name
    self.outcomes = outcomes
  }

  func outcome(of call: StepCall) -> StepOutcome {
    let outcomes = outcomes["\(call.step).\(call.phase)"] ?? []
    return outcomes.isEmpty ? .succeeded(["id": .string(call.step)]) : outcomes[min(call.attempt, outcomes.count) - 1]
  }

  static let refused = StepOutcome.failed(StepFailure(code: "http.422", classes: ["http.4xx"], message: "No."))
  static let outage = StepOutcome.unknown(
    StepFailure(code: "http.503", classes: ["http.5xx"], message: "Not now.", isRetryable: true))
  static let gone = StepOutcome.failed(StepFailure(code: "http.404", message: "Nothing there.", isGone: true))
}

@Suite("The engine and a rehearsal of it", .timeLimit(.minutes(15)), .inTurn)
struct RehearsalTests {
  private static let scripts = [
    Script("all succeed", [:]),
    Script("the last step is refused", ["c.forward": [Script.refused]]),
    Script("an outage that ends", ["b.forward": [Script.outage, Script.outage, .succeeded(["id": "late"])]]),
    Script("an outage that doesn't end", ["b.forward": [Script.outage]]),
    Script("an undo with an outage", ["c.forward": [Script.refused], "b.undo": [Script.outage, .succeeded(.null)]]),
    Script("an undo that is refused", ["c.forward": [Script.refused], "a.undo": [Script.refused]]),
    Script("an undo of nothing", ["b.forward": [Script.outage], "b.undo": [Script.gone]]),
    Script(
      "an answer that later steps can't read", ["a.forward": [.succeededUnread(StepFailure(code: "x", message: "?"))]]),
  ]

  @Test("The real engine and the rehearsal write the same history", arguments: scripts)
  fileprivate func sameHistory(script: Script) async throws {
    let reads = #""when": "$.steps.a.output.id == 'a'", \#(Workflow.quick)"#
    let file = Workflow.of(Workflow.step("a"), Workflow.step("b"), Workflow.step("c", reads))
    let definition = try #require(WorkflowChecker.check(file).definition)
    let rehearsed = try VirtualSaga(definition, input: [:]).run { call in
      PlannedAnswer(script.outcome(of: call.call), after: .milliseconds(1), effect: nil)
    }

    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor { script.outcome(of: $0) })
    _ = try await running.engine.register(file, by: "test")
    let id = try await running.start().id
    try await running.engine.state(of: id, when: "the saga rests") { $0.end != nil || $0.status == .stuck }
    let events = try await store.read(id, after: 0, limit: 1_000).map(SagaEventCoding.decode)
    await running.stop()
    #expect(rehearsed.events.map(Self.words) == events.map(Self.words))
  }

  /// An event without its times and ids.
  private static func words(_ event: SagaEvent) -> String {
    var data = JSONObject()
    event.what.write(to: &data)
    for name in ["saga", "deadline", "retryAt"] { data[name] = nil }
    return "\(event.typeName) \(JSON.object(data).text())"
  }
}
