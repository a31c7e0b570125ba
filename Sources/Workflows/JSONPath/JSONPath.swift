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
  public func nodes(in root: JSON) -> [Node] {
    var nodes: [Node] = []
    let evaluation = Evaluation(root: root, keepsPaths: true)
    evaluation.visit(query, from: root) { value, path in
      nodes.append(Node(path: NormalizedPath(path?.tokens ?? []), value: value))
      return true
    }
    return nodes
  }

  /// The values found, in order.
  /// - Parameters:
  ///   - root: the document; `$` is its root.
  ///   - most: where to stop; a caller that wants one value asks for two, and knows.
  public func values(in root: JSON, atMost most: Int = .max) -> [JSON] {
    if let singularTokens {
      return most > 0 ? Evaluation.follow(singularTokens, from: root).map { [$0] } ?? [] : []
    }
    var values: [JSON] = []
    guard most > 0 else { return values }
    Evaluation(root: root, keepsPaths: false).visit(query, from: root) { value, _ in
      values.append(value)
      return values.count < most
    }
    return values
  }
}

/// Two queries are the same when they are written the same.
extension JSONPath: Hashable, CustomStringConvertible {
  public static func == (left: JSONPath, right: JSONPath) -> Bool { left.text.hasSameScalars(as: right.text) }
  public func hash(into hasher: inout Hasher) { hasher.combine(JSON.string(text)) }
  public var description: String { text }
}
