import JSON
import Values

// Forgetting: an ended saga loses the key of its sensitive values. The history has who wanted it, and why. The engine
// destroys the key behind this event.

extension Decider {
  mutating func forget(_ act: OperatorAct) throws(Refusal) {
    guard state.end != nil else {
      throw Refusal(
        EngineErrorCode.sagaNotEnded,
        "The saga is \(state.status.rawValue): it still needs its sensitive values. Only an ended saga can be forgotten."
      )
    }
    guard state.start.isSealed else {
      throw Refusal(
        EngineErrorCode.sagaNotSealed,
        "The saga has no sealed values: its workflow marked no field as sensitive when it started. There is no key to "
          + "destroy.")
    }
    guard act.reason.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
      throw Refusal(EngineErrorCode.sagaReasonMissing, "Say why: the reason is kept for the auditor.")
    }
    // The same request again is a repeat.
    if state.forgotten != nil { return }
    emit(SagaForgotten(act))
  }
}

/// The key of the saga's sensitive values is destroyed.
public struct SagaForgotten: SagaEventContent {
  public static let typeName = "sagaForgotten"
  public let act: OperatorAct

  public init(_ act: OperatorAct) { self.act = act }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self(try OperatorAct(data)) }

  public func write(to data: inout JSONObject) { act.add(to: &data) }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.end != nil else { throw HistoryError("Only an ended saga is forgotten.") }
    guard saga.forgotten == nil else { throw HistoryError("A saga is forgotten once.") }
    saga.forgotten = Dated(at: at, value: act)
  }

  public var timeline: [TimelineNote] { [.mark("sensitive values forgotten", by: act.by, reason: act.reason)] }

  public static func audited(_ data: JSON) -> AuditedAct? {
    AuditedAct(.verb, "forget", act: data, content: [("key", data["commandId"])])
  }
}
