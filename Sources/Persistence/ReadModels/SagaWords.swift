import Runtime
import Values

/// How text becomes the words that it is found by. What is stored and what is looked for pass the same tokenizer.
///
/// 1. The text is folded: composed and decomposed letters, upper and lower case, full-width forms are one.
/// 2. It is split into pieces at blanks, quotes, brackets, commas, semicolons and bars.
/// 3. A piece loses what stands around its first and last letter or digit: `TS-4711.` and `#TS-4711` are `TS-4711`, `50%` is
///    `50`. A piece without a letter or digit is no word.
/// 4. A stored piece counts from the beginning of each of its parts: `LAB-00123/A` is found by `lab-0` and by `00123/a`, not
///    by `123`.
public enum SagaWords {
  /// The most words of one saga.
  public static let limit = 64
  /// The most Unicode scalars of a word, stored or looked for: what is longer is compared by its beginning.
  static let length = 40
  /// How much of one text is looked at, in Unicode scalars.
  static let looked = 16_384

  /// Returns the words that a stored text is found by, `limit` at most.
  public static func of(_ text: String) -> [String] {
    var words: [String] = []
    for piece in pieces(of: text) where words.count < limit {
      words.append(word(piece[...]))
      // From each later part on; a part of one character finds too much.
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

  /// Returns the words that a stored word has to begin with, one for each piece of what somebody looks for.
  public static func query(_ text: String) -> [String] { pieces(of: text).map { word($0[...]) } }

  private static func pieces(of text: String) -> [ArraySlice<Unicode.Scalar>] {
    let most = String(String.UnicodeScalarView(text.unicodeScalars.prefix(looked)))
    return VisibleText.folded(most).unicodeScalars.split(whereSeparator: isSeparator).compactMap { piece in
      let scalars = Array(piece)
      // A mark belongs to the letter before it.
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
