import JSON
import Values

/// The grammar of expressions, from the loosest operator to the tightest: `||`, `&&`, `!` and comparisons, `??`, `+ -`,
/// `* / %`, a minus sign.
extension QueryParser {
  /// Parses a whole expression, as in `${…}`.
  mutating func wholeExpression() throws(JSONPathError) -> Expression.Body {
    try refuseLength()
    skipBlanks()
    let term = try disjunction("a query or a value")
    skipBlanks()
    if let next = peek() { throw unexpectedAfterExpression(next) }
    switch term {
    case .query(let query): return .query(SubQuery(query))
    case .literal(let value, _): return .value(.literal(value), mayBeLeftOut: false)
    case .value(let operand, _, _), .computed(let operand, _): return .value(operand, mayBeLeftOut: false)
    case .optional(let operand, _): return .value(operand, mayBeLeftOut: true)
    case .pattern(let test, _, _): return .value(.computed(.truth(.matches(test))), mayBeLeftOut: false)
    case .logical(let condition, _): return .value(.computed(.truth(condition)), mayBeLeftOut: false)
    case .nothing(let start): throw misplacedNothing(start)
    }
  }

  // MARK: Conditions

  mutating func disjunction(_ expected: String = "a condition") throws(JSONPathError) -> Term {
    let start = at
    let first = try conjunction(expected)
    guard try skipOperator("|") else { return first }
    var parts = [try test(first)]
    repeat {
      let part = try conjunction("a condition")
      if case .literal(_, let place) = part {
        throw syntax("|| joins conditions: another value for a missing one is written behind ??.", place)
      }
      parts.append(try test(part))
    } while try skipOperator("|")
    return .logical(.any(parts), at: start)
  }

  private mutating func conjunction(_ expected: String) throws(JSONPathError) -> Term {
    let start = at
    let first = try comparisonTerm(expected)
    guard try skipOperator("&") else { return first }
    var parts = [try test(first)]
    repeat { parts.append(try test(comparisonTerm("a condition"))) } while try skipOperator("&")
    return .logical(.all(parts), at: start)
  }

  private mutating func comparisonTerm(_ expected: String) throws(JSONPathError) -> Term {
    let start = at
    if peek() == "!", peek(1) != "=" {
      at += 1
      skipBlanks()
      let inner = try term("a query, a function or ( behind !")
      skipBlanks()
      let end = at
      if let comparison = try comparison() {
        throw syntax("! takes a test, not a comparison: write !(… \(comparison.rawValue) …).", start)
      }
      at = end
      return .logical(.not(try test(inner)), at: start)
    }
    let left = try alternatives(expected)
    skipBlanks()
    guard let comparison = try comparison() else { return left }
    skipBlanks()
    let leftOperand = try operand(left)
    let right = try operand(alternatives("a value to compare with"))
    skipBlanks()
    let end = at
    if try self.comparison() != nil { throw syntax("Comparisons don't chain; join two with &&.", end) }
    return .logical(.comparison(leftOperand, comparison, right), at: start)
  }

  /// Parses a term in parentheses. The parser is at the opening one.
  mutating func group() throws(JSONPathError) -> Term {
    let start = at
    at += 1
    let inner = try nested { parser throws(JSONPathError) in
      parser.skipBlanks()
      return try parser.disjunction("a value or a condition")
    }
    skipBlanks()
    guard skip(")") else {
      guard let next = peek(), next != "]" else {
        throw syntax("The parenthesis is never closed; ) is missing.", start)
      }
      throw unexpectedAfterExpression(next)
    }
    return inner
  }

  // MARK: Values

  /// Parses values that are joined by `??`.
  private mutating func alternatives(_ expected: String) throws(JSONPathError) -> Term {
    let start = at
    let first = try sum(expected)
    var parts: [Operand] = []
    while skipDefaultOperator() {
      if parts.isEmpty { parts.append(try self.value(first, "??")) }
      let next = try sum("a value behind ??")
      if case .nothing = next {
        let end = at
        if skipDefaultOperator() { throw syntax("nothing is the end: no ?? may follow it.", end) }
        return .optional(.computed(.firstOf(parts)), at: start)
      }
      parts.append(try self.value(next, "??"))
    }
    return parts.isEmpty ? first : .computed(.computed(.firstOf(parts)), at: start)
  }

  private mutating func skipDefaultOperator() -> Bool {
    let start = at
    skipBlanks()
    guard peek() == "?", peek(1) == "?" else {
      at = start
      return false
    }
    at += 2
    skipBlanks()
    return true
  }

  private mutating func sum(_ expected: String) throws(JSONPathError) -> Term {
    let start = at
    let first = try product(expected)
    var parts: [(isAdded: Bool, number: Operand)] = []
    var firstOperand: Operand?
    while let sign = skipSign("+", "-") {
      if firstOperand == nil { firstOperand = try number(first, "\(sign)") }
      parts.append((sign == "+", try number(product("a number behind \(sign)"), "\(sign)")))
    }
    guard let firstOperand else { return first }
    return .computed(.computed(.sum(firstOperand, parts)), at: start)
  }

  private mutating func product(_ expected: String) throws(JSONPathError) -> Term {
    let start = at
    let first = try signed(expected)
    var parts: [(sign: Multiplication, number: Operand)] = []
    var firstOperand: Operand?
    while let sign = skipSign("*", "/", "%"), let multiplication = Multiplication(rawValue: "\(sign)") {
      if firstOperand == nil { firstOperand = try number(first, "\(sign)") }
      let place = at
      let operand = try number(signed("a number behind \(sign)"), "\(sign)")
      if case .literal(let value) = operand, value == 0, multiplication != .times {
        throw type("A number can't be divided by zero.", place)
      }
      parts.append((multiplication, operand))
    }
    guard let firstOperand else { return first }
    return .computed(.computed(.product(firstOperand, parts)), at: start)
  }

