import JSON

/// One `${…}` of a template: a query, or a value that is computed from queries (`docs/expressions.md`).
package struct Expression: Sendable {
  enum Body: Sendable {
    /// A query that finds one value.
    case query(SubQuery)
    /// - mayBeLeftOut: true when it ends with `?? nothing`.
    case value(Operand, mayBeLeftOut: Bool)
  }

  /// The expression as the file writes it, without `${` and `}`.
  let text: String
  let body: Body
  /// The queries that read the document.
  package let referencedQueries: [ReferencedQuery]
  /// The patterns that are not an I-Regexp.
  package let patternFaults: [JSONPathError]
  /// The start of the expression in its string, in scalars. Add it to a place in the expression to get the place in the
  /// string.
  package let offset: Int

  init(_ text: String, offset: Int) throws(JSONPathError) {
    var parser = QueryParser(text, language: .expression)
    parser.allowsBareQueries = true
    body = try parser.wholeExpression()
    self.text = text
    self.offset = offset
    patternFaults = parser.patternFaults
    switch body {
    case .query(let sub): referencedQueries = ReferencedQuery.all(in: sub.query, parser.scalars)
    case .value(let operand, let mayBeLeftOut):
      referencedQueries = ReferencedQuery.all(in: operand, parser.scalars, mayBeMissing: mayBeLeftOut)
    }
  }

  /// True when the expression may have no value without an error. Then its member is left out.
  package var mayBeLeftOut: Bool {
    if case .value(_, mayBeLeftOut: true) = body { true } else { false }
  }

  /// True when the expression is a query that takes every element or member of something.
  var takesAll: Bool {
    guard case .query(let sub) = body else { return false }
    return sub.query.segments.contains { segment in
      segment.isDescendant
        || segment.selectors.contains { selector in
          switch selector {
          case .wildcard, .slice: true
          case .name, .index, .filter: false
          }
        }
    }
  }

  /// True when the expression is tests of existence that are joined with `||`: it gives true or false, and never one of
  /// the values.
  var joinsTests: Bool {
    guard case .value(.computed(.truth(.any(let parts))), _) = body else { return false }
    return parts.allSatisfy { if case .exists = $0 { true } else { false } }
  }

  /// True when the expression asks whether something is not there, as `!input.x`.
  var negatesTest: Bool {
    guard case .value(.computed(.truth(.not(.exists))), _) = body else { return false }
    return true
  }

  /// True when the expression computes a number.
  var isNumber: Bool {
    switch body {
    case .value(.computed(.sum), _), .value(.computed(.product), _), .value(.computed(.negated), _): true
    case .query, .value: false
    }
  }

  /// Returns the expression's value; nil when it has none and the file says that the member is left out.
  func value(in document: JSON, _ meter: Meter) throws(ExpressionError) -> JSON? {
    let evaluation = Evaluation(root: document, keepsPaths: false, meter: meter)
    let value: JSON?
    switch body {
    case .query(let sub): value = evaluation.one(sub, for: document)
    case .value(let operand, _): value = evaluation.value(of: operand, for: document)
    }
    if let problem = evaluation.problem { throw problem.error(in: "${\(text)}", query: text) }
    // A default is not a substitute for an answer that is there and can't be read.
    if value == nil || referencedQueries.contains(where: \.mayBeMissing),
      let error = UnreadOutput.obstacle(for: referencedQueries, in: document, of: "${\(text)}")
    {
      throw error
    }
    if let value { return value }
    if mayBeLeftOut { return nil }
    throw ExpressionError(
      code: WorkflowErrorCode.expressionEmpty, message: "${\(text)} finds nothing in the document", query: text)
  }

  /// Returns all values that a query finds, or the elements of the expression's list.
  /// - Parameter most: the search ends behind this number of values, so that a caller sees that there are more.
  /// - Returns: nil when the expression has one value that is not a list. The list is empty when a query of several values
  ///   finds none, and when the expression is left out.
  func allValues(in document: JSON, atMost most: Int, _ meter: Meter) throws(ExpressionError) -> [JSON]? {
    guard case .query(let sub) = body, sub.tokens == nil else {
      guard let value = try value(in: document, meter) else { return [] }
      return value.arrayValue
    }
    let evaluation = Evaluation(root: document, keepsPaths: false, meter: meter)
    var found: [JSON] = []
    evaluation.visitInner(sub.query, from: document) { value, _ in
      found.append(value)
      return found.count <= most
    }
    if let problem = evaluation.problem { throw problem.error(in: "${\(text)}", query: text) }
    if let error = UnreadOutput.obstacle(for: referencedQueries, in: document, of: "${\(text)}") { throw error }
    return found
  }

  /// Returns the error for a rendering that needed more than its budget.
  func exceeded(_ exceeded: BudgetExceeded) -> ExpressionError {
    ExpressionError(code: exceeded.code, message: "${\(text)}: \(exceeded.message)", query: text)
  }

  /// Returns the text form of the value; nil when the member is left out.
  func renderedText(in document: JSON, _ meter: Meter) throws(ExpressionError) -> String? {
    guard let value = try value(in: document, meter) else { return nil }
    switch value {
    case .string(let text): return text
    case .bool(let isTrue): return isTrue ? "true" : "false"
    case .number(let number): return number.text
    case .null, .array, .object:
      let kind = value.kind
      throw ExpressionError(
        code: WorkflowErrorCode.expressionNotText,
        message: "${\(text)} finds \(kind == "null" ? "null" : "an \(kind)"), which can't be part of a text",
        query: text)
    }
  }
}

// An expression that is tried on its own, outside a template.
extension Expression {
  /// - Parameter text: the expression, as a file has it between `${` and `}`.
  package init(_ text: String) throws(JSONPathError) { try self.init(text, offset: 0) }

  /// Returns the expression's value, within the standard budget; nil when `?? nothing` leaves it out.
  package func value(in document: JSON) throws(ExpressionError) -> JSON? {
    let meter = Meter()
    guard let value = try value(in: document, meter) else { return nil }
    if !meter.produce(value), let exceeded = meter.exceeded { throw self.exceeded(exceeded) }
    return value
  }
}
