import JSON
import Values
import Workflows

/// A verb that a saga takes as it stands.
public struct AllowedVerb: Sendable, Hashable {
  public let verb: OperatorVerb.Name
  /// The steps that it can name; none for a verb that is for the whole saga. (`extend` is for both.)
  public let steps: [String]
}

/// What an operator can do about a saga.
public enum Verbs {
  /// The verbs that the saga takes as it stands, those first that help a saga that is stuck.
  public static func allowed(_ state: SagaState, _ definition: WorkflowDefinition) -> [AllowedVerb] {
    guard state.end == nil else { return [] }
    let decider = Decider(state, definition: definition, now: state.startedAt)
    func takes(_ verb: OperatorVerb) -> Bool {
      do {
        try decider.check(verb)
        return true
      } catch {
        return false
      }
    }
    func steps(_ verb: (String) -> [OperatorVerb]) -> [String] {
      state.steps.map(\.id).filter { verb($0).contains(where: takes) }
    }
    // Later than it stands, whatever it is.
    let later = OperatorVerb.Extension.by(.milliseconds(1))
    return OperatorVerb.Name.allCases.compactMap { name in
      let named: [String]
      var isForSaga = false
      switch name {
      case .retry: named = steps { [.retry(step: $0)] }
      case .resolve:
        named = steps { step in
          [.happened(output: .null), .didNotHappen, .undone].map { .resolve(step: step, $0) }
        }
      case .skip: named = steps { [.skip(step: $0, output: nil)] }
      case .runNow: named = steps { [.runNow(step: $0)] }
      case .extend:
        named = steps { [.extend(step: $0, later)] }
        isForSaga = takes(.extend(step: nil, later))
      case .rewind: named = steps { [.rewind(step: $0)] }
      case .pause: (named, isForSaga) = ([], takes(.pause))
      case .resume: (named, isForSaga) = ([], takes(.resume))
      case .compensate: (named, isForSaga) = ([], takes(.compensate))
      case .cancel: (named, isForSaga) = ([], takes(.cancel))
      case .abandon: (named, isForSaga) = ([], takes(.abandon))
      }
      return named.isEmpty && !isForSaga ? nil : AllowedVerb(verb: name, steps: named)
    }
  }

  /// Of the verbs that a saga takes, those that help at the step that it is stuck on.
  public static func helping(_ blocker: Blocker, among allowed: [AllowedVerb]) -> [OperatorVerb.Name] {
    allowed.filter { allowed in
      switch allowed.verb {
      case .retry, .resolve, .skip, .rewind: allowed.steps.contains { $0.hasSameScalars(as: blocker.step) }
      case .abandon: true
      // They leave it stuck: a saga is stuck where turning back is what failed, is over, or waits for a pivot.
      case .runNow, .extend, .pause, .resume, .compensate, .cancel: false
      }
    }.map(\.verb)
  }
}
