import JSON

/// A condition on a document: a logical expression of RFC 9535, as a step's `when` has it.
///
/// ```swift
/// let urgent = try JSONPathCondition("$.input.priority == 'urgent' || $.input.lanes > 1")
/// if urgent.holds(in: document) { … }
/// ```
///
/// Outside of a filter there is no current node: `@` is the document's root there, as `$` is.
public struct JSONPathCondition: Sendable {
  /// The condition as written.
  public let text: String
  /// What the condition reads of its document.
  public let referencedQueries: [ReferencedQuery]
  /// Patterns that are no I-Regexp: such a `match` or `search` never holds, which nobody means.
  public let patternFaults: [JSONPathError]

  let condition: Condition

  public init(_ text: String) throws(JSONPathError) {
    var parser = QueryParser(text)
    condition = try parser.wholeCondition()
    self.text = text
    referencedQueries = ReferencedQuery.all(in: condition, parser.scalars)
    patternFaults = parser.patternFaults
  }

  /// - Throws: `BudgetExceeded` when the condition takes more work than the budget allows: then it is not known
  ///   whether it holds.
  public func holds(in root: JSON, budget: Budget = .standard) throws(BudgetExceeded) -> Bool {
    try holds(in: root, meter: Meter(budget))
  }

  /// - Parameter meter: counts the work.
  public func holds(in root: JSON, meter: Meter) throws(BudgetExceeded) -> Bool {
    let holds = Evaluation(root: root, keepsPaths: false, meter: meter).holds(condition, for: root)
    try meter.check()
    return holds
  }
}

/// Two conditions are the same when they are written the same.
extension JSONPathCondition: Hashable, CustomStringConvertible {
  public static func == (left: JSONPathCondition, right: JSONPathCondition) -> Bool {
    left.text.hasSameScalars(as: right.text)
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(JSON.string(text)) }
  public var description: String { text }
}
