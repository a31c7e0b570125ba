import JSON

/// Warns of what is allowed and yet probably not meant.
struct AdviceCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    let pivots = definition.steps.filter(\.pivot)
    adviseOnPivots(pivots)
    for step in definition.steps { adviseOnCompensation(step, pivots) }
  }

  private func pointer(to step: Step) -> JSONPointer { JSONPointer.root.appending("steps").appending(step.index) }

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
          + "the saga can go neither forward nor back", at: pointer(to: step).appending("pivot"), .name)
    }
  }

  private func adviseOnCompensation(_ step: Step, _ pivots: [Step]) {
    guard let change = change(by: step.action), step.compensation == .unspecified, !step.pivot else { return }
    // Behind a pivot that always runs, nothing is undone.
    if pivots.contains(where: { $0.when == nil && definition.ancestors[step.index].contains($0.index) }) { return }
    report.warning(
      WorkflowErrorCode.noCompensation,
      "\(step.id) changes something (\(change)) and nothing undoes it: add \"compensation\", or say \"none\"",
      at: pointer(to: step))
  }

  /// What the action may change something by; nil when it changes nothing.
  private func change(by action: Action) -> String? {
    switch action {
    case .http(let call): call.hasSideEffect ? call.method : nil
    // Nothing says of a command that it only asks.
    case .kafka(let call): call.command
    case .signal, .delay: nil
    }
  }
}
