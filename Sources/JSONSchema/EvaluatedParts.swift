/// The elements or members of one value that a schema has evaluated.
struct EvaluatedParts {
  /// Whether a rule needs to know them.
  let isNeeded: Bool
  private var words: [UInt64] = []
  private var hasAll = false
  /// Whether a failed alternative may have evaluated more. Then it is not known what is left.
  var isUncertain = false

  init(isNeeded: Bool) { self.isNeeded = isNeeded }

  mutating func insert(_ position: Int) {
    guard isNeeded, !hasAll else { return }
    let word = position >> 6
    while words.count <= word { words.append(0) }
    words[word] |= 1 << UInt64(position & 63)
  }

  mutating func insertAll() { hasAll = true }

  mutating func formUnion(_ other: EvaluatedParts) {
    hasAll = hasAll || other.hasAll
    isUncertain = isUncertain || other.isUncertain
    guard isNeeded, !hasAll else { return }
    while words.count < other.words.count { words.append(0) }
    for index in other.words.indices { words[index] |= other.words[index] }
  }

  func contains(_ position: Int) -> Bool {
    if hasAll { return true }
    let word = position >> 6
    return word < words.count && words[word] & (1 << UInt64(position & 63)) != 0
  }

  /// The work of `formUnion` with these parts.
  var weight: Int { 1 + words.count }
}
