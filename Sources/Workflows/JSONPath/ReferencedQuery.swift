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
  /// True when the expression has a value also when the query finds nothing: in a condition, before `??`, and in a
  /// function of all found values.
  public let mayBeMissing: Bool
  /// True when the query is a test of its own in a condition: whether it finds anything.
  public let isTest: Bool
  /// The function that works on all values that the query finds, as `sum` in `sum($.input.x)`; nil when there is none.
  let collector: String?
  /// The name that was probably meant when a name and a hyphen are directly before the query: `dag-version` for the
  /// query `version` in `input.dag-version`.
  public let hyphenatedName: String?
  /// The name that the query reads of each value that its first segment with several values finds: `status` for
  /// `$.steps.run.items[*].status`; nil when there is none.
  let memberOfEach: String?
  /// What the filters of that segment read of each value.
  let filterReads: [FilterRead]

  private init(
    _ query: Query, _ scalars: [Unicode.Scalar], mayBeMissing: Bool, isTest: Bool, collector: String?
  ) {
    self.collector = collector
    self.mayBeMissing = mayBeMissing
    self.isTest = isTest
    let start = query.range.lowerBound
    hyphenatedName = Self.hyphenatedName(at: start, query, scalars)
    leadingTokens = query.leadingTokens
    isSingular = leadingTokens.count == query.segments.count
    let rest = query.segments.dropFirst(leadingTokens.count)
    let next = rest.first?.isDescendant == false ? rest.dropFirst().first?.singularToken : nil
    memberOfEach = if case .name(let name)? = next { name } else { nil }
    filterReads = rest.first.map { $0.isDescendant ? [] : FilterRead.all(in: $0) } ?? []
    text = String(String.UnicodeScalarView(scalars[query.range]))
    at = start
  }

  private static func hyphenatedName(at start: Int, _ query: Query, _ scalars: [Unicode.Scalar]) -> String? {
    guard start > 1, scalars[start - 1] == "-", scalars[start] != "$", scalars[start] != "@",
      case .name(let name)? = query.leadingTokens.first
    else { return nil }
    let before = scalars[..<(start - 1)].reversed().prefix {
      $0.properties.isAlphabetic || $0 == "_" || $0 == "-" || ("0"..."9").contains($0)
    }
    return before.isEmpty ? nil : String(String.UnicodeScalarView(before.reversed())) + "-" + name
  }

  static func all(in query: Query, _ scalars: [Unicode.Scalar]) -> [ReferencedQuery] {
    var collector = Collector(scalars: scalars)
    collector.collect(query, isAtRoot: true, mayBeMissing: false)
    return collector.found
  }

  static func all(in condition: Condition, _ scalars: [Unicode.Scalar]) -> [ReferencedQuery] {
    var collector = Collector(scalars: scalars)
    collector.collect(condition, isAtRoot: true)
    return collector.found
  }

  static func all(in operand: Operand, _ scalars: [Unicode.Scalar], mayBeMissing: Bool) -> [ReferencedQuery] {
    var collector = Collector(scalars: scalars)
    collector.collect(operand, isAtRoot: true, mayBeMissing: mayBeMissing)
    return collector.found
  }

  /// Walks through an expression. `isAtRoot` is true where `@` is the root.
  private struct Collector {
    let scalars: [Unicode.Scalar]
    var found: [ReferencedQuery] = []

    mutating func collect(
      _ query: Query, isAtRoot: Bool, mayBeMissing: Bool, isTest: Bool = false, collector: String? = nil
    ) {
      if query.isAbsolute || isAtRoot {
        found.append(
          ReferencedQuery(query, scalars, mayBeMissing: mayBeMissing, isTest: isTest, collector: collector))
      }
      for segment in query.segments {
        for case .filter(let condition) in segment.selectors { collect(condition, isAtRoot: false) }
      }
    }

    mutating func collect(_ condition: Condition, isAtRoot: Bool) {
      switch condition {
      case .any(let parts), .all(let parts): for part in parts { collect(part, isAtRoot: isAtRoot) }
      case .not(let inner): collect(inner, isAtRoot: isAtRoot)
      case .exists(let sub): collect(sub.query, isAtRoot: isAtRoot, mayBeMissing: true, isTest: true)
      case .comparison(let left, _, let right):
        for side in [left, right] {
          // `count($.input.x) == 1` asks whether it is there.
          if case .count(let sub) = side {
            collect(sub.query, isAtRoot: isAtRoot, mayBeMissing: true)
          } else {
            collect(side, isAtRoot: isAtRoot, mayBeMissing: true)
          }
        }
      case .matches(let test):
        collect(test.text, isAtRoot: isAtRoot, mayBeMissing: true)
        if case .computed(let pattern) = test.pattern { collect(pattern, isAtRoot: isAtRoot, mayBeMissing: true) }
      }
    }

    mutating func collect(_ operand: Operand, isAtRoot: Bool, mayBeMissing: Bool) {
      switch operand {
      case .literal: break
      case .node(let sub): collect(sub.query, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
      case .count(let sub): collect(sub.query, isAtRoot: isAtRoot, mayBeMissing: true, collector: "count")
      case .value(let sub): collect(sub.query, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
      case .length(let inner): collect(inner, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
      case .computed(let computation): collect(computation, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
      }
    }

    private mutating func collect(_ computation: Computation, isAtRoot: Bool, mayBeMissing: Bool) {
      switch computation {
      case .one(let sub): collect(sub.query, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
      case .negated(let inner): collect(inner, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
      case .sum(let first, let rest):
        collect(first, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
        for part in rest { collect(part.number, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing) }
      case .product(let first, let rest):
        collect(first, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
        for part in rest { collect(part.number, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing) }
      case .firstOf(let parts):
        for (index, part) in parts.enumerated() {
          collect(part, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing || index < parts.count - 1)
        }
      case .call(let function, let arguments):
        for argument in arguments {
          switch argument {
          case .value(let operand), .elements(let operand):
            collect(operand, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing)
          case .nodes(let sub):
            collect(
              sub.query, isAtRoot: isAtRoot, mayBeMissing: mayBeMissing || function.hasValueOfNothing,
              collector: function.parameters[0].isNodes ? function.rawValue : nil)
          }
        }
      case .truth(let condition): collect(condition, isAtRoot: isAtRoot)
      }
    }
  }
}

/// What the condition of a filter reads of the value that it judges, as `status` in `[?@.status == 'failed']`.
struct FilterRead: Sendable, Hashable {
  /// The first name that the condition reads of the value.
  let member: String
  /// The value with which the whole member is compared by `==` or `!=`; nil in other uses.
  let compared: JSON?
  let isNotEqual: Bool
  /// The start of the query in the parsed text, in Unicode scalars.
  let at: Int

  /// Returns the reads of a segment's filters. Filters inside these filters judge other values, so they are left out.
  static func all(in segment: Query.Segment) -> [FilterRead] {
    var reads: [FilterRead] = []
    for case .filter(let condition) in segment.selectors { collect(condition, into: &reads) }
    return reads
  }

  private static func collect(_ condition: Condition, into reads: inout [FilterRead]) {
    switch condition {
    case .any(let parts), .all(let parts): for part in parts { collect(part, into: &reads) }
    case .not(let inner): collect(inner, into: &reads)
    case .exists(let sub): collect(sub, compared: nil, isNotEqual: false, into: &reads)
    case .comparison(let left, let comparison, let right):
      collect(left, comparison, right, into: &reads)
      collect(right, comparison, left, into: &reads)
    case .matches(let test): if case .node(let sub) = test.text { collect(sub, into: &reads) }
    }
  }

  private static func collect(
    _ side: Operand, _ comparison: Comparison, _ other: Operand, into reads: inout [FilterRead]
  ) {
    guard case .node(let sub) = side else { return }
    let isEquality = comparison == .equal || comparison == .notEqual
    let literal: JSON? = if isEquality, case .literal(let value) = other { value } else { nil }
    collect(sub, compared: literal, isNotEqual: comparison == .notEqual, into: &reads)
  }

  private static func collect(
    _ sub: SubQuery, compared: JSON? = nil, isNotEqual: Bool = false, into reads: inout [FilterRead]
  ) {
    guard !sub.query.isAbsolute, case .name(let member)? = sub.query.leadingTokens.first else { return }
    let isWhole = sub.tokens?.count == 1
    reads.append(
      FilterRead(
        member: member, compared: isWhole ? compared : nil, isNotEqual: isNotEqual, at: sub.query.range.lowerBound))
  }
}
