import JSON
import Values

/// Checks that the steps fit into the saga's timeout.
struct TimeCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    for step in definition.steps { checkExpected(of: step) }
    var tooLong = false
    for step in definition.steps {
      let time = wait(of: step)
      if time > definition.timeout {
        tooLong = true
        report.error(
          WorkflowErrorCode.tooSlow,
          "\(step.id) may wait \(DurationText.format(time)), longer than the whole saga may take "
            + "(\(DurationText.format(definition.timeout)))", at: pointer(toWaitOf: step))
      }
    }
    if tooLong { return }
    let once = longestPath { onceThrough($0) }
    if once.time > definition.timeout {
      report.error(
        WorkflowErrorCode.tooSlow,
        "one attempt of each step may take \(DurationText.format(once.time)), longer than the saga may take "
          + "(\(DurationText.format(definition.timeout))): \(text(once.steps) { onceThrough($0) })", at: place)
      return
    }
    let retried = longestPath { withAllRetries($0) }
    if retried.time > definition.timeout {
      report.warning(
        WorkflowErrorCode.mayBeTooSlow,
        "with every attempt used up the steps take \(DurationText.format(retried.time)), longer than the saga may take "
          + "(\(DurationText.format(definition.timeout))): a saga that long turns back", at: place)
    }
  }

  /// Reports a wait that ends before its expected time. It can never be overdue, so the value is a mistake.
  private func checkExpected(of step: Step) {
    let whole = wait(of: step)
    guard let expected = step.expected, whole > .zero, expected >= whole else { return }
    let end = if case .delay = step.action { "its delay" } else { "its \"timeout\"" }
    report.error(
      WorkflowErrorCode.badValue,
      "\"expected\" is \(DurationText.format(expected)), but \(step.id) waits \(DurationText.format(whole)) at most "
        + "(\(end)) and could never be overdue: write less than that",
      at: JSONPointer.root.appending("steps").appending(step.index).appending("expected"))
  }

  private var place: JSONPointer {
    let timeout = JSONPointer.root.appending("timeout")
    return timeout.value(in: definition.source) == nil ? JSONPointer.root.appending("steps") : timeout
  }

  /// Returns the time that a step waits by its own setting.
  private func wait(of step: Step) -> Duration {
    switch step.action {
    case .http, .kafka, .fail: .zero
    case .signal: step.timeout ?? .zero
    case .delay(.for(let duration)): duration
    case .delay(.until): .zero
    }
  }

  private func pointer(toWaitOf step: Step) -> JSONPointer {
    let pointer = JSONPointer.root.appending("steps").appending(step.index)
    return if case .delay = step.action { pointer.appending("delay").appending("for") } else {
      pointer.appending("timeout")
    }
  }

  private func onceThrough(_ step: Step) -> Duration {
    step.action.isAttempted ? step.timeout ?? .zero : wait(of: step)
  }

  private func withAllRetries(_ step: Step) -> Duration {
    guard step.action.isAttempted, let timeout = step.timeout else { return wait(of: step) }
    return step.retry.all.map { timeout * $0.maxAttempts + $0.longestPauses }.max() ?? timeout
  }

  /// Returns the chain of steps that takes longest.
  private func longestPath(_ time: (Step) -> Duration) -> (time: Duration, steps: [Step]) {
    let graph = definition.graph
    var finish = Array(repeating: Duration.zero, count: definition.steps.count)
    var before = [Int?](repeating: nil, count: definition.steps.count)
    for index in graph.order {
      let slowest = graph.dependencies[index].max { finish[$0] < finish[$1] }
      before[index] = slowest
      finish[index] = (slowest.map { finish[$0] } ?? .zero) + time(definition.steps[index])
    }
    guard var last = finish.indices.max(by: { finish[$0] < finish[$1] }) else { return (.zero, []) }
    let total = finish[last]
    var path = [definition.steps[last]]
    while let previous = before[last] {
      path.append(definition.steps[previous])
      last = previous
    }
    return (total, path.reversed())
  }

  /// Returns the chain with its times. A long chain is shortened to its largest parts.
  private func text(_ steps: [Step], _ time: (Step) -> Duration) -> String {
    let counted = steps.filter { time($0) > .zero }
    let shown = counted.prefix(8).map { "\($0.id) \(DurationText.format(time($0)))" }
    return shown.joined(separator: " → ") + (counted.count > 8 ? " → and \(counted.count - 8) more" : "")
  }
}
