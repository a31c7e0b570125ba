import JSON
import Values
import Workflows

// Run now: a step's next attempt, its next look, or the end of its delay, is due at once.

struct RunNow: VerbRules {
  static let name = OperatorVerb.Name.runNow
  let step: String?

  static func read(_ json: JSON) -> OperatorVerb? { .runNow(step: json["step"]?.stringValue) }

  func write(to members: inout JSONObject) { members["step"] = step.map(JSON.string) }

  func check(_ saga: Decider) throws(Refusal) {
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNothingDue, message) }
    guard let id = step else {
      guard !Self.steps(in: saga).isEmpty else {
        throw refuse("No step waits for a time: none is between two attempts or two looks, and no delay is under way.")
      }
      return
    }
    let index = try saga.knownStep(id)
    let step = saga.state.steps[index]
    let what = step.undoWait == nil ? "Step" : "The undo of step"
    if let signal = step.stage.wait?.signal {
      throw refuse("\(what) \(id) waits for the signal “\(signal)”, not for a time: send the signal.")
    }
    if let child = step.awaitedChild ?? step.awaitedUndoChild {
      throw refuse("\(what) \(id) waits for its child saga \(child.saga), not for a time: act on the child.")
    }
    guard Self.canRunNow(index, in: saga) else {
      throw refuse("Step \(id) is \(step.status.rawValue): it waits for no time that could be now.")
    }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    saga.emit(OperatorRanNow(steps: step.map { [$0] } ?? Self.steps(in: saga), act: act))
  }

  static func targets(in saga: Decider) -> VerbTargets { VerbTargets(steps: steps(in: saga)) }

  /// Returns the steps that are between two attempts or two looks, and the delays.
  private static func steps(in saga: Decider) -> [String] {
    saga.state.sets.underWay.filter { canRunNow($0, in: saga) }.map { saga.state.steps[$0].id }
  }

  private static func canRunNow(_ step: Int, in saga: Decider) -> Bool {
    switch saga.state.steps[step].stage {
    case .backingOff: saga.state.requestedTurnBack == nil || saga.rules(of: step).pivot
    case .undoBackingOff: true
    case .waiting(let wait): wait.signal == nil && saga.state.steps[step].awaitedChild == nil
    case .polling: saga.mayRetry(step)
    case .pending, .queued, .running, .open, .succeeded, .failed, .skipped, .undoing, .undoWaiting, .undone,
      .undoFailed:
      false
    }
  }
}

/// The next attempts or looks of these steps, or the ends of their delays, are due now.
public struct OperatorRanNow: SagaEventContent {
  public static let typeName = "operatorRanNow"
  public let steps: [String]
  public let act: OperatorAct
  public var stepID: String? { steps.count == 1 ? steps[0] : nil }
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.runNow, act) }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(steps: try data.strings("steps"), act: try OperatorAct(data))
  }

  public func write(to data: inout JSONObject) {
    data["steps"] = .strings(steps)
    act.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    for id in steps {
      try saga.update(id, by: Self.typeName, at: at) { step in
        switch step.stage {
        case .backingOff, .undoBackingOff, .polling: break
        case .waiting(let wait): guard wait.signal == nil, step.awaitedChild == nil else { return false }
        case .pending, .queued, .running, .open, .succeeded, .failed, .skipped, .undoing, .undoWaiting, .undone,
          .undoFailed:
          return false
        }
        step.stage.due = at
        step.stage.polling?.look(at: at)
        return true
      }
    }
  }

  public var timeline: [TimelineNote] { [.mark("run now \(steps.joined(separator: ", "))", act)] }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.runNow, data, shows: "steps") }
}
