/// A parsed pattern.
indirect enum PatternTree {
  case scalar(Unicode.Scalar)
  case oneOf(ScalarClass)
  case start
  case end
  /// A word boundary, or a place without one.
  case boundary(isNegated: Bool)
  case sequence([PatternTree])
  case alternatives([PatternTree])
  /// - Parameter most: the most repetitions; nil means no limit.
  case repeated(PatternTree, least: Int, most: Int?)
}

/// Compiles a pattern to instructions.
struct PatternCompiler {
  private let most: Int
  private var program: [PatternProgram.Instruction] = []

  /// - Parameter most: the most instructions of a program.
  init(most: Int) { self.most = most }

  mutating func program(of tree: PatternTree) throws(PatternError) -> [PatternProgram.Instruction] {
    try emit(tree)
    try append(.accept)
    return program
  }

  /// - Throws: the error that `program(of:)` throws, without compiling the program.
  func check(_ tree: PatternTree) throws(PatternError) {
    if size(of: tree) >= most { throw Self.tooLarge }
  }

  /// Returns the number of instructions of a pattern, without the accepting one. `most` means that number or more.
  private func size(of tree: PatternTree) -> Int {
    let size: Int
    switch tree {
    case .scalar, .oneOf, .start, .end, .boundary: size = 1
    case .sequence(let parts): size = parts.reduce(0) { min($0 + self.size(of: $1), most) }
    case .alternatives(let branches):
      size = branches.reduce(2 * (branches.count - 1)) { min($0 + self.size(of: $1), most) }
    case .repeated(let inner, let least, let highest):
      if case .sequence(let parts) = inner, parts.isEmpty { return 0 }
      let one = self.size(of: inner)
      // The parsers limit both counts.
      size = least * max(1, one) + (highest.map { ($0 - least) * (1 + one) } ?? one + 2)
    }
    return min(size, most)
  }

  private static let tooLarge = PatternError(message: "the pattern is too large; its counted repetitions multiply.")

  private mutating func append(_ instruction: PatternProgram.Instruction) throws(PatternError) {
    guard program.count < most else {
      throw Self.tooLarge
    }
    program.append(instruction)
  }

  private mutating func emit(_ tree: PatternTree) throws(PatternError) {
    switch tree {
    case .scalar(let scalar): try append(.scalar(scalar))
    case .oneOf(let scalars): try append(.oneOf(scalars))
    case .start: try append(.start)
    case .end: try append(.end)
    case .boundary(let isNegated): try append(.boundary(isNegated: isNegated))
    case .sequence(let parts): for part in parts { try emit(part) }
    case .alternatives(let branches): try emitAlternatives(branches)
    case .repeated(let inner, let least, let most): try emitRepetition(inner, least, most)
    }
  }

  private mutating func emitAlternatives(_ branches: [PatternTree]) throws(PatternError) {
    var jumps: [Int] = []
    for branch in branches.dropLast() {
      let split = program.count
      try append(.split(0, 0))
      try emit(branch)
      jumps.append(program.count)
      try append(.jump(0))
      program[split] = .split(split + 1, program.count)
    }
    if let last = branches.last { try emit(last) }
    for jump in jumps { program[jump] = .jump(program.count) }
  }

  private mutating func emitRepetition(_ inner: PatternTree, _ least: Int, _ most: Int?) throws(PatternError) {
    if case .sequence(let parts) = inner, parts.isEmpty { return }
    for _ in 0..<least { try emitCopy(inner) }
    guard let most else {
      let split = program.count
      try append(.split(0, 0))
      try emit(inner)
      try append(.jump(split))
      program[split] = .split(split + 1, program.count)
      return
    }
    var splits: [Int] = []
    for _ in least..<most {
      splits.append(program.count)
      try append(.split(0, 0))
      try emit(inner)
    }
    for split in splits { program[split] = .split(split + 1, program.count) }
  }

  /// A copy without instructions would let a large count loop for a very long time.
  private mutating func emitCopy(_ inner: PatternTree) throws(PatternError) {
    let before = program.count
    try emit(inner)
    if program.count == before { try append(.jump(before + 1)) }
  }
}
