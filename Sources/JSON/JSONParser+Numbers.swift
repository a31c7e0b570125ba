extension JSONParser {
  /// Reads a number. The parser is at its minus sign or first digit.
  mutating func number() throws(Failure) -> JSONNumber {
    let start = at
    let isNegative = bytes[at] == UInt8(ascii: "-")
    if isNegative { at += 1 }
    guard at < bytes.count else { throw incomplete("a digit") }
    guard isDigit(bytes[at]) else {
      throw failure(JSONErrorCode.number, "A digit was expected after the minus sign, not \(found()).")
    }
    if bytes[at] == UInt8(ascii: "0"), at + 1 < bytes.count, isDigit(bytes[at + 1]) {
      throw failure(JSONErrorCode.number, "A number has no leading zero; a barcode or code stands in double quotes.")
    }

    // The sum is negative, because Int64 reaches one further below zero.
    var negated: Int64 = 0
    var fits = true
    while at < bytes.count, isDigit(bytes[at]) {
      let (tenfold, pastTenfold) = negated.multipliedReportingOverflow(by: 10)
      let (sum, pastSum) = tenfold.subtractingReportingOverflow(Int64(bytes[at] - UInt8(ascii: "0")))
      fits = fits && !pastTenfold && !pastSum
      negated = sum
      at += 1
    }

    var isInteger = true
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      isInteger = false
      at += 1
      try digits("after the decimal point")
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
      try digits("in the exponent")
    }
    if at < bytes.count, isWordByte(bytes[at]) {
      throw failure(JSONErrorCode.number, "A number ends before \(found()); anything else stands in double quotes.")
    }

    if isInteger, fits {
      if isNegative, negated != 0 { return JSONNumber(negated) }
      if !isNegative, negated != Int64.min { return JSONNumber(-negated) }
    }
    let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      throw Failure(
        code: JSONErrorCode.number, message: "The number is too large; the largest is about 1.8e308.", offset: start)
    }
    return JSONNumber(storage: .decimal(text: text, value: value))
  }

  private mutating func digits(_ place: String) throws(Failure) {
    guard at < bytes.count else { throw incomplete("a digit \(place)") }
    guard isDigit(bytes[at]) else {
      throw failure(JSONErrorCode.number, "A digit was expected \(place), not \(found()).")
    }
    while at < bytes.count, isDigit(bytes[at]) { at += 1 }
  }

  @inline(__always)
  private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}
