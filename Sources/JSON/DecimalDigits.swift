/// The exact value of a number's text: 0.d₁d₂d₃… × 10^exponent, with neither leading nor trailing zeros.
struct DecimalDigits: Equatable {
  var isNegative = false
  var digits: [UInt8] = []
  var exponent = 0

  /// - Parameter text: a JSON number.
  init(_ text: String) {
    // Above this limit, all exponents are equal. No text is long enough to bring the value back.
    let mostExponent = 1 << 40
    var integerDigits = 0
    var isFraction = false
    var written = 0
    var isExponent = false
    var exponentIsNegative = false
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "-"): if isExponent { exponentIsNegative = true } else { isNegative = true }
      case UInt8(ascii: "+"): break
      case UInt8(ascii: "."): isFraction = true
      case UInt8(ascii: "e"), UInt8(ascii: "E"): isExponent = true
      default:
        let digit = byte - UInt8(ascii: "0")
        if isExponent {
          written = min(written * 10 + Int(digit), mostExponent)
        } else {
          digits.append(digit)
          if !isFraction { integerDigits += 1 }
        }
      }
    }
    let leadingZeros = digits.prefix { $0 == 0 }.count
    digits.removeFirst(leadingZeros)
    while digits.last == 0 { digits.removeLast() }
    if digits.isEmpty {
      isNegative = false
    } else {
      exponent = integerDigits - leadingZeros + (exponentIsNegative ? -written : written)
    }
  }

  /// Returns a negative number, zero or a positive number when this is less than, equal to or greater than the other.
  func order(against other: DecimalDigits) -> Int {
    if digits.isEmpty || other.digits.isEmpty { return sign - other.sign }
    if isNegative != other.isNegative { return sign }
    if exponent != other.exponent { return exponent < other.exponent ? -sign : sign }
    if digits == other.digits { return 0 }
    return digits.lexicographicallyPrecedes(other.digits) ? -sign : sign
  }

  private var sign: Int { digits.isEmpty ? 0 : isNegative ? -1 : 1 }

  /// The same text for equal values: an integer of up to 19 digits as it is, other numbers as digits and an exponent.
  var text: String {
    if digits.isEmpty { return "0" }
    let minus = isNegative ? "-" : ""
    let shown = digits.map { "\($0)" }.joined()
    let rest = exponent - digits.count
    if rest == 0 && digits.count <= 19 { return minus + shown }
    if rest > 0 && exponent <= 19 { return minus + shown + String(repeating: "0", count: rest) }
    return "\(minus)\(shown)e\(rest)"
  }
}
