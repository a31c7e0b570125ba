import CCrypto

/// SHA-256 by libcrypto.
public enum Digest {
  /// - Returns: 32 bytes.
  public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { buffer, count in
      _ = SHA256(bytes, bytes.count, buffer.baseAddress)
      count = Int(SHA256_DIGEST_LENGTH)
    }
  }

  /// Returns SHA-256 as 64 hexadecimal digits.
  public static func hex(_ bytes: [UInt8]) -> String { hexadecimal(sha256(bytes)) }

  /// Returns HMAC-SHA256 (RFC 2104). Only an owner of the key can compute it.
  /// - Returns: 32 bytes.
  public static func hmacSHA256(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { buffer, count in
      _ = HMAC(EVP_sha256(), key, Int32(clamping: key.count), bytes, bytes.count, buffer.baseAddress, nil)
      count = Int(SHA256_DIGEST_LENGTH)
    }
  }

  /// Returns bytes as hexadecimal digits in lower case.
  public static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] })
  }

  /// Reads lower-case hexadecimal digits, two for each byte.
  /// - Returns: nil for anything else.
  public static func bytes(hexadecimal text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for (index, digit) in digits.enumerated() {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      default: return nil
      }
      if index.isMultiple(of: 2) { bytes.append(value << 4) } else { bytes[index / 2] |= value }
    }
    return bytes
  }
}
