import JSON

/// Warns of valid settings that are probably a mistake.
struct AdviceCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    let pivots = definition.steps.filter(\.pivot)
    for pivot in pivots { adviseOnPivot(pivot) }
    adviseOnPivots(pivots)
    let certain = pivots.filter(isPassedForCertain)
    for step in definition.steps {
      adviseOnFail(step)
      let pivot = certain.first { definition.ancestors[step.index].contains($0.index) }
      if let pivot { adviseOnUndo(of: step, behind: pivot) } else { adviseOnCompensation(step) }
    }
  }

  /// Warns of a pivot that the saga may go beyond without passing it. Such a pivot makes nothing final.
  private func adviseOnPivot(_ step: Step) {
    if let owner = condition(of: step) {
      let what = owner.id == step.id ? "a pivot with \"when\"" : "a pivot inside \(owner.id), which has \"when\""
      report.warning(
        WorkflowErrorCode.pivotWithWhen,
        "\(step.id) is \(what): where its condition doesn't hold, the pivot was never reached, and a later "
          + "failure undoes what was done before it and behind it", at: owner.pointer.appending("when"), .name)
    }
    if step.onFailure == .continue {
      report.warning(
        WorkflowErrorCode.pivotContinues,
        "\(step.id) is a pivot with \"onFailure\": \"continue\": where it is refused, the saga goes on without having "
          + "passed it, and a later failure undoes what was done before it and behind it",
        at: step.pointer.appending("onFailure"), .name)
    }
  }

  /// Warns of a failure on purpose that no condition keeps from any saga. A `fail` with `forEach` fails for each item, and
  /// there may be none.
  private func adviseOnFail(_ step: Step) {
    guard case .fail = step.action, step.forEach == nil, condition(of: step) == nil else { return }
    let ending =
      switch step.onFailure {
      case .compensate: "every saga that comes to it turns back"
      case .continue: "it fails in every saga, and the saga goes on"
      case .stuck: "every saga that comes to it is stuck"
      }
    report.warning(
      WorkflowErrorCode.alwaysFails,
      "\(step.id) fails without a condition: \(ending). Say in \"when\" which sagas must not go on",
      at: step.pointer.appending("fail"), .name)
  }

  /// Returns true when a step after this pivot runs only after the pivot is passed.
  private func isPassedForCertain(_ pivot: Step) -> Bool {
    condition(of: pivot) == nil && pivot.onFailure != .continue
  }

  /// Returns the step with the condition of a step: the step itself, or a group around it; nil when it runs in any case.
  private func condition(of step: Step) -> Step? {
    var current: Step? = step
    while let one = current {
      if one.when != nil { return one }
      current = one.group.flatMap(definition.step)
    }
    return nil
  }

  private func adviseOnUndo(of step: Step, behind pivot: Step) {
    // A child is undone without a word in the file.
    guard step.undo != nil, !step.action.isWorkflow, !step.pivot else { return }
    report.warning(
      WorkflowErrorCode.undoBehindPivot,
      "\(step.id) runs only behind the pivot \(pivot.id), where no saga turns back: its compensation runs only when an "
        + "operator rewinds the step", at: step.pointer.appending("compensation"), .name)
  }

  private func adviseOnPivots(_ pivots: [Step]) {
    for (position, step) in pivots.enumerated() {
      let ordered = definition.ancestors[step.index]
      let other = pivots[..<position].first {
        !ordered.contains($0.index) && !definition.ancestors[$0.index].contains(step.index)
      }
      guard let other else { continue }
      report.warning(
        WorkflowErrorCode.parallelPivots,
        "\(step.id) and \(other.id) are both pivots and may run at the same time: when one succeeds and the other fails, "
          + "the saga can go neither forward nor back", at: step.pointer.appending("pivot"), .name)
    }
  }

  private func adviseOnCompensation(_ step: Step) {
    guard let change = change(by: step.action), step.compensation == .unspecified, !step.pivot else { return }
    report.warning(
      WorkflowErrorCode.noCompensation,
      "\(step.id) changes something (\(change)) and nothing undoes it: add \"compensation\", or say \"none\"",
      at: step.pointer)
  }

  /// Returns the part of the action that may change data; nil when it changes nothing.
  private func change(by action: Action) -> String? {
    switch action {
    case .http(let call): call.hasSideEffect ? call.method : nil
    // A command never says that it only reads.
    case .kafka(let call): call.command
    // A task never says that it only reads.
    case .task(let task): "task \(task.queue)"
    // A child is undone by its own workflow.
    case .workflow: nil
    case .signal, .delay, .fail, .group: nil
    }
  }
}
