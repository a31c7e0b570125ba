/// A regular expression by RFC 9485.
///
/// `^` at the start of an alternative and `$` at its end match the start and the end of the text. The RFC's own
/// compliance suite and the authors of workflows expect this. Elsewhere they are plain characters, as in the grammar.
package struct IRegexp: Sendable {
  private let program: PatternProgram

  /// The most instructions of a program.
  package static let largest = 4_096

  package init(_ pattern: String) throws(PatternError) {
    var parser = IRegexpParser(pattern)
    program = try PatternProgram(try parser.whole(), most: Self.largest)
  }

  /// Checks a pattern without compiling its machine. A query keeps only the text and compiles it when it runs.
  package static func check(_ pattern: String) throws(PatternError) {
    var parser = IRegexpParser(pattern)
    try PatternCompiler(most: largest).check(try parser.whole())
  }

  /// The number of instructions.
  package var size: Int { program.size }

  /// - Parameters:
  ///   - isWhole: whether the whole text must match, or a part of it.
  ///   - counter: is charged for the work. When it refuses a charge, nothing matches.
  package func run(_ text: String, isWhole: Bool, _ counter: some WorkCounter) -> Bool {
    program.run(text, isWhole: isWhole, counter)
  }
}
