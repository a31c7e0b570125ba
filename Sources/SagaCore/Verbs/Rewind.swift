import JSON
import Values
import Workflows

// Rewind: a step and all steps that come after it are undone, in the order of compensation, and begin again.

/// Steps that are undone and begin again.
public struct Rewind: Sendable, Hashable {
  /// The step that the operator named.
  public let step: String
  /// That step and all steps that come after it, in the order of the file.
  public let steps: [String]
  public let at: Timestamp
  public let by: String
  public let reason: String
}

struct RewindTo: VerbRules {
  static let name = OperatorVerb.Name.rewind
  let step: String

  static func read(_ json: JSON) -> OperatorVerb? { json["step"]?.stringValue.map { .rewind(step: $0) } }

  func write(to members: inout JSONObject) { members["step"] = .string(step) }

  func check(_ saga: Decider) throws(Refusal) {
    let index = try saga.knownStep(step)
    if let item = ItemID(step) {
      throw Refusal(
        EngineErrorCode.stepNotRewindable,
        "\(step) is one item of step \(item.step): rewind the step with all its items.")
    }
    try saga.requireGoingForward()
    try saga.requireNoRewind()
    guard saga.state.steps[index].stage != .pending else {
      throw Refusal(EngineErrorCode.stepNotRewindable, "Step \(step) has not begun: there is nothing to rewind.")
    }
    for index in saga.stepsFrom(index) { try saga.checkRewinding(index) }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    guard let index = saga.state.index(of: step) else { return }
    let rewound = saga.stepsFrom(index)
    saga.emit(RewindStarted(step: step, steps: rewound.map { saga.state.steps[$0].id }, act: act))
    let sets = saga.state.sets
    saga.endForward(
      sets.waiting.union(sets.backingOff).union(sets.open).union(sets.running).within(rewound),
      because: "The saga was rewound while this step waited.")
  }

  static func targets(in saga: Decider) -> VerbTargets {
    VerbTargets(steps: steps(in: saga) { [RewindTo(step: $0)] })
  }
}

extension Decider {
  /// Returns the step and all steps that come after it. A group comes with the steps inside it.
  fileprivate func stepsFrom(_ step: Int) -> StepSet {
    var steps = definition.transitiveDependents[step]
    steps.insert(step)
    for member in definition.members[step] { steps.formUnion(stepsFrom(member)) }
    return steps
  }

  /// Checks whether a step may be undone and begin again. It runs for every pair of steps, so it copies none.
  fileprivate func checkRewinding(_ index: Int) throws(Refusal) {
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotRewindable, message) }
    let (status, outcome) = (state.steps[index].status, state.steps[index].outcome)
    let isPivot = definition.steps[index].pivot
    if isPivot, outcome == .succeeded || state.steps[index].isSkippedByOperator {
      let how = outcome == .succeeded ? "has succeeded" : "was skipped as done"
      throw Refusal(
        EngineErrorCode.sagaPivotPassed,
        "Step \(state.steps[index].id) is the point of no return and \(how): nothing before it is undone any more.")
    }
    let items = state.steps.items(of: index)
    let mayHaveHappened =
      items.map { !possibleOutcomes(of: $0).isEmpty }
      ?? (status == .running && !isOnlyOffered(index) || outcome == .succeeded || outcome == .unknown
        || mayHavePolled(index)
        || state.steps[index].awaitedChild != nil)
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

  /// Checks that the old round can be undone. A new round has a new key, so the effects of the old round must be undone
  /// first.
  private func requireUndoOfAll(_ index: Int) throws(Refusal) {
    guard let undo = undo(of: index) else { return }
    let step = state.steps[index]
    let items = state.steps.items(of: index)
    let isRunning = items.map { $0.underWay > 0 } ?? (step.status == .running)
    let possible: Set<Outcome> =
      items.map(possibleOutcomes)
      ?? (isRunning ? [.succeeded, .unknown] : step.outcome == .succeeded ? [.succeeded] : [.unknown])
    guard let left = possible.subtracting(undo.appliesTo).map(\.rawValue).min() else { return }
    throw Refusal(
      EngineErrorCode.stepNotRewindable,
      "The outcome of step \(step.id) is\(isRunning ? ", or may become," : "") “\(left)”, which its compensation doesn't "
        + "undo (\"appliesTo\"): beginning again, it could happen twice."
        + (isRunning ? " Wait until its attempt has been answered." : ""))
  }

  /// Returns the outcomes that items have, or may have when they have settled, and that mean that something happened.
  private func possibleOutcomes(of items: ItemStates) -> Set<Outcome> {
    var outcomes: Set<Outcome> = []
    if items.underWay > 0 { outcomes = [.succeeded, .unknown] }
    if items.count(of: .succeeded, .succeeded) > 0 { outcomes.insert(.succeeded) }
    if items.count(of: .failed, .unknown) > 0 { outcomes.insert(.unknown) }
    return outcomes
  }

  /// Undoes the steps of the rewind. Once all are undone, they begin again, and the steps beside them continue.
  mutating func continueRewind() {
    guard let rewind = state.rewind else { return }
    var steps = StepSet(count: state.steps.count)
    for id in rewind.steps { if let index = state.index(of: id) { steps.insert(index) } }
    // Attempts in flight settle first: until then the engine doesn't know what there is to undo.
    guard state.sets.running.within(steps).isEmpty else { return }
    if startDueUndos(among: steps).isEmpty { finishRewind(rewind) }
  }
}

