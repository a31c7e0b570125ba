/// A regular expression by RFC 9485. For every pattern, matching takes time linear in the length of the text.
///
/// The pattern becomes a machine that is in many states at once (Thompson's construction). It never goes back in the
/// text. `^` at the start of an alternative and `$` at its end match the start and the end of the text. The RFC's own
/// compliance suite and the authors of workflows expect this. Elsewhere they are plain characters, as in the grammar.
///
/// A counted repetition is expanded, so its size is limited: a pattern that becomes too large is refused.
struct IRegexp: Sendable {
  enum Instruction: Sendable {
    case scalar(Unicode.Scalar)
    case oneOf(ScalarClass)
    /// Continues at both instructions.
    case split(Int, Int)
    case jump(Int)
    /// Continues only at the start, or at the end, of the text.
    case start
    case end
    case accept
  }

  private let program: [Instruction]

  /// The most instructions of a program.
  static let largest = 4_096

  init(_ pattern: String) throws(IRegexpError) {
    var parser = IRegexpParser(pattern)
    var compiler = IRegexpCompiler()
    program = try compiler.program(of: try parser.whole())
  }

  /// Checks a pattern without compiling its machine. A query keeps only the text and compiles it when it runs.
  static func check(_ pattern: String) throws(IRegexpError) {
    var parser = IRegexpParser(pattern)
    try IRegexpCompiler.check(try parser.whole())
  }

  /// The number of instructions.
  var size: Int { program.count }

  /// Returns true when the whole text matches.
  func matches(_ text: String) -> Bool { run(text, isWhole: true, Meter()) }

  /// Returns true when a part of the text matches.
  func isFound(in text: String) -> Bool { run(text, isWhole: false, Meter()) }

  /// - Parameter meter: is charged for each visited instruction: for each scalar of the text, a few per instruction of
  ///   the program. When its budget is used up, nothing matches.
  func run(_ text: String, isWhole: Bool, _ meter: Meter) -> Bool {
    // The sets of states have the size of the program.
    guard meter.charge(2 + program.count >> 3) else { return false }
    var operations = 0
    var now = States(count: program.count)
    var next = States(count: program.count)
    let scalars = text.unicodeScalars
    var at = scalars.startIndex
    var accepts = follow(0, into: &now, isStart: true, isEnd: scalars.isEmpty, &operations)
    while at < scalars.endIndex {
      if accepts && !isWhole { return true }
      if now.members.isEmpty && isWhole { return false }
      guard meter.charge(1 + operations) else { return false }
      operations = 0
      let scalar = scalars[at]
      at = scalars.index(after: at)
      let isEnd = at == scalars.endIndex
      next.removeAll()
      accepts = false
      for state in now.members {
        operations += 1
        let goesOn =
          switch program[state] {
          case .scalar(let wanted): wanted == scalar
          case .oneOf(let wanted): wanted.contains(scalar)
          case .split, .jump, .start, .end, .accept: false
          }
        if goesOn, follow(state + 1, into: &next, isStart: false, isEnd: isEnd, &operations) { accepts = true }
      }
      // In a search, a match may also start here.
      if !isWhole, follow(0, into: &next, isStart: false, isEnd: isEnd, &operations) { accepts = true }
      swap(&now, &next)
    }
    return accepts
  }

  /// Adds a state and all states that it reaches without reading. Returns true when one of them accepts.
  private func follow(
    _ start: Int, into states: inout States, isStart: Bool, isEnd: Bool, _ operations: inout Int
  ) -> Bool {
    var accepts = false
    var waiting = [start]
    while let state = waiting.popLast() {
      operations += 1
      guard states.insert(state) else { continue }
      switch program[state] {
      case .scalar, .oneOf: break
      case .jump(let target): waiting.append(target)
      case .start: if isStart { waiting.append(state + 1) }
      case .end: if isEnd { waiting.append(state + 1) }
      case .split(let first, let second):
        waiting.append(second)
        waiting.append(first)
      case .accept: accepts = true
      }
    }
    return accepts
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

/// The reason why a pattern is not an I-Regexp.
struct IRegexpError: Error {
  let message: String
}
