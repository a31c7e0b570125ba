/// A path with names in place of some segments: `/samples/{id}/validation`.
struct PathPattern: Sendable, Hashable {
  enum Part: Sendable, Hashable {
    case literal(String)
    case parameter(String)
  }

  let text: String
  let parts: [Part]

  var names: [String] { parts.compactMap { if case .parameter(let name) = $0 { name } else { nil } } }

  /// - Parameter segments: the decoded segments of a path.
  /// - Returns: the values of the names; nil when the path does not fit. A name takes no empty
  ///   segment.
  func values(in segments: [String]) -> [(name: String, value: String)]? {
    guard segments.count == parts.count else { return nil }
    var values: [(name: String, value: String)] = []
    for (part, segment) in zip(parts, segments) {
      switch part {
      case .literal(let text): if !text.utf8.elementsEqual(segment.utf8) { return nil }
      case .parameter(let name):
        if segment.isEmpty { return nil }
        values.append((name, segment))
      }
    }
    return values
  }

  /// Whether every path that fits the other pattern fits this one.
  func covers(_ other: PathPattern) -> Bool {
    parts.count == other.parts.count
      && zip(parts, other.parts).allSatisfy { mine, other in
        switch (mine, other) {
        case (.parameter, .parameter): true
        case (.parameter, .literal(let text)): !text.isEmpty
        case (.literal(let mine), .literal(let text)): mine == text
        case (.literal, .parameter): false
        }
      }
  }

  /// A mistake in a pattern.
  struct Mistake: Error {
    let message: String
    /// The place in the pattern, in scalars.
    let at: Int
    var near: String?
  }

  init(_ text: String) throws(Mistake) {
    self.text = text
    guard text.hasPrefix("/") else {
      throw Mistake(message: "a path begins with /, as /samples/{id}", at: 0, near: text.isEmpty ? nil : "/\(text)")
    }
    var parts: [Part] = []
    var names: Set<String> = []
    var at = 1
    let segments = text == "/" ? [] : text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    for segment in segments {
      let part = try Self.part(String(segment), at: at)
      if case .parameter(let name) = part, !names.insert(name).inserted {
        throw Mistake(message: "the name {\(name)} comes twice in the path", at: at)
      }
      parts.append(part)
      at += segment.unicodeScalars.count + 1
    }
    guard parts.first != .literal("_stub") else {
      throw Mistake(message: "paths below /_stub are the stub's own", at: 1)
    }
    self.parts = parts
  }

  private static func part(_ segment: String, at: Int) throws(Mistake) -> Part {
    if segment.contains("${") {
      throw Mistake(message: "a path has no ${…}: write a name for the segment, as {id}", at: at)
    }
    if segment.hasPrefix(":"), isName(segment.dropFirst()) {
      throw Mistake(
        message: "\(segment) is only text here: write {\(segment.dropFirst())}", at: at,
        near: "{\(segment.dropFirst())}")
    }
    if segment.hasPrefix("{"), segment.hasSuffix("}") {
      let name = segment.dropFirst().dropLast()
      guard isName(name) else {
        throw Mistake(
          message: "\(segment) needs a name that begins with a letter or _ and goes on with letters, digits and _",
          at: at)
      }
      return .parameter(String(name))
    }
    guard !segment.contains(where: { "{}?#*".contains($0) }) else {
      throw Mistake(
        message: "\(segment) must be a plain text, or a name in braces for the whole segment, as {id}", at: at)
    }
    return .literal(segment)
  }

  private static func isName(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, first == UInt8(ascii: "_") || isLetter(first) else { return false }
    return text.utf8.allSatisfy {
      isLetter($0) || $0 == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
}
