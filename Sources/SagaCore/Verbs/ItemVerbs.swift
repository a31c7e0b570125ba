import JSON
import Values
import Workflows

// The verbs on one item of a step with `forEach`. `Verbs.allowed` does not list failed items, because there may be
// 100,000 of them.

extension Verbs {
  /// Returns the verbs that a saga takes in its state for single items.
  /// - Parameter items: the ids of items that have begun.
  /// - Returns: the verbs of each item. The first ones help a failed item.
  public static func allowed(
    on items: [String], _ state: SagaState, _ definition: WorkflowDefinition
  ) -> [[OperatorVerb.Name]] {
    guard state.end == nil, state.steps.count == definition.steps.count else { return items.map { _ in [] } }
    let decider = Decider(state, definition: definition, now: state.startedAt)
    return items.map { item in
      OperatorVerb.Name.allCases.filter { $0.requests(on: item).contains { decider.takes($0) } }
    }
  }
}

extension OperatorVerb.Name {
  /// Returns requests of the verb on an item, one for each kind of request. Empty for a verb that never names an item.
  fileprivate func requests(on item: String) -> [any VerbRules] {
    switch self {
    case .retry: [Retry(step: item, input: nil)]
    case .resolve:
      [.happened(output: .null), .didNotHappen, .undone].map { Resolve(step: item, resolution: $0) }
    case .skip: [Skip(step: item, output: nil)]
    case .runNow: [RunNow(step: item)]
    // The test uses the smallest extension that is possible.
    case .extend: [Extend(step: item, length: .by(.milliseconds(1)))]
    case .rewind, .migrate, .pause, .resume, .compensate, .cancel, .abandon: []
    }
  }
}
