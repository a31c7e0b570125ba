import JSON
import Patterns

// The rules on numbers, on texts, and on the same value.
extension SchemaValidation {
  mutating func check(_ number: JSONNumber, _ rule: NumberRule, _ node: Int) -> Bool {
    guard meter.charge(1 + number.textLength >> 5) else { return false }
    func refused(_ keyword: String, _ limit: String) -> Bool {
      refuse(node, keyword) { "\($0) is \(SchemaText.shortened(number.text)); the schema allows \(limit)" }
    }
    switch rule {
    case .multipleOf(let divisor):
      guard meter.charge(number.divisionWork(by: divisor) >> 3) else { return false }
      return number.isMultiple(of: divisor)
        || refused("multipleOf", "only multiples of \(SchemaText.shortened(divisor.text))")
    case .maximum(let limit):
      return number <= limit || refused("maximum", "at most \(SchemaText.shortened(limit.text))")
    case .exclusiveMaximum(let limit):
      return number < limit
        || refused("exclusiveMaximum", "only less than \(SchemaText.shortened(limit.text))")
    case .minimum(let limit):
      return number >= limit || refused("minimum", "at least \(SchemaText.shortened(limit.text))")
    case .exclusiveMinimum(let limit):
      return number > limit
        || refused("exclusiveMinimum", "only more than \(SchemaText.shortened(limit.text))")
    }
  }

  mutating func check(_ text: String, _ rule: TextRule, _ node: Int) -> Bool {
    guard meter.charge(text: text.utf8.count) else { return false }
    switch rule {
    case .maxLength(let limit):
      if text.utf8.count <= limit { return true }
      let length = text.unicodeScalars.count
      return length <= limit
        || refuse(node, "maxLength") {
          "\($0) has \(SchemaText.count(length, "character")); the schema allows at most \(limit)"
        }
    case .minLength(let limit):
      let length = text.unicodeScalars.count
      return length >= limit
        || refuse(node, "minLength") {
          "\($0) has \(SchemaText.count(length, "character")); the schema asks for at least \(limit)"
        }
    case .pattern(let pattern, let source):
      return pattern.isFound(in: text, meter)
        || refuse(node, "pattern") {
          "\($0) is \(SchemaText.shown(.string(text))); the schema allows only text that matches "
            + SchemaText.shortened(source)
        }
    }
  }

  mutating func check(
    _ value: JSON, _ rule: InPlaceRule, _ node: Int, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    switch rule {
    case .ref(let target): return evaluate(target, value, &evaluated)
    case .dynamicRef(let target, let anchor):
      return evaluate(self.target(of: target, anchor: anchor), value, &evaluated)
    case .allOf(let parts): return checkAll(parts, value, &evaluated)
    case .anyOf(let parts): return checkAlternatives(parts, value, node, isOne: false, &evaluated)
    case .oneOf(let parts): return checkAlternatives(parts, value, node, isOne: true, &evaluated)
    case .not(let part):
      var apart = EvaluatedParts(isNeeded: false)
      return !accepts(part, value, &apart) && meter.exceeded == nil
        || refuse(node, "not") { "\($0) is what the schema excludes" }
    case .conditional(let condition, let then, let otherwise):
      var apart = EvaluatedParts(isNeeded: evaluated.isNeeded)
      let holds = accepts(condition, value, &apart)
      guard meter.charge(apart.weight) else { return false }
      if holds { evaluated.formUnion(apart) }
      guard let next = holds ? then : otherwise else { return true }
      return evaluate(next, value, &evaluated)
    }
  }

  private mutating func checkAll(_ parts: [Int], _ value: JSON, _ evaluated: inout EvaluatedParts) -> Bool {
    var isValid = true
    for part in parts where !evaluate(part, value, &evaluated) {
      isValid = false
      if !isCollecting { return false }
    }
    return isValid
  }

  private mutating func checkAlternatives(
    _ parts: [Int], _ value: JSON, _ node: Int, isOne: Bool, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    var met: [Int] = []
    var nearest = NearestAlternative()
    for (index, part) in parts.enumerated() {
      let before = record
      var apart = EvaluatedParts(isNeeded: evaluated.isNeeded)
      if evaluate(part, value, &apart) {
        met.append(index)
        guard meter.charge(apart.weight) else { return false }
        evaluated.formUnion(apart)
        // One is enough, unless the others must fail or may evaluate more.
        if !isOne, !evaluated.isNeeded { return true }
        if isOne, met.count > 1, !isCollecting { return false }
      } else {
        guard meter.exceeded == nil else { return false }
        nearest.note(takeBack(to: before))
      }
    }
    if met.count == 1 || (!isOne && !met.isEmpty) { return true }
    evaluated.isUncertain = true
    let keyword = isOne ? "oneOf" : "anyOf"
    if met.isEmpty {
      _ = refuse(node, keyword) {
        "\($0) meets none of the \(SchemaText.count(parts.count, "alternative")) of the schema"
      }
      if isCollecting { add(nearest.violations) }
      return false
    }
    let numbers = met.map { "\($0 + 1)" }.joined(separator: " and ")
    return refuse(node, keyword) { "\($0) meets the alternatives \(numbers) of the schema; it must meet exactly one" }
  }
}

/// Finds the alternative that was probably meant: its violations reach deepest into the value, and of these it has the
/// fewest.
private struct NearestAlternative {
  private var best: [SchemaViolation] = []
  private var depth = 0
  private var isTied = false

  /// The violations of the alternative. Empty when several alternatives are as near.
  var violations: [SchemaViolation] { isTied ? [] : best }

  mutating func note(_ violations: [SchemaViolation]) {
    guard !violations.isEmpty else { return }
    let depth = violations.map(\.instance.tokens.count).max() ?? 0
    let isNearer = best.isEmpty || depth > self.depth || (depth == self.depth && violations.count < best.count)
    if isNearer {
      best = violations
      self.depth = depth
      isTied = false
    } else if depth == self.depth, violations.count == best.count {
      isTied = true
    }
  }
}
