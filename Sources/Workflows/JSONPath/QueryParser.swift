/// Parses a query or a condition, and refuses text that is not well-typed (RFC 9535 §2.4.3).
struct QueryParser {
  /// What a text may be.
  enum Language: Sendable {
    /// A query of RFC 9535 and nothing else.
    case query
    /// The workflow language's expressions, which have the queries and conditions of RFC 9535 and more.
    case expression
  }

  let language: Language
  let scalars: [Unicode.Scalar]
  var at = 0
  /// True where a query may begin with a name, without `$.`: in `${…}`, outside of filters.
  var allowsBareQueries = false
  /// The number of open filters, parentheses and function calls.
  private var nesting = 0
  var patternFaults: [JSONPathError] = []

  /// The limit of a query's length. Parsing and evaluation are recursive, and no useful query is longer or deeper.
  static let longest = 65_536
  static let deepest = 64
  /// The largest index. RFC 9535 §2.1 limits indexes to the range that every implementation keeps exact.
  private static let largestInteger = 1 << 53 - 1

  init(_ text: String, language: Language) {
    scalars = Array(text.unicodeScalars)
    self.language = language
  }

  mutating func wholeQuery() throws(JSONPathError) -> Query {
    try refuseLength()
    guard let first = peek() else { throw syntax("The query is empty; it starts with $, as in $.input.barcode.") }
    if isBlank(first) { throw syntax("No space may stand before the query's $.") }
    guard first == "$" else { throw syntax("A query starts with $, not \(found()); write $.name.") }
    let query = try query()
    if let next = peek() {
      if isBlank(next) { throw syntax("No space may stand behind the query.") }
      throw unexpectedAfterSegment(next)
    }
    return query
  }

  mutating func wholeCondition() throws(JSONPathError) -> Condition {
    try refuseLength()
    skipBlanks()
    if peek() == nil { throw syntax("The condition is empty; write one as $.input.priority == 'urgent'.") }
    if peek() == "{" || peek() == "$" && peek(1) == "{" {
      throw syntax("A condition is written without ${…}, as $.input.priority == 'urgent'.")
    }
    let condition = try condition()
    skipBlanks()
    if at < scalars.count { throw unexpectedAfterTest() }
    return condition
  }

  func refuseLength() throws(JSONPathError) {
    if scalars.count > Self.longest {
      throw JSONPathError(
        code: JSONPathErrorCode.limit,
        message: "The text has \(scalars.count) characters; at most \(Self.longest) are allowed.", at: Self.longest)
    }
  }

  // MARK: Segments

  /// Parses a query. The parser is at `$` or `@`.
  mutating func query() throws(JSONPathError) -> Query {
    let start = at
    let isAbsolute = scalars[at] == "$"
    at += 1
    return Query(isAbsolute: isAbsolute, segments: try segments(), range: start..<at)
  }

  /// Parses a query without its `$.`. The parser is at its first name or bracket.
  mutating func bareQuery() throws(JSONPathError) -> Query {
    let start = at
    var first: [Query.Segment] = []
    if peek() != "[" { first.append(Query.Segment(isDescendant: false, selectors: [.name(shorthandName())])) }
    return Query(isAbsolute: true, segments: first + (try segments()), range: start..<at)
  }

  private mutating func segments() throws(JSONPathError) -> [Query.Segment] {
    var segments: [Query.Segment] = []
    while true {
      // Blanks before a segment belong to the query; other blanks after it do not.
      let end = at
      skipBlanks()
      guard let next = peek(), next == "." || next == "[" else {
        at = end
        break
      }
      segments.append(try segment(next))
    }
    return segments
  }

  private mutating func segment(_ first: Unicode.Scalar) throws(JSONPathError) -> Query.Segment {
    if first == "[" { return Query.Segment(isDescendant: false, selectors: try bracketed()) }
    at += 1
    let isDescendant = skip(".")
    let dots = isDescendant ? ".." : "."
    guard let next = peek() else { throw syntax("A name or * was expected behind \(dots); the text ends.") }
    switch next {
    case "*":
      at += 1
      return Query.Segment(isDescendant: isDescendant, selectors: [.wildcard])
    case "[" where isDescendant:
      return Query.Segment(isDescendant: true, selectors: try bracketed())
    case "[": throw syntax("No dot may stand before [.")
    case "'", "\"": throw syntax("A name in quotes stands in brackets: write ['name'], without the dot.")
    case ".": throw syntax("Two dots at most may stand together.")
    case let next where isBlank(next): throw syntax("No space may stand behind \(dots).")
    case let next where isNameStart(next):
      return Query.Segment(isDescendant: isDescendant, selectors: [.name(shorthandName())])
    case "0"..."9": throw syntax("A name behind a dot starts with no digit; write [0] for an index, ['0'] for a name.")
    default: throw syntax("A name or * was expected behind \(dots), not \(found()); write ['…'] for other names.")
    }
  }

