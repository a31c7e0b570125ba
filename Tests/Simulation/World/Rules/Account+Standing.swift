import Runtime
import Values

// The rules for a saga's state when nothing happens any more.
extension Account {
  /// Nothing is silent: a saga that has not ended waits for something that will come, is stuck, or is paused.
  mutating func standsStill(at now: Timestamp) {
    if end != nil {
      for step in steps where ended(step) {
        violates("nothing is left open", "ends as \(end ?? "") with \(step.plan.id) \(step.phase)")
      }
      return
    }
    if steps.contains(where: \.isInFlight) {
      return violates("nothing silent", "attempts are in flight and nothing will report them")
    }
    if pausedAt != nil { return }
    itemsAreIdle()
    for step in steps where !isHeldUp(step) {
      // Looks that find nothing new leave no event, so only the participant's end says when a poll is over.
      if step.phase == .polling {
        violates("nothing silent", "\(step.plan.id) polls, and its participant was ready long ago")
      } else if let due = step.due, due + .seconds(60) < clock(now) {
        violates("nothing silent", "\(step.plan.id) was due \(clock(now) - due) ago")
      }
      if step.phase == .waiting, let due = step.remindDue, due + .seconds(60) < clock(now) {
        violates("nothing silent", "a reminder of \(step.plan.id) was due \(clock(now) - due) ago")
      }
      if step.phase == .waiting, let kept = keptSignal(for: step) {
        violates("12 a kept signal is not lost", "\(step.plan.id) waits, and signal \(kept.number) is kept")
      }
      if step.isUndoWaiting, let signal = step.plan.undo?.signal,
        let kept = signals.first(where: { $0.name == signal.name && $0.isKept && (!signal.accepts || $0.isGood) })
      {
        violates("12 a kept signal is not lost", "the undo of \(step.plan.id) waits, and signal \(kept.number) is kept")
      }
    }
    let isTimeoutAhead = !waitsForOwnTurn && !turnedBack && !requestedTurnBack && !pivotPassed
    if isTimeoutAhead, deadline + .seconds(60) < clock(now) {
      violates("nothing silent", "its timeout was \(clock(now) - deadline) ago")
    }
    if pivotPassed, !waitsForOwnTurn, !isOverdue, deadline + .seconds(60) < clock(now) {
      violates("nothing silent", "its timeout has passed, and it is not overdue")
    }
    if steps.contains(where: isBlocked) { return }
    // It waits for another saga.
    if turns.values.contains(where: { !$0.isTaken }) { return }
    let waits = steps.contains { step in
      (step.phase == .waiting && (step.signal != nil || step.due != nil))
        || step.phase != .open && (step.due ?? .zero) > clock(now)
    }
    if !waits { violates("nothing silent", "waits for nothing: \(summary)") }
  }

  /// Whether the step waits for something else than its due time: a pivot, or a rewind beside it.
  private func isHeldUp(_ step: Step) -> Bool {
    switch step.phase {
    case .backingOff where step.plan.isGroup && !isInOpenGroup(step): return true
    case .backingOff, .polling: return !rewind.isEmpty || (requestedTurnBack && !step.plan.isPivot)
    case .queued where turns[step.plan.id]?.isTaken == true: return true
    case .queued, .waiting, .open:
      // The saga's timeout has passed before the wait's end. Whether the saga turns back or goes on depends on a pivot.
      return requestedTurnBack && !pivotPassed && (step.due ?? .zero) > deadline
    case .pending, .running, .succeeded, .failed, .skipped, .undoing, .undone, .undoFailed: return false
    }
  }

  private func ended(_ step: Step) -> Bool {
    switch step.phase {
    case .running: true
    // An operator may abandon a saga while a step is between two attempts.
    case .undoing: step.isInFlight || end != "sagaAbandoned"
    case .queued, .backingOff, .waiting, .polling, .open: end != "sagaAbandoned"
    case .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: false
    }
  }

  private func keptSignal(for step: Step) -> Signal? {
    guard case .signal(_, let accepts) = step.plan.kind else { return nil }
    return signals.first { $0.name == step.signal && $0.isKept && (!accepts || $0.isGood) }
  }

  var summary: String { steps.map { "\($0.plan.id) \($0.phase)" }.joined(separator: ", ") }
}
