import JSON
import Values

// Abandon: a stuck saga ends as it is. The step on which it was stuck does not change.

struct Abandon: VerbRules {
  static let name = OperatorVerb.Name.abandon

  static func read(_ json: JSON) -> OperatorVerb? { .abandon }

  func check(_ saga: Decider) throws(Refusal) {
    // Two undos that wait for each other's turns need an operator, too.
    guard saga.state.status == .stuck || saga.state.waitsToUndo else {
      throw Refusal(
        EngineErrorCode.sagaNotStuck,
        "The saga is \(saga.state.status.rawValue), not stuck: only a saga that can't go on by itself, or whose undo "
          + "waits for its turn, can be abandoned."
      )
    }
    guard !saga.state.hasAttemptInFlight else {
      throw Refusal(
        EngineErrorCode.sagaAttemptInFlight,
        "An attempt is still under way; wait until it has settled, so that what it did is known.")
    }
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) { saga.emit(SagaAbandoned(act)) }

  static func targets(in saga: Decider) -> VerbTargets { VerbTargets(saga: saga.takes(Abandon())) }
}

/// An operator abandoned the saga.
public struct SagaAbandoned: SagaEventContent {
  public static let typeName = "sagaAbandoned"
  public let act: OperatorAct
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.abandon, act) }

  public init(_ act: OperatorAct) { self.act = act }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self(try OperatorAct(data)) }

  public func write(to data: inout JSONObject) { act.add(to: &data) }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    saga.end = SagaEnd(status: .abandoned, at: at, by: act.by, reason: act.reason)
    saga.updateAll { $0.clock = nil }
  }

  public var timeline: [TimelineNote] { [.finish("abandoned", by: act.by, reason: act.reason)] }

  public static func audited(_ data: JSON) -> AuditedAct? { .verb(.abandon, data) }
}
