import Values
import Workflows

// Steps that take longer than is expected of them. That is noticed, once, and changes nothing else: the step goes on.
extension Decider {
  mutating func noticeOverdueSteps() {
    guard state.end == nil else { return }
    for step in state.steps {
      guard let phase = step.status.phaseUnderWay, let overdue = overdueNext(step), overdue.since <= now else {
        continue
      }
      emit(.stepOverdue(step: step.id, phase: phase, overdue))
    }
  }

  /// When a step will be overdue, if it isn't yet and something is expected of it.
  func overdueNext(_ step: StepState) -> StepOverdue? {
    guard step.overdue == nil, let since = step.underWaySince, let expected = expectedTime(of: step) else { return nil }
    return StepOverdue(since: since + expected.duration, expected: expected)
  }

  private func expectedTime(of step: StepState) -> ExpectedTime? {
    guard let phase = step.status.phaseUnderWay, let definition = definition(of: step) else { return nil }
    switch phase {
    case .undo: return undo(of: step)?.expected.map(ExpectedTime.declared)
    case .forward:
      if let declared = definition.expected { return .declared(declared) }
      // A delay takes as long as it says, however long others took.
      if case .delay = definition.action { return nil }
      return learned[step.id]
    }
  }
}
