import JSON

/// A decimal number of up to 34 digits, as in the format decimal128 of IEEE 754, without its special values.
///
/// Results are exact when they have at most 34 digits; others are rounded to 34, half to even. So `0.1 + 0.2` is `0.3`.
struct Decimal34: Hashable, Sendable {
  private(set) var isNegative: Bool
  /// The digits, as a whole number without trailing zeros, at most 34 of them.
  private(set) var coefficient: UInt128
  /// The power of ten by which the coefficient is multiplied.
  private(set) var exponent: Int

  static let zero = Decimal34(isNegative: false, coefficient: 0, exponent: 0)
  /// The most digits.
  static let precision = 34
  /// The largest power of ten of the first digit, and, negated, the smallest: JSON numbers end at about 1.8e308
  /// (`JSONNumber`).
  static let largestExponent = 307

  private init(isNegative: Bool, coefficient: UInt128, exponent: Int) {
    self.isNegative = isNegative
    self.coefficient = coefficient
    self.exponent = exponent
  }

  /// Rounds to 34 digits.
  /// - Parameter hasRest: true when digits other than zero follow the coefficient. Then it has at least 36 digits.
  /// - Returns: nil when the number is too large or too small.
  private init?(_ isNegative: Bool, _ coefficient: UInt128, _ exponent: Int, hasRest: Bool = false) {
    var (coefficient, exponent) = (coefficient, exponent)
    let surplus = Self.digits(coefficient) - Self.precision
    if surplus > 0 {
      let (quotient, rest) = coefficient.quotientAndRemainder(dividingBy: Self.tens[surplus])
      let half = Self.tens[surplus] / 2
      let roundsUp = rest > half || rest == half && (hasRest || quotient & 1 == 1)
      coefficient = quotient + (roundsUp ? 1 : 0)
      exponent += surplus
    }
    guard coefficient != 0 else {
      self = .zero
      return
    }
    while true {
      let (quotient, rest) = coefficient.quotientAndRemainder(dividingBy: 10)
      guard rest == 0 else { break }
      coefficient = quotient
      exponent += 1
    }
    let first = exponent + Self.digits(coefficient) - 1
    guard abs(first) <= Self.largestExponent else { return nil }
    self.init(isNegative: isNegative, coefficient: coefficient, exponent: exponent)
  }

  /// Returns nil when the number is too large or too small.
  init?(_ number: JSONNumber) {
    var isNegative = false
    var coefficient: UInt128 = 0
    var kept = 0
    var hasRest = false
    var exponent = 0
    var written = 0
    var part = Part.integer
    for byte in number.text.utf8 {
      switch (byte, part) {
      case (UInt8(ascii: "-"), .exponent): part = .negativeExponent
      case (UInt8(ascii: "-"), _): isNegative = true
      case (UInt8(ascii: "+"), _): break
      case (UInt8(ascii: "."), _): part = .fraction
      case (UInt8(ascii: "e"), _), (UInt8(ascii: "E"), _): part = .exponent
      case (_, .exponent), (_, .negativeExponent):
        written = min(written * 10 + Int(byte - UInt8(ascii: "0")), Self.mostWritten)
      case (_, .integer), (_, .fraction):
        let digit = byte - UInt8(ascii: "0")
        guard kept < Self.mostKept else {
          hasRest = hasRest || digit != 0
          exponent += part == .integer ? 1 : 0
          continue
        }
        coefficient = coefficient * 10 + UInt128(digit)
        kept += coefficient == 0 ? 0 : 1
        exponent -= part == .fraction ? 1 : 0
      }
    }
    exponent += part == .negativeExponent ? -written : written
    self.init(isNegative, coefficient, exponent, hasRest: hasRest)
  }

  private enum Part {
    case integer
    case fraction
    case exponent
    case negativeExponent
  }

  /// The number of digits that are read: four more than are kept, for rounding.
  private static let mostKept = 38
  /// Above this limit all exponents mean the same: no text is long enough to bring the number back into the range.
  private static let mostWritten = 1 << 40

  init(_ value: Int) {
    self = Decimal34(value < 0, UInt128(value.magnitude), 0) ?? .zero
  }

  // MARK: Arithmetic

  /// Returns nil when the result is too large.
  static func + (left: Decimal34, right: Decimal34) -> Decimal34? {
    if left.coefficient == 0 { return right }
    if right.coefficient == 0 { return left }
    let (high, low) = left.exponent >= right.exponent ? (left, right) : (right, left)
    let distance = high.exponent - low.exponent
    // The number with the larger exponent gets as many zeros as there is space for, up to the other's exponent.
    let shift = min(distance, mostKept - digits(high.coefficient))
    let wide = high.coefficient * tens[shift]
    let exponent = high.exponent - shift
    // The digits of the other number that are below these are only a rest.
    let below = distance - shift
    var (narrow, rest): (UInt128, UInt128) = (0, low.coefficient)
    if below < tens.count { (narrow, rest) = low.coefficient.quotientAndRemainder(dividingBy: tens[below]) }
    if high.isNegative == low.isNegative {
      return Decimal34(high.isNegative, wide + narrow, exponent, hasRest: rest != 0)
    }
    if wide >= narrow {
      return Decimal34(high.isNegative, wide - narrow - (rest == 0 ? 0 : 1), exponent, hasRest: rest != 0)
    }
    return Decimal34(low.isNegative, narrow - wide, exponent)
  }

