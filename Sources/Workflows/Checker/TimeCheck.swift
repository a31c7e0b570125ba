import JSON
import Values

/// Checks that the steps fit into the saga's timeout.
struct TimeCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    for step in definition.steps {
      checkExpected(of: step)
      checkExpectedUndo(of: step)
    }
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
    for step in definition.steps where step.action.isGroup && checkGroup(step) { tooLong = true }
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
      at: step.pointer.appending("expected"))
  }

  /// Reports an undo that waits, and whose wait ends before its expected time. The saga's timeout limits no undo.
  private func checkExpectedUndo(of step: Step) {
    guard let undo = step.undo, step.undoSignal != nil || step.undoWorkflow != nil, let expected = undo.expected,
      let timeout = undo.timeout, expected >= timeout
    else { return }
    report.error(
      WorkflowErrorCode.badValue,
      "\"expected\" is \(DurationText.format(expected)), but the undo of \(step.id) waits \(DurationText.format(timeout)) "
        + "at most (its \"timeout\") and could never be overdue: write less than that",
      at: step.pointer.appending("compensation").appending("expected"))
  }

  private var place: JSONPointer {
    let timeout = JSONPointer.root.appending("timeout")
    return timeout.value(in: definition.source) == nil ? JSONPointer.root.appending("steps") : timeout
  }

  /// Returns the time that a step waits by its own setting.
  private func wait(of step: Step) -> Duration {
    if step.poll != nil { return step.timeout ?? .zero }
    return switch step.action {
    // The times of a child are in another file.
    case .http, .kafka, .fail, .workflow: .zero
    case .signal, .task, .group: step.timeout ?? .zero
    case .delay(.for(let duration)): duration
    case .delay(.until): .zero
    }
  }

  private func pointer(toWaitOf step: Step) -> JSONPointer {
    if case .delay = step.action {
      step.pointer.appending("delay").appending("for")
    } else {
      step.pointer.appending("timeout")
    }
  }

  /// Reports a group whose members may take longer than the group, or wait longer than the group may take.
  private func checkGroup(_ group: Step) -> Bool {
    guard let timeout = group.timeout else { return false }
    var members = StepSet(count: definition.steps.count)
    for step in definition.steps where isInside(step, group) { members.insert(step.index) }
    let longest = longestPath(among: members) { onceThrough($0) }
    guard longest.time > timeout else { return false }
    report.error(
      WorkflowErrorCode.tooSlow,
      "one attempt of each step in \(group.id) may take \(DurationText.format(longest.time)), longer than the group may "
        + "take (\(DurationText.format(timeout))): \(text(longest.steps) { onceThrough($0) })",
      at: group.pointer.appending("timeout"))
    return true
  }

  private func isInside(_ step: Step, _ group: Step) -> Bool {
    var owner = step.group
    while let id = owner {
      if id == group.id { return true }
      owner = definition.step(id)?.group
    }
    return false
  }

  /// A group takes no time of its own, because its members take it.
  private func onceThrough(_ step: Step) -> Duration {
    if step.action.isGroup { return .zero }
    // Without a timeout, a poll takes one look at least.
    if let poll = step.poll { return step.timeout ?? poll.lookTimeout }
    return step.action.isAttempted ? step.timeout ?? .zero : wait(of: step)
  }

  private func withAllRetries(_ step: Step) -> Duration {
    guard step.poll == nil, step.action.isAttempted, !step.action.isTask, let timeout = step.timeout else {
      return onceThrough(step)
    }
    return step.retry.all.map { timeout * $0.maxAttempts + $0.longestPauses }.max() ?? timeout
  }

  /// Returns the chain of steps that takes longest.
  /// - Parameter members: the steps that the chain may have; nil for all.
  private func longestPath(
    among members: StepSet? = nil, _ duration: (Step) -> Duration
  ) -> (time: Duration, steps: [Step]) {
    let graph = definition.graph
    func time(_ index: Int) -> Duration { members?.contains(index) ?? true ? duration(definition.steps[index]) : .zero }
    var finish = Array(repeating: Duration.zero, count: definition.steps.count)
    var before = [Int?](repeating: nil, count: definition.steps.count)
    for index in graph.order {
      let slowest = graph.dependencies[index].max { finish[$0] < finish[$1] }
      before[index] = slowest
      finish[index] = (slowest.map { finish[$0] } ?? .zero) + time(index)
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
