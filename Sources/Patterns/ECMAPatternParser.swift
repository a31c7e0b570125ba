/// Parses a pattern by the grammar of ECMA-262 §22.2.1.
struct ECMAPatternParser: PatternGrammar {
  let scalars: [Unicode.Scalar]
  var at = 0
  var depth = 0

  init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

  /// Parses `^`, `$`, `\b` or `\B`. None of them can be repeated.
  mutating func assertion(_ next: Unicode.Scalar, isFirst: Bool) -> PatternTree? {
    switch next {
    case "^":
      at += 1
      return .start
    case "$":
      at += 1
      return .end
    case "\\":
      guard let name = peek(1), name == "b" || name == "B" else { return nil }
      at += 2
      return .boundary(isNegated: name == "B")
    default: return nil
    }
  }

  mutating func atom(_ first: Unicode.Scalar) throws(PatternError) -> PatternTree {
    let start = at
    at += 1
    switch first {
    case "(": return try group(from: start)
    case ".": return .oneOf(.wideDot)
    case "[": return .oneOf(try classExpression(from: start))
    case "\\":
      switch try escape(from: start, inClass: false) {
      case .scalar(let value): return tree(of: value)
      case .set(let scalars):
        var scalars = scalars
        scalars.seal()
        return .oneOf(scalars)
      }
    case "*", "+", "?":
      throw error("\(first) has nothing to repeat; the sign itself is written \\\(first).", at: start)
    case "{":
      at = start
      if try bounds() != nil { throw error("{…} has nothing to repeat.", at: start) }
      at = start + 1
      return .scalar(first)
    default: return .scalar(first)
    }
  }

  /// Parses a group. The parser is after the opening parenthesis.
  private mutating func group(from start: Int) throws(PatternError) -> PatternTree {
    if skip("?") {
      switch peek() {
      case ":": at += 1
      case "=", "!": throw unsupported("look-ahead, (?\(text(1))…),", at: start)
      case "<":
        if let next = peek(1), next == "=" || next == "!" {
          throw unsupported("look-behind, (?<\(next)…),", at: start)
        }
        try groupName(from: start)
      default: throw unsupported("a group that begins with (?\(text(1))", at: start)
      }
    }
    return try restOfGroup(from: start)
  }

  /// Skips the name of a group. The names change nothing, because no back reference can use them.
  private mutating func groupName(from start: Int) throws(PatternError) {
    at += 1
    let first = at
    while let next = peek(), next != ">" {
      guard next == "$" || next == "_" || next.properties.isIDContinue else { break }
      at += 1
    }
    guard at > first, skip(">") else { throw error("a group with a name is written (?<name>…).", at: start) }
  }

  /// A scalar as a tree. The half of a surrogate pair occurs in no text.
  private func tree(of value: UInt32) -> PatternTree {
    if let scalar = Unicode.Scalar(value) { return .scalar(scalar) }
    var nothing = ScalarClass()
    nothing.insert(value...value)
    return .oneOf(nothing)
  }

  // MARK: Repetition

  mutating func quantified(_ atom: PatternTree) throws(PatternError) -> PatternTree {
    let result: PatternTree
    if skip("*") {
      result = .repeated(atom, least: 0, most: nil)
    } else if skip("+") {
      result = .repeated(atom, least: 1, most: nil)
    } else if skip("?") {
      result = .repeated(atom, least: 0, most: 1)
    } else if let bounds = try bounds() {
      result = .repeated(atom, least: bounds.least, most: bounds.most)
    } else {
      return atom
    }
    _ = skip("?")
    return result
  }

  /// Parses `{2}`, `{2,}` or `{2,5}`. Returns nil, and reads nothing, when the text is something else.
  private mutating func bounds() throws(PatternError) -> (least: Int, most: Int?)? {
    let start = at
    guard skip("{"), let least = count() else {
      at = start
      return nil
    }
    var most: Int? = least
    if skip(",") { most = peek() == "}" ? nil : count() ?? -1 }
    guard most != -1, skip("}") else {
      at = start
      return nil
    }
    guard least <= ECMAPattern.largest, most ?? 0 <= ECMAPattern.largest else {
      throw error("a repetition counts to \(ECMAPattern.largest) at most.", at: start)
    }
    if let most, most < least { throw error("{\(least),\(most)} counts down.", at: start) }
    return (least, most)
  }

  private mutating func count() -> Int? {
    let start = at
    var value = 0
    while let next = peek(), ("0"..."9").contains(next) {
      value = min(value * 10 + Int(next.value - 48), ECMAPattern.largest + 1)
      at += 1
    }
    return at == start ? nil : value
  }

  // MARK: Classes

  /// Parses a class. The parser is after the opening bracket.
  private mutating func classExpression(from start: Int) throws(PatternError) -> ScalarClass {
    var scalars = ScalarClass()
    if skip("^") { scalars.negate() }
    while let next = peek() {
      if next == "]" {
        at += 1
        scalars.seal()
        return scalars
      }
      try classPart(into: &scalars)
    }
    throw error("a bracket is never closed.", at: start)
  }

  private mutating func classPart(into scalars: inout ScalarClass) throws(PatternError) {
    let start = at
    let first = try classItem()
    guard peek() == "-", let next = peek(1), next != "]" else {
      first.insert(into: &scalars)
      return
    }
    at += 1
    let last = try classItem()
    guard case .scalar(let low) = first, case .scalar(let high) = last else {
      // Beside a class such as \d, the hyphen is a plain character.
      first.insert(into: &scalars)
      scalars.insert(0x2D...0x2D)
      last.insert(into: &scalars)
      return
    }
    guard low <= high else { throw error("a range in brackets runs backwards.", at: start) }
    scalars.insert(low...high)
  }

