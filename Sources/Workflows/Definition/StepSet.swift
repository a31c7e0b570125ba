/// A set of steps by their indexes, with one bit for each step.
public struct StepSet: Sendable, Hashable {
  private var words: [UInt64]

  /// Creates an empty set for steps below `count`. Combined sets must have the same count.
  public init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

  /// Creates a set of every step below `count`.
  public init(all count: Int) {
    self.init(count: count)
    for step in 0..<count { insert(step) }
  }

  public func contains(_ step: Int) -> Bool {
    let word = step >> 6
    return words.indices.contains(word) && words[word] & (1 << UInt64(step & 63)) != 0
  }

  public mutating func insert(_ step: Int) { words[step >> 6] |= 1 << UInt64(step & 63) }

  public mutating func remove(_ step: Int) { words[step >> 6] &= ~(1 << UInt64(step & 63)) }

  public mutating func formUnion(_ other: StepSet) {
    for word in words.indices { words[word] |= other.words[word] }
  }

  public func union(_ other: StepSet) -> StepSet {
    var result = self
    result.formUnion(other)
    return result
  }

  public func intersection(_ other: StepSet) -> StepSet {
    var result = self
    for word in words.indices { result.words[word] &= other.words[word] }
    return result
  }

  public func isDisjoint(with other: StepSet) -> Bool {
    !words.indices.contains { words[$0] & other.words[$0] != 0 }
  }

  /// The steps in file order.
  public var indexes: [Int] { Array(self) }

  public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
  public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// The first step in file order.
  public var first: Int? { next(after: -1) }

  /// Returns the first step after this one in file order.
  public func next(after step: Int) -> Int? {
    let start = step + 1
    var word = start >> 6
    guard word < words.count else { return nil }
    var rest = words[word] & (UInt64.max << UInt64(start & 63))
    while rest == 0 {
      word += 1
      guard word < words.count else { return nil }
      rest = words[word]
    }
    return word << 6 + rest.trailingZeroBitCount
  }
}

extension StepSet: Sequence {
  /// Iterates over the steps in file order, as they were at the start.
  public struct Iterator: IteratorProtocol {
    fileprivate let set: StepSet
    fileprivate var last = -1

    public mutating func next() -> Int? {
      guard let step = set.next(after: last) else { return nil }
      last = step
      return step
    }
  }

  public func makeIterator() -> Iterator { Iterator(set: self) }
}
