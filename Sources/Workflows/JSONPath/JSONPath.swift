import JSON

/// A query of JSON values as defined by RFC 9535.
///
/// ```swift
/// let query = try JSONPath("$.steps.allocateStorage.output.position")
/// let positions = query.values(in: document)
/// ```
///
/// The whole RFC is supported: names, indexes, slices, wildcards, filters, descendants, and the functions `length`,
/// `count`, `match`, `search` and `value`. A query that is not well-typed is refused by the parser, never by the
/// evaluation. Names and strings are compared by Unicode scalars. Members come in document order.
public struct JSONPath: Sendable {
  /// A found value and its path.
  public struct Node: Sendable, Hashable {
    public let path: NormalizedPath
    public let value: JSON
  }

  /// The query as written.
  public let text: String
  /// The names and indexes of a query that can find at most one node (a negative index as written); nil for other
  /// queries.
  public let singularTokens: [JSONPointer.Token]?
  /// The queries that read the document: this query first, then each `$` query inside its filters.
  public let referencedQueries: [ReferencedQuery]
  /// The patterns that are not an I-Regexp. The query is valid, but such a `match` or `search` is always false. That is
  /// surely a mistake.
  public let patternFaults: [JSONPathError]

  private let query: Query

  public init(_ text: String) throws(JSONPathError) {
    var parser = QueryParser(text, language: .query)
    query = try parser.wholeQuery()
    self.text = text
    singularTokens = query.singularTokens
    referencedQueries = ReferencedQuery.all(in: query, parser.scalars)
    patternFaults = parser.patternFaults
  }

  /// Returns the found nodes in order. A node that is found twice is returned twice.
  public func nodes(in root: JSON, budget: Budget = .standard) throws(BudgetExceeded) -> [Node] {
    var nodes: [Node] = []
    let meter = Meter(budget)
    let evaluation = Evaluation(root: root, keepsPaths: true, meter: meter)
    evaluation.visit(query, from: root) { value, path in
      let tokens = path?.tokens ?? []
      guard meter.charge(Self.stepsOfResult + tokens.count) else { return false }
      nodes.append(Node(path: NormalizedPath(tokens), value: value))
      return true
    }
    try meter.check()
    return nodes
  }

  /// The steps that a kept value costs: approximately its memory.
  private static let stepsOfResult = 8

  /// Returns the found values in order.
  /// - Parameters:
  ///   - root: the document; `$` is its root.
  ///   - most: the number of values at which the search stops. A caller that needs exactly one value requests two.
  ///   - budget: the budget of the search.
  public func values(
    in root: JSON, atMost most: Int = .max, budget: Budget = .standard
  ) throws(BudgetExceeded) -> [JSON] {
    try values(in: root, atMost: most, Meter(budget))
  }

  /// - Parameter meter: counts the work, together with other queries that use the same meter.
  func values(in root: JSON, atMost most: Int, _ meter: Meter) throws(BudgetExceeded) -> [JSON] {
    var values: [JSON] = []
    guard most > 0 else { return values }
    if let singularTokens {
      if let value = Evaluation.follow(singularTokens, from: root, meter) { values = [value] }
      try meter.check()
      return values
    }
    Evaluation(root: root, keepsPaths: false, meter: meter).visit(query, from: root) { value, _ in
      guard meter.charge(Self.stepsOfResult) else { return false }
      values.append(value)
      return values.count < most
    }
    try meter.check()
    return values
  }
}

/// Two queries are equal when their texts are equal.
extension JSONPath: Hashable, CustomStringConvertible {
  public static func == (left: JSONPath, right: JSONPath) -> Bool { left.text.hasSameScalars(as: right.text) }
  public func hash(into hasher: inout Hasher) { hasher.combine(JSON.string(text)) }
  public var description: String { text }
}
