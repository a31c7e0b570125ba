import JSON

/// A parsed query: its start and its segments.
struct Query: Sendable {
  /// True when the query starts at the document's root (`$`); false when it starts at the node of a filter (`@`).
  let isAbsolute: Bool
  let segments: [Segment]
  /// The range of the query in the text, in Unicode scalars.
  let range: Range<Int>

  struct Segment: Sendable {
    let isDescendant: Bool
    let selectors: [Selector]
  }

  /// The names and indexes of a query that can find at most one node; nil for other queries.
  var singularTokens: [JSONPointer.Token]? {
    let leading = leadingTokens
    return leading.count == segments.count ? leading : nil
  }

  /// The names and indexes at the start of the path of every node that the query finds.
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

/// The condition of a filter on a node.
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

/// An operand of a comparison. It may have no value.
indirect enum Operand: Sendable {
  case literal(JSON)
  /// A query that finds at most one node.
  case node(SubQuery)
  case length(Operand)
  case count(SubQuery)
  case value(SubQuery)
  /// A part of the expression language, which RFC 9535 does not have.
  case computed(Computation)
}

/// A value that the expression language computes.
indirect enum Computation: Sendable {
  /// A query that finds one value, but whose form does not show it. Several values are an error.
  case one(SubQuery)
  /// Numbers that are added to the first one or subtracted from it.
  case sum(Operand, [(isAdded: Bool, number: Operand)])
  case product(Operand, [(sign: Multiplication, number: Operand)])
  case negated(Operand)
  /// The first of these that has a value: `a ?? b ?? c`.
  case firstOf([Operand])
  case call(ExpressionFunction, [Argument])
  /// A condition, as true or false.
  case truth(Condition)
}

enum Multiplication: String, Sendable {
  case times = "*"
  case by = "/"
  case rest = "%"
}

/// An argument of a function.
enum Argument: Sendable {
  case value(Operand)
  case nodes(SubQuery)
  /// The elements of a computed list.
  case elements(Operand)

  /// True when the argument is written in the expression itself.
  var isLiteral: Bool { if case .value(.literal) = self { true } else { false } }
}

/// A query inside a filter.
struct SubQuery: Sendable {
  let query: Query
  /// The tokens of a singular query, which needs no search; nil for other queries.
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
    /// A pattern written in the query. Nil when it is not an I-Regexp; then it matches nothing.
    case literal(String?)
    case computed(Operand)
  }
}
