import JSON
import Values
import Workflows

// Rewinding: a step and all that comes after it is undone, in the order in which turning back would, and begins again.
extension Decider {
  func checkRewind(_ id: String) throws(Refusal) {
    let step = try knownStep(id)
    try requireGoingForward()
    try requireNoRewind()
    guard step.status != .pending else {
      throw Refusal(EngineErrorCode.stepNotRewindable, "Step \(id) has not begun: there is nothing to rewind.")
    }
    for index in rewoundSteps(id) { try checkRewinding(index) }
  }

  /// The step and all that comes after it, by their places in the file, which are those of the state.
  private func rewoundSteps(_ id: String) -> [Int] {
    guard let index = definition.index(of: id) else { return [] }
    let after = definition.transitiveDependents[index]
    return state.steps.indices.filter { $0 == index || after.contains($0) }
  }

  /// Whether a step may be undone and begin again. Asked of every step behind every step: it copies none.
  private func checkRewinding(_ index: Int) throws(Refusal) {
    guard definition.steps.indices.contains(index) else { return }
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotRewindable, message) }
    let (status, outcome) = (state.steps[index].status, state.steps[index].outcome)
    let isPivot = definition.steps[index].pivot
    if isPivot, outcome == .succeeded || state.steps[index].skippedByOperator {
      let how = outcome == .succeeded ? "has succeeded" : "was skipped as done"
      throw Refusal(
        EngineErrorCode.sagaPivotPassed,
        "Step \(state.steps[index].id) is the point of no return and \(how): nothing before it is undone any more.")
    }
    let mayHaveHappened = status == .running || outcome == .succeeded || outcome == .unknown
    guard mayHaveHappened else { return }
    if isPivot {
      throw refuse(
        "Step \(state.steps[index].id) is a point of no return that may have happened: wait until it is decided.")
    }
    if case .unspecified = definition.steps[index].compensation, definition.steps[index].action.changesSomething {
      throw refuse(
        "Step \(state.steps[index].id) has done something, or may have, that its workflow doesn't say how to undo: it has "
          + "no compensation, and doesn't declare \"compensation\": \"none\".")
    }
    try requireUndoOfAll(index)
  }

  /// A new round begins under a new key: what the old one did, or may have done, has to be undone first.
  private func requireUndoOfAll(_ index: Int) throws(Refusal) {
    guard case .undo(let undo) = definition.steps[index].compensation else { return }
    let step = state.steps[index]
    let isRunning = step.status == .running
    let possible: Set<Outcome> =
      isRunning ? [.succeeded, .unknown] : step.outcome == .succeeded ? [.succeeded] : [.unknown]
    guard let left = possible.subtracting(undo.appliesTo).map(\.rawValue).min() else { return }
    throw Refusal(
      EngineErrorCode.stepNotRewindable,
      "The outcome of step \(step.id) is\(isRunning ? ", or may become," : "") “\(left)”, which its compensation doesn't "
        + "undo (\"appliesTo\"): beginning again, it could happen twice."
        + (isRunning ? " Wait until its attempt has been answered." : ""))
  }

  mutating func startRewind(_ id: String, _ act: OperatorAct) {
    let steps = rewoundSteps(id).map { state.steps[$0].id }
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
