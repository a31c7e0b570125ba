import JSON

/// What one query of the file starts from, and how far that is plain: `$.steps.a.output[?@.b]` reads
/// `steps`, `a`, `output`, and then more that can't be told without a document.
struct QueryRead: Hashable {
  /// Where the query begins in its text, in scalars.
  let offset: Int
  /// The names and indexes that it certainly follows, and where each begins.
  let tokens: [JSONPointer.Token]
  let offsets: [Int]
  /// Whether the tokens are the whole query. If not, it goes on with something that may be anything.
  let isPlain: Bool

  /// The name at a depth, if there is one.
  func name(_ depth: Int) -> String? {
    guard tokens.indices.contains(depth), case .name(let name) = tokens[depth] else { return nil }
    return name
  }
}

/// Finds every query that starts from the document in a text that is known to be well formed: the query itself and
/// those inside its filters.
struct QueryScan {
  private let scalars: [Unicode.Scalar]
  /// In a condition `@` is the document too, where it isn't inside a filter.
  private let isCondition: Bool
  private var position = 0

  static func reads(in text: String, isCondition: Bool) -> [QueryRead] {
    var scan = QueryScan(scalars: Array(text.unicodeScalars), isCondition: isCondition)
    return scan.all()
  }

  private init(scalars: [Unicode.Scalar], isCondition: Bool) {
    self.scalars = scalars
    self.isCondition = isCondition
  }

  private var current: Unicode.Scalar? { scalars.indices.contains(position) ? scalars[position] : nil }

  private mutating func all() -> [QueryRead] {
    var reads: [QueryRead] = []
    var depth = 0
    while let scalar = current {
      switch scalar {
      case "'", "\"": _ = quoted()
      case "$": reads.append(query())
      case "@" where isCondition && depth == 0: reads.append(query())
      case "[":
        depth += 1
        position += 1
      case "]":
        depth -= 1
        position += 1
      default: position += 1
      }
    }
    return reads
  }

  /// Follows names and indexes until something else comes; what that is, is left for the walk to go on with.
  private mutating func query() -> QueryRead {
    let start = position
    var tokens: [JSONPointer.Token] = []
    var offsets: [Int] = []
    position += 1
    while true {
      let mark = position
      skipBlanks()
      guard let (token, offset) = segment() else {
        let goesOn = current == "." || current == "["
        position = mark
        return QueryRead(offset: start, tokens: tokens, offsets: offsets, isPlain: !goesOn)
      }
      tokens.append(token)
      offsets.append(offset)
    }
  }

  private mutating func segment() -> (JSONPointer.Token, Int)? {
    let mark = position
    if current == "." {
      position += 1
      let start = position
      var name = String.UnicodeScalarView()
      while let scalar = current, Self.isNameSign(scalar) {
        name.append(scalar)
        position += 1
      }
      if !name.isEmpty { return (.name(String(name)), start) }
    } else if current == "[" {
      position += 1
      skipBlanks()
      let start = position
      var token: JSONPointer.Token?
      if current == "'" || current == "\"" {
        token = .name(quoted())
      } else {
        var digits = String.UnicodeScalarView()
        while let scalar = current, scalar == "-" || Self.isDigit(scalar) {
          digits.append(scalar)
          position += 1
        }
        token = Int(String(digits)).map { .index($0) }
      }
      skipBlanks()
      if let token, current == "]" {
        position += 1
        return (token, start)
      }
    }
    position = mark
    return nil
  }

  private mutating func skipBlanks() {
    while let scalar = current, scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" { position += 1 }
  }

  /// A string literal, its escapes resolved.
  private mutating func quoted() -> String {
    guard let quote = current else { return "" }
    position += 1
    var units: [UInt16] = []
    while let scalar = current, scalar != quote {
      position += 1
      guard scalar == "\\", let escape = current else {
        units += Array(UTF16.encode(scalar) ?? .init())
        continue
      }
      position += 1
      switch escape {
      case "b": units.append(0x08)
      case "f": units.append(0x0C)
      case "n": units.append(0x0A)
      case "r": units.append(0x0D)
      case "t": units.append(0x09)
      case "u":
        var digits = String.UnicodeScalarView()
        while digits.count < 4, let digit = current {
          digits.append(digit)
          position += 1
        }
        units.append(UInt16(String(digits), radix: 16) ?? 0xFFFD)
      default: units += Array(UTF16.encode(escape) ?? .init())
      }
    }
    if current != nil { position += 1 }
    return String(decoding: units, as: UTF16.self)
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  private static func isNameSign(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "_", "0"..."9": true
    default: scalar.value >= 0x80
    }
  }
}
