public import Persistence
public import SagaCore

extension IncidentKey {
  /// The verbs that help all sagas of such an incident, the first advice first. A saga may still refuse one in its own
  /// state: the preview of an operation says which do.
  public var verbs: [OperatorVerb.Name] {
    switch kind {
    // An operator says of each item what happened, not of the step as a whole.
    case .stuck where isItem: [.retry]
    case .stuck: outcomeIsUnknown ? [.resolve, .retry] : [.retry, .resolve]
    // The engine does not read the others, so it takes no verb for them.
    case .held: code == EngineErrorCode.sagaHeld ? [.resume, .cancel] : []
    case .paused: [.resume]
    case .retrying: [.runNow, .pause]
    // A saga that turns back has no deadline to extend.
    case .overdue: code != nil ? [.runNow, .pause] : phase == StepPhase.undo.rawValue ? [.pause] : [.extend, .pause]
    }
  }
}

extension SagaIncidents {
  /// The number of sagas that need a person, on all pages.
  public var needsPerson: Int { totals.reduce(0) { $0 + ($1.key.needsPerson ? $1.value : 0) } }
}
