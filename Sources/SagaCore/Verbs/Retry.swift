import JSON
import Values
import Workflows

// Retry: new attempts for a step on which the saga is stuck, or for all such steps. With other input, a new round
// begins.

struct Retry: VerbRules {
  static let name = OperatorVerb.Name.retry
  let step: String?
  let input: JSON?

  static func read(_ json: JSON) -> OperatorVerb? { .retry(step: json["step"]?.stringValue, input: json["input"]) }

  func write(to members: inout JSONObject) {
    members["step"] = step.map(JSON.string)
    members["input"] = input
  }

  func check(_ saga: Decider) throws(Refusal) {
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepInputNotTaken, message) }
    guard let id = step else {
      guard !saga.state.blockers.isEmpty else {
        throw Refusal(
          EngineErrorCode.sagaNotStuck, "The saga is \(saga.state.status.rawValue): no step of it waits to be retried.")
      }
      if input != nil { throw refuse("Changed input is for one step: say which.") }
      return
    }
    let step = saga.state.steps[try saga.knownStep(id)]
    guard saga.state.isBlocked(step) else {
      throw Refusal(
        EngineErrorCode.stepNotRetryable,
        "Step \(id) is \(step.status.rawValue) and does not wait for an operator; only a step that the saga is stuck on "
          + "can be retried.")
    }
    guard let input else { return }
    if saga.definition.step(id)?.action.isGroup == true {
      throw refuse("Step \(id) is a group, and takes no input: the steps inside it do.")
    }
    guard step.status == .failed else {
      throw refuse("Step \(id) is being undone: an undo is made of what was done, and takes no other input.")
    }
    guard step.outcome != .unknown else {
      throw Refusal(
        EngineErrorCode.stepOutcomeUnknown,
        "Step \(id) may have happened, and with other input it could happen twice. Retry it as it is, under the same "
          + "key, or resolve it.")
    }
    guard input.objectValue != nil else { throw refuse("The input of a step is a JSON object.") }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    for id in step.map({ [$0] }) ?? saga.state.blockers.map(\.step) {
      let phase: StepPhase = saga.state.step(id)?.status == .undoFailed ? .undo : .forward
      saga.emit(OperatorRetried(step: id, phase: phase, input: input, act: act))
    }
  }

  static func targets(in saga: Decider) -> VerbTargets {
    VerbTargets(steps: steps(in: saga) { [Retry(step: $0, input: nil)] })
  }
}

/// An operator gives a step new attempts. With `input`, a new round is rendered with that input instead of the saga's.
public struct OperatorRetried: SagaEventContent {
  public static let typeName = "operatorRetried"
  public let step: String
  public let phase: StepPhase
  public let input: JSON?
  public let act: OperatorAct
  public var stepID: String? { step }
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.retry, act) }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), phase: try data.word("phase"), input: data.optionalValue("input"),
      act: try OperatorAct(data))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    data["input"] = input
    act.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      switch (phase, step.stage) {
      case (.forward, .failed(.blocks)):
        guard input == nil || step.outcome != .unknown else { return false }
        step.endedAt = nil
        if let input {
          // Under the old key the participant would repeat its earlier answer.
          step.input = input
          step.round += 1
          step.outcome = .none
          step.forward = Attempts()
        }
        step.forward.budgetStart = step.forward.count
        step.stage = .backingOff(until: at)
      case (.undo, .undoFailed(blocks: true)):
        guard input == nil else { return false }
        step.undoEndedAt = nil
        step.undo.budgetStart = step.undo.count
        step.stage = .undoBackingOff(until: at)
      case (.forward, _), (.undo, _): return false
      }
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: "over"), .begin(step: step, phase, .backoff), .mark("retry \(step)", act)]
  }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.retry, data, shows: "phase", "input") }
}
