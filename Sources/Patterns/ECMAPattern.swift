/// A regular expression of ECMA-262, as JSON Schema uses it: with Unicode, and not anchored.
///
/// A part that no matcher handles in linear time is refused: look-around and back references. Lazy quantifiers change
/// nothing, because only the fact of a match counts. Where ECMA-262 is strict only in its Unicode mode, this is lenient:
/// a brace or bracket that has no other meaning is a plain character, and any sign may have a backslash.
package struct ECMAPattern: Sendable {
  let program: PatternProgram

  /// The most instructions of a program.
  package static let largest = 20_000

  package init(_ pattern: String) throws(PatternError) {
    var parser = ECMAPatternParser(pattern)
    program = try PatternProgram(try parser.whole(), most: Self.largest)
  }

  /// The number of instructions.
  package var size: Int { program.size }

  /// Returns true when a part of the text matches.
  /// - Parameter counter: is charged for the work. When it refuses a charge, nothing matches.
  package func isFound(in text: String, _ counter: some WorkCounter) -> Bool {
    program.run(text, isWhole: false, counter)
  }
}
