/// A regular expression as RFC 9485 defines it, matched in time linear in the text, whatever the pattern.
///
/// The pattern becomes a machine with many states at once (Thompson's construction); it never goes back in the text.
/// `^` at the start of an alternative and `$` at its end stand for the start and the end of the text, as the RFC's own
/// compliance suite and every author expect; anywhere else they are themselves, as the grammar has it.
///
/// Counted repetition is written out, so its size is bounded: a pattern that grows too large is refused.
struct IRegexp: Sendable {
  enum Instruction: Sendable {
    case scalar(Unicode.Scalar)
    case oneOf(ScalarClass)
    /// Goes on at both.
    case split(Int, Int)
    case jump(Int)
    /// Goes on only where the text starts, or ends.
    case start
    case end
    case accept
  }

  private let program: [Instruction]

  /// No program is longer.
  static let largest = 4_096

  init(_ pattern: String) throws(IRegexpError) {
    var parser = IRegexpParser(pattern)
    var compiler = IRegexpCompiler()
    program = try compiler.program(of: try parser.whole())
  }

  /// Reads a pattern without writing out its machine: a query keeps the text alone, and compiles it when it is run.
  static func check(_ pattern: String) throws(IRegexpError) {
    var parser = IRegexpParser(pattern)
    try IRegexpCompiler.check(try parser.whole())
  }

  /// The number of instructions.
  var size: Int { program.count }

  /// Whether all of the text matches.
  func matches(_ text: String) -> Bool { run(text, isWhole: true, Meter()) }

  /// Whether some part of the text matches.
  func isFound(in text: String) -> Bool { run(text, isWhole: false, Meter()) }

  /// - Parameter meter: is charged for each instruction looked at: a few for each of the program's, for each scalar of
  ///   the text. When its budget is used up nothing matches.
  func run(_ text: String, isWhole: Bool, _ meter: Meter) -> Bool {
    // The sets of states are as large as the program.
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
      // In a search, a match may start here as well.
      if !isWhole, follow(0, into: &next, isStart: false, isEnd: isEnd, &operations) { accepts = true }
      swap(&now, &next)
    }
    return accepts
  }

  /// Adds a state and all that it reaches without reading; true when that is the end.
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

  /// A set of states that is emptied and walked in the time of what it holds.
  private struct States {
    private(set) var members: [Int] = []
    /// The round in which a state was put in last.
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

/// Why a pattern is no I-Regexp.
struct IRegexpError: Error {
  let message: String
}
