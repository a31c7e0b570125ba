/// Arithmetic of remainders that can't overflow.
extension FixedWidthInteger where Self: UnsignedInteger {
  /// Returns the remainder of a power.
  package static func power(
    _ base: Self, _ exponent: Int, dividedBy divisor: Self
  ) -> Self where Magnitude == Self {
    var (result, square, exponent) = (1 % divisor, base % divisor, exponent)
    while exponent > 0 {
      if exponent & 1 == 1 { result = product(result, square, dividedBy: divisor) }
      square = product(square, square, dividedBy: divisor)
      exponent >>= 1
    }
    return result
  }

  /// Returns the remainder of a product.
  package static func product(
    _ left: Self, _ right: Self, dividedBy divisor: Self
  ) -> Self where Magnitude == Self {
    let product = left.multipliedFullWidth(by: right)
    return divisor.dividingFullWidth((product.high % divisor, product.low)).remainder
  }
}
