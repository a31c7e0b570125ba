/// How text becomes the words that it is found by.
public enum SagaWords {
  /// The most words of one saga.
  public static let limit = 64
  /// The most characters of a word.
  static let length = 40

  /// The words of a text: what stands between spaces, and where that has dashes, dots or the like in it, its parts too,
  /// so that `LAB-00123` is found by `lab-0` and by `00123`.
  public static func of(_ text: String) -> [String] {
    var words: [String] = []
    for piece in text.lowercased().split(whereSeparator: \.isWhitespace) {
      let parts = piece.split { !$0.isLetter && !$0.isNumber }
      guard let first = parts.first, let last = parts.last else { continue }
      let whole = piece[first.startIndex..<last.endIndex]
      words.append(String(whole.prefix(length)))
      if parts.count > 1 { words += parts.filter { $0.count > 1 }.map { String($0.prefix(length)) } }
    }
    return words
  }

  /// What somebody who looks for a text looks for.
  public static func query(_ text: String) -> [String] {
    text.lowercased().split(whereSeparator: \.isWhitespace).compactMap { piece in
      let start = piece.firstIndex { $0.isLetter || $0.isNumber }
      return start.map { String(piece.suffix(from: $0).prefix(length)) }
    }
  }
}