  /// Skips one of these signs with the blanks around it. Does not move when there is none.
  private mutating func skipSign(_ signs: Unicode.Scalar...) -> Unicode.Scalar? {
    let start = at
    skipBlanks()
    guard let next = peek(), signs.contains(next) else {
      at = start
      return nil
    }
    at += 1
    skipBlanks()
    return next
  }

  private mutating func signed(_ expected: String) throws(JSONPathError) -> Term {
    let start = at
    var isNegative = false
    // A minus sign before a digit belongs to the number.
    while peek() == "-", !(peek(1).map { ("0"..."9").contains($0) } ?? false) {
      at += 1
      isNegative.toggle()
      skipBlanks()
    }
    guard at > start else { return try term(expected) }
    let operand = try number(term("a number behind -"), "-")
    return .computed(isNegative ? .computed(.negated(operand)) : operand, at: start)
  }

  /// Returns a term as a value for an operator or a function.
  private func value(_ term: Term, _ user: String) throws(JSONPathError) -> Operand {
    switch term {
    case .literal(let value, _): return .literal(value)
    case .value(let operand, _, _), .computed(let operand, _): return operand
    case .query(let query):
      let sub = SubQuery(query)
      return sub.tokens == nil ? .computed(.one(sub)) : .node(sub)
    case .pattern(_, _, let start), .logical(_, let start):
      throw type("\(user) takes values, and this is a condition.", start)
    case .nothing(let start), .optional(_, let start): throw misplacedNothing(start)
    }
  }

  /// Returns a term as a number for an operator.
  private func number(_ term: Term, _ sign: String) throws(JSONPathError) -> Operand {
    if case .literal(let value, let start) = term {
      guard case .number = value else {
        let hint =
          if case .string(let text) = value, DurationText.parse(text) != nil {
            "; write duration('\(text)'), and a time in seconds: timestamp(seconds(…) \(sign) duration('\(text)'))"
          } else if case .string = value, sign == "+" {
            "; join texts by writing them together, as ${…}-${…}"
          } else {
            ""
          }
        throw type("\(sign) takes numbers, and this is \(ObjectReader.withArticle(value))\(hint).", start)
      }
    }
    return try value(term, sign)
  }

  // MARK: Functions

  func isFunction(_ word: String) -> Bool {
    (language == .expression ? ExpressionFunction.allNames : Self.queryFunctions).contains(word)
  }

  private static let queryFunctions = Array(ExpressionFunction.allNames.prefix(5))

  func unknownFunction(_ name: String, _ start: Int) -> JSONPathError {
    let known = language == .expression ? ExpressionFunction.allNames : Self.queryFunctions
    let near =
      (language == .expression ? ExpressionFunction.advice[name.lowercased()].map { " \($0)." } : nil)
      ?? NearNames.nearest(to: name, among: known).map { " Did you mean \($0)()?" } ?? ""
    return JSONPathError(
      code: JSONPathErrorCode.unknownFunction,
      message: "There is no function \(name)().\(near) There are \(known.dropLast().joined(separator: ", ")) and "
        + "\(known.last ?? "").", at: start)
  }

  mutating func call(_ function: ExpressionFunction, _ start: Int) throws(JSONPathError) -> Term {
    let terms = try arguments(of: function.rawValue)
    let parameters = function.parameters
    let needed = parameters.count { !$0.isOptional }
    guard (needed...parameters.count).contains(terms.count) else {
      throw type("\(function.form) does not take \(terms.count) arguments.", start)
    }
    var arguments: [Argument] = []
    for (parameter, term) in zip(parameters, terms) { arguments.append(try argument(term, parameter, function)) }
    if arguments.allSatisfy(\.isLiteral) {
      let evaluation = Evaluation(root: .null, keepsPaths: false, meter: Meter())
      _ = evaluation.call(function, arguments, for: .null)
      if let fault = evaluation.fault { throw type("\(fault.message).", start) }
    }
    return .computed(.computed(.call(function, arguments)), at: start)
  }

  private func argument(
    _ term: Term, _ parameter: ExpressionFunction.Parameter, _ function: ExpressionFunction
  ) throws(JSONPathError) -> Argument {
    let user = "\(function.rawValue)()"
    switch parameter {
    case .nodes:
      switch term {
      case .query(let query): return .nodes(SubQuery(query))
      case .literal(_, let start): throw type("\(user) takes a query, as in \(user.dropLast())$.items[*]).", start)
      case .value, .pattern, .logical, .computed, .nothing, .optional: return .elements(try value(term, user))
      }
    case .value: return .value(try value(term, user))
    case .text, .optionalText:
      if case .literal(let value, let start) = term, value.stringValue == nil {
        throw type("\(function.form) takes a text, and this is \(ObjectReader.withArticle(value)).", start)
      }
      return .value(try value(term, user))
    case .number, .optionalNumber:
      if case .literal(let value, let start) = term {
        guard case .number = value else {
          throw type("\(function.form) takes a number, and this is \(ObjectReader.withArticle(value)).", start)
        }
      }
      return .value(try value(term, user))
    }
  }

  // MARK: Errors

  func misplacedNothing(_ start: Int) -> JSONPathError {
    type("nothing may only be the end of a whole ${… ?? nothing}: it leaves the member out.", start)
  }

  private func unexpectedAfterExpression(_ next: Unicode.Scalar) -> JSONPathError {
    switch next {
    case "$", "@":
      syntax("An operator was expected before \(next); a name with \(next) in it is written ['a\(next)b'].")
    case "]", ")", "}": syntax("This \(next) closes nothing.")
    default: unexpectedAfterTest()
    }
  }
}
