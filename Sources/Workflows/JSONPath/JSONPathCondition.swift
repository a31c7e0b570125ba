import JSON

/// A condition on a document, used for example in a step's `when`: a logical expression of RFC 9535 whose values may be
/// computed (`docs/expressions.md`).
///
/// ```swift
/// let urgent = try JSONPathCondition("$.input.priority == 'urgent' || $.input.lanes > 1")
/// if urgent.holds(in: document) { … }
/// ```
///
/// Outside a filter there is no current node. There, `@` is the document's root, like `$`.
public struct JSONPathCondition: Sendable {
  /// The condition as written.
  public let text: String
  /// The queries that the condition reads from its document.
  public let referencedQueries: [ReferencedQuery]
  /// The patterns that are not an I-Regexp. Such a `match` or `search` is always false, which is surely a mistake.
  public let patternFaults: [JSONPathError]

  let condition: Condition

  public init(_ text: String) throws(JSONPathError) {
    var parser = QueryParser(text, language: .expression)
    condition = try parser.wholeCondition()
    self.text = text
    referencedQueries = ReferencedQuery.all(in: condition, parser.scalars)
    patternFaults = parser.patternFaults
  }

  /// - Throws: when a value can't be computed, or when the condition needs more work than the budget allows. Then its
  ///   result is unknown.
  public func holds(in root: JSON, budget: Budget = .standard) throws(ExpressionError) -> Bool {
    try holds(in: root, meter: Meter(budget))
  }

  /// - Parameter meter: counts the work.
  public func holds(in root: JSON, meter: Meter) throws(ExpressionError) -> Bool {
    let evaluation = Evaluation(root: root, keepsPaths: false, meter: meter)
    let holds = evaluation.holds(condition, for: root)
    if let problem = evaluation.problem { throw problem.error(in: text, query: text) }
    return holds
  }
}

/// Two conditions are equal when their texts are equal.
extension JSONPathCondition: Hashable, CustomStringConvertible {
  public static func == (left: JSONPathCondition, right: JSONPathCondition) -> Bool {
    left.text.hasSameScalars(as: right.text)
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(JSON.string(text)) }
  public var description: String { text }
}
