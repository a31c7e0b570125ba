import Values

/// Reads an invariant.
///
///     implication = either [ "=>" implication ]
///     either      = both *( "||" both )
///     both        = one *( "&&" one )
///     one         = "!" one / "(" implication ")" / end / fact "(" step ")"
struct InvariantParser {
  /// The most Unicode scalars of an invariant.
  static let longest = 1_000
  /// The most nested parentheses and signs.
  static let deepest = 32

  private enum Token: Equatable {
    case word(String)
    case implies, and, or, not, open, close
    case end

    var shown: String {
      switch self {
      case .word(let word): "\"\(word)\""
      case .implies: "=>"
      case .and: "&&"
      case .or: "||"
      case .not: "!"
      case .open: "("
      case .close: ")"
      case .end: "the end"
      }
    }
  }

  private var tokens: [(token: Token, at: Int)] = []
  private var position = 0
  private(set) var steps: [(id: String, at: Int)] = []

  private static let ends = Invariant.End.allCases.map(\.rawValue)
  private static let facts = Invariant.Fact.allCases.map(\.rawValue)
  private static let words =
    "the ends are \(ends.joined(separator: ", ")); of a step: "
    + facts.map { "\($0)(STEP)" }.joined(separator: ", ")

  init(_ text: String) throws(InvariantMistake) {
    let scalars = Array(text.unicodeScalars)
    guard scalars.count <= Self.longest else {
      throw InvariantMistake(
        "the invariant has \(scalars.count) characters, \(Self.longest) are the most", at: 0)
    }
    try split(scalars)
  }

  mutating func whole() throws(InvariantMistake) -> Invariant.Node {
    if current.token == .end {
      throw InvariantMistake("the invariant is empty: write one, as completed => succeeded(STEP)", at: 0)
    }
    let node = try implication(depth: 0)
    guard current.token == .end else {
      throw InvariantMistake(
        "\(current.token.shown) can't follow here: join two statements with =>, && or ||", at: current.at)
    }
    return node
  }

  // MARK: Signs and words

  private mutating func split(_ scalars: [Unicode.Scalar]) throws(InvariantMistake) {
    var at = 0
    func isWord(_ scalar: Unicode.Scalar) -> Bool {
      ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "_"
    }
    func next(_ sign: Unicode.Scalar) -> Bool { at + 1 < scalars.count && scalars[at + 1] == sign }
    while at < scalars.count {
      let start = at
      switch scalars[at] {
      case " ", "\t", "\n", "\r":
        at += 1
        continue
      case "(": tokens.append((.open, start))
      case ")": tokens.append((.close, start))
      case "=" where next(">"):
        tokens.append((.implies, start))
        at += 1
      case "&" where next("&"):
        tokens.append((.and, start))
        at += 1
      case "|" where next("|"):
        tokens.append((.or, start))
        at += 1
      case "!": tokens.append((.not, start))
      case let scalar where isWord(scalar):
        while at + 1 < scalars.count, isWord(scalars[at + 1]) { at += 1 }
        tokens.append((.word(String(String.UnicodeScalarView(scalars[start...at]))), start))
      case let scalar:
        let meant: [Unicode.Scalar: String] = ["=": "=>", "-": "=>", "→": "=>", "&": "&&", "|": "||", "¬": "!"]
        throw InvariantMistake(
          "“\(scalar)” is not a sign of an invariant: its signs are =>, &&, ||, ! and parentheses", at: start,
          near: meant[scalar])
      }
      at += 1
    }
    tokens.append((.end, scalars.count))
  }

  private var current: (token: Token, at: Int) { tokens[position] }

  /// Goes past a sign if it is the next one.
  private mutating func takes(_ token: Token) -> Bool {
    guard current.token == token else { return false }
    position += 1
    return true
  }

  // MARK: Statements

  private mutating func implication(depth: Int) throws(InvariantMistake) -> Invariant.Node {
    guard depth <= Self.deepest else {
      throw InvariantMistake("the invariant is nested deeper than \(Self.deepest) levels", at: current.at)
    }
    let one = try either(depth: depth)
    return takes(.implies) ? .implies(one, try implication(depth: depth + 1)) : one
  }

  private mutating func either(depth: Int) throws(InvariantMistake) -> Invariant.Node {
    var parts = [try both(depth: depth)]
    while takes(.or) { parts.append(try both(depth: depth)) }
    return parts.count == 1 ? parts[0] : .any(parts)
  }

  private mutating func both(depth: Int) throws(InvariantMistake) -> Invariant.Node {
    var parts = [try one(depth: depth)]
    while takes(.and) { parts.append(try one(depth: depth)) }
    return parts.count == 1 ? parts[0] : .all(parts)
  }

  private mutating func one(depth: Int) throws(InvariantMistake) -> Invariant.Node {
    guard depth <= Self.deepest else {
      throw InvariantMistake("the invariant is nested deeper than \(Self.deepest) levels", at: current.at)
    }
    let (token, at) = current
    position += token == .end ? 0 : 1
    switch token {
    case .not: return .not(try one(depth: depth + 1))
    case .open:
      let inner = try implication(depth: depth + 1)
      try close(after: at)
      return inner
    case .word(let word): return try statement(word, at)
    case .implies, .and, .or, .close, .end:
      throw InvariantMistake("a statement is missing before \(token.shown): \(Self.words)", at: at)
    }
  }

  private mutating func close(after open: Int) throws(InvariantMistake) {
    guard takes(.close) else {
      throw InvariantMistake("the parenthesis at character \(open + 1) has no closing )", at: current.at)
    }
  }

  private mutating func statement(_ word: String, _ at: Int) throws(InvariantMistake) -> Invariant.Node {
    let opening = current.at
    guard takes(.open) else {
      if let end = Invariant.End(rawValue: word) { return .end(end) }
      if Invariant.Fact(rawValue: word) != nil {
        throw InvariantMistake("\"\(word)\" is about one step: write \(word)(STEP)", at: at)
      }
      throw InvariantMistake(
        "there is no end \"\(word)\": \(Self.words)", at: at, near: NearNames.nearest(to: word, among: Self.ends))
    }
    guard let fact = Invariant.Fact(rawValue: word) else {
      if Invariant.End(rawValue: word) != nil {
        throw InvariantMistake("\"\(word)\" is about the whole saga and names no step", at: at)
      }
      throw InvariantMistake(
        "there is no statement \"\(word)\" about a step: \(Self.words)", at: at,
        near: NearNames.nearest(to: word, among: Self.facts))
    }
    guard case .word(let step) = current.token else {
      throw InvariantMistake("\(word)(…) names one step, not \(current.token.shown)", at: current.at)
    }
    steps.append((step, current.at))
    position += 1
    try close(after: opening)
    return .fact(fact, step: step)
  }
}
