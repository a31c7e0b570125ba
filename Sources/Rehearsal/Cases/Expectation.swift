import JSON
import SagaCore
import Values
import Workflows

/// What must come of a case. A member that is nil is not compared.
package struct Expectation: Sendable {
  package var status: SagaStatus?
  /// The code with which the start must be refused.
  package var refused: String?
  /// The step whose failure made the saga turn back, or on which it is stuck.
  package var failedStep: String?
  /// The code of that failure.
  package var error: String?
  package var steps: [(id: String, expected: StepExpectation)] = []
  /// The steps that were undone, in this order.
  package var undone: [String]?
  /// The steps whose work is in effect at the participants in the end, in any order.
  package var remains: [String]?
  /// Calls that must be sent, in this order. Other calls may come between them.
  package var sent: [CallExpectation] = []
  /// By step: how many calls must be sent, or which.
  package var sentBySteps: [SentByStep] = []
  package var output: Template?
  package var takes: TimeLimit?

  package init() {}
}

package struct StepExpectation: Sendable {
  package var status: StepStatus?
  package var attempts: Int?
  package var undoAttempts: Int?
  package var outcome: RoundOutcome?
  /// The code of the last failure, of the undo when that failed.
  package var error: String?
  package var output: Template?

  package init() {}
}

/// A call that must be sent. A member that is nil is not compared.
package struct CallExpectation: Sendable {
  package var step: String
  package var isUndo = false
  package var attempt: Int?
  package var service: String?
  package var method: String?
  package var path: TextTemplate?
  package var command: String?
  package var queue: String?
  package var query: [(name: String, value: TextTemplate)] = []
  package var headers: [(name: String, value: TextTemplate)] = []
  /// The whole body.
  package var body: Template?
  /// Members that the body must have beside others.
  package var bodyIncludes: Template?
  package var key: TextTemplate?
  /// The time from the start of the saga.
  package var at: Duration?
}

package struct SentByStep: Sendable {
  package let step: String
  /// The number of all calls to do the step; nil when it is not compared.
  package let count: Int?
  package let calls: [CallExpectation]
}

/// A limit on the time that a saga takes: `<= 3h`, `> 10m`, `5m`.
package struct TimeLimit: Sendable, Hashable {
  package enum Comparison: String, Sendable, CaseIterable {
    case atMost = "<="
    case atLeast = ">="
    case less = "<"
    case more = ">"
    case exactly = "="
  }

  package let comparison: Comparison
  package let duration: Duration

  package func allows(_ time: Duration) -> Bool {
    switch comparison {
    case .atMost: time <= duration
    case .atLeast: time >= duration
    case .less: time < duration
    case .more: time > duration
    case .exactly: time == duration
    }
  }

  /// The limit as a file writes it.
  package var text: String {
    (comparison == .exactly ? "" : comparison.rawValue + " ") + DurationText.format(duration)
  }
}
