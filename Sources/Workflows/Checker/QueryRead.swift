import JSON

/// One query of the file that reads the document, and where its parts stand in the string.
package struct QueryRead {
  /// Where the query begins in its text, in scalars.
  package let offset: Int
  /// The names and indexes that it certainly follows.
  package let tokens: [JSONPointer.Token]
  /// Where the first of them begin in the text: those that a finding can be about.
  package let offsets: [Int]
  /// Whether the tokens are the whole query. If not, it goes on with something that may find several values.
  package let isPlain: Bool

  package init(_ query: ReferencedQuery) {
    offset = query.at
    tokens = query.leadingTokens
    isPlain = query.isSingular
    // A name stands in its query as it is (or with escapes, then the place before it has to do).
    let scalars = Array(query.text.unicodeScalars)
    var position = 0
    var offsets: [Int] = []
    for token in tokens.prefix(Self.located) {
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

  /// The number of tokens whose places are looked for. Looking for all of them would take a search through the rest
  /// of the query for each.
  private static let located = 4

  /// The name at a depth, if there is one.
  package func name(_ depth: Int) -> String? {
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
