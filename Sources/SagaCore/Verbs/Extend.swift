import JSON
import Values

// Extend: a later deadline of the saga, or a later end of a step's wait.

extension OperatorVerb {
  public enum Extension: Sendable, Hashable {
    case by(Duration)
    case until(Timestamp)

    func time(after time: Timestamp) -> Timestamp {
      switch self {
      case .by(let duration): time + duration
      case .until(let time): time
      }
    }
  }
}

struct Extend: VerbRules {
  static let name = OperatorVerb.Name.extend
  let step: String?
  let length: OperatorVerb.Extension

  /// The longest extension. It covers everything for which a laboratory waits, and keeps years below five digits.
  private static let furthest = DurationText.longest

  static func read(_ json: JSON) -> OperatorVerb? {
    let step = json["step"]?.stringValue
    if let by = json["byMs"]?.intValue { return .extend(step: step, .by(.milliseconds(by))) }
    return json["until"]?.stringValue.flatMap { Timestamp($0) }.map { .extend(step: step, .until($0)) }
  }

  func write(to members: inout JSONObject) {
    members["step"] = step.map(JSON.string)
    switch length {
    case .by(let duration): members["byMs"] = .int(duration.wholeMilliseconds)
    case .until(let time): members["until"] = .timestamp(time)
    }
  }

  func check(_ saga: Decider) throws(Refusal) {
    let current: Timestamp
    if let id = step {
      let step = saga.state.steps[try saga.knownStep(id)]
      guard let until = step.waitsUntil else {
        throw Refusal(
          EngineErrorCode.stepNotWaiting,
          "Step \(id) is \(step.status.rawValue)\(step.stage.wait == nil ? "" : " without an end"): only a wait or a "
            + "group that ends at a time can be extended.")
      }
      current = until
    } else {
      try saga.requireGoingForward()
      current = saga.state.deadline
    }
    let new = length.time(after: current)
    guard new > current else {
      throw Refusal(
        EngineErrorCode.deadlineNotLater, "The deadline is \(current). An extension makes it later, and \(new) is not.")
    }
    guard new <= saga.state.startedAt + Self.furthest else {
      throw Refusal(EngineErrorCode.deadlineNotLater, "\(new) is more than a hundred years after the saga began.")
    }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    let current = step.flatMap { saga.state.step($0)?.waitsUntil } ?? saga.state.deadline
    saga.emit(OperatorExtended(step: step, until: length.time(after: current), act: act))
  }

  static func targets(in saga: Decider) -> VerbTargets {
    // The test uses the smallest extension that is possible.
    let later = OperatorVerb.Extension.by(.milliseconds(1))
    return VerbTargets(
      steps: steps(in: saga) { [Extend(step: $0, length: later)] }, saga: saga.takes(Extend(step: nil, length: later)))
  }
}

/// The saga's deadline, or the end of a step's wait, is now later.
public struct OperatorExtended: SagaEventContent {
  public static let typeName = "operatorExtended"
  public let step: String?
  public var stepID: String? { step }
  public let until: Timestamp
  public let act: OperatorAct
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.extend, act) }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: data.optionalString("step"), until: try data.timestamp("until"), act: try OperatorAct(data))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = step.map(JSON.string)
    data["until"] = .timestamp(until)
    act.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard let id = step else {
      saga.deadline = until
      if until > saga.pausedAt ?? at { saga.overdueSince = nil }
      return
    }
    // During a pause too, the operator gives the time as it is meant.
    try saga.update(id, by: Self.typeName, at: at, holdsClock: false) { step in
      guard step.waitsUntil != nil else { return false }
      step.stage.due = until
      step.stage.polling?.until = until
      if step.stage.offeredUntil != nil { step.extendTask(until: until) }
      return true
    }
  }

  public var timeline: [TimelineNote] { [.mark(step.map { "extend \($0)" } ?? "extend", act)] }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.extend, data, shows: "until") }
}
