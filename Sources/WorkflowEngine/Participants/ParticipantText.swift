/// Texts of participants, as histories keep them.
package enum ParticipantText {
  /// The most Unicode scalars that are kept of a participant's words.
  package static let longest = 500

  /// Returns one line: white space and control characters become one space, what turns the direction of text is left out, and
  /// the rest is cut to `most` Unicode scalars.
  package static func oneLine(_ text: String, most: Int = longest) -> String {
    var line = String.UnicodeScalarView()
    var count = 0
    var isAfterBlank = true
    for scalar in text.unicodeScalars {
      if isBlank(scalar) {
        isAfterBlank = true
        continue
      }
      if isHidden(scalar) { continue }
      if isAfterBlank, count > 0 {
        line.append(" ")
        count += 1
      }
      isAfterBlank = false
      guard count < most else {
        while line.last == " " { line.removeLast() }
        return String(line)
      }
      line.append(scalar)
      count += 1
    }
    return String(line)
  }

  private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
  }

  /// Marks and overrides of direction, the byte order mark, and what has no meaning (U+FFFE, …).
  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x061C, 0x200B, 0x200E, 0x200F, 0x202A...0x202E, 0x2060...0x2069, 0xFEFF, 0xFFF9...0xFFFB: true
    default: scalar.properties.isNoncharacterCodePoint
    }
  }
}
