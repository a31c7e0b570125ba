/// A compiled regular expression. For every pattern, matching takes time linear in the length of the text.
///
/// The pattern becomes a machine that is in many states at once (Thompson's construction). It never goes back in the
/// text. A counted repetition is expanded, so its size is limited: a pattern that becomes too large is refused.
package struct PatternProgram: Sendable {
  enum Instruction: Sendable {
    case scalar(Unicode.Scalar)
    case oneOf(ScalarClass)
    /// Continues at both instructions.
    case split(Int, Int)
    case jump(Int)
    /// Continues only at the start, or at the end, of the text.
    case start
    case end
    /// Continues only between a word's character and another one, or only where no such boundary is.
    case boundary(isNegated: Bool)
    case accept
  }

  let instructions: [Instruction]

  /// - Parameter most: the most instructions.
  init(_ tree: PatternTree, most: Int) throws(PatternError) {
    var compiler = PatternCompiler(most: most)
    instructions = try compiler.program(of: tree)
  }

  /// The number of instructions.
  package var size: Int { instructions.count }

  /// - Parameters:
  ///   - isWhole: whether the whole text must match, or a part of it.
  ///   - counter: is charged for each visited instruction: for each scalar of the text, a few per instruction of the
  ///     program. When it refuses a charge, nothing matches.
  package func run(_ text: String, isWhole: Bool, _ counter: some WorkCounter) -> Bool {
    // The sets of states have the size of the program.
    guard counter.charge(2 + instructions.count >> 3) else { return false }
    var operations = 0
    var now = States(count: instructions.count)
    var next = States(count: instructions.count)
    var scalars = text.unicodeScalars.makeIterator()
    var following = scalars.next()
    var accepts = follow(0, into: &now, between: nil, and: following, &operations)
    while let scalar = following {
      if accepts && !isWhole { return true }
      if now.members.isEmpty && isWhole { return false }
      guard counter.charge(1 + operations) else { return false }
      operations = 0
      following = scalars.next()
      next.removeAll()
      accepts = false
      for state in now.members {
        operations += 1
        let goesOn =
          switch instructions[state] {
          case .scalar(let wanted): wanted == scalar
          case .oneOf(let wanted): wanted.contains(scalar)
          case .split, .jump, .start, .end, .boundary, .accept: false
          }
        if goesOn, follow(state + 1, into: &next, between: scalar, and: following, &operations) { accepts = true }
      }
      // In a search, a match may also start here.
      if !isWhole, follow(0, into: &next, between: scalar, and: following, &operations) { accepts = true }
      swap(&now, &next)
    }
    return accepts
  }

  /// Adds a state and all states that it reaches without reading. Returns true when one of them accepts.
  /// - Parameters:
  ///   - before: the scalar before this place; nil at the start of the text.
  ///   - after: the scalar after this place; nil at the end of the text.
  private func follow(
    _ start: Int, into states: inout States, between before: Unicode.Scalar?, and after: Unicode.Scalar?,
    _ operations: inout Int
  ) -> Bool {
    var accepts = false
    var waiting = [start]
    while let state = waiting.popLast() {
      operations += 1
      guard states.insert(state) else { continue }
      switch instructions[state] {
      case .scalar, .oneOf: break
      case .jump(let target): waiting.append(target)
      case .start: if before == nil { waiting.append(state + 1) }
      case .end: if after == nil { waiting.append(state + 1) }
      case .boundary(let isNegated):
        let isBoundary = Self.isWord(before) != Self.isWord(after)
        if isBoundary != isNegated { waiting.append(state + 1) }
      case .split(let first, let second):
        waiting.append(second)
        waiting.append(first)
      case .accept: accepts = true
      }
    }
    return accepts
  }

  private static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
    scalar.map { ScalarClass.word.contains($0) } ?? false
  }

  /// A set of states. Clearing and walking it takes time proportional to its elements.
  private struct States {
    private(set) var members: [Int] = []
    /// The last round in which each state was added.
    private var rounds: [Int]
    private var round = 1

    init(count: Int) { rounds = Array(repeating: 0, count: count) }

    mutating func removeAll() {
      members.removeAll(keepingCapacity: true)
      round += 1
    }

    mutating func insert(_ state: Int) -> Bool {
      if rounds[state] == round { return false }
      rounds[state] = round
      members.append(state)
      return true
    }
  }
}

/// Counts the work of an evaluation against a budget.
package protocol WorkCounter: AnyObject {
  /// Returns false when the budget is used up; then the caller must stop.
  func charge(_ count: Int) -> Bool
}

/// The reason why a text is not a pattern.
package struct PatternError: Error {
  package let message: String
  /// The place in the pattern, as a number of Unicode scalars.
  package let at: Int
  /// Whether the pattern is correct in its language, but has a part that no matcher handles in linear time.
  package let isUnsupported: Bool

  init(message: String, at: Int = 0, isUnsupported: Bool = false) {
    self.message = message
    self.at = at
    self.isUnsupported = isUnsupported
  }
}
