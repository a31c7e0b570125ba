import JSON
import Values
import Workflows

// Resolve: an operator records the outcome of a step on which the saga is stuck, after a check at the participant.

/// The outcome that an operator found.
public enum Resolution: Sendable, Hashable {
  /// The step did happen. `output` is its output, as far as later steps need it.
  case happened(output: JSON)
  /// The step did not happen.
  case didNotHappen
  /// The step was undone by hand.
  case undone

  public var word: String {
    switch self {
    case .happened: "happened"
    case .didNotHappen: "didNotHappen"
    case .undone: "undone"
    }
  }
}

struct Resolve: VerbRules {
  static let name = OperatorVerb.Name.resolve
  let step: String
  let resolution: Resolution

  static func read(_ json: JSON) -> OperatorVerb? {
    guard let step = json["step"]?.stringValue else { return nil }
    switch json["resolution"]?.stringValue {
    case "happened": return .resolve(step: step, .happened(output: json["output"] ?? .null))
    case "didNotHappen": return .resolve(step: step, .didNotHappen)
    case "undone": return .resolve(step: step, .undone)
    default: return nil
    }
  }

  func write(to members: inout JSONObject) {
    members["step"] = .string(step)
    members["resolution"] = .string(resolution.word)
    if case .happened(let output) = resolution { members["output"] = output }
  }

  func check(_ saga: Decider) throws(Refusal) {
    let index = try saga.knownStep(step)
    let step = saga.state.steps[index]
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotResolvable, message) }
    if saga.definition.step(step.id)?.action.isGroup == true {
      throw refuse(
        "Step \(step.id) is a group, and did nothing itself: retry it, and its steps get its whole time again.")
    }
    if saga.hasItems(index) {
      throw refuse(
        "Step \(step.id) did nothing itself: resolve its items, as \(step.id)[KEY], or retry it with all that failed.")
    }
    guard saga.awaitsOperator(index) else {
      throw refuse("Step \(step.id) is \(step.status.rawValue) and does not wait for an operator.")
    }
    switch (resolution, step.status) {
    case (.undone, .undoFailed): break
    case (_, .undoFailed):
      throw refuse("The undo of step \(step.id) has failed: undo it by hand and resolve it as undone, or retry it.")
    case (.undone, _): throw refuse("Step \(step.id) is not being undone; say whether it happened or did not happen.")
    case (.happened, _): break
    case (.didNotHappen, _):
      guard step.outcome == .unknown else {
        throw refuse("Step \(step.id) was cleanly refused: it is known not to have happened. Retry it.")
      }
    }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    let rules = saga.definition.step(step)
    // The saga continues as if the participant had cleanly refused the step.
    let consequence: FailureConsequence =
      switch rules?.onFailure {
      case .continue: .goesOn
      case .stuck: .blocks
      case .compensate, nil: ItemID(step) == nil ? .turnsBack : .goesOn
      }
    saga.emit(
      OperatorResolved(
        step: step, resolution: resolution, isPivot: rules?.pivot ?? false,
        consequence: resolution == .didNotHappen ? consequence : .turnsBack, act: act))
  }

  static func targets(in saga: Decider) -> VerbTargets {
    VerbTargets(
      steps: steps(in: saga) { step in
        [.happened(output: .null), .didNotHappen, .undone].map { Resolve(step: step, resolution: $0) }
      })
  }
}

/// An operator recorded the outcome of a step.
public struct OperatorResolved: SagaEventContent {
  public static let typeName = "operatorResolved"
  public let step: String
  public let resolution: Resolution
  /// Whether the step is a pivot.
  public let isPivot: Bool
  /// What follows when the step did not happen: the saga goes on, compensates, or waits for the operator's next verb.
  public let consequence: FailureConsequence
  public let act: OperatorAct
  public var stepID: String? { step }
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.resolve, act) }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    let resolution: Resolution =
      switch try data.string("resolution") {
      case "happened": .happened(output: try data.value("output"))
      case "didNotHappen": .didNotHappen
      case "undone": .undone
      default: throw data.unreadable("resolution")
      }
    return Self(
      step: try data.string("step"), resolution: resolution, isPivot: data.flag("pivot"),
      consequence: data.has("goesOn") ? data.flag("goesOn") ? .goesOn : .blocks : .turnsBack,
      act: try OperatorAct(data))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["resolution"] = .string(resolution.word)
    if case .happened(let output) = resolution { data["output"] = output }
    data["pivot"] = isPivot ? true : nil
    switch consequence {
    case .goesOn: data["goesOn"] = true
    case .blocks: data["goesOn"] = false
    case .turnsBack, .settles: break
    }
    act.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    if case .happened = resolution, saga.turnBack != nil {
      throw HistoryError("A step can't be found done once the saga has turned back.")
    }
    try saga.update(step, by: Self.typeName, at: at) { step in
      switch (resolution, step.stage) {
      case (.happened(let output), .failed(.blocks)): step.succeed(output: StepOutput(output), at: at)
      case (.happened(let output), .failed(.goesOn)) where step.item != nil:
        step.succeed(output: StepOutput(output), at: at)
      case (.didNotHappen, .failed(.goesOn)) where step.item != nil:
        guard step.outcome == .unknown else { return false }
        step.outcome = .failed
      case (.didNotHappen, .failed(.blocks)):
        guard step.outcome == .unknown else { return false }
        step.outcome = .failed
        step.stage = .failed(consequence)
        step.endedAt = at
      case (.undone, .undoFailed(blocks: true)): step.finishUndo(how: "resolved", at: at)
      case (.happened, _), (.didNotHappen, _), (.undone, _): return false
      }
      return true
    }
    if case .happened = resolution { try saga.reopenStep(of: step, by: Self.typeName, at: at) }
    if case .happened = resolution, isPivot { saga.passPivot() } else if saga.pivotPassed { saga.passPivot() }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: "over"), .mark("resolve \(step) \(resolution.word)", act)]
  }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.resolve, data, shows: "resolution", "output") }
}
