import TestSupport
import Testing
import Values

@testable import Workflows

@Suite("Properties of a definition", .timeLimit(.minutes(15)), .inTurn)
struct DefinitionTests {
  // 0 → 1 → 3, 0 → 2 → 3, 4 alone.
  static let diamond = StepGraph(dependencies: [[], [0], [0], [1, 2], []])

  @Test("A diamond has the right ancestors, descendants and order")
  func diamond() {
    let graph = Self.diamond
    #expect(graph.ancestors.map(\.indexes) == [[], [0], [0], [0, 1, 2], []])
    #expect(graph.descendants.map(\.indexes) == [[1, 2, 3], [3], [3], [], []])
    #expect(graph.dependents == [[1, 2], [3], [3], [], []])
    #expect(graph.order == [0, 4, 1, 2, 3])
    #expect(graph.cycles.isEmpty)
  }

  @Test(
    "A cycle begins with the step that comes first in the file; steps that wait for a cycle are not in it",
    arguments: [
      ([[2], [0], [1], [0]], [[0, 2, 1]]), ([[1], [0], [3], [2]], [[0, 1], [2, 3]]), ([[0]], [[0]]), ([], []),
    ] as [([[Int]], [[Int]])])
  func cycles(dependencies: [[Int]], cycles: [[Int]]) {
    #expect(StepGraph(dependencies: dependencies).cycles == cycles)
  }

  @Test("A set of steps holds more than 64 steps")
  func set() {
    var set = StepSet(count: 130)
    for step in [0, 63, 64, 129] { set.insert(step) }
    #expect(set.indexes == [0, 63, 64, 129])
    #expect(set.count == 4 && set.contains(129) && !set.contains(128) && !set.contains(1_000))
  }

  // MARK: Pauses

  @Test("The backoff grows up to its maximum", arguments: [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1_000_000, 60)])
  func pauses(attempt: Int, seconds: Int) {
    #expect(RetryPolicy(jitter: 0).delay(afterAttempt: attempt, random: 0.9) == .seconds(seconds))
  }

  @Test("Jitter only shortens, by no more than its share", arguments: [0, 0.2, 1], [0, 0.5, 0.999_999])
  func jitter(jitter: Double, random: Double) {
    let policy = RetryPolicy(initialInterval: .seconds(10), jitter: jitter)
    for attempt in 1...5 {
      let longest = policy.interval(afterAttempt: attempt)
      let pause = policy.delay(afterAttempt: attempt, random: random)
      #expect(pause <= longest && pause >= longest * (1 - jitter))
      #expect(pause == policy.delay(afterAttempt: attempt, random: random))
    }
  }

  @Test("The largest numbers of a file don't trap")
  func largest() {
    let policy = RetryPolicy(
      maxAttempts: 1_000, initialInterval: .milliseconds(1), backoffCoefficient: 1_000,
      maxInterval: DurationText.longest, jitter: 1)
    #expect(policy.delay(afterAttempt: 1_000, random: 0) == DurationText.longest)
    #expect(policy.longestPauses > DurationText.longest * 900)
  }

  // MARK: Defaults

  @Test("Members that a step omits come from the defaults, and an undo keeps its ten attempts")
  func defaults() throws {
    let call = #""http": { "service": "s", "method": "PUT", "path": "/x" }"#
    let undo = #""compensation": { "http": { "service": "s", "method": "DELETE", "path": "/x" } }"#
    let text = Sample.workflow(
      #"[{ "id": "a", \#(call), \#(undo) }, { "id": "b", \#(call), "timeout": "2s", "retry": { "jitter": 0 } }]"#,
      more: #""defaults": { "timeout": "7s", "retry": { "maxAttempts": 4, "initialInterval": "5m" } },"#
        + #" "timeout": "1d","#)
    let steps = try definition(text).steps
    let first = steps[0].retry.policy(for: ["http.503"])
    #expect(steps[0].timeout == .seconds(7) && first.maxAttempts == 4)
    #expect(first.initialInterval == .seconds(300) && first.maxInterval == .seconds(300))
    let second = steps[1].retry.policy(for: ["http.503"])
    #expect(steps[1].timeout == .seconds(2) && second.maxAttempts == 4 && second.jitter == 0)
    guard case .undo(let back) = steps[0].compensation else {
      Issue.record("there is no undo")
      return
    }
    let retry = back.retry.policy(for: ["http.503"])
    #expect(back.timeout == .seconds(7) && retry.maxAttempts == 10 && retry.initialInterval == .seconds(300))
  }

  @Test("Any step and any undo may declare an expected time; others have none")
  func expected() throws {
    let call = #""http": { "service": "s", "method": "PUT", "path": "/x" }"#
    let undo = #""compensation": { "http": { "service": "s", "method": "DELETE", "path": "/x" }, "expected": "PT1M" }"#
    let steps = try definition(
      Sample.workflow(
        #"""
        [{ "id": "a", \#(call), \#(undo), "expected": "90s" }, { "id": "b", \#(call) },
         { "id": "c", "kafka": { "service": "s", "command": "c" }, "expected": "1m" },
         { "id": "d", "signal": { "name": "x" }, "timeout": "2d", "expected": "10m" },
         { "id": "e", "signal": { "name": "y" }, "expected": "1h" },
         { "id": "f", "delay": { "for": "1m" }, "expected": "59s" },
         { "id": "g", "delay": { "until": "${input.at}" }, "expected": "1d" }]
        """#, more: #""timeout": "9d","#)
    ).steps
    let expected: [Duration?] = [
      .seconds(90), nil, .seconds(60), .seconds(600), .seconds(3_600), .seconds(59), .seconds(86_400),
    ]
    #expect(steps.map(\.expected) == expected)
    guard case .undo(let back) = steps[0].compensation else {
      Issue.record("there is no undo")
      return
    }
    #expect(back.expected == .seconds(60))
  }

  @Test("A command over Kafka has the defaults of a call, and what it says is kept")
  func kafka() throws {
    let text = Sample.workflow(
      #"""
      [{ "id": "a", "kafka": { "service": "samples", "command": "create", "headers": { "ward": "${input.ward}" },
         "body": { "id": "${steps.a.uuid}" } },
         "compensation": { "kafka": { "service": "samples", "command": "delete" } } },
       { "id": "b", "kafka": { "service": "samples", "command": "check" }, "compensation": "none", "timeout": "2s" }]
      """#)
    let steps = try definition(text).steps
    guard case .kafka(let call) = steps[0].action, case .undo(let undo) = steps[0].compensation else {
      Issue.record("it is read as something else")
      return
    }
    #expect(call.service == "samples" && call.command == "create" && call.headers.map(\.name) == ["ward"])
    #expect(call.body?.referencedQueries.count == 1)
    #expect(steps[0].timeout == .seconds(30) && steps[0].retry.policy(for: ["timeout"]).maxAttempts == 3)
    #expect(undo.action == .kafka(KafkaAction(service: "samples", command: "delete")))
    #expect(undo.timeout == .seconds(30) && undo.retry.policy(for: ["timeout"]).maxAttempts == 10)
    #expect(steps[1].timeout == .seconds(2))
    #expect(steps.map(\.action.kind) == ["kafka", "kafka"] && steps.allSatisfy(\.action.isAttempted))
    let defaults = try definition(text.replacing("\"steps\"", with: "\"defaults\": { \"timeout\": \"7s\" }, \"steps\""))
    #expect(defaults.steps.map(\.timeout) == [.seconds(7), .seconds(2)])
  }
}
