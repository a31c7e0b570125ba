/// Parses a pattern by the grammar of RFC 9485 §3, which has no back-references and no `\d`.
struct IRegexpParser: PatternGrammar {
  let scalars: [Unicode.Scalar]
  var at = 0
  var depth = 0

  init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

  /// Parses a `^` that starts an alternative, or a `$` that ends one. Before a sign of repetition they are plain
  /// characters.
  mutating func assertion(_ next: Unicode.Scalar, isFirst: Bool) -> PatternTree? {
    let following = peek(1)
    switch next {
    case "^" where isFirst && !(following.map { ["*", "+", "?", "{"].contains($0) } ?? false):
      at += 1
      return .start
    case "$" where following == nil || following == "|" || following == ")":
      at += 1
      return .end
    default: return nil
    }
  }

  mutating func atom(_ first: Unicode.Scalar) throws(PatternError) -> PatternTree {
    at += 1
    switch first {
    case "(": return try restOfGroup(from: at - 1)
    case ".": return .oneOf(.dot)
    case "[": return .oneOf(try classExpression())
    case "\\":
      switch try escape() {
      case .scalar(let scalar): return .scalar(scalar)
      case .categories(let mask):
        var scalars = ScalarClass()
        scalars.insert(categories: mask)
        return .oneOf(scalars)
      }
    case "*", "+", "?", "{":
      throw PatternError(message: "\(first) has nothing to repeat; the sign itself is written \\\(first).")
    case "]", "}": throw PatternError(message: "\(first) is written \\\(first).")
    default: return .scalar(first)
    }
  }

  // MARK: Repetition

  mutating func quantified(_ atom: PatternTree) throws(PatternError) -> PatternTree {
    if skip("*") { return .repeated(atom, least: 0, most: nil) }
    if skip("+") { return .repeated(atom, least: 1, most: nil) }
    if skip("?") { return .repeated(atom, least: 0, most: 1) }
    guard skip("{") else { return atom }
    let least = try count()
    var most: Int? = least
    if skip(",") { most = peek() == "}" ? nil : try count() }
    guard skip("}") else { throw PatternError(message: "a repetition is written {2}, {2,} or {2,5}.") }
    if let most, most < least { throw PatternError(message: "{\(least),\(most)} counts down.") }
    return .repeated(atom, least: least, most: most)
  }

  private mutating func count() throws(PatternError) -> Int {
    let start = at
    var value = 0
    while let next = peek(), ("0"..."9").contains(next) {
      value = min(value * 10 + Int(next.value - 48), IRegexp.largest + 1)
      at += 1
    }
    if at == start { throw PatternError(message: "a repetition is written {2}, {2,} or {2,5}.") }
    if value > IRegexp.largest { throw PatternError(message: "a repetition counts to \(IRegexp.largest) at most.") }
    return value
  }

  // MARK: Classes

  /// Parses a class. The parser is after the opening bracket.
  private mutating func classExpression() throws(PatternError) -> ScalarClass {
    var scalars = ScalarClass()
    if skip("^") { scalars.negate() }
    var isEmpty = true
    while let next = peek() {
      if next == "]" {
        if isEmpty { throw PatternError(message: "brackets stand around at least one character.") }
        at += 1
        scalars.seal()
        return scalars
      }
      if next == "-" {
        // A plain hyphen must be first or last.
        guard isEmpty || peek(1) == "]" else { throw PatternError(message: "a hyphen in brackets is written \\-.") }
        at += 1
        scalars.insert(0x2D...0x2D)
      } else {
        try classPart(into: &scalars)
      }
      isEmpty = false
    }
    throw PatternError(message: "a bracket is never closed.")
  }

  private mutating func classPart(into scalars: inout ScalarClass) throws(PatternError) {
    switch try classItem() {
    case .categories(let mask): scalars.insert(categories: mask)
    case .scalar(let first):
      guard peek() == "-", let next = peek(1), next != "]" else {
        scalars.insert(first.value...first.value)
        return
      }
      at += 1
      guard case .scalar(let last) = try classItem() else {
        throw PatternError(message: "a range in brackets ends with one character.")
      }
      guard first <= last else { throw PatternError(message: "the range \(first)-\(last) runs backwards.") }
      scalars.insert(first.value...last.value)
    }
  }

  private enum Item {
    case scalar(Unicode.Scalar)
    case categories(UInt32)
  }

  private mutating func classItem() throws(PatternError) -> Item {
    guard let next = peek() else { throw PatternError(message: "a bracket is never closed.") }
    at += 1
    switch next {
    case "\\": return try escape()
    case "[", "]", "-": throw PatternError(message: "\(next) in brackets is written \\\(next).")
    default: return .scalar(next)
    }
  }

  /// Parses an escape. The parser is after the backslash.
  private mutating func escape() throws(PatternError) -> Item {
    guard let next = peek() else { throw PatternError(message: "the pattern ends with a backslash.") }
    at += 1
    switch next {
    case "n": return .scalar("\n")
    case "r": return .scalar("\r")
    case "t": return .scalar("\t")
    case "(", ")", "*", "+", "-", ".", "?", "[", "\\", "]", "^", "{", "|", "}": return .scalar(next)
    case "p": return .categories(try category())
    case "P": return .categories(ScalarClass.allCategories ^ (try category()))
    case "d", "D": throw PatternError(message: "there is no \\\(next); a digit is written [0-9].")
    case "w", "W": throw PatternError(message: "there is no \\\(next); write [A-Za-z0-9_].")
    case "s", "S": throw PatternError(message: "there is no \\\(next); white space is written [ \\t\\n\\r].")
    case "$", "/": throw PatternError(message: "\(next) is written without a backslash.")
    default: throw PatternError(message: "there is no \\\(next).")
    }
  }

  private mutating func category() throws(PatternError) -> UInt32 {
    guard skip("{") else { throw PatternError(message: "a category is written \\p{Lu}.") }
    var name = ""
    while let next = peek(), next != "}", name.utf8.count < 3 {
      name.unicodeScalars.append(next)
      at += 1
    }
    guard skip("}"), let mask = ScalarClass.mask(named: name) else {
      throw PatternError(message: "there is no category \(name); categories are as L, Lu, Nd, P.")
    }
    return mask
  }
}
