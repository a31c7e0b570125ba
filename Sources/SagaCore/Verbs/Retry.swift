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
    let index = try saga.knownStep(id)
    let step = saga.state.steps[index]
    guard saga.awaitsOperator(index) else {
      throw Refusal(
        EngineErrorCode.stepNotRetryable,
        "Step \(id) is \(step.status.rawValue) and does not wait for an operator; only a step that the saga is stuck on "
          + "can be retried.")
    }
    guard let input else { return }
    if saga.definition.step(id)?.action.isGroup == true {
      throw refuse("Step \(id) is a group, and takes no input: the steps inside it do.")
    }
    if saga.hasItems(index) {
      throw refuse("Step \(id) has items, and takes no input: each item does, as \(id)[KEY].")
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
    // All failed items of a step that is stuck, or one item, begin again when there is room for them.
    if phase == .forward, let index = saga.index(of: step), saga.steps.items(of: index) != nil {
      guard input == nil else { throw HistoryError("A step with items takes no other input.") }
      saga.steps.change(index) { $0.queueFailures() }
      try saga.update(step, by: Self.typeName, at: at) { $0.reopen() }
      return
    }
    try saga.update(step, by: Self.typeName, at: at) { step in
      switch (phase, step.stage) {
      case (.forward, .failed(.goesOn)) where step.item != nil:
        guard input == nil || step.outcome != .unknown else { return false }
        step.prepareRetry(with: input)
      case (.forward, .failed(.blocks)):
        guard input == nil || step.outcome != .unknown else { return false }
        step.endedAt = nil
        step.prepareRetry(with: input)
        step.stage = .backingOff(until: at)
      case (.undo, .undoFailed(blocks: true)):
        guard input == nil else { return false }
        step.undoEndedAt = nil
        step.undo.budgetStart = step.undo.count
        step.undoUnknown = false
        step.taskWait = nil
        step.stage = .undoBackingOff(until: at)
      case (.forward, _), (.undo, _): return false
      }
      return true
    }
    if phase == .forward, let place = saga.index(of: step).flatMap({ ItemPlace($0) }) {
      saga.steps.change(place.step) { $0.queue(place.number) }
      try saga.reopenStep(of: step, by: Self.typeName, at: at)
    }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: "over"), .begin(step: step, phase, .backoff), .mark("retry \(step)", act)]
  }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.retry, data, shows: "phase", "input") }
}

extension StepState {
  /// Gives the step all attempts of its retry policy again. With `input`, a new round begins.
  mutating func prepareRetry(with input: JSON?) {
    // Under the old key the participant would repeat its earlier answer, and the child would be the one that has ended.
    if input != nil || child != nil && outcome == .failed {
      self.input = input ?? self.input
      beginRound()
    }
    forward.budgetStart = forward.count
    taskWait = nil
  }

  private mutating func beginRound() {
    round += 1
    outcome = .none
    forward = Attempts()
    child = nil
  }
}
