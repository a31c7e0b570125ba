import SagaCore
import Workflows

/// The verbs that need a second person.
///
/// A guard is on an effect, not on a word. A guard on `cancel` means: one person alone must not undo the work, with any
/// verb. So each verb lists the verbs that have its effect, and a guard on any of them applies to it.
struct Approvals: Sendable {
  let guarded: Set<OperatorVerb.Name>

  /// Whether a verb waits for a second person.
  /// - Parameter definition: what the saga runs on. Nil when the verb is for sagas of any workflow: then it waits when it
  ///   would for some of them.
  func cover(_ verb: OperatorVerb, of definition: WorkflowDefinition?) -> Bool {
    !guarded.isDisjoint(with: Self.effects(of: verb, definition))
  }

  /// The verbs, one of them the verb itself, by which one person could bring about what it does.
  private static func effects(of verb: OperatorVerb, _ definition: WorkflowDefinition?) -> Set<OperatorVerb.Name> {
    func step(_ id: String) -> Step? { definition?.step(id) }
    switch verb {
    // The saga goes no further, and what was done is undone.
    case .cancel, .compensate: return [.cancel, .compensate]
    // What was done is undone, though it begins again.
    case .rewind: return [.rewind, .cancel, .compensate]
    // The saga goes no further.
    case .abandon: return [.abandon, .cancel, .compensate]
    // The saga goes on without the step's having been done by the engine.
    case .skip(let id, _):
      let mayWait = definition == nil || step(id)?.action.isDelay ?? false
      return mayWait ? [.skip, .resolve, .runNow] : [.skip, .resolve]
    case .runNow(let id):
      let mayWait: Bool =
        if let definition {
          definition.steps.contains { (id == nil || $0.id == id) && $0.action.isDelay }
        } else { true }
      return mayWait ? [.runNow, .skip] : [.runNow]
    // What one says of the world has the effect of the verb that would otherwise be needed.
    case .resolve(_, .happened): return [.resolve, .skip]
    case .resolve(let id, .didNotHappen):
      return step(id)?.onFailure == .continue ? [.resolve] : [.resolve, .cancel, .compensate]
    case .resolve(_, .undone): return [.resolve, .abandon]
    case .retry, .pause, .resume, .extend: return [verb.name]
    }
  }
}

extension Action {
  fileprivate var isDelay: Bool { if case .delay = self { true } else { false } }
}