  static func - (left: Decimal34, right: Decimal34) -> Decimal34? { left + -right }

  static prefix func - (value: Decimal34) -> Decimal34 {
    guard value.coefficient != 0 else { return value }
    return Decimal34(isNegative: !value.isNegative, coefficient: value.coefficient, exponent: value.exponent)
  }

  static func * (left: Decimal34, right: Decimal34) -> Decimal34? {
    let isNegative = left.isNegative != right.isNegative
    let exponent = left.exponent + right.exponent
    let product = left.coefficient.multipliedFullWidth(by: right.coefficient)
    if product.high == 0 { return Decimal34(isNegative, product.low, exponent) }
    let surplus = digits(left.coefficient) + digits(right.coefficient) - 37
    let (quotient, rest) = tens[surplus].dividingFullWidth(product)
    return Decimal34(isNegative, quotient, exponent + surplus, hasRest: rest != 0)
  }

  /// Returns nil when the divisor is zero or the result is too large.
  static func / (left: Decimal34, right: Decimal34) -> Decimal34? {
    guard right.coefficient != 0 else { return nil }
    guard left.coefficient != 0 else { return zero }
    // The dividend gets zeros until the quotient has at least 36 digits.
    let widening = precision - digits(left.coefficient)
    let shift = 2 + digits(right.coefficient)
    let dividend = (left.coefficient * tens[widening]).multipliedFullWidth(by: tens[shift])
    let (quotient, rest) = right.coefficient.dividingFullWidth(dividend)
    return Decimal34(
      left.isNegative != right.isNegative, quotient, left.exponent - widening - shift - right.exponent,
      hasRest: rest != 0)
  }

  /// Returns the rest of a division whose quotient is a whole number: it has the sign of the dividend. Nil when the
  /// divisor is zero.
  static func % (left: Decimal34, right: Decimal34) -> Decimal34? {
    guard right.coefficient != 0 else { return nil }
    let distance = left.exponent - right.exponent
    if distance >= 0 {
      let power = UInt128.power(10, distance, dividedBy: right.coefficient)
      let rest = UInt128.product(left.coefficient, power, dividedBy: right.coefficient)
      return Decimal34(left.isNegative, rest, right.exponent)
    }
    // The divisor has more digits than every dividend.
    guard digits(right.coefficient) - distance <= mostKept else { return left }
    return Decimal34(left.isNegative, left.coefficient % (right.coefficient * tens[-distance]), left.exponent)
  }

  // MARK: Rounding

  enum Rounding: Sendable {
    /// To the nearest; a half goes away from zero.
    case nearest
    case down
    case up
  }

  /// Returns the rounded number; nil when it is too large.
  /// - Parameter places: the most digits behind the point. A negative number rounds to tens, hundreds and so on.
  func rounded(_ rounding: Rounding, digits places: Int = 0) -> Decimal34? {
    let surplus = -places - exponent
    guard surplus > 0, coefficient != 0 else { return self }
    let divisor = surplus < Self.tens.count ? Self.tens[surplus] : UInt128.max
    let (quotient, rest) = coefficient.quotientAndRemainder(dividingBy: divisor)
    let awayFromZero =
      switch rounding {
      case .nearest: surplus < Self.tens.count && rest >= divisor / 2
      case .down: isNegative && rest != 0
      case .up: !isNegative && rest != 0
      }
    return Decimal34(isNegative, quotient + (awayFromZero ? 1 : 0), exponent + surplus)
  }

  var magnitude: Decimal34 { isNegative ? -self : self }

  /// The number as an Int; nil when it has a fraction or does not fit.
  var intValue: Int? {
    guard exponent >= 0, Self.digits(coefficient) + exponent <= 19 else { return nil }
    let magnitude = coefficient * Self.tens[exponent]
    return isNegative ? Int(exactly: -Int128(magnitude)) : Int(exactly: magnitude)
  }

  // MARK: Text

  /// The number as JSON. Numbers with many zeros are written with an exponent.
  var json: JSON {
    if let intValue { return .int(intValue) }
    // The text is always a JSON number.
    return (try? JSON(parsing: text)) ?? .null
  }

  var text: String {
    let minus = isNegative ? "-" : ""
    let digits = "\(coefficient)"
    let count = digits.utf8.count
    let point = count + exponent
    if exponent >= 0, point <= Self.precision { return minus + digits + String(repeating: "0", count: exponent) }
    if exponent < 0, point > 0 { return minus + digits.prefix(point) + "." + digits.dropFirst(point) }
    if exponent < 0, point > -7 { return minus + "0." + String(repeating: "0", count: -point) + digits }
    let fraction = count > 1 ? "." + digits.dropFirst() : ""
    return "\(minus)\(digits.prefix(1))\(fraction)e\(point - 1)"
  }

  /// The powers of ten that fit.
  private static let tens: [UInt128] = (1...38).reduce(into: [1]) { powers, position in
    powers.append(powers[position - 1] * 10)
  }

  /// Returns the number of digits; 0 for zero.
  private static func digits(_ value: UInt128) -> Int {
    var (low, high) = (0, tens.count)
    while low < high {
      let middle = (low + high) / 2
      if tens[middle] <= value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
