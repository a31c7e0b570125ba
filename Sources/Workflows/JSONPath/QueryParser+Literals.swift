import JSON

extension QueryParser {
  /// Parses a string. The parser is at the opening quote.
  mutating func string() throws(JSONPathError) -> String {
    let start = at
    let quote = scalars[at]
    at += 1
    var text = String.UnicodeScalarView()
    while let next = peek() {
      if next == quote {
        at += 1
        return String(text)
      }
      if next == "\\" {
        text.append(try escape(quote, start))
      } else if next.value < 0x20 {
        throw syntax("A control character in a string is written as an escape, as \\n or \\u0009.")
      } else {
        text.append(next)
        at += 1
      }
    }
    throw syntax("The string is never closed; \(quote) is missing.", start)
  }

  private mutating func escape(_ quote: Unicode.Scalar, _ start: Int) throws(JSONPathError) -> Unicode.Scalar {
    guard let kind = peek(1) else { throw syntax("The string is never closed; \(quote) is missing.", start) }
    let scalar: Unicode.Scalar
    switch kind {
    case "b": scalar = "\u{08}"
    case "f": scalar = "\u{0C}"
    case "n": scalar = "\n"
    case "r": scalar = "\r"
    case "t": scalar = "\t"
    case "/", "\\": scalar = kind
    case "'", "\"":
      guard kind == quote else { throw syntax("Inside \(quote)…\(quote), \(kind) is written without a backslash.") }
      scalar = kind
    case "u": return try unicodeEscape()
    default: throw syntax("A backslash stands before one of b f n r t / \\ u or the quote; itself it is written \\\\.")
    }
    at += 2
    return scalar
  }

  private mutating func unicodeEscape() throws(JSONPathError) -> Unicode.Scalar {
    let first = try fourDigits(at + 2)
    if let scalar = Unicode.Scalar(first) {
      at += 6
      return scalar
    }
    if first < 0xDC00, peek(6) == "\\", peek(7) == "u" {
      let second = try fourDigits(at + 8)
      if (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        at += 12
        return scalar
      }
    }
    throw syntax("\\u\(String(first, radix: 16)) is one half of a surrogate pair without its other half.")
  }

  private func fourDigits(_ start: Int) throws(JSONPathError) -> UInt32 {
    var value: UInt32 = 0
    for position in start..<start + 4 {
      guard position < scalars.count, let digit = hexDigit(scalars[position]) else {
        throw syntax("\\u is followed by four hexadecimal digits, as in \\u00b5.")
      }
      value = value << 4 | digit
    }
    return value
  }

  private func hexDigit(_ scalar: Unicode.Scalar) -> UInt32? {
    switch scalar {
    case "0"..."9": scalar.value - 48
    case "a"..."f": scalar.value - 87
    case "A"..."F": scalar.value - 55
    default: nil
    }
  }

  /// Parses a number, which is written as in JSON. The parser is at a minus sign or a digit.
  mutating func number() throws(JSONPathError) -> JSON {
    let start = at
    while let next = peek() {
      let isSign = next == "-" || next == "+"
      let followsExponent = at > start && (scalars[at - 1] == "e" || scalars[at - 1] == "E")
      guard
        ("0"..."9").contains(next) || next == "." || next == "e" || next == "E" || (isSign && at == start)
          || (isSign && followsExponent)
      else { break }
      at += 1
    }
    let text = String(String.UnicodeScalarView(scalars[start..<at]))
    do throws(JSONError) {
      return try JSON(parsing: text)
    } catch {
      throw syntax("\(text) is no number: \(error.message)", start)
    }
  }

  // MARK: Errors

  func syntax(_ message: String, _ place: Int? = nil) -> JSONPathError {
    JSONPathError(code: JSONPathErrorCode.syntax, message: message, at: place ?? at)
  }

  func type(_ message: String, _ place: Int) -> JSONPathError {
    JSONPathError(code: JSONPathErrorCode.type, message: message, at: place)
  }

  /// Returns what is at the current place, for a message.
  func found() -> String {
    guard let next = peek() else { return "the end of the text" }
    if next.value < 0x20 || next.value == 0x7F || next.properties.isWhitespace {
      return "U+" + String(repeating: "0", count: max(0, 4 - String(next.value, radix: 16).utf8.count))
        + String(next.value, radix: 16, uppercase: true)
    }
    return "\(next)"
  }

  func unexpectedAfterSegment(_ next: Unicode.Scalar) -> JSONPathError {
    switch next {
    case "=", "<", ">", "!", "&", "|":
      return syntax("A query ends here; conditions stand in a filter: write $.items[?@.name == 'value'].")
    case "]", ")", "}": return syntax("This \(next) closes nothing.")
    case "-": return syntax("A name with a hyphen stands in brackets: write ['a-b'].")
    case "$", "@": return syntax("A name with \(next) in it stands in brackets: write ['a\(next)b'].")
    default: return syntax("A dot or [ was expected, not \(found()).")
    }
  }

  /// Returns the error for unexpected text after a test or comparison.
  func unexpectedAfterTest() -> JSONPathError {
    if language == .expression, let advice = adviceOnNextWord() { return syntax(advice) }
    return switch peek() {
    case "a", "A": syntax("&&, || or the condition's end was expected; and is written &&.")
    case "o", "O": syntax("&&, || or the condition's end was expected; or is written ||.")
    case "i" where language == .expression && at > 0 && scalars[at - 1] == "$":
      syntax("A name follows $ and a dot: write $.input.")
    case "(" where language == .expression:
      syntax("A value has no functions of its own: write length(input.x), not input.x.length().")
    case "-", "+", "*", "/", "%":
      syntax("There is no arithmetic in queries; a name with \(found()) is written ['…'].")
    case "?" where language == .expression && peek(1) == "?":
      syntax("?? takes values, and a condition is before it: write (… ?? …) == true.")
    case "?" where language == .expression:
      syntax(
        peek(1) == "."
          ? "Write . alone: a missing member needs no sign, and ?? gives another value."
          : "There is no ?: here; write ?? for a value that may be missing, or a step's \"when\".")
    case "=", "!", "<", ">": syntax("Comparisons don't chain; join two with &&.")
    case ")", "]": syntax("This \(found()) closes nothing.")
    default: syntax("&&, || or the condition's end was expected, not \(found()).")
    }
  }
  /// Returns what to write for an operator of another language that is a word; nil for other words.
  private func adviceOnNextWord() -> String? {
    guard at == 0 || scalars[at - 1] != "$" else { return nil }
    let scalars = scalars[at...].prefix { ("a"..."z").contains($0) || ("A"..."Z").contains($0) }
    let word = String(String.UnicodeScalarView(scalars))
    switch word.lowercased() {
    case "in": return "There is no in: write one == for each value, joined with ||."
    case "is", "equals", "eq": return "There is no \(word): write ==."
    case "ne", "neq": return "There is no \(word): write !=."
    case "gt": return "There is no gt: write >."
    case "lt": return "There is no lt: write <."
    case "ge", "gte": return "There is no \(word): write >=."
    case "le", "lte": return "There is no \(word): write <=."
    case "between": return "There is no between: write … >= low && … <= high."
    case "like", "matches", "startswith", "endswith", "contains":
      return
        "There is no such operator: write match(text, 'pattern') for the whole text, search(text, 'part') for a part."
    case "mod": return "There is no mod: write %."
    case "div": return "There is no div: write /."
    default: return nil
    }
  }
}
