import JSON

/// Warns of turns that are asked for while another turn is held. Two sagas that ask in opposite orders wait for each
/// other.
struct ConcurrencyCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    for step in definition.steps where step.concurrency != nil {
      let holder: String
      if let group = group(around: step) {
        holder = "the group \(group.id) holds one"
      } else if definition.concurrency != nil {
        holder = "the saga holds one"
      } else {
        continue
      }
      report.warning(
        WorkflowErrorCode.nestedTurns,
        "\(step.id) waits for its turn while \(holder): sagas that ask for the same keys in another order may wait for "
          + "each other until a timeout", at: step.pointer.appending("concurrency"), .name)
    }
  }

  /// Returns the innermost group with a turn of its own around a step.
  private func group(around step: Step) -> Step? {
    var group = step.group.flatMap(definition.step)
    while let one = group, one.concurrency == nil { group = one.group.flatMap(definition.step) }
    return group
  }
}
