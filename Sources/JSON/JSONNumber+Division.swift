// Whole numbers and multiples, by exact decimals.
extension JSONNumber {
  /// True when the number has no fraction, in any spelling: `2`, `2.0` and `20e-1` are whole.
  public var isWhole: Bool {
    switch storage {
    case .integer: return true
    case .decimal(let text, _):
      let decimal = DecimalDigits(text)
      return decimal.digits.isEmpty || decimal.exponent >= decimal.digits.count
    }
  }

  /// Returns true when this number is a whole multiple of another one. Only 0 is a multiple of 0.
  ///
  /// `divisionWork` bounds the number of digits that this reads.
  public func isMultiple(of divisor: JSONNumber) -> Bool {
    if case .integer(let value) = storage, case .integer(let other) = divisor.storage {
      return other == 0 ? value == 0 : value.isMultiple(of: other)
    }
    return DecimalDigits(text).isMultiple(of: DecimalDigits(divisor.text))
  }

  /// The upper bound of the digits that `isMultiple(of:)` reads.
  package func divisionWork(by divisor: JSONNumber) -> Int {
    if case .integer = storage, case .integer = divisor.storage { return 1 }
    let (value, other) = (DecimalDigits(text), DecimalDigits(divisor.text))
    return value.divisionWork(by: other)
  }
}

extension DecimalDigits {
  /// The exponent of the last digit: the value is a whole number times 10 to this power.
  private var lastExponent: Int { exponent - digits.count }

  fileprivate func divisionWork(by divisor: DecimalDigits) -> Int {
    let shift = lastExponent - divisor.lastExponent
    let divider = divisor.digits.count + min(digits.count, max(0, -shift))
    return divider > Self.short ? (digits.count + max(0, shift)) * divider : digits.count
  }

  /// The most digits of a number that a machine word holds with one more digit.
  private static let short = 18

  fileprivate func isMultiple(of divisor: DecimalDigits) -> Bool {
    if digits.isEmpty { return true }
    if divisor.digits.isEmpty { return false }
    var shift = lastExponent - divisor.lastExponent
    var divider = divisor.digits
    if shift < 0 {
      // A multiple is at least as large as its divisor.
      guard divider.count - shift <= digits.count else { return false }
      divider += Array(repeating: 0, count: -shift)
      shift = 0
    }
    return divider.count <= Self.short
      ? hasNoRest(dividedBy: divider.reduce(0) { $0 * 10 + UInt64($1) }, shift)
      : hasNoRest(dividedBy: divider, shift)
  }

  /// Long division by a number of at most `short` digits.
  private func hasNoRest(dividedBy divider: UInt64, _ shift: Int) -> Bool {
    var rest: UInt64 = 0
    for digit in digits { rest = (rest * 10 + UInt64(digit)) % divider }
    return UInt64.product(rest, .power(10, shift, dividedBy: divider), dividedBy: divider) == 0
  }

  /// Long division by a number of any length.
  private func hasNoRest(dividedBy divider: [UInt8], _ shift: Int) -> Bool {
    // The digits of the rest, without leading zeros.
    var rest: [UInt8] = []
    func append(_ digit: UInt8) {
      if !rest.isEmpty || digit != 0 { rest.append(digit) }
      while rest.count > divider.count || (rest.count == divider.count && !rest.lexicographicallyPrecedes(divider)) {
        subtract()
      }
    }
    func subtract() {
      var borrow: Int8 = 0
      for place in 0..<rest.count {
        let index = rest.count - 1 - place
        let other = place < divider.count ? Int8(divider[divider.count - 1 - place]) : 0
        var digit = Int8(rest[index]) - other - borrow
        borrow = digit < 0 ? 1 : 0
        if digit < 0 { digit += 10 }
        rest[index] = UInt8(digit)
      }
      rest.removeFirst(rest.prefix { $0 == 0 }.count)
    }
    for digit in digits { append(digit) }
    for _ in 0..<shift where !rest.isEmpty { append(0) }
    return rest.isEmpty
  }
}
