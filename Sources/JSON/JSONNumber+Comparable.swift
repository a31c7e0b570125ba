extension JSONNumber: Hashable, Comparable {
  /// Returns true when the exact values are equal, in any spelling: `1`, `1.0` and `10e-1` are one number.
  public static func == (left: JSONNumber, right: JSONNumber) -> Bool { left.order(against: right) == 0 }

  public static func < (left: JSONNumber, right: JSONNumber) -> Bool { left.order(against: right) < 0 }

  public func hash(into hasher: inout Hasher) {
    // Equal numbers have equal nearest Doubles; -0 and 0 are equal and have the same hash.
    hasher.combine(doubleValue == 0 ? 0 : doubleValue)
  }

  private func order(against other: JSONNumber) -> Int {
    if case .integer(let left) = storage, case .integer(let right) = other.storage {
      return left < right ? -1 : left > right ? 1 : 0
    }
    // Rounding keeps the order. If the nearest Doubles differ, the numbers differ in the same way. If they are equal,
    // the digits decide.
    let (left, right) = (doubleValue, other.doubleValue)
    if left != right { return left < right ? -1 : 1 }
    return DecimalDigits(text).order(against: DecimalDigits(other.text))
  }

  /// The canonical text; equal numbers have equal canonical texts.
  var canonicalText: String {
    switch storage {
    case .integer: text.utf8.count <= 19 ? text : DecimalDigits(text).text
    case .decimal(let text, _): DecimalDigits(text).text
    }
  }
}
