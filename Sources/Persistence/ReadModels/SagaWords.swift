import Runtime

/// The tokenizer that turns text into the words by which it is found. Stored text and search text use the same
/// tokenizer.
///
/// 1. The text is folded: composed and decomposed characters, upper and lower case, and full-width forms become the
///    same.
/// 2. It is split into pieces at blanks, quotes, brackets, commas, semicolons and bars.
/// 3. The characters before the first and after the last letter or digit of a piece are removed: `TS-4711.` and
///    `#TS-4711` become `TS-4711`, `50%` becomes `50`. A piece without a letter or digit is not a word.
/// 4. A stored piece matches from the beginning of each of its parts: `lab-0` and `00123/a` find `LAB-00123/A`, but
///    `123` does not.
public enum SagaWords {
  /// The most words of one saga.
  public static let limit = 64
  /// The most Unicode scalars of a word, stored or searched. A longer word is compared by its beginning.
  static let length = 40
  /// The number of Unicode scalars of one text that the tokenizer reads.
  static let looked = 16_384

  /// Returns the words by which a stored text is found; at most `limit`.
  public static func of(_ text: String) -> [String] {
    var words: [String] = []
    for piece in pieces(of: text) where words.count < limit {
      words.append(word(piece[...]))
      // The piece also matches from each later part. A part of one character is left out, because it finds too much.
      var wasInPart = true
      for index in piece.indices.dropFirst() where words.count < limit {
        let isInPart = isPart(piece[index])
        let begins = isInPart && !wasInPart
        if begins, index + 1 < piece.endIndex, isPart(piece[index + 1]) { words.append(word(piece[index...])) }
        wasInPart = isInPart
      }
    }
    return words
  }

  /// Returns the prefixes that stored words must have: one for each piece of the search text.
  public static func query(_ text: String) -> [String] { pieces(of: text).map { word($0[...]) } }

  private static func pieces(of text: String) -> [ArraySlice<Unicode.Scalar>] {
    let most = String(String.UnicodeScalarView(text.unicodeScalars.prefix(looked)))
    return VisibleText.folded(most).unicodeScalars.split(whereSeparator: isSeparator).compactMap { piece in
      let scalars = Array(piece)
      // A combining mark belongs to the character before it.
      guard let first = scalars.firstIndex(where: isLetterOrDigit), let last = scalars.lastIndex(where: isPart) else {
        return nil
      }
      return scalars[first...last]
    }
  }

  private static func word(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    String(String.UnicodeScalarView(scalars.prefix(length)))
  }

  private static func isSeparator(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case " ", ",", ";", "|", "\"", "<", ">", "\u{3001}", "\u{3002}": true
    default:
      switch scalar.properties.generalCategory {
      case .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation: true
      default: false
      }
    }
  }

  private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber:
      true
    default: false
    }
  }

  private static func isPart(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: true
    default: isLetterOrDigit(scalar)
    }
  }
}
