/// Base64 for URLs, without padding (RFC 4648 §5), as JSON Web Tokens and sealed values write bytes.
package enum Base64URL {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  private static let values: [UInt8?] = {
    var values = [UInt8?](repeating: nil, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  /// Whether a byte is one of the 64 digits.
  static func isDigit(_ byte: UInt8) -> Bool { values[Int(byte)] != nil }

  package static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count * 4 + 2) / 3)
    var bits = 0
    var count = 0
    for byte in bytes {
      bits = (bits << 8 | Int(byte)) & 0xFFFF
      count += 8
      while count >= 6 {
        count -= 6
        text.append(digits[bits >> count & 0x3F])
      }
    }
    if count > 0 { text.append(digits[bits << (6 - count) & 0x3F]) }
    return String(decoding: text, as: UTF8.self)
  }

  /// - Returns: nil for another character, padding, or a text that no encoder writes for any bytes. So there is one text
  ///   for the same bytes.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits = 0
    var count = 0
    for digit in text.utf8 {
      guard let value = values[Int(digit)] else { return nil }
      bits = (bits << 6 | Int(value)) & 0xFFFF
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(bits >> count & 0xFF))
      }
    }
    guard count < 6, bits & ((1 << count) - 1) == 0 else { return nil }
    return bytes
  }
}
