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

  /// SHA-256 as 64 hexadecimal digits.
  public static func hex(_ bytes: [UInt8]) -> String { hexadecimal(sha256(bytes)) }

  /// Bytes as hexadecimal digits, in lower case.
  public static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] })
  }
}
