import JSON
import Values
import Workflows

// Turning back: when, and in what order what was done is undone.
extension Decider {
  /// Notices the saga's timeout, once. It never bounds compensation.
  mutating func noticeTimeout() {
    guard state.turnBack == nil, now >= state.deadline else { return }
    // A saga whose last step has just succeeded is done, not late.
    guard !state.steps.allSatisfy(\.isPassed) else { return }
    if isPivotPassed {
      if state.overdueSince == nil { emit(.sagaOverdue) }
    } else if state.requestedTurnBack == nil {
      request(
        TurnBack(
          cause: .timeout, code: EngineErrorCode.sagaTimeout,
          message: "The saga was not done by \(state.deadline), its timeout."))
    }
  }

  /// Turns back at once. While a pivot is undecided, records that the saga is to; behind a pivot that request lapses.
  mutating func request(_ reason: TurnBack) {
    if isPivotUndecided || isPivotPassed { emit(.turnBackRequested(reason)) } else { startTurningBack(reason) }
  }

  /// Whether a pivot may have happened: an attempt is in flight, or its round is unknown.
  var isPivotUndecided: Bool {
    state.steps.contains { step in
      guard definition(of: step)?.pivot == true else { return false }
      switch step.status {
      case .running: return true
      case .backingOff, .failed: return step.outcome == .unknown
      case .pending, .waiting, .succeeded, .skipped, .undoing, .undone, .undoFailed: return false
      }
    }
  }

  /// Lets a step's failure, or a request that waited for a pivot, have its effect.
  mutating func decideTurningBack() {
    guard state.turnBack == nil else { return }
    if let requested = state.requestedTurnBack {
      if isPivotPassed {
        emit(.turnBackLapsed)
      } else if !isPivotUndecided {
        startTurningBack(requested.value)
      }
    } else if let failed = state.steps.first(where: { $0.status == .failed && $0.consequence == .turnsBack }) {
      request(
        TurnBack(
          cause: .stepFailed, step: failed.id, code: failed.failure?.code ?? "",
          message: failed.failure?.message ?? ""))
      if state.requestedTurnBack != nil, isPivotPassed { emit(.turnBackLapsed) }
    }
  }

  private mutating func startTurningBack(_ reason: TurnBack) {
    emit(.turnedBack(reason))
    for step in state.steps { endForward(step, because: "The saga turned back while this step waited.") }
  }

  /// Ends a wait, and attempts that would follow: what the step has done is to be undone.
  mutating func endForward(_ step: StepState, because message: String) {
    switch step.status {
    case .waiting:
      let failure = StepFailure(code: EngineErrorCode.waitEnded, message: message)
      emit(.stepFailed(step: step.id, outcome: .none, failure: failure, consequence: .settles))
    case .backingOff:
      guard let failure = step.failure else { return }
      emit(.stepFailed(step: step.id, outcome: step.outcome, failure: failure, consequence: .settles))
    case .pending, .running, .succeeded, .failed, .skipped, .undoing, .undone, .undoFailed:
      break
    }
  }

  /// Starts every undo that is due and that nothing stands before; ends the saga when none is left.
  mutating func turnBack() {
    // Attempts in flight settle first: until then nobody knows what there is to undo.
    guard !state.steps.contains(where: { $0.forward.inFlight != nil }) else { return }
    startDueUndos { _ in true }
    if state.steps.allSatisfy(isUndoSettled) { emit(.sagaCompensated) }
  }

  /// Starts the undos among these steps that are due and that nothing stands before.
  mutating func startDueUndos(among isMeant: (StepState) -> Bool) {
    var changed = true
    while changed {
      changed = false
      for step in state.steps where isMeant(step) {
        if isSpent { return }
        guard let undo = pendingUndo(of: step), isUnobstructed(step) else { continue }
        if let retryAt = step.undo.retryAt, retryAt > now { continue }
        startUndo(step, undo)
        changed = true
      }
    }
  }

  private mutating func startUndo(_ step: StepState, _ undo: Undo) {
    // An undo that can't be rendered is a failed undo: never skipped.
    if let failure = problem(with: undo.action, of: step) {
      emit(.undoFailed(step: step.id, failure: failure, blocks: undo.onFailure == .stuck))
      return
    }
    emit(
      .attemptStarted(
        step: step.id, phase: .undo, round: step.round, attempt: step.undo.count + 1, deadline: now + undo.timeout))
  }

  func undo(of step: StepState) -> Undo? {
    guard case .undo(let undo)? = definition(of: step)?.compensation else { return nil }
    return undo
  }

  /// The compensation that a step still needs an attempt of, if any.
  private func pendingUndo(of step: StepState) -> Undo? {
    guard let undo = undo(of: step) else { return nil }
    switch step.status {
    case .succeeded, .failed: return applies(undo, to: step) ? undo : nil
    case .undoing: return step.undo.inFlight == nil ? undo : nil
    case .pending, .running, .backingOff, .waiting, .skipped, .undone, .undoFailed: return nil
    }
  }

  private func applies(_ undo: Undo, to step: StepState) -> Bool {
    switch step.outcome {
    case .none: false
    case .succeeded: undo.appliesTo.contains(.succeeded)
    case .unknown: undo.appliesTo.contains(.unknown)
    case .failed: undo.appliesTo.contains(.failed)
    }
  }

  /// Whether everything that was ordered after the step has been undone, or needs no undo.
  private func isUnobstructed(_ step: StepState) -> Bool {
    guard let index = definition.index(of: step.id) else { return false }
    return definition.transitiveDependents[index].indexes.allSatisfy { dependent in
      state.step(definition.steps[dependent].id).map(isUndoSettled) ?? true
    }
  }

  /// Whether nothing is left to do about a step that the saga turned back over.
  func isUndoSettled(_ step: StepState) -> Bool {
    switch step.status {
    case .pending, .skipped, .undone: true
    case .undoFailed: !step.undoBlocks
    case .running, .backingOff, .waiting, .undoing: false
    case .succeeded, .failed: undo(of: step).map { !applies($0, to: step) } ?? true
    }
  }
}