  private mutating func shorthandName() -> String {
    let start = at
    while let next = peek(), isNameStart(next) || ("0"..."9").contains(next) { at += 1 }
    return String(String.UnicodeScalarView(scalars[start..<at]))
  }

  private mutating func bracketed() throws(JSONPathError) -> [Selector] {
    at += 1
    var selectors: [Selector] = []
    while true {
      skipBlanks()
      selectors.append(try selector())
      skipBlanks()
      if skip("]") { return selectors }
      guard skip(",") else {
        if at == scalars.count { throw syntax("The text ends inside brackets; ] is missing.") }
        if case .filter = selectors.last { throw unexpectedAfterTest() }
        throw syntax("A comma or ] was expected in the brackets, not \(found()).")
      }
      skipBlanks()
      if peek() == "]" { throw syntax("No comma may stand before ].") }
    }
  }

  private mutating func selector() throws(JSONPathError) -> Selector {
    guard let next = peek() else { throw syntax("The text ends inside brackets; ] is missing.") }
    switch next {
    case "'", "\"": return .name(try string())
    case "*":
      at += 1
      return .wildcard
    case "?":
      at += 1
      skipBlanks()
      return .filter(try filter())
    case ":", "-", "0"..."9": return try indexOrSlice()
    case "]": throw syntax("The brackets are empty; a name, index, slice, * or ?filter was expected.")
    case let next where isNameStart(next):
      throw syntax("A name in brackets stands in quotes: write ['name'] or .name.")
    case "(": throw syntax("Scripts are no JSONPath; write [-1] for the last element, [?…] for a filter.")
    case "@", "$": throw syntax("A condition in brackets starts with a question mark: write [?\(next)…].")
    default: throw syntax("A name, index, slice, * or ?filter was expected in the brackets, not \(found()).")
    }
  }

  private mutating func filter() throws(JSONPathError) -> Condition {
    let outside = allowsBareQueries
    allowsBareQueries = false
    defer { allowsBareQueries = outside }
    return try nested { parser throws(JSONPathError) in try parser.condition() }
  }

  private mutating func indexOrSlice() throws(JSONPathError) -> Selector {
    let start = peek() == ":" ? nil : try integer()
    let end = at
    skipBlanks()
    guard skip(":") else {
      at = end
      return .index(start ?? 0)
    }
    skipBlanks()
    let stop = isAtInteger ? try integer() : nil
    skipBlanks()
    var step = 1
    if skip(":") {
      skipBlanks()
      if isAtInteger { step = try integer() }
    }
    return .slice(start: start, end: stop, step: step)
  }

  private var isAtInteger: Bool { peek().map { $0 == "-" || ("0"..."9").contains($0) } ?? false }

  private mutating func integer() throws(JSONPathError) -> Int {
    let start = at
    let isNegative = skip("-")
    guard let first = peek(), ("0"..."9").contains(first) else {
      throw syntax("A digit was expected behind the minus sign, not \(found()).")
    }
    var value = 0
    while let next = peek(), ("0"..."9").contains(next) {
      value = min(value * 10 + Int(next.value - 48), Self.largestInteger + 1)
      at += 1
    }
    if first == "0", at - start > 1 {
      at = start
      throw syntax(isNegative && value == 0 ? "There is no index -0; write 0." : "An index has no leading zero.")
    }
    if value > Self.largestInteger {
      throw JSONPathError(
        code: JSONPathErrorCode.limit, message: "An index lies between -9007199254740991 and 9007199254740991.",
        at: start)
    }
    return isNegative ? -value : value
  }

  /// Parses one level deeper.
  mutating func nested<Result>(
    _ body: (inout QueryParser) throws(JSONPathError) -> Result
  ) throws(JSONPathError) -> Result {
    nesting += 1
    if nesting > Self.deepest {
      throw JSONPathError(
        code: JSONPathErrorCode.limit,
        message: "More than \(Self.deepest) filters, parentheses and functions stand inside each other.", at: at)
    }
    let result = try body(&self)
    nesting -= 1
    return result
  }

  // MARK: Scalars

  func peek(_ ahead: Int = 0) -> Unicode.Scalar? { at + ahead < scalars.count ? scalars[at + ahead] : nil }

  mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
    guard peek() == scalar else { return false }
    at += 1
    return true
  }

  mutating func skipBlanks() { while let next = peek(), isBlank(next) { at += 1 } }

  func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r"
  }

  func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "_": true
    default: scalar.value >= 0x80
    }
  }
}
