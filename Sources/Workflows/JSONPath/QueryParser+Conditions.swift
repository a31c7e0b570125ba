import JSON

extension QueryParser {
  /// Parses one or more conjunctions, joined by `||`.
  mutating func condition() throws(JSONPathError) -> Condition {
    if language == .expression { return try test(disjunction()) }
    let first = try conjunction()
    var parts = [first]
    while try skipOperator("|") { parts.append(try conjunction()) }
    return parts.count == 1 ? first : .any(parts)
  }

  /// Parses one or more terms, joined by `&&`.
  private mutating func conjunction() throws(JSONPathError) -> Condition {
    let first = try basic()
    var parts = [first]
    while try skipOperator("&") { parts.append(try basic()) }
    return parts.count == 1 ? first : .all(parts)
  }

  /// Skips `||` or `&&` with the blanks around it. Does not move when there is no operator.
  mutating func skipOperator(_ sign: Unicode.Scalar) throws(JSONPathError) -> Bool {
    let start = at
    skipBlanks()
    guard peek() == sign else {
      at = start
      return false
    }
    guard peek(1) == sign else {
      let call = sign == "|" && language == .expression ? " A function is called as upper(input.x), without |." : ""
      throw syntax("Write \(sign)\(sign); one \(sign) is no operator.\(call)")
    }
    at += 2
    skipBlanks()
    return true
  }

  private mutating func basic() throws(JSONPathError) -> Condition {
    let start = at
    let isNegated = skip("!")
    if isNegated { skipBlanks() }
    if peek() == "(" {
      let inner = try parenthesized()
      return isNegated ? .not(inner) : inner
    }
    let term = try term(isNegated ? "a query, a function or ( behind !" : "a condition")
    let end = at
    skipBlanks()
    if let comparison = try comparison() {
      if isNegated {
        throw syntax("! stands before a test, not a comparison: write !(… \(comparison.rawValue) …).", start)
      }
      skipBlanks()
      let left = try operand(term)
      let right = try operand(self.term("a value to compare with"))
      return .comparison(left, comparison, right)
    }
    at = end
    let test = try test(term)
    return isNegated ? .not(test) : test
  }

  private mutating func parenthesized() throws(JSONPathError) -> Condition {
    let start = at
    at += 1
    let inner = try nested { parser throws(JSONPathError) in
      parser.skipBlanks()
      return try parser.condition()
    }
    skipBlanks()
    guard skip(")") else {
      if at == scalars.count || peek() == "]" { throw syntax("The parenthesis is never closed; ) is missing.", start) }
      throw unexpectedAfterTest()
    }
    return inner
  }

  mutating func comparison() throws(JSONPathError) -> Comparison? {
    guard let first = peek() else { return nil }
    let isDouble = peek(1) == "="
    let comparison: Comparison
    switch first {
    case "=":
      if peek(1) == "~" { throw syntax("=~ is no operator; write match(@.name, 'pattern') or search(…).") }
      guard isDouble else { throw syntax("Write == to compare; = is no operator.") }
      comparison = .equal
    case "!":
      guard isDouble else { throw syntax("Write != to compare; ! stands before a test.") }
      comparison = .notEqual
    case "<":
      if peek(1) == ">" { throw syntax("Write != to compare; <> is no operator.") }
      comparison = isDouble ? .lessOrEqual : .less
    case ">": comparison = isDouble ? .greaterOrEqual : .greater
    default: return nil
    }
    at += comparison.rawValue.utf8.count
    if peek() == "=" { throw syntax("Write \(comparison.rawValue) to compare; one = is too many.") }
    return comparison
  }

  // MARK: Terms

  /// One side of a comparison or a test, before the parser knows which.
  enum Term {
    case literal(JSON, at: Int)
    case query(Query)
    case value(Operand, function: String, at: Int)
    case pattern(PatternTest, function: String, at: Int)
    // Of the expression language:
    case logical(Condition, at: Int)
    case computed(Operand, at: Int)
    /// `nothing`, which may only be the end of `??`.
    case nothing(at: Int)
    /// `… ?? nothing`.
    case optional(Operand, at: Int)
  }

