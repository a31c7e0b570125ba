import JSON

extension Evaluation {
  func holds(_ condition: Condition, for node: JSON) -> Bool {
    switch condition {
    case .any(let parts): parts.contains { holds($0, for: node) }
    case .all(let parts): parts.allSatisfy { holds($0, for: node) }
    case .not(let inner): !holds(inner, for: node)
    case .exists(let query): exists(query, for: node)
    case .comparison(let left, let comparison, let right):
      compare(value(of: left, for: node), comparison, value(of: right, for: node))
    case .matches(let test): matches(test, for: node)
    }
  }

  private func exists(_ sub: SubQuery, for node: JSON) -> Bool {
    if let tokens = sub.tokens { return Self.follow(tokens, from: start(of: sub, node)) != nil }
    var isFound = false
    visitInner(sub.query, from: node) { _, _ in
      isFound = true
      return false
    }
    return isFound
  }

  private func start(of sub: SubQuery, _ node: JSON) -> JSON { sub.query.isAbsolute ? root : node }

  // MARK: Values

  /// Nil is the RFC's Nothing: the query found no node, or the function has no result.
  private func value(of operand: Operand, for node: JSON) -> JSON? {
    switch operand {
    case .literal(let value): return value
    case .node(let sub): return sub.tokens.flatMap { Self.follow($0, from: start(of: sub, node)) }
    case .length(let inner): return length(value(of: inner, for: node)).map { .int($0) }
    case .count(let sub):
      var count = 0
      visitInner(sub.query, from: node) { _, _ in
        count += 1
        return true
      }
      return .int(count)
    case .value(let sub):
      var found: [JSON] = []
      visitInner(sub.query, from: node) { value, _ in
        found.append(value)
        return found.count < 2
      }
      guard found.count == 1 else { return nil }
      return found[0]
    }
  }

  private func length(_ value: JSON?) -> Int? {
    switch value {
    case .string(let text): text.unicodeScalars.count
    case .array(let values): values.count
    case .object(let members): members.count
    case .null, .bool, .number, nil: nil
    }
  }

  // MARK: Comparisons

  private func compare(_ left: JSON?, _ comparison: Comparison, _ right: JSON?) -> Bool {
    switch comparison {
    case .equal: left == right
    case .notEqual: left != right
    case .less: isLess(left, right)
    case .lessOrEqual: isLess(left, right) || left == right
    case .greater: isLess(right, left)
    case .greaterOrEqual: isLess(right, left) || left == right
    }
  }

  /// Only two numbers or two strings have an order; that of UTF-8 bytes is that of scalars.
  private func isLess(_ left: JSON?, _ right: JSON?) -> Bool {
    switch (left, right) {
    case (.number(let left), .number(let right)): left < right
    case (.string(let left), .string(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
    default: false
    }
  }

  // MARK: Patterns

  private func matches(_ test: PatternTest, for node: JSON) -> Bool {
    guard case .string(let text) = value(of: test.text, for: node) else { return false }
    let pattern: IRegexp?
    switch test.pattern {
    case .literal(let compiled): pattern = compiled
    case .computed(let operand):
      guard case .string(let source) = value(of: operand, for: node) else { return false }
      pattern = compiled(source)
    }
    guard let pattern else { return false }
    return test.isWhole ? pattern.matches(text) : pattern.isFound(in: text)
  }

  /// Nil: no I-Regexp, or too large a one; it matches nothing.
  private func compiled(_ source: String) -> IRegexp? {
    if let last = lastPattern, last.text.hasSameScalars(as: source) { return last.compiled }
    let compiled: IRegexp?
    do throws(IRegexpError) {
      compiled = try IRegexp(source)
    } catch {
      // RFC 9535 §2.4.6: a pattern that is none makes the test false.
      compiled = nil
    }
    lastPattern = (source, compiled)
    return compiled
  }
}
