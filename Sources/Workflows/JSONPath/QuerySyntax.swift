import JSON

/// A query as parsed: where it starts from, and its segments.
struct Query: Sendable {
  /// From the document's root (`$`), else from the node that a filter looks at (`@`).
  let isAbsolute: Bool
  let segments: [Segment]
  /// Where it stands in the text, in Unicode scalars.
  let range: Range<Int>

  struct Segment: Sendable {
    let isDescendant: Bool
    let selectors: [Selector]
  }

  /// The names and indexes of a query that can find one node at most, else nil.
  var singularTokens: [JSONPointer.Token]? {
    let leading = leadingTokens
    return leading.count == segments.count ? leading : nil
  }

  /// The names and indexes that every node found lies under.
  var leadingTokens: [JSONPointer.Token] {
    var tokens: [JSONPointer.Token] = []
    for segment in segments {
      guard let token = segment.singularToken else { break }
      tokens.append(token)
    }
    return tokens
  }
}

extension Query.Segment {
  var singularToken: JSONPointer.Token? {
    guard !isDescendant, selectors.count == 1 else { return nil }
    switch selectors[0] {
    case .name(let name): return .name(name)
    case .index(let index): return .index(index)
    case .wildcard, .slice, .filter: return nil
    }
  }
}

enum Selector: Sendable {
  case name(String)
  case index(Int)
  case slice(start: Int?, end: Int?, step: Int)
  case wildcard
  case filter(Condition)
}

/// What a filter asks of a node.
indirect enum Condition: Sendable {
  case any([Condition])
  case all([Condition])
  case not(Condition)
  case exists(SubQuery)
  case comparison(Operand, Comparison, Operand)
  case matches(PatternTest)
}

enum Comparison: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
}

/// What has a value, or none.
indirect enum Operand: Sendable {
  case literal(JSON)
  /// A query that finds one node at most.
  case node(SubQuery)
  case length(Operand)
  case count(SubQuery)
  case value(SubQuery)
}

/// A query inside a filter.
struct SubQuery: Sendable {
  let query: Query
  /// Set when the query is singular: it can be followed without a search.
  let tokens: [JSONPointer.Token]?

  init(_ query: Query) {
    self.query = query
    tokens = query.singularTokens
  }
}

/// `match(text, pattern)` or `search(text, pattern)`.
struct PatternTest: Sendable {
  let isWhole: Bool
  let text: Operand
  let pattern: Pattern

  enum Pattern: Sendable {
    /// Written in the query. Nil: it is no I-Regexp, and so matches nothing.
    case literal(String?)
    case computed(Operand)
  }
}
