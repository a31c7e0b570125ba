import JSON
import Patterns

extension Evaluation {
  func holds(_ condition: Condition, for node: JSON) -> Bool {
    guard meter.charge() else { return false }
    return switch condition {
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
    if let tokens = sub.tokens { return Self.follow(tokens, from: start(of: sub, node), meter) != nil }
    var isFound = false
    visitInner(sub.query, from: node) { _, _ in
      isFound = true
      return false
    }
    return isFound
  }

  private func start(of sub: SubQuery, _ node: JSON) -> JSON { sub.query.isAbsolute ? root : node }

  // MARK: Values

  /// Returns the value of an operand. Nil is the RFC's Nothing: the query found no node, or the function has no result.
  func value(of operand: Operand, for node: JSON) -> JSON? {
    switch operand {
    case .literal(let value): return value
    case .node(let sub):
      if let value = sub.tokens.flatMap({ Self.follow($0, from: start(of: sub, node), meter) }) { return value }
      if missing == nil { missing = sub.query }
      return nil
    case .computed(let computation): return value(of: computation, for: node)
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
    case .string(let text): meter.charge(text: text.utf8.count) ? text.unicodeScalars.count : nil
    case .array(let values): values.count
    case .object(let members): members.count
    case .null, .bool, .number, nil: nil
    }
  }

  // MARK: Comparisons

  private func compare(_ left: JSON?, _ comparison: Comparison, _ right: JSON?) -> Bool {
    switch comparison {
    case .equal: isEqual(left, right)
    case .notEqual: !isEqual(left, right)
    case .less: isLess(left, right)
    case .lessOrEqual: isLess(left, right) || isEqual(left, right)
    case .greater: isLess(right, left)
    case .greaterOrEqual: isLess(right, left) || isEqual(left, right)
    }
  }

  private func isEqual(_ left: JSON?, _ right: JSON?) -> Bool {
    switch (left, right) {
    case (nil, nil): true
    case (let left?, let right?): meter.areEqual(left, right)
    case (nil, _?), (_?, nil): false
    }
  }

  /// Returns true when the left value is less. Only two numbers or two strings have an order. The order of UTF-8 bytes
  /// is the same as the order of scalars.
  private func isLess(_ left: JSON?, _ right: JSON?) -> Bool {
    switch (left, right) {
    case (.number(let left), .number(let right)): meter.charge(left, right) && left < right
    case (.string(let left), .string(let right)):
      meter.charge(text: min(left.utf8.count, right.utf8.count)) && left.utf8.lexicographicallyPrecedes(right.utf8)
    default: false
    }
  }

  // MARK: Patterns

  private func matches(_ test: PatternTest, for node: JSON) -> Bool {
    guard case .string(let text) = value(of: test.text, for: node) else { return false }
    let source: String
    switch test.pattern {
    case .literal(let written):
      guard let written else { return false }
      source = written
    case .computed(let operand):
      guard case .string(let computed) = value(of: operand, for: node) else { return false }
      source = computed
    }
    guard let pattern = compiled(source) else { return false }
    return pattern.run(text, isWhole: test.isWhole, meter)
  }

  /// Returns the compiled pattern; nil when it is not an I-Regexp or is too large. Such a pattern matches nothing.
  private func compiled(_ source: String) -> IRegexp? {
    if let known = patterns.first(where: { $0.text.hasSameScalars(as: source) }) { return known.compiled }
    guard meter.charge(1 + source.utf8.count) else { return nil }
    let compiled: IRegexp?
    do throws(PatternError) {
      compiled = try IRegexp(source)
    } catch {
      // RFC 9535 §2.4.6: an invalid pattern makes the test false.
      compiled = nil
    }
    guard meter.charge(compiled?.size ?? 0) else { return nil }
    if patterns.count == Self.mostPatterns { patterns.removeFirst() }
    patterns.append((source, compiled))
    return compiled
  }

  /// The number of compiled patterns that are kept.
  private static let mostPatterns = 8
}
