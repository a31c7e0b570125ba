import JSON
import Values

// Pause and resume: while a saga is paused its clock is stopped and nothing new starts. Attempts under way settle. On
// resume, every deadline shifts by the length of the pause.

struct Pause: VerbRules {
  static let name = OperatorVerb.Name.pause

  static func read(_ json: JSON) -> OperatorVerb? { .pause }

  func check(_ saga: Decider) throws(Refusal) {
    if saga.state.isPaused { throw Refusal(EngineErrorCode.sagaPaused, "The saga is paused already.") }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) { saga.emit(SagaPaused(act)) }

  static func targets(in saga: Decider) -> VerbTargets { VerbTargets(saga: saga.takes(Pause())) }
}

struct Resume: VerbRules {
  static let name = OperatorVerb.Name.resume

  static func read(_ json: JSON) -> OperatorVerb? { .resume }

  func check(_ saga: Decider) throws(Refusal) {
    if !saga.state.isPaused { throw Refusal(EngineErrorCode.sagaNotPaused, "The saga is not paused.") }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) { saga.emit(SagaResumed(act)) }

  static func targets(in saga: Decider) -> VerbTargets { VerbTargets(saga: saga.takes(Resume())) }
}

/// Nothing new starts, and the saga's clock is stopped.
public struct SagaPaused: SagaEventContent {
  public static let typeName = "sagaPaused"
  public let act: OperatorAct
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.pause, act) }

  public init(_ act: OperatorAct) { self.act = act }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self(try OperatorAct(data)) }

  public func write(to data: inout JSONObject) { act.add(to: &data) }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.pause == nil else { throw HistoryError("A saga that is paused can't be paused again.") }
    saga.pause = Dated(at: at, value: act)
  }

  public var timeline: [TimelineNote] { [.mark("paused", act)] }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.pause, data) }
}

/// The saga goes on. Every deadline shifts by the length of the pause.
public struct SagaResumed: SagaEventContent {
  public static let typeName = "sagaResumed"
  public let act: OperatorAct
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.resume, act) }

  public init(_ act: OperatorAct) { self.act = act }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self(try OperatorAct(data)) }

  public func write(to data: inout JSONObject) { act.add(to: &data) }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard let pausedAt = saga.pausedAt else { throw HistoryError("Only a paused saga is resumed.") }
    saga.shiftDeadlines(by: max(.zero, at - pausedAt))
    saga.pause = nil
  }

  public var timeline: [TimelineNote] { [.mark("resumed", act)] }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.resume, data) }
}

extension SagaState {
  /// Shifts every pending deadline by `length`, the duration of the pause.
  fileprivate mutating func shiftDeadlines(by length: Duration) {
    deadline = deadline + length
    overdueSince = overdueSince.map { $0 + length }
    for owner in turnsByOwner.keys {
      guard let turn = turnsByOwner[owner], !turn.isTaken else { continue }
      turnsByOwner[owner]?.waitsSince = turn.waitsSince + length
    }
    updateAll { step in
      step.stage.shift(by: length)
      if let until = step.taskWait?.until { step.taskWait?.until = until + length }
      guard var clock = step.clock else { return }
      clock.since = clock.since + length
      if let since = clock.overdue?.since { clock.overdue?.since = since + length }
      step.clock = clock
    }
  }
}

extension StepState {
  /// During a pause, a time that is set relative to now counts from the start of the pause.
  /// - Parameters:
  ///   - before: the stage before the event that set it.
  ///   - paused: for how long the saga has been paused.
  mutating func countFromPause(since before: StepStage, _ clockBefore: Timestamp?, paused: Duration) {
    let back = Duration.zero - paused
    if let due = stage.due, due != before.due || stage.status != before.status { stage.due = due + back }
    if let next = stage.polling?.next, next != before.polling?.next { stage.polling?.next = next + back }
    if let since = clock?.since, since != clockBefore { clock?.since = since + back }
  }
}
