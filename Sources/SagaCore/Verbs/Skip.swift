import JSON
import Values
import Workflows

// Skip: the saga continues without a step. Later steps read the output that the operator gives, if any. A skipped pivot
// counts as passed: the operator did it by hand.

struct Skip: VerbRules {
  static let name = OperatorVerb.Name.skip
  let step: String
  let output: JSON?

  static func read(_ json: JSON) -> OperatorVerb? {
    json["step"]?.stringValue.map { .skip(step: $0, output: json["output"]) }
  }

  func write(to members: inout JSONObject) {
    members["step"] = .string(step)
    members["output"] = output
  }

  func check(_ saga: Decider) throws(Refusal) {
    let index = try saga.knownStep(step)
    let step = saga.state.steps[index]
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotSkippable, message) }
    if saga.definition.steps.indices.contains(index), saga.definition.steps[index].action.isGroup {
      throw refuse("Step \(step.id) is a group: skip the steps inside it.")
    }
    if saga.hasItems(index), step.stage != .pending, !step.isQueued {
      throw refuse("Step \(step.id) has begun with its items: skip those that failed, as \(step.id)[KEY].")
    }
    switch step.status {
    case .undoing, .undoFailed, .undone:
      throw refuse("An undo can't be skipped: undo step \(step.id) by hand and resolve it as undone.")
    case .succeeded, .skipped:
      throw refuse("Step \(step.id) is \(step.status.rawValue): there is nothing left to skip.")
    case .pending, .running, .backingOff, .waiting, .failed: break
    }
    try saga.requireGoingForward()
    try saga.requireNoRewind()
    if let child = step.awaitedChild {
      throw refuse(
        "Step \(step.id) waits for its child saga \(child.saga) (\(child.workflow)): skip a step of the child, or cancel "
          + "the child.")
    }
    if case .running = step.status, !step.isOnlyOffered {
      throw refuse(
        "An attempt of step \(step.id) is under way: wait until it has settled. Pause the saga, and none follows "
          + "meanwhile.")
    }
    if saga.rules(of: index).pivot, step.forward.count > 0, !step.isOnlyOffered || step.outcome != .none {
      throw refuse(
        "Step \(step.id) is a point of no return and has been attempted: it can't be skipped. Once the saga is stuck on "
          + "it, retry it, or resolve it as happened if it was done by hand.")
    }
    guard step.outcome != .unknown else {
      throw Refusal(
        EngineErrorCode.stepOutcomeUnknown,
        "Step \(step.id) may have happened, and a skip would leave that as it is. Let its attempts find out, or resolve "
          + "the step once the saga is stuck on it.")
    }
    if case .failed = step.status, !saga.awaitsOperator(index) {
      throw refuse("Step \(step.id) has failed, and the saga is not stuck on it.")
    }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    let isPivot = saga.definition.step(step)?.pivot ?? false
    saga.emit(OperatorSkipped(step: step, output: output, isPivot: isPivot, act: act))
  }

  static func targets(in saga: Decider) -> VerbTargets {
    VerbTargets(steps: steps(in: saga) { [Skip(step: $0, output: nil)] })
  }
}

/// The saga continues without the step.
public struct OperatorSkipped: SagaEventContent {
  public static let typeName = "operatorSkipped"
  public let step: String
  /// The output that later steps read.
  public let output: JSON?
  /// Whether the step is a pivot, which is passed now.
  public let isPivot: Bool
  public let act: OperatorAct
  public var stepID: String? { step }
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.skip, act) }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), output: data.optionalValue("output"), isPivot: data.flag("pivot"),
      act: try OperatorAct(data))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["output"] = output
    data["pivot"] = isPivot ? true : nil
    act.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      switch step.stage {
      case .waiting: guard step.awaitedChild == nil else { return false }
      case .pending, .queued, .polling: break
      case .backingOff, .failed(.blocks): guard step.outcome != .unknown else { return false }
      case .failed(.goesOn): guard step.item != nil, step.outcome != .unknown else { return false }
      case .running: guard step.isOnlyOffered, step.outcome != .unknown else { return false }
      case .open, .succeeded, .failed, .skipped, .undoing, .undoBackingOff, .undoWaiting, .undone, .undoFailed:
        return false
      }
      step.stage = .skipped(byOperator: true)
      step.output = output
      step.failure = nil
      step.endedAt = at
      return true
    }
    try saga.reopenStep(of: step, by: Self.typeName, at: at)
    if isPivot { saga.passPivot() }
  }

  public var timeline: [TimelineNote] { [.close(step: step, outcome: "over"), .mark("skip \(step)", act)] }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.skip, data, shows: "output") }
}