  mutating func term(_ expected: String) throws(JSONPathError) -> Term {
    let start = at
    guard let next = peek() else { throw syntax("The text ends where \(expected) was expected.") }
    switch next {
    case "@", "$": return .query(try query())
    case "'", "\"": return .literal(.string(try string()), at: start)
    case "-", "0"..."9": return .literal(try number(), at: start)
    case "a"..."z", "A"..."Z", "_": return try word()
    case "(" where language == .expression: return try group()
    case "[" where allowsBareQueries: return .query(try bareQuery())
    case let next where allowsBareQueries && isNameStart(next): return .query(try bareQuery())
    case "(": throw syntax("Parentheses stand around conditions, not around a value.")
    case "!": throw syntax("Only one ! may stand here, before a test or a parenthesis.")
    case "{" where allowsBareQueries && at == 0:
      throw syntax("Write one pair of braces: ${input.x}, not ${{ input.x }}.")
    case "[", "{": throw syntax("Arrays and objects can't be written in a condition; compare one member or element.")
    case "?": throw syntax("A filter's condition follows its question mark directly; a second one is too many.")
    case let next where isNameStart(next):
      throw syntax("A query in a condition starts with @ or $: write @.name; text stands in quotes.")
    default: throw syntax("\(expected.prefix(1).uppercased() + expected.dropFirst()) was expected, not \(found()).")
    }
  }

  private mutating func word() throws(JSONPathError) -> Term {
    let start = at
    while let next = peek(), isWordScalar(next) { at += 1 }
    let word = String(String.UnicodeScalarView(scalars[start..<at]))
    if peek() == "(" { return try nested { parser throws(JSONPathError) in try parser.call(word, start) } }
    switch word {
    case "nothing" where language == .expression: return .nothing(at: start)
    case "true": return .literal(true, at: start)
    case "false": return .literal(false, at: start)
    case "null": return .literal(.null, at: start)
    case _ where allowsBareQueries:
      at = start
      return .query(try bareQuery())
    case "not", "NOT": throw syntax("Write ! for not.", start)
    case "True", "TRUE", "False", "FALSE", "Null", "NULL": throw syntax("Write \(word.lowercased()).", start)
    case "None", "nil", "undefined": throw syntax("Write null.", start)
    default:
      let isFunction = isFunction(word)
      throw syntax(
        isFunction
          ? "\(word) is a function: its parenthesis follows directly, \(word)(…)."
          : "A query in a condition starts with @ or $: write \(Self.roots.contains(word) ? "$" : "@").\(word); text stands "
            + "in quotes: '\(word)'.", start)
    }
  }

  /// The members of the document that a condition of a workflow reads.
  private static let roots: Set<String> = ["input", "steps", "saga", "signal", "answer"]

  private func isWordScalar(_ scalar: Unicode.Scalar) -> Bool { isNameStart(scalar) || ("0"..."9").contains(scalar) }

  /// Returns a term as a side of a comparison.
  func operand(_ term: Term) throws(JSONPathError) -> Operand {
    switch term {
    case .literal(let value, _): return .literal(value)
    case .value(let operand, _, _): return operand
    case .query(let query): return .node(try singular(query, "A comparison"))
    case .computed(let operand, _): return operand
    case .logical(_, let start):
      throw type("A condition is true or false by itself; it can't be compared. Join two with && or ||.", start)
    case .nothing(let start), .optional(_, let start): throw misplacedNothing(start)
    case .pattern(_, let function, let start):
      throw type("\(function)() is true or false by itself; it can't be compared.", start)
    }
  }

  func singular(_ query: Query, _ user: String) throws(JSONPathError) -> SubQuery {
    let sub = SubQuery(query)
    if sub.tokens == nil {
      throw type(
        "\(user) needs one value, but this query may find several; \(advice(on: query, for: user)).",
        query.range.lowerBound)
    }
    return sub
  }

  /// Returns what to write for a query of several values, which may be a question about any of them.
  private func advice(on query: Query, for user: String) -> String {
    let one = "use names and indexes alone, or value(…)"
    guard language == .expression else { return one }
    if user == "length()" { return "count(…) counts them, or \(one)" }
    let text = String(String.UnicodeScalarView(scalars[query.range]))
    guard user == "A comparison", query.isAbsolute, text.utf8.count <= 100, let many = text.firstRange(of: "[*]"),
      !text[many.upperBound...].contains("[")
    else { return one }
    // "Is any of them so?" and "how many are so?" are what authors ask most.
    let filter = "\(text[..<many.lowerBound])[?@\(text[many.upperBound...]) == …]"
    return "to ask whether one of them is so, write \(filter); for how many, count(\(filter))"
  }

  /// Returns a term as a test.
  func test(_ term: Term) throws(JSONPathError) -> Condition {
    switch term {
    case .logical(let condition, _): return condition
    case .computed(_, let start):
      throw type("This computes a value, and a value is not a condition; compare it, as in … == 1.", start)
    case .nothing(let start), .optional(_, let start): throw misplacedNothing(start)
    case .query(let query): return .exists(SubQuery(query))
    case .pattern(let test, _, _): return .matches(test)
    case .literal(_, let start): throw syntax("A value alone is no condition; compare it with something.", start)
    case .value(_, let function, let start):
      throw type("\(function)() gives a value; compare it, as in \(function)(…) == 1.", start)
    }
  }
}
