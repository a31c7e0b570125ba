/// The part of a grammar that the dialects of patterns have in common: alternatives of sequences of repeated atoms.
protocol PatternGrammar {
  var scalars: [Unicode.Scalar] { get }
  var at: Int { get set }
  /// The number of open parentheses.
  var depth: Int { get set }

  /// Parses an assertion, such as `^`; nil when there is none.
  /// - Parameter isFirst: whether it begins an alternative.
  mutating func assertion(_ next: Unicode.Scalar, isFirst: Bool) -> PatternTree?
  /// Parses an atom. The parser is before its first scalar.
  mutating func atom(_ first: Unicode.Scalar) throws(PatternError) -> PatternTree
  /// Parses the sign of repetition behind an atom, if there is one.
  mutating func quantified(_ atom: PatternTree) throws(PatternError) -> PatternTree
}

extension PatternGrammar {
  private static var deepest: Int { 64 }

  mutating func whole() throws(PatternError) -> PatternTree {
    let tree = try alternatives()
    if at < scalars.count { throw PatternError(message: "a ) closes nothing.", at: at) }
    return tree
  }

  /// Parses the rest of a group. The parser is before its first alternative.
  /// - Parameter start: the place of its parenthesis.
  mutating func restOfGroup(from start: Int) throws(PatternError) -> PatternTree {
    depth += 1
    if depth > Self.deepest {
      throw PatternError(message: "more than \(Self.deepest) parentheses are open at once.", at: start)
    }
    let inner = try alternatives()
    guard skip(")") else { throw PatternError(message: "a parenthesis is never closed.", at: start) }
    depth -= 1
    return inner
  }

  private mutating func alternatives() throws(PatternError) -> PatternTree {
    var branches = [try branch()]
    while skip("|") { branches.append(try branch()) }
    return branches.count == 1 ? branches[0] : .alternatives(branches)
  }

  private mutating func branch() throws(PatternError) -> PatternTree {
    var pieces: [PatternTree] = []
    while let next = peek(), next != "|", next != ")" {
      if let assertion = assertion(next, isFirst: pieces.isEmpty) {
        pieces.append(assertion)
      } else {
        pieces.append(try quantified(try atom(next)))
      }
    }
    return pieces.count == 1 ? pieces[0] : .sequence(pieces)
  }

  // MARK: Scalars

  func peek(_ ahead: Int = 0) -> Unicode.Scalar? { at + ahead < scalars.count ? scalars[at + ahead] : nil }

  mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
    guard peek() == scalar else { return false }
    at += 1
    return true
  }
}
