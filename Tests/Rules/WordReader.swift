/// A use of a house word.
struct WordUse: CustomStringConvertible {
  /// A line by its text, so that lines above it may change.
  struct Line: Hashable {
    let path: String
    let text: String
  }

  let word: String
  let line: Line
  /// From 1; 0 in the file's name.
  let number: Int

  var description: String { "  \(line.path):\(number): \(line.text)" }
}

/// Splits text into plain words and finds house words among them. Camel case and underscores separate words.
enum WordReader {
  /// The characters between a word and the one before.
  private enum Gap {
    /// Nothing, or an underscore: both words are in one identifier.
    case joined
    case hyphen
    /// Blanks, line breaks, comment signs, or an apostrophe.
    case blank
    case other
  }

  private struct Token {
    let word: String
    let line: Int
    let gap: Gap
    let isQuoted: Bool
  }

  /// Returns the uses in a text and in its file's name, without exceptions, in order.
  static func uses(in text: String, path: String) -> [WordUse] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    func use(_ word: String, _ line: Int) -> WordUse {
      let shown = line == 0 ? path : String(lines[line - 1].drop { $0 == " " })
      return WordUse(word: word, line: .init(path: path, text: shown), number: line)
    }
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let read = [tokens(of: name, firstLine: 0), tokens(of: text, firstLine: 1)]
    var uses: [WordUse] = []
    for (tokens, identifiers) in read {
      for (identifier, line) in identifiers where identifierWords.contains(identifier) {
        uses.append(use(identifier, line))
      }
      for index in tokens.indices {
        guard let words = phrases[tokens[index].word] else { continue }
        for (word, form) in words where matches(form, tokens, index) {
          guard !isException(word, form.count, tokens, index, path) else { continue }
          uses.append(use(word, tokens[index].line))
        }
      }
    }
    return uses
  }

  // MARK: Matching

  private static let identifierWords = Set(HouseWords.all.filter { $0.kind == .identifier }.map(\.text))

  /// The phrases by their first word.
  private static let phrases: [String: [(word: String, form: [String])]] = {
    var phrases: [String: [(word: String, form: [String])]] = [:]
    for word in HouseWords.all {
      guard case .phrase(let forms) = word.kind else { continue }
      for form in forms { phrases[form[0], default: []].append((word.text, form)) }
    }
    return phrases
  }()

  private static func matches(_ form: [String], _ tokens: [Token], _ index: Int) -> Bool {
    guard index + form.count <= tokens.count else { return false }
    for offset in form.indices.dropFirst() {
      let token = tokens[index + offset]
      guard token.word == form[offset], token.gap == .blank || token.gap == .joined else { return false }
    }
    return true
  }

  private static func isException(
    _ word: String, _ count: Int, _ tokens: [Token], _ index: Int, _ path: String
  ) -> Bool {
    let previous = index > 0 ? tokens[index - 1].word : ""
    let next = index + count < tokens.count ? tokens[index + count] : nil
    return HouseWords.exceptions.contains { exception in
      guard exception.word == word else { return false }
      guard exception.after.isEmpty || exception.after.contains(previous) else { return false }
      guard exception.before.isEmpty || exception.before.contains(next?.word ?? "") else { return false }
      guard !exception.isQuoted || tokens[index].isQuoted else { return false }
      guard !exception.isJoined || next?.gap == .joined || next?.gap == .hyphen else { return false }
      return exception.paths.isEmpty || exception.paths.contains { path.hasPrefix($0) }
    }
  }

  // MARK: Splitting

  private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
  private static func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) }
  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  private static func tokens(
    of text: String, firstLine: Int
  ) -> (tokens: [Token], identifiers: [(text: String, line: Int)]) {
    let bytes = Array(text.utf8)
    var tokens: [Token] = []
    var identifiers: [(text: String, line: Int)] = []
    var (line, at, gap) = (firstLine, 0, Gap.other)
    while at < bytes.count {
      guard isLower(bytes[at]) || isUpper(bytes[at]) else {
        if bytes[at] == UInt8(ascii: "\n") { line += 1 }
        gap = widened(gap, by: bytes[at])
        at += 1
        continue
      }
      let begin = at
      while at < bytes.count, isLower(bytes[at]) || isUpper(bytes[at]) || isDigit(bytes[at]) || bytes[at] == 0x5F {
        at += 1
      }
      identifiers.append((String(decoding: bytes[begin..<at], as: UTF8.self), line))
      let quote = UInt8(ascii: "\"")
      let isQuoted = begin > 0 && bytes[begin - 1] == quote && at < bytes.count && bytes[at] == quote
      for word in words(of: bytes[begin..<at]) {
        tokens.append(Token(word: word, line: line, gap: gap, isQuoted: isQuoted))
        gap = .joined
      }
    }
    return (tokens, identifiers)
  }

  /// Returns the gap after a further character.
  private static func widened(_ gap: Gap, by byte: UInt8) -> Gap {
    switch (byte, gap) {
    case (UInt8(ascii: "-"), .joined): .hyphen
    case (UInt8(ascii: " "), .joined), (UInt8(ascii: " "), .blank), (UInt8(ascii: "\n"), .joined),
      (UInt8(ascii: "\n"), .blank), (UInt8(ascii: "/"), .blank), (UInt8(ascii: "'"), .joined):
      .blank
    default: .other
    }
  }

  /// Splits an identifier into its words, in lower case: `HTTPServer_isUp` has the words http, server, is, up.
  private static func words(of bytes: ArraySlice<UInt8>) -> [String] {
    var words: [[UInt8]] = [[]]
    for index in bytes.indices {
      let byte = bytes[index]
      guard isLower(byte) || isUpper(byte) else {
        words.append([])
        continue
      }
      if isUpper(byte), index > bytes.startIndex {
        let previous = bytes[index - 1]
        let isFollowedByLower = index + 1 < bytes.endIndex && isLower(bytes[index + 1])
        if isLower(previous) || isUpper(previous) && isFollowedByLower { words.append([]) }
      }
      words[words.count - 1].append(byte | 0x20)
    }
    return words.filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) }
  }
}
