// A text that a pattern matches, for examples and rehearsals.

extension PatternProgram {
  /// Returns a shortest text that the pattern matches as a whole. Of a pattern that is not anchored, the text is the
  /// part that must be found. The text may miss a condition on word boundaries, so the caller tries it.
  /// - Parameter longest: the most Unicode scalars of the text.
  /// - Returns: nil when there is no such text.
  func shortest(atMost longest: Int) -> String? {
    // Each instruction is visited once, at the first scalar that reaches it.
    var isVisited = Array(repeating: false, count: instructions.count)
    var reached: [(instruction: Int, text: String.UnicodeScalarView)] = [(0, String.UnicodeScalarView())]
    for length in 0...longest where !reached.isEmpty {
      var next: [(instruction: Int, text: String.UnicodeScalarView)] = []
      for (instruction, text) in reached {
        var waiting = [instruction]
        while let instruction = waiting.popLast() {
          if isVisited[instruction] { continue }
          isVisited[instruction] = true
          switch instructions[instruction] {
          case .accept: return String(text)
          case .jump(let target): waiting.append(target)
          case .split(let first, let second): waiting += [second, first]
          case .start: if length == 0 { waiting.append(instruction + 1) }
          case .end: if accepts(after: instruction + 1) { return String(text) }
          case .boundary: waiting.append(instruction + 1)
          case .scalar(let scalar): next.append((instruction + 1, text + [scalar]))
          case .oneOf(let scalars): if let scalar = scalars.example { next.append((instruction + 1, text + [scalar])) }
          }
        }
      }
      reached = next
    }
    return nil
  }

  /// Returns whether the program accepts from this instruction on without reading more.
  private func accepts(after start: Int) -> Bool {
    var waiting = [start]
    var seen: Set<Int> = []
    while let instruction = waiting.popLast() {
      guard seen.insert(instruction).inserted else { continue }
      switch instructions[instruction] {
      case .accept: return true
      case .jump(let target): waiting.append(target)
      case .split(let first, let second): waiting += [first, second]
      case .end, .boundary: waiting.append(instruction + 1)
      case .start, .scalar, .oneOf: break
      }
    }
    return false
  }
}

extension ScalarClass {
  /// A scalar of the class that people read well; nil when it has no visible ASCII sign.
  fileprivate var example: Unicode.Scalar? {
    let usual: [Unicode.Scalar] = ["1", "A", "a", "0", "-", "_", ".", " "]
    return usual.first { contains($0) } ?? (UInt8(0x21)...0x7E).lazy.map { Unicode.Scalar($0) }.first { contains($0) }
  }
}

extension ECMAPattern {
  /// The most Unicode scalars of an example.
  private static let longestExample = 1_000

  /// A shortest text in which the pattern is found; nil when there is none, or only a very long one.
  package var example: String? { program.shortest(atMost: Self.longestExample) }
}
