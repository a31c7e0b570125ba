import SagaCore
import Workflows

/// The verbs that need a second person.
///
/// A guard is on an effect, not on a word. A guard on `cancel` means: one person alone must not undo the work, with any
/// verb. So each verb lists the verbs that have its effect, and a guard on any of them applies to it.
struct Approvals: Sendable {
  let guarded: Set<OperatorVerb.Name>

  /// Returns whether a verb waits for a second person.
  /// - Parameter definition: the saga's workflow. Nil when the verb is for sagas of any workflow: then the verb waits
  ///   if it would wait for some of them.
  func cover(_ verb: OperatorVerb, of definition: WorkflowDefinition?) -> Bool {
    !guarded.isDisjoint(with: Self.effects(of: verb, definition))
  }

  /// Returns the verbs with which one person could cause the same effect, the verb itself included.
  private static func effects(of verb: OperatorVerb, _ definition: WorkflowDefinition?) -> Set<OperatorVerb.Name> {
    func step(_ id: String) -> Step? { definition?.step(id) }
    switch verb {
    // The saga goes no further, and its steps are undone.
    case .cancel, .compensate: return [.cancel, .compensate]
    // Steps are undone, although they begin again.
    case .rewind: return [.rewind, .cancel, .compensate]
    // The saga goes no further.
    case .abandon: return [.abandon, .cancel, .compensate]
    // The saga goes on although the engine has not done the step.
    case .skip(let id, _):
      let mayWait = definition == nil || step(id)?.action.isDelay ?? false
      return mayWait ? [.skip, .resolve, .runNow] : [.skip, .resolve]
    case .runNow(let id):
      let mayWait: Bool =
        if let definition {
          definition.steps.contains { (id == nil || $0.id == id) && $0.action.isDelay }
        } else { true }
      return mayWait ? [.runNow, .skip] : [.runNow]
    // A resolution has the effect of the verb that would otherwise be needed.
    case .resolve(_, .happened): return [.resolve, .skip]
    case .resolve(let id, .didNotHappen):
      switch step(id)?.onFailure {
      case .continue, .stuck: return [.resolve]
      case .compensate, nil: return [.resolve, .cancel, .compensate]
      }
    case .resolve(_, .undone): return [.resolve, .abandon]
    // Another version may lack steps that the saga has not begun, or fail on purpose.
    case .migrate: return [.migrate, .skip, .cancel, .compensate]
    case .retry, .pause, .resume, .extend: return [verb.name]
    }
  }
}

extension Action {
  fileprivate var isDelay: Bool { if case .delay = self { true } else { false } }
}
