import JSON
import Runtime
import Workflows

// Rewinding: a step and all that comes after it is undone, in the order in which turning back would, and begins again.
extension Decider {
  /// The step and all that comes after it, in the order of the file.
  private func rewoundSteps(_ id: String) -> [StepState] {
    guard let index = definition.index(of: id) else { return [] }
    let after = definition.transitiveDependents[index]
    return state.steps.filter { step in
      guard let other = definition.index(of: step.id) else { return false }
      return other == index || after.contains(other)
    }
  }

  func checkRewind(_ id: String) throws(Refusal) {
    let step = try knownStep(id)
    try requireGoingForward()
    try requireNoRewind()
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotRewindable, message) }
    guard step.status != .pending else {
      throw refuse("Step \(id) has not begun: there is nothing to rewind.")
    }
    for step in rewoundSteps(id) {
      guard let definition = definition(of: step) else { continue }
      if definition.pivot {
        if step.outcome == .succeeded {
          throw Refusal(
            EngineErrorCode.sagaPivotPassed,
            "Step \(step.id) is the point of no return, and has succeeded: nothing before it is undone any more.")
        }
        if step.status == .running || step.outcome == .unknown {
          throw refuse("Step \(step.id) is a point of no return that may have happened: wait until it is decided.")
        }
      }
      if mayHaveHappened(step), definition.compensation == .unspecified, definition.action.changesSomething {
        throw refuse(
          "Step \(step.id) has done something that its workflow doesn't say how to undo: it has no compensation, and "
            + "doesn't declare \"compensation\": \"none\".")
      }
    }
  }

  private func mayHaveHappened(_ step: StepState) -> Bool {
    step.status == .running || step.outcome == .succeeded || step.outcome == .unknown
  }

  mutating func startRewind(_ id: String, _ act: OperatorAct) {
    let steps = rewoundSteps(id).map(\.id)
    emit(.rewindStarted(step: id, steps: steps, act))
    for id in steps {
      if let step = state.step(id) { endForward(step, because: "The saga was rewound while this step waited.") }
    }
  }

  /// Undoes what is to begin again. Once nothing of it is left, it begins again, and everything beside it goes on.
  mutating func rewindOn() {
    guard let rewind = state.rewind else { return }
    let steps = Set(rewind.steps)
    // Attempts in flight settle first: until then nobody knows what there is to undo.
    guard !state.steps.contains(where: { steps.contains($0.id) && $0.forward.inFlight != nil }) else { return }
    startDueUndos { steps.contains($0.id) }
    if state.steps.allSatisfy({ !steps.contains($0.id) || isUndoSettled($0) }) {
      emit(.rewindFinished(step: rewind.step, steps: rewind.steps))
    }
  }
}

extension Action {
  /// Whether it may leave something behind that an undo would have to take away.
  fileprivate var changesSomething: Bool {
    switch self {
    case .http(let call): call.hasSideEffect
    // Nothing says of a command that it only asks.
    case .kafka: true
    case .signal, .delay: false
    }
  }
}
