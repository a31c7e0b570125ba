/// Texts of participants, as histories store them.
package enum ParticipantText {
  /// The most Unicode scalars that are kept of a participant's text.
  package static let longest = 500

  /// Returns the text on one line. White space and control characters become one space, and characters that control the
  /// text direction are removed. The rest is cut to `most` Unicode scalars.
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

  /// Returns whether a scalar controls the text direction, is the byte order mark, or has no meaning (U+FFFE, …).
  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x061C, 0x200B, 0x200E, 0x200F, 0x202A...0x202E, 0x2060...0x2069, 0xFEFF, 0xFFF9...0xFFFB: true
    default: scalar.properties.isNoncharacterCodePoint
    }
  }
}