extension Decider {
  /// Lets the steps begin again. What they held is free first, so that they ask again in their order.
  private mutating func finishRewind(_ rewind: Rewind) {
    emit(RewindFinished(step: rewind.step, steps: rewind.steps))
    releaseTurns()
  }
}

extension Action {
  /// Whether the action may have an effect that must be undone.
  fileprivate var changesSomething: Bool {
    switch self {
    case .http(let call): call.hasSideEffect
    // A command or a task may always change something: its definition cannot say that it only reads.
    case .kafka, .task: true
    case .workflow: true
    case .signal, .delay, .fail, .group: false
    }
  }
}

// MARK: Events

/// The step and all steps that come after it are undone and then begin again.
public struct RewindStarted: SagaEventContent {
  public static let typeName = "rewindStarted"
  public let step: String
  public let steps: [String]
  public let act: OperatorAct
  public var stepID: String? { step }
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.rewind, act) }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), steps: try data.strings("steps"), act: try OperatorAct(data))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["steps"] = .strings(steps)
    act.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.turnBack == nil, saga.rewind == nil else {
      throw HistoryError("A rewind can't begin while another goes on.")
    }
    // The signals for which these steps waited must come again.
    saga.dropKeptSignals(waitedForBy: steps)
    for step in steps {
      try saga.update(step, by: Self.typeName, at: at) { step in
        switch step.stage {
        case .undoing, .undoBackingOff, .undoWaiting, .undone, .undoFailed: return false
        // The failure of the step no longer blocks the saga.
        case .failed: step.stage = .failed(.settles)
        case .pending, .queued, .running, .backingOff, .waiting, .polling, .open, .succeeded, .skipped: break
        }
        step.awaitedSignal = nil
        return true
      }
      if let index = saga.index(of: step) { saga.steps.change(index) { $0.clearQueue() } }
    }
    saga.rewind = Rewind(step: step, steps: steps, at: at, by: act.by, reason: act.reason)
  }

  public var timeline: [TimelineNote] { [.mark("rewind to \(step)", act)] }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.rewind, data, shows: "steps") }
}

/// All of the rewound steps are undone: they are pending again, in a new round.
public struct RewindFinished: SagaEventContent {
  public static let typeName = "rewindFinished"
  public let step: String
  public let steps: [String]
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), steps: try data.strings("steps"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["steps"] = .strings(steps)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.rewind?.steps == steps else { throw HistoryError("Only a rewind that goes on can be finished.") }
    saga.dropKeptSignals(confirmingUndosOf: steps)
    for step in steps {
      let index = saga.index(of: step)
      let rounds = index.flatMap { saga.steps.items(of: $0)?.rounds } ?? 0
      if let index { saga.steps.drop(index) }
      try saga.update(step, by: Self.typeName, at: at) { step in
        switch step.stage {
        case .queued, .running, .backingOff, .waiting, .polling, .open, .undoing, .undoBackingOff, .undoWaiting,
          .undoFailed(blocks: true):
          return false
        case .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: break
        }
        // The step has its first state, but in a new round: for an old round, participants repeat their earlier
        // answers.
        var again = StepState(id: step.id)
        again.round = max(step.round, rounds) + 1
        again.input = step.input
        step = again
        return true
      }
    }
    saga.rewind = nil
  }

  public var timeline: [TimelineNote] { [.mark("rewound to \(step)")] }
}
