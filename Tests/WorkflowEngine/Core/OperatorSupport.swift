import JSON
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

extension SagaSpecification {
  /// An operator acts: mia, with a reason.
  @discardableResult
  mutating func operate(
    _ verb: OperatorVerb, to target: WorkflowDefinition? = nil, key: String? = nil, seen: Int? = nil,
    by: String = "mia", after milliseconds: Int = 0
  ) throws -> [String] {
    var request = OperatorRequest(
      verb, by: OperatorAct(by: by, reason: "because", from: "rest 10.0.0.7", commandID: key), expectedVersion: seen)
    request.target = target.map { MoveTarget(definition: $0, digest: "d\($0.version)") }
    return try when(.operate(request), after: milliseconds)
  }

  /// The code that a verb is refused with; nil when it is taken. What is refused changes nothing.
  mutating func refusal(
    of verb: OperatorVerb, to target: WorkflowDefinition? = nil, key: String? = nil, seen: Int? = nil
  ) throws -> String? {
    let before = state
    do {
      try operate(verb, to: target, key: key, seen: seen)
      return nil
    } catch let refusal as Refusal {
      #expect(state == before)
      if let before { #expect(refusal.allowed == Verbs.allowed(before, definition), "a refusal says what is allowed") }
      return refusal.code
    }
  }

  /// The verbs that the saga takes, each with the steps that it can name.
  var allowed: [String] {
    guard let state else { return [] }
    return Verbs.allowed(state, definition).map { ([$0.verb.rawValue] + $0.steps).joined(separator: " ") }
  }

  func step(_ id: String) throws -> StepState { try #require(state?.step(id)) }

  static func signal(_ id: String, _ more: String = "") -> String {
    #"{"id": "\#(id)", "signal": {"name": "\#(id)-done"}\#(more.isEmpty ? "" : ", " + more)}"#
  }

  static func delay(_ id: String, _ length: String, _ more: String = "") -> String {
    #"{"id": "\#(id)", "delay": {"for": "\#(length)"}\#(more.isEmpty ? "" : ", " + more)}"#
  }
}
