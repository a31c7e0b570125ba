import CCrypto

/// A public key that verifies the signatures of JSON Web Tokens (RFC 7518, RFC 8037), by libcrypto.
public final class PublicKey: Sendable {
  /// The algorithms that the engine takes. A key has exactly one of them, so a token can't choose another.
  public enum Algorithm: String, Sendable, CaseIterable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA on the curve P-256 with SHA-256.
    case es256 = "ES256"
    /// Ed25519.
    case edDSA = "EdDSA"
  }

  public let algorithm: Algorithm
  private let key: KeyHandle

  /// The shortest and the longest modulus that is taken, in bits. A longer one would make each signature slow to verify.
  public static let modulusBits = 2_048...8_192

  private init?(_ algorithm: Algorithm, der: [UInt8]) {
    let pointer = der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
      var next = buffer.baseAddress
      return d2i_PUBKEY(nil, &next, buffer.count)
    }
    guard let pointer else {
      // Another library on this thread would take an error that stays in the queue for its own.
      ERR_clear_error()
      return nil
    }
    self.algorithm = algorithm
    key = KeyHandle(pointer)
  }

  /// An RSA key.
  /// - Parameters:
  ///   - modulus: big-endian.
  ///   - exponent: big-endian; odd, from 3 to 2^32.
  /// - Returns: nil for other values.
  public convenience init?(modulus: [UInt8], exponent: [UInt8]) {
    let modulus = modulus.drop { $0 == 0 }
    let exponent = exponent.drop { $0 == 0 }
    let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
    guard Self.modulusBits.contains(bits), (1...4).contains(exponent.count), exponent.last?.isMultiple(of: 2) == false,
      exponent != [1]
    else { return nil }
    let numbers = DER.sequence(DER.integer(modulus) + DER.integer(exponent))
    // rsaEncryption, with NULL as its parameters.
    let kind: [UInt8] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00]
    self.init(.rs256, der: DER.sequence(DER.sequence(kind) + DER.bits(numbers)))
  }

  /// A key on the curve P-256.
  /// - Parameters:
  ///   - x: 32 bytes, big-endian.
  ///   - y: 32 bytes, big-endian.
  /// - Returns: nil for a point that is not on the curve.
  public convenience init?(x: [UInt8], y: [UInt8]) {
    guard x.count == 32, y.count == 32 else { return nil }
    // id-ecPublicKey, on prime256v1.
    let kind: [UInt8] = [
      0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07,
    ]
    self.init(.es256, der: DER.sequence(DER.sequence(kind) + DER.bits([0x04] + x + y)))
  }

  /// An Ed25519 key.
  /// - Parameter bytes: 32 bytes.
  public convenience init?(ed25519 bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.init(.edDSA, der: DER.sequence(DER.sequence([0x06, 0x03, 0x2B, 0x65, 0x70]) + DER.bits(bytes)))
  }

  /// Whether a signature belongs to the bytes.
  /// - Parameter signature: in the form of a token: for ES256 two numbers of 32 bytes each.
  public func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
    var signature = signature
    if algorithm == .es256 {
      guard signature.count == 64 else { return false }
      signature = DER.sequence(DER.integer(signature[..<32]) + DER.integer(signature[32...]))
    }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    // Ed25519 has its digest in itself.
    let digest = algorithm == .edDSA ? nil : EVP_sha256()
    guard EVP_DigestVerifyInit(context, nil, digest, nil, key.pointer) == 1 else { return false }
    return EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
  }
}

/// Writes the few forms of DER (X.690) in which libcrypto takes keys and signatures.
private enum DER {
  static func sequence(_ content: [UInt8]) -> [UInt8] { element(0x30, content) }

  /// A bit string of whole bytes.
  static func bits(_ content: [UInt8]) -> [UInt8] { element(0x03, [0] + content) }

  /// A number that is not negative, from its big-endian bytes.
  static func integer(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    let digits = bytes.drop { $0 == 0 }
    // A first bit of 1 would be a sign.
    let sign: [UInt8] = (digits.first ?? 0x80) >= 0x80 ? [0] : []
    return element(0x02, sign + digits)
  }

  private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    let count = content.count
    if count < 0x80 { return [tag, UInt8(count)] + content }
    var digits: [UInt8] = []
    var rest = count
    while rest > 0 {
      digits.insert(UInt8(rest & 0xFF), at: 0)
      rest >>= 8
    }
    return [tag, 0x80 | UInt8(digits.count)] + digits + content
  }
}
