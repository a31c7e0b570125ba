import Values

/// Random draws that depend on a seed and on what they are for, and on nothing else: removing one part of a scenario leaves
/// the draws of all other parts as they were.
struct Dice {
  private var random: SeededRandom

  init(_ seed: UInt64, _ purpose: String, _ numbers: Int...) {
    // FNV-1a over the purpose and the numbers.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed
    for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    for number in numbers { hash = (hash ^ UInt64(bitPattern: Int64(number))) &* 0x0000_0100_0000_01B3 }
    random = SeededRandom(seed: hash)
  }

  mutating func next() -> UInt64 { random.next() }

  /// - Returns: a number of the range.
  mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(random.next() % UInt64(range.count))
  }

  /// - Returns: true in `percent` of 100 draws.
  mutating func chance(_ percent: Int) -> Bool { number(0...99) < percent }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[number(0...(elements.count - 1))] }

  /// - Returns: milliseconds of the range, as many short as long ones: the logarithm is even.
  mutating func time(_ range: ClosedRange<Int>) -> Duration {
    var low = max(1, range.lowerBound)
    var spans: [ClosedRange<Int>] = []
    while low <= range.upperBound {
      spans.append(low...min(range.upperBound, low * 4))
      low = low * 4 + 1
    }
    return .milliseconds(number(spans[number(0...(spans.count - 1))]))
  }
}
