import JSON
import Values

/// Checks the polls of a workflow: each can end, and asking again does no harm.
struct PollCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    for step in definition.steps {
      guard let poll = step.poll else { continue }
      let pointer = JSONPointer.root.appending("steps").appending(step.index).appending("poll")
      if let timeout = step.timeout, poll.every > timeout {
        report.error(
          WorkflowErrorCode.badValue,
          "\"every\" is \(DurationText.format(poll.every)), longer than the whole poll may take "
            + "(\"timeout\": \(DurationText.format(timeout)))", at: pointer.appending("every"))
      }
      require(poll.until, "until", readsAnswerAt: pointer)
      if let failWhen = poll.failWhen { require(failWhen, "failWhen", readsAnswerAt: pointer) }
      if poll.failWhen == poll.until {
        report.error(
          WorkflowErrorCode.neverHolds,
          "\"failWhen\" is the same condition as \"until\" and is judged first: the step never succeeds",
          at: pointer.appending("failWhen"))
      }
      if case .http(let http) = step.action, http.hasSideEffect {
        report.warning(
          WorkflowErrorCode.pollChanges,
          "\(step.id) sends \(http.method) again and again, and each may change something: the history has every look, and "
            + "each has an Idempotency-Key of its own. Ask with GET, if the service can", at: pointer, .name)
      }
    }
  }

  /// Reports a condition that has the same result for every answer.
  private func require(_ condition: JSONPathCondition, _ name: String, readsAnswerAt pointer: JSONPointer) {
    let readsAnswer = condition.referencedQueries.contains { query in
      switch query.leadingTokens.first {
      // Another root is an error of its own.
      case .name(let root): !["input", "steps", "saga"].contains(root)
      // The query reads everything.
      case .index, nil: true
      }
    }
    guard !readsAnswer else { return }
    report.error(
      WorkflowErrorCode.neverHolds,
      "\"\(name)\" does not read the answer, so asking again never changes it: read $.answer.status, $.answer.body or "
        + "$.answer.headers", at: pointer.appending(name))
  }
}
