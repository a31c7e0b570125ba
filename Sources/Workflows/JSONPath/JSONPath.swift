import JSON

/// A query of JSON values, as RFC 9535 defines it.
///
/// ```swift
/// let query = try JSONPath("$.steps.allocateStorage.output.position")
/// let positions = query.values(in: document)
/// ```
///
/// All of the RFC is there: names, indexes, slices, wildcards, filters, descendants, and the functions `length`, `count`,
/// `match`, `search` and `value`. What is not well-typed is refused when the query is read, never when it runs.
/// Names and strings are compared by Unicode scalars; members come in document order.
public struct JSONPath: Sendable {
  /// A value that was found, and where it stands.
  public struct Node: Sendable, Hashable {
    public let path: NormalizedPath
    public let value: JSON
  }

  /// The query as written.
  public let text: String
  /// The names and indexes of a query that can find one node at most (a negative index as written), else nil.
  public let singularTokens: [JSONPointer.Token]?
  /// What the query reads of its document: itself first, then each `$` query inside its filters.
  public let referencedQueries: [ReferencedQuery]
  /// Patterns that are no I-Regexp. The query is valid, but such a `match` or `search` never holds, which nobody means.
  public let patternFaults: [JSONPathError]

  private let query: Query

  public init(_ text: String) throws(JSONPathError) {
    var parser = QueryParser(text)
    query = try parser.wholeQuery()
    self.text = text
    singularTokens = query.singularTokens
    referencedQueries = ReferencedQuery.all(in: query, parser.scalars)
    patternFaults = parser.patternFaults
  }

  /// The nodes found, in order; a node that is found twice comes twice.
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

  /// What a value that is kept costs: about what it takes of memory.
  private static let stepsOfResult = 8

  /// The values found, in order.
  /// - Parameters:
  ///   - root: the document; `$` is its root.
  ///   - most: where to stop; a caller that wants one value asks for two, and knows.
  ///   - budget: what the search may use.
  public func values(
    in root: JSON, atMost most: Int = .max, budget: Budget = .standard
  ) throws(BudgetExceeded) -> [JSON] {
    try values(in: root, atMost: most, Meter(budget))
  }

  /// - Parameter meter: counts the work, with that of other queries that belong to it.
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

/// Two queries are the same when they are written the same.
extension JSONPath: Hashable, CustomStringConvertible {
  public static func == (left: JSONPath, right: JSONPath) -> Bool { left.text.hasSameScalars(as: right.text) }
  public func hash(into hasher: inout Hasher) { hasher.combine(JSON.string(text)) }
  public var description: String { text }
}
