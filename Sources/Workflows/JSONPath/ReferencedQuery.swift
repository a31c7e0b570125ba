import JSON

/// A query that reads the document from its root. The checker uses it to find the steps that are read.
public struct ReferencedQuery: Sendable, Hashable {
  /// The names and indexes at the start of the query, up to the first segment that may find several nodes: `[steps,
  /// load, output]` for `$.steps.load.output[*].id`. All values that the query reads are below them.
  public let leadingTokens: [JSONPointer.Token]
  /// True when these tokens are the whole query. Then it finds at most one node.
  public let isSingular: Bool
  public let text: String
  /// The start of the query in the parsed text, in Unicode scalars.
  public let at: Int

  private init(_ query: Query, _ scalars: [Unicode.Scalar]) {
    leadingTokens = query.leadingTokens
    isSingular = leadingTokens.count == query.segments.count
    text = String(String.UnicodeScalarView(scalars[query.range]))
    at = query.range.lowerBound
  }

  static func all(in query: Query, _ scalars: [Unicode.Scalar]) -> [ReferencedQuery] {
    var found: [ReferencedQuery] = []
    collect(query, isAtRoot: true, scalars, into: &found)
    return found
  }

  static func all(in condition: Condition, _ scalars: [Unicode.Scalar]) -> [ReferencedQuery] {
    var found: [ReferencedQuery] = []
    collect(condition, isAtRoot: true, scalars, into: &found)
    return found
  }

  /// - Parameter isAtRoot: true when `@` is the root here.
  private static func collect(
    _ query: Query, isAtRoot: Bool, _ scalars: [Unicode.Scalar], into found: inout [ReferencedQuery]
  ) {
    if query.isAbsolute || isAtRoot { found.append(ReferencedQuery(query, scalars)) }
    for segment in query.segments {
      for case .filter(let condition) in segment.selectors {
        collect(condition, isAtRoot: false, scalars, into: &found)
      }
    }
  }

  private static func collect(
    _ condition: Condition, isAtRoot: Bool, _ scalars: [Unicode.Scalar], into found: inout [ReferencedQuery]
  ) {
    switch condition {
    case .any(let parts), .all(let parts):
      for part in parts { collect(part, isAtRoot: isAtRoot, scalars, into: &found) }
    case .not(let inner): collect(inner, isAtRoot: isAtRoot, scalars, into: &found)
    case .exists(let sub): collect(sub.query, isAtRoot: isAtRoot, scalars, into: &found)
    case .comparison(let left, _, let right):
      collect(left, isAtRoot: isAtRoot, scalars, into: &found)
      collect(right, isAtRoot: isAtRoot, scalars, into: &found)
    case .matches(let test):
      collect(test.text, isAtRoot: isAtRoot, scalars, into: &found)
      if case .computed(let pattern) = test.pattern {
        collect(pattern, isAtRoot: isAtRoot, scalars, into: &found)
      }
    }
  }

  private static func collect(
    _ operand: Operand, isAtRoot: Bool, _ scalars: [Unicode.Scalar], into found: inout [ReferencedQuery]
  ) {
    switch operand {
    case .literal: break
    case .node(let sub), .count(let sub), .value(let sub):
      collect(sub.query, isAtRoot: isAtRoot, scalars, into: &found)
    case .length(let inner): collect(inner, isAtRoot: isAtRoot, scalars, into: &found)
    }
  }
}
