import Foundation

/// The form of texts by which people distinguish things: barcodes, positions, patients, tags, keys.
///
/// Two texts that look the same must not name two things. So an identifier is compared and stored in Unicode's
/// normalization form C. An identifier with an invisible character is refused.
public enum VisibleText {
  /// Returns the text in normalization form C (UAX #15). Composed and decomposed characters become the same.
  public static func normal(_ text: String) -> String {
    text.utf8.allSatisfy { $0 < 0x80 } ? text : text.precomposedStringWithCanonicalMapping
  }

  /// Returns why a text cannot be an identifier, as a predicate: `has U+200B, which can't be seen`.
  /// - Returns: nil for a text that can be an identifier. The caller limits the length.
  public static func fault(in text: String) -> String? {
    let scalars = normal(text).unicodeScalars
    guard let first = scalars.first, let last = scalars.last else { return "is empty" }
    if first.properties.isWhitespace { return "begins with \(name(first)), a blank" }
    if last.properties.isWhitespace { return "ends with \(name(last)), a blank" }
    var before: Unicode.Scalar?
    for scalar in scalars {
      if let fault = fault(scalar, after: before) { return fault }
      before = scalar
    }
    return nil
  }

  private static func fault(_ scalar: Unicode.Scalar, after before: Unicode.Scalar?) -> String? {
    let hasBase = before.map { $0 != " " } ?? false
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
      return "has \(name(scalar)), which can't be seen"
    case .privateUse, .unassigned: return "has \(name(scalar)), which is no character of Unicode"
    case .spaceSeparator:
      if scalar != " " { return "has \(name(scalar)), a blank that looks like another" }
      return before == " " ? "has two blanks side by side" : nil
    case .nonspacingMark, .spacingMark, .enclosingMark:
      if scalar.properties.isDefaultIgnorableCodePoint { return "has \(name(scalar)), which can't be seen" }
      return hasBase ? nil : "has the mark \(name(scalar)) without a letter below it"
    default:
      // The Braille blank is a symbol in Unicode. U+FFFD replaces a lost character.
      if scalar.properties.isDefaultIgnorableCodePoint || scalar == "\u{2800}" {
        return "has \(name(scalar)), which can't be seen"
      }
      return scalar == "\u{FFFD}" ? "has U+FFFD in the place of a character that was lost" : nil
    }
  }

  /// Returns the name of a character: `U+00A0`.
  private static func name(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// Returns the text in the form that a search compares. Compatibility forms (full width, ligatures), upper and lower
  /// case (`ß` and `SS`, all four forms of `i`), hyphens and dashes, and apostrophes become the same. Invisible
  /// characters are left out.
  public static func folded(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 < 0x80 && $0 >= 0x20 }) { return text.lowercased() }
    // The text is folded twice. Folding one character may produce another with a compatibility form.
    var folded = text.precomposedStringWithCompatibilityMapping
    folded = folded.uppercased().lowercased().precomposedStringWithCompatibilityMapping
    var scalars = String.UnicodeScalarView()
    for scalar in folded.unicodeScalars {
      switch scalar.value {
      case 0x2010...0x2015, 0x2212, 0xFE58, 0xFE63: scalars.append("-")
      case 0x2018, 0x2019, 0x201B, 0x02BC: scalars.append("'")
      // The combining dot that a lower-case İ keeps after its i.
      case 0x0307 where scalars.last == "i": break
      default:
        if scalar.properties.isWhitespace {
          scalars.append(" ")
        } else if scalar.properties.generalCategory == .control {
          scalars.append(" ")
        } else if !scalar.properties.isDefaultIgnorableCodePoint, scalar.properties.generalCategory != .format {
          scalars.append(scalar)
        }
      }
    }
    return String(scalars)
  }
}
