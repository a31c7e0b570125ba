import JSON

/// One query of the file that reads the saga's document, and where its parts stand in the string.
struct QueryRead {
  /// Where the query begins in its text, in scalars.
  let offset: Int
  /// The names and indexes that it certainly follows, and where each begins in the text.
  let tokens: [JSONPointer.Token]
  let offsets: [Int]
  /// Whether the tokens are the whole query. If not, it goes on with something that may find several values.
  let isPlain: Bool

  init(_ query: ReferencedQuery) {
    offset = query.at
    tokens = query.leadingTokens
    isPlain = query.isSingular
    // A name stands in its query as it is (or with escapes, then the place before it has to do).
    let scalars = Array(query.text.unicodeScalars)
    var position = 0
    var offsets: [Int] = []
    for token in tokens {
      let wanted: [Unicode.Scalar] =
        switch token {
        case .name(let name): Array(name.unicodeScalars)
        case .index(let index): Array("\(index)".unicodeScalars)
        }
      if let found = Self.firstIndex(of: wanted, in: scalars, from: position) {
        offsets.append(query.at + found)
        position = found + wanted.count
      } else {
        offsets.append(query.at + position)
      }
    }
    self.offsets = offsets
  }

  /// The name at a depth, if there is one.
  func name(_ depth: Int) -> String? {
    guard tokens.indices.contains(depth), case .name(let name) = tokens[depth] else { return nil }
    return name
  }

  private static func firstIndex(of wanted: [Unicode.Scalar], in scalars: [Unicode.Scalar], from start: Int) -> Int? {
    var position = start
    while position + wanted.count <= scalars.count {
      if scalars[position..<(position + wanted.count)].elementsEqual(wanted) { return position }
      position += 1
    }
    return nil
  }
}