  private enum Item {
    /// The value of a scalar, or of a half of a surrogate pair.
    case scalar(UInt32)
    case set(ScalarClass)

    func insert(into scalars: inout ScalarClass) {
      switch self {
      case .scalar(let value): scalars.insert(value...value)
      case .set(let set): scalars.insert(set)
      }
    }
  }

  private mutating func classItem() throws(PatternError) -> Item {
    guard let next = peek() else { throw error("a bracket is never closed.", at: at) }
    at += 1
    return next == "\\" ? try escape(from: at - 1, inClass: true) : .scalar(next.value)
  }

  // MARK: Escapes

  /// Parses an escape. The parser is after the backslash.
  private mutating func escape(from start: Int, inClass: Bool) throws(PatternError) -> Item {
    guard let next = peek() else { throw error("the pattern ends with a backslash.", at: start) }
    at += 1
    switch next {
    case "d", "D", "w", "W", "s", "S": return .set(Self.shorthand(next))
    case "p", "P": return .set(try property(isNegated: next == "P", from: start))
    case "t": return .scalar(0x09)
    case "n": return .scalar(0x0A)
    case "v": return .scalar(0x0B)
    case "f": return .scalar(0x0C)
    case "r": return .scalar(0x0D)
    case "b" where inClass: return .scalar(0x08)
    case "c":
      guard let key = peek(), key.isASCII, key.properties.isAlphabetic else {
        throw error("\\c is followed by one of A to Z.", at: start)
      }
      at += 1
      return .scalar(key.value & 0x1F)
    case "x":
      guard let value = hexadecimal(digits: 2) else {
        throw error("\\x is followed by two hexadecimal digits.", at: start)
      }
      return .scalar(value)
    case "u": return .scalar(try unicode(from: start))
    case "0":
      if let digit = peek(), ("0"..."9").contains(digit) { throw error("there are no octal escapes.", at: start) }
      return .scalar(0)
    case "1"..."9", "k": throw unsupported("a back reference, \\\(next),", at: start)
    default:
      guard !next.properties.isAlphabetic else { throw error("there is no \\\(next).", at: start) }
      return .scalar(next.value)
    }
  }

  private static func shorthand(_ name: Unicode.Scalar) -> ScalarClass {
    var scalars = ScalarClass()
    switch name {
    case "d": for range in ScalarClass.digits { scalars.insert(range) }
    case "w": for range in ScalarClass.wordRanges { scalars.insert(range) }
    case "s": for range in ScalarClass.spaces { scalars.insert(range) }
    case "D": scalars.insert(outside: ScalarClass.digits)
    case "W": scalars.insert(outside: ScalarClass.wordRanges)
    default: scalars.insert(outside: ScalarClass.spaces)
    }
    return scalars
  }

  private mutating func property(isNegated: Bool, from start: Int) throws(PatternError) -> ScalarClass {
    guard skip("{") else { throw error("a property is written \\p{Lu}.", at: start) }
    var name = ""
    while let next = peek(), next != "}", name.utf8.count < 60 {
      name.unicodeScalars.append(next)
      at += 1
    }
    guard skip("}") else { throw error("a property is written \\p{Lu}.", at: start) }
    var scalars = ScalarClass()
    guard !scalars.insert(propertyNamed: name, isNegated: isNegated) else { return scalars }
    for prefix in ["Script=", "sc=", "Script_Extensions=", "scx="] where name.hasPrefix(prefix) {
      throw PatternError(
        message: "a script, \\p{\(name)}, is not supported.", at: start, isUnsupported: true)
    }
    throw error("there is no property \(name); properties are as L, Lu, Nd, P, Alphabetic.", at: start)
  }

  /// Parses the digits of `\u0041` or `\u{1F9EC}`. Two escapes for a surrogate pair are one scalar.
  private mutating func unicode(from start: Int) throws(PatternError) -> UInt32 {
    if skip("{") {
      var value: UInt32 = 0
      var digits = 0
      while let digit = peek(), let number = Self.digit(digit), value <= ScalarClass.last {
        value = value * 16 + number
        digits += 1
        at += 1
      }
      guard digits > 0, value <= ScalarClass.last, skip("}") else {
        throw error("a scalar is written \\u{1F9EC}, up to \\u{10FFFF}.", at: start)
      }
      return value
    }
    guard let first = hexadecimal(digits: 4) else {
      throw error("\\u is followed by four hexadecimal digits.", at: start)
    }
    let before = at
    if (0xD800...0xDBFF).contains(first), skip("\\"), skip("u"), let second = hexadecimal(digits: 4),
      (0xDC00...0xDFFF).contains(second)
    {
      return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    }
    at = before
    return first
  }

  private mutating func hexadecimal(digits: Int) -> UInt32? {
    var value: UInt32 = 0
    for ahead in 0..<digits {
      guard let scalar = peek(ahead), let digit = Self.digit(scalar) else { return nil }
      value = value * 16 + digit
    }
    at += digits
    return value
  }

  private static func digit(_ scalar: Unicode.Scalar) -> UInt32? {
    scalar.isASCII ? Character(scalar).hexDigitValue.map { UInt32($0) } : nil
  }

  // MARK: Messages

  /// The next scalars, for a message.
  private func text(_ count: Int) -> String { String(String.UnicodeScalarView(scalars[at...].prefix(count))) }

  private func error(_ message: String, at: Int) -> PatternError { PatternError(message: message, at: at) }

  private func unsupported(_ part: String, at: Int) -> PatternError {
    PatternError(
      message: "\(part) is not supported, because it can't be matched in linear time.", at: at, isUnsupported: true)
  }
}
