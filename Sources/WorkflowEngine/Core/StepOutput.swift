import JSON

/// What a step that succeeded gives to later steps.
public struct StepOutput: Sendable, Hashable {
  /// Null when the answer can't be read.
  public let value: JSON
  /// Why the answer can't be read; nil when it can.
  public let problem: StepFailure?

  public init(_ value: JSON) {
    self.value = value
    problem = nil
  }

  public init(problem: StepFailure) {
    value = .null
    self.problem = problem
  }
}

// Written as JSON is: most outputs are read.
extension StepOutput {
  public static var null: StepOutput { StepOutput(.null) }
}

extension StepOutput: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSON)...) { self.init(.object(JSONObject(elements))) }
}
