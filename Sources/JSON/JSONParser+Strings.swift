extension JSONParser {
  /// Reads a string. The parser is at the opening quote before, and after the closing quote afterwards.
  mutating func string() throws(Failure) -> String {
    let start = at
    at += 1
    let contents = at
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[contents..<at]), as: UTF8.self)
        at += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try stringWithEscapes(start: start, contents: contents) }
      if byte < 0x20 { throw controlCharacter() }
      if byte < 0x80 { at += 1 } else { try scalarOfSeveralBytes() }
    }
    throw unclosedString(start)
  }

  private mutating func stringWithEscapes(start: Int, contents: Int) throws(Failure) -> String {
    var text = [UInt8](bytes[contents..<at])
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        at += 1
        return String(decoding: text, as: UTF8.self)
      }
      if byte == UInt8(ascii: "\\") {
        try escape(into: &text, start)
      } else if byte < 0x20 {
        throw controlCharacter()
      } else if byte < 0x80 {
        text.append(byte)
        at += 1
      } else {
        let first = at
        try scalarOfSeveralBytes()
        text.append(contentsOf: bytes[first..<at])
      }
    }
    throw unclosedString(start)
  }

  private mutating func escape(into text: inout [UInt8], _ start: Int) throws(Failure) {
    guard at + 1 < bytes.count else { throw unclosedString(start) }
    let simple: UInt8
    switch bytes[at + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): simple = bytes[at + 1]
    case UInt8(ascii: "n"): simple = 0x0A
    case UInt8(ascii: "t"): simple = 0x09
    case UInt8(ascii: "r"): simple = 0x0D
    case UInt8(ascii: "b"): simple = 0x08
    case UInt8(ascii: "f"): simple = 0x0C
    case UInt8(ascii: "u"):
      text.append(contentsOf: Array(String(try unicodeEscape(start)).utf8))
      return
    default:
      throw failure(
        JSONErrorCode.syntax,
        "A backslash stands before one of \" \\ / b f n r t u; a backslash itself is written \\\\.")
    }
    text.append(simple)
    at += 2
  }

  private mutating func unicodeEscape(_ start: Int) throws(Failure) -> Unicode.Scalar {
    let first = try fourDigits(at: at + 2, start)
    if let scalar = Unicode.Scalar(first) {
      at += 6
      return scalar
    }
    let isHigh = first < 0xDC00
    let pairFollows = at + 7 < bytes.count && bytes[at + 6] == UInt8(ascii: "\\") && bytes[at + 7] == UInt8(ascii: "u")
    if isHigh, pairFollows {
      let second = try fourDigits(at: at + 8, start)
      if (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        at += 12
        return scalar
      }
    }
    throw failure(
      JSONErrorCode.loneSurrogate,
      "\\u\(String(first, radix: 16)) is one half of a surrogate pair without its other half, and no character.")
  }

  private func fourDigits(at first: Int, _ start: Int) throws(Failure) -> UInt32 {
    var value: UInt32 = 0
    for position in first..<first + 4 {
      guard position < bytes.count else { throw unclosedString(start) }
      let digit: UInt8
      switch bytes[position] {
      case let byte where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case let byte where byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case let byte where byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default:
        throw Failure(
          code: JSONErrorCode.syntax, message: "\\u is followed by four hexadecimal digits, as in \\u00b5.",
          offset: first - 2)
      }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  /// Passes one scalar of two to four bytes. It must have its shortest form, must not be a surrogate, and must not
  /// exceed U+10FFFF.
  private mutating func scalarOfSeveralBytes() throws(Failure) {
    let lead = bytes[at]
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: length = 4
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: throw notUTF8()
    }
    guard at + length <= bytes.count, second.contains(bytes[at + 1]) else { throw notUTF8() }
    for index in 2..<max(2, length) where bytes[at + index] & 0xC0 != 0x80 { throw notUTF8() }
    at += length
  }

  private func notUTF8() -> Failure {
    let byte = String(bytes[at], radix: 16, uppercase: true)
    return failure(JSONErrorCode.notUTF8, "The byte 0x\(byte) starts no UTF-8 character here; save the text as UTF-8.")
  }

  private func controlCharacter() -> Failure {
    let written =
      switch bytes[at] {
      case 0x0A: "\\n"
      case 0x0D: "\\r"
      case 0x09: "\\t"
      default: "\\u00" + (bytes[at] < 0x10 ? "0" : "") + String(bytes[at], radix: 16)
      }
    return failure(
      JSONErrorCode.controlCharacter,
      "The control character \(codePoint(UInt32(bytes[at]))) stands in a string; write \(written).")
  }

  private func unclosedString(_ start: Int) -> Failure { unclosed("string", "\"", from: start) }
}
