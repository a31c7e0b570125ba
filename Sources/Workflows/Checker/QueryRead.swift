import JSON

/// A query of the file that reads the document, with the places of its parts in the string.
package struct QueryRead {
  /// The start of the query in its text, in scalars.
  package let offset: Int
  /// The names and indexes that the query certainly follows.
  package let tokens: [JSONPointer.Token]
  /// The starts of the first tokens in the text. Findings can be about these tokens.
  package let offsets: [Int]
  /// True when the tokens are the whole query. Otherwise it continues with a segment that may find several values.
  package let isPlain: Bool
  /// True when the expression has a value also when the query finds nothing.
  let mayBeMissing: Bool
  /// The function that works on all values that the query finds; nil when there is none.
  let collector: String?
  /// The name that was probably meant when a name and a hyphen are directly before the query.
  let hyphenatedName: String?
  /// The name that is read of each of several values, directly behind the tokens.
  let memberOfEach: String?
  /// What a filter directly behind the tokens reads of each value.
  let filterReads: [FilterRead]

  package init(_ query: ReferencedQuery) {
    offset = query.at
    tokens = query.leadingTokens
    isPlain = query.isSingular
    mayBeMissing = query.mayBeMissing
    collector = query.collector
    hyphenatedName = query.hyphenatedName
    memberOfEach = query.memberOfEach
    filterReads = query.filterReads
    // A name appears in its query as it is. If it has escapes, the place before it is used.
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

  /// The number of tokens whose places are searched. A search for all tokens would read the rest of the query once for
  /// each of them.
  private static let located = 5

  /// Returns the name at a depth; nil when there is none.
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
