extension JSONNumber: Hashable, Comparable {
  /// Equal by value, whatever the spelling: `1`, `1.0` and `10e-1` are one number.
  public static func == (left: JSONNumber, right: JSONNumber) -> Bool { left.order(against: right) == 0 }

  public static func < (left: JSONNumber, right: JSONNumber) -> Bool { left.order(against: right) < 0 }

  public func hash(into hasher: inout Hasher) {
    // Equal numbers have equal nearest Doubles; -0 and 0 are equal and hash alike.
    hasher.combine(doubleValue == 0 ? 0 : doubleValue)
  }

  private func order(against other: JSONNumber) -> Int {
    switch (storage, other.storage) {
    case (.integer(let left), .integer(let right)): return left < right ? -1 : left > right ? 1 : 0
    case (.integer(let left), .decimal(_, let right)): return Self.order(left, right)
    case (.decimal(_, let left), .integer(let right)): return -Self.order(right, left)
    case (.decimal(_, let left), .decimal(_, let right)): return left < right ? -1 : left > right ? 1 : 0
    }
  }

  /// An exact comparison: past 2^53 an integer and its nearest Double are not the same number.
  private static func order(_ left: Int64, _ right: Double) -> Int {
    if let right = Int64(exactly: right) { return left < right ? -1 : left > right ? 1 : 0 }
    let nearest = Double(left)
    return nearest < right ? -1 : nearest > right ? 1 : 0
  }
}
