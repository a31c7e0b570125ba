import JSON
import Values

/// The reason why an expression has no value, apart from a query that finds nothing.
struct ExpressionFault: Sendable {
  let code: String
  let message: String

  /// - Parameters:
  ///   - text: the expression as a message shows it.
  ///   - query: the expression as the file writes it.
  func error(in text: String, query: String) -> ExpressionError {
    ExpressionError(code: code, message: "\(text): \(message)", query: query)
  }
}

extension Evaluation {
  /// The reason why the evaluation's result is meaningless; nil when it is not.
  var problem: ExpressionFault? {
    meter.exceeded.map { ExpressionFault(code: $0.code, message: $0.message) } ?? fault
  }

  /// Returns nil when the computation has no value: a query found nothing, or `fault` says why.
  func value(of computation: Computation, for node: JSON) -> JSON? {
    guard meter.charge() else { return nil }
    switch computation {
    case .one(let sub): return one(sub, for: node)
    case .negated(let operand): return number(of: operand, for: node, "-").flatMap { result(-$0) }
    case .sum(let first, let rest):
      guard var total = number(of: first, for: node, rest[0].isAdded ? "+" : "-") else { return nil }
      for (isAdded, operand) in rest {
        guard let next = number(of: operand, for: node, isAdded ? "+" : "-") else { return nil }
        guard let sum = isAdded ? total + next : total - next else { return outOfRange() }
        total = sum
      }
      return result(total)
    case .product(let first, let rest):
      guard var total = number(of: first, for: node, rest[0].sign.rawValue) else { return nil }
      for (sign, operand) in rest {
        guard let next = number(of: operand, for: node, sign.rawValue) else { return nil }
        if sign != .times, next == .zero {
          return fail(WorkflowErrorCode.expressionArithmetic, "\(total.text) can't be divided by zero")
        }
        let product =
          switch sign {
          case .times: total * next
          case .by: total / next
          case .rest: total % next
          }
        guard let product else { return outOfRange() }
        total = product
      }
      return result(total)
    case .firstOf(let operands):
      for operand in operands {
        if let value = value(of: operand, for: node) { return value }
        if problem != nil { return nil }
      }
      return nil
    case .call(let function, let arguments): return call(function, arguments, for: node)
    case .truth(let condition): return .bool(holds(condition, for: node))
    }
  }

  /// Returns the one value that a query finds.
  func one(_ sub: SubQuery, for node: JSON) -> JSON? {
    if let tokens = sub.tokens {
      if let value = Self.follow(tokens, from: sub.query.isAbsolute ? root : node, meter) { return value }
    } else {
      var found: [JSON] = []
      visitInner(sub.query, from: node) { value, _ in
        found.append(value)
        return found.count < 2
      }
      guard found.count < 2 else {
        return fail(
          WorkflowErrorCode.expressionMany, "the query finds several values where one is needed; list(…) takes all")
      }
      if let value = found.first { return value }
    }
    if missing == nil { missing = sub.query }
    return nil
  }

  // MARK: Numbers

  func number(of operand: Operand, for node: JSON, _ user: String) -> Decimal34? {
    value(of: operand, for: node).flatMap { number($0, user) }
  }

  func number(_ value: JSON, _ user: String) -> Decimal34? {
    guard case .number(let number) = value else { return fail(needs: "a number", user, value) }
    guard meter.charge(text: number.textLength) else { return nil }
    return Decimal34(number) ?? outOfRange()
  }

  func result(_ number: Decimal34) -> JSON? { number.json }

  // MARK: Faults

  /// Records why there is no value. Returns nil, so that a caller can return it.
  func fail<Value>(_ code: String, _ message: String) -> Value? {
    if fault == nil { fault = ExpressionFault(code: code, message: message) }
    return nil
  }

  func fail<Value>(needs wanted: String, _ user: String, _ value: JSON) -> Value? {
    let hint =
      switch value {
      case .array: "; [*] takes its elements"
      case .string(let text) where wanted == "a number" && JSON.isNumber(text): "; number(…) reads a number in a text"
      case .null, .bool, .number, .string, .object: ""
      }
    return fail(
      WorkflowErrorCode.expressionWrongType,
      "\(user) needs \(wanted), and the value is \(ObjectReader.withArticle(value))\(hint)")
  }

  func outOfRange<Value>() -> Value? {
    fail(WorkflowErrorCode.expressionArithmetic, "the number is too large or too small")
  }
}

extension JSON {
  /// Returns true when the text is a JSON number of a usual length.
  fileprivate static func isNumber(_ text: String) -> Bool {
    guard text.utf8.count < 100, case .number? = try? JSON(parsing: text) else { return false }
    return true
  }
}
