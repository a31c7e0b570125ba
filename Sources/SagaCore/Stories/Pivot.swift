import Workflows

// A pivot is a point of no return: once it is passed the saga only goes forward. A pivot is passed when it succeeded,
// was resolved as happened, or was skipped by an operator. A pivot whose `when` is false is not passed.

extension SagaState {
  /// Returns whether a pivot has been passed, also in a history of an older version. Events of older versions don't say
  /// that a step which an operator skipped was a pivot. The definition does.
  public func isPivotPassed(by definition: WorkflowDefinition) -> Bool {
    pivotPassed
      || turnBack == nil
        && definition.pivots.contains { steps.indices.contains($0) && steps[$0].isSkippedByOperator }
  }

  /// Records that from here nothing is undone. A step that failed beside the pivot then waits for an operator instead.
  mutating func passPivot() {
    pivotPassed = true
    if sets.turningBack.isEmpty { return }
    updateAll { step in
      if step.stage == .failed(.turnsBack) { step.stage = .failed(.blocks) }
    }
  }
}

extension Decider {
  /// Whether a pivot has been passed. From then on nothing is undone.
  var isPivotPassed: Bool { state.isPivotPassed(by: definition) }

  /// Whether a pivot may have happened: an attempt is in flight, or its round is unknown.
  var isPivotUndecided: Bool {
    definition.pivots.contains { pivot in
      let step = state.steps[pivot]
      return switch step.stage {
      // A task that no worker has taken has not begun.
      case .running: !isOnlyOffered(pivot) || step.outcome == .unknown
      // Looks that may change something have been made.
      case .polling: mayHavePolled(pivot)
      case .backingOff, .failed: step.outcome == .unknown
      case .waiting: step.awaitedChild != nil
      case .pending, .queued, .open, .succeeded, .skipped, .undoing, .undoBackingOff, .undoWaiting, .undone,
        .undoFailed:
        false
      }
    }
  }
}
