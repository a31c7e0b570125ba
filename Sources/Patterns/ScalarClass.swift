/// A set of Unicode scalars: ranges and general categories, optionally negated.
struct ScalarClass: Sendable {
  private var ranges: [ClosedRange<UInt32>] = []
  private var categories: UInt32 = 0
  private var properties: [(property: ScalarProperty, isNegated: Bool)] = []
  private var isNegated = false

  /// The class of the dot: all scalars except line feed and carriage return.
  static let dot: ScalarClass = {
    var dot = ScalarClass()
    dot.insert(0x0A...0x0A)
    dot.insert(0x0D...0x0D)
    dot.negate()
    return dot
  }()

  mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }
  mutating func insert(categories mask: UInt32) { categories |= mask }

  mutating func insert(_ property: ScalarProperty, isNegated: Bool) { properties.append((property, isNegated)) }

  /// Adds the scalars outside these ranges.
  /// - Parameter ranges: in ascending order, without overlap.
  mutating func insert(outside ranges: [ClosedRange<UInt32>]) {
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { insert(next...range.lowerBound - 1) }
      next = range.upperBound + 1
    }
    if next <= Self.last { insert(next...Self.last) }
  }

  /// Adds the scalars of a class that is not negated as a whole.
  mutating func insert(_ other: ScalarClass) {
    ranges += other.ranges
    categories |= other.categories
    properties += other.properties
  }

  /// The last scalar of Unicode.
  static let last: UInt32 = 0x10FFFF
  mutating func negate() { isNegated = true }

  /// Sorts the ranges, so that a look-up can use binary search.
  mutating func seal() {
    ranges.sort { $0.lowerBound < $1.lowerBound }
    var joined: [ClosedRange<UInt32>] = []
    for range in ranges {
      if let last = joined.last, range.lowerBound <= last.upperBound + 1 {
        joined[joined.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    ranges = joined
  }

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar.value { low = middle + 1 } else { high = middle }
    }
    let isInRange = low < ranges.count && ranges[low].contains(scalar.value)
    if isInRange || (categories == 0 && properties.isEmpty) { return isInRange != isNegated }
    let isInCategory = categories != 0 && categories & Self.mask(scalar.properties.generalCategory) != 0
    return (isInCategory || properties.contains { $0.property.holds(for: scalar) != $0.isNegated }) != isNegated
  }

  // MARK: Categories

  static let allCategories = UInt32.max

  /// Returns the categories of a name such as `L` or `Lu`; nil when the name is unknown.
  static func mask(named name: String) -> UInt32? {
    var mask: UInt32 = 0
    for (index, category) in names.enumerated()
    where category == name || (name.utf8.count == 1 && category.hasPrefix(name)) {
      mask |= 1 << UInt32(index)
    }
    return mask == 0 ? nil : mask
  }

  private static func mask(_ category: Unicode.GeneralCategory) -> UInt32 { 1 << UInt32(index(category)) }

  private static let names = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
    "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn",
  ]

  /// Returns the index of the category in `names`. (No scalar is a surrogate; I-Regexp has no name for them.)
  private static func index(_ category: Unicode.GeneralCategory) -> Int {
    switch category {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .privateUse: 27
    case .unassigned, .surrogate: 28
    @unknown default: 28
    }
  }
}
