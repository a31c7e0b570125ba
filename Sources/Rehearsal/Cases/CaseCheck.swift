import JSON
import SagaCore
import Values
import Workflows

/// Compares what came of a case with what it expects.
struct CaseCheck {
  let test: TestCase
  let definition: WorkflowDefinition
  let run: VirtualRun

  private var expected: Expectation { test.expected }

  func differences() -> [Difference] {
    if let code = expected.refused {
      return [Difference("refused", expected: code, seen: "the saga started, and is \(run.status.rawValue)")]
    }
    // Expressions of the file read the saga in its last state.
    let document = run.state.document
    return ends() + expected.steps.flatMap { step($0.id, $0.expected, document) } + order()
      + CallCheck(run: run, document: document).differences(expected) + output(document)
  }

  private func ends() -> [Difference] {
    var differences: [Difference] = []
    if let status = expected.status, status != run.status {
      differences.append(Difference("status", expected: status.rawValue, seen: statusSeen))
    }
    let failure = run.cause
    if let step = expected.failedStep, step != failure?.step {
      differences.append(Difference("failedStep", expected: step, seen: failure?.step ?? "no step failed"))
    }
    if let code = expected.error, code != failure?.code {
      differences.append(
        Difference(
          "error", expected: code, seen: failure?.code ?? "no error", details: failure.map { [$0.message] } ?? []))
    }
    if let limit = expected.takes, !limit.allows(run.duration) {
      differences.append(Difference("takes", expected: limit.text, seen: DurationWords.text(run.duration)))
    }
    return differences
  }

  /// The status, and what the saga waits for.
  private var statusSeen: String {
    let waiting = run.state.steps.compactMap { step in step.wait?.signal.map { "\(step.id) waits for \($0)" } }
    let undoing = run.state.steps.compactMap { step in
      step.undoWait?.signal.map { "the undo of \(step.id) waits for \($0)" }
    }
    switch run.status {
    case .running where !waiting.isEmpty: return "running: " + waiting.prefix(3).joined(separator: ", ")
    case .compensating where !undoing.isEmpty: return "compensating: " + undoing.prefix(3).joined(separator: ", ")
    case .stuck:
      return "stuck: " + run.state.blockers.prefix(3).map { "\($0.step) [\($0.failure.code)]" }.joined(separator: ", ")
    case .running, .compensating, .completed, .compensated, .abandoned:
      return run.status.rawValue + (run.cause.map { " [\($0.code)]" } ?? "")
    }
  }

  private func step(_ id: String, _ expected: StepExpectation, _ document: JSON) -> [Difference] {
    guard let step = run.state.step(id) else { return notBegun(id, expected, document) }
    var differences: [Difference] = []
    func compare(_ member: String, _ expected: String?, _ seen: String, _ details: [String] = []) {
      guard let expected, expected != seen else { return }
      differences.append(Difference("steps.\(id)\(member)", expected: expected, seen: seen, details: details))
    }
    let failure = step.undoFailure ?? step.failure
    compare(
      "", expected.status?.rawValue, step.status.rawValue, failure.map { ["\($0.message) [\($0.code)]"] } ?? [])
    compare(".attempts", expected.attempts.map { "\($0)" }, "\(step.forward.count)")
    compare(".undoAttempts", expected.undoAttempts.map { "\($0)" }, "\(step.undo.count)")
    compare(".outcome", expected.outcome?.rawValue, step.outcome.rawValue)
    compare(".error", expected.error, failure?.code ?? "no error", failure.map { [$0.message] } ?? [])
    if let output = expected.output {
      differences += JSONDifference.differences(
        "steps.\(id).output", template: output, seen: step.output, in: document)
    }
    return differences
  }

  /// Returns what differs for an item that has not begun, or that its step does not have.
  private func notBegun(_ id: String, _ expected: StepExpectation, _ document: JSON) -> [Difference] {
    guard let item = ItemID(id) else { return [] }
    let items = document["steps"]?[item.step]?["items"]?.arrayValue ?? []
    let isThere = items.contains { $0["key"]?.stringValue == item.key }
    if isThere, expected.status == .pending { return [] }
    return [
      Difference(
        "steps.\(id)", expected: expected.status?.rawValue ?? "an item that has begun",
        seen: isThere ? StepStatus.pending.rawValue : "the step \(item.step) has no such item")
    ]
  }

  private func order() -> [Difference] {
    var differences: [Difference] = []
    func words(_ steps: [String]) -> String { steps.isEmpty ? "none" : steps.joined(separator: ", ") }
    let inEffect = run.inEffect(of: definition)
    if let undone = expected.undone {
      // A step counts as undone when nothing of its items is left.
      let left = Set(inEffect.map(ItemID.step(of:)))
      let seen = Self.named(run.undone, as: undone.filter { !left.contains($0) })
      if undone != seen { differences.append(Difference("undone", expected: words(undone), seen: words(seen))) }
    }
    if let remains = expected.remains {
      let seen = Self.named(inEffect, as: remains)
      if Set(remains) != Set(seen) {
        differences.append(Difference("remains", expected: words(remains), seen: words(seen)))
      }
    }
    return differences
  }

  /// Returns steps and items, with a step in place of its items where the case names the step.
  private static func named(_ ids: [String], as names: [String]) -> [String] {
    var named: [String] = []
    for id in ids {
      guard let item = ItemID(id), names.contains(item.step) else {
        named.append(id)
        continue
      }
      if !named.contains(item.step) { named.append(item.step) }
    }
    return named
  }

  private func output(_ document: JSON) -> [Difference] {
    guard let output = expected.output else { return [] }
    return JSONDifference.differences("output", template: output, seen: run.state.end?.output, in: document)
  }
}

extension VirtualRun {
  /// The failure because of which the saga turned back, or on which it is stuck.
  package var cause: (step: String?, code: String, message: String)? {
    if let back = (state.turnBack ?? state.requestedTurnBack)?.value { return (back.step, back.code, back.message) }
    return state.blockers.first.map { ($0.step, $0.failure.code, $0.failure.message) }
  }

  /// The time from the start to the end; of a saga that has not ended, to its last event.
  package var duration: Duration {
    (state.end?.at ?? events.last?.at ?? state.startedAt) - state.startedAt
  }
}
