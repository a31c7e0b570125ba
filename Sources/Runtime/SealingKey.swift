import CCrypto

/// A key of AES-256-GCM (NIST SP 800-38D), by libcrypto. What it seals can't be read or changed without it.
public struct SealingKey: Sendable {
  /// The bytes of a key, of a nonce, and of the tag at the end of what is sealed.
  public static let length = 32
  public static let nonceLength = 12
  public static let tagLength = 16

  /// The key itself. It is never part of a log or an error.
  public let bytes: [UInt8]

  /// - Parameter bytes: 32 random bytes.
  /// - Returns: nil for another length.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.length else { return nil }
    self.bytes = bytes
  }

  /// Returns a new key.
  public static func new(_ environment: Environment) -> SealingKey {
    SealingKey(bytes: environment.randomBytes(length))
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// Seals bytes.
  /// - Parameters:
  ///   - nonce: 12 bytes that were never used with this key.
  ///   - context: bytes that `open` needs too. They are not part of the result.
  /// - Returns: the nonce, the ciphertext and the tag; nil for a nonce of another length, and when libcrypto has no
  ///   memory.
  public func seal(_ bytes: [UInt8], nonce: [UInt8], context: [UInt8]) -> [UInt8]? {
    guard nonce.count == Self.nonceLength, let cipher = EVP_CIPHER_CTX_new() else { return nil }
    defer { EVP_CIPHER_CTX_free(cipher) }
    guard EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nil, self.bytes, nonce) == 1 else { return nil }
    var count: Int32 = 0
    guard EVP_EncryptUpdate(cipher, nil, &count, context, Int32(clamping: context.count)) == 1 else { return nil }
    var sealed = [UInt8](repeating: 0, count: bytes.count)
    if !bytes.isEmpty {
      guard EVP_EncryptUpdate(cipher, &sealed, &count, bytes, Int32(clamping: bytes.count)) == 1,
        Int(count) == bytes.count
      else { return nil }
    }
    // GCM writes nothing at the end.
    var rest = [UInt8](repeating: 0, count: Self.tagLength)
    var tag = [UInt8](repeating: 0, count: Self.tagLength)
    guard EVP_EncryptFinal_ex(cipher, &rest, &count) == 1,
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), &tag) == 1
    else { return nil }
    return nonce + sealed + tag
  }

  /// Opens what `seal` has made.
  /// - Returns: nil when it was sealed with another key or another context, and when it was changed.
  public func open(_ sealed: [UInt8], context: [UInt8]) -> [UInt8]? {
    guard sealed.count >= Self.nonceLength + Self.tagLength, let cipher = EVP_CIPHER_CTX_new() else { return nil }
    defer {
      EVP_CIPHER_CTX_free(cipher)
      // Another library on this thread would take an error that stays in the queue for its own.
      ERR_clear_error()
    }
    let nonce = Array(sealed.prefix(Self.nonceLength))
    let content = Array(sealed.dropFirst(Self.nonceLength).dropLast(Self.tagLength))
    var tag = Array(sealed.suffix(Self.tagLength))
    guard EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), nil, bytes, nonce) == 1 else { return nil }
    var count: Int32 = 0
    guard EVP_DecryptUpdate(cipher, nil, &count, context, Int32(clamping: context.count)) == 1 else { return nil }
    var opened = [UInt8](repeating: 0, count: content.count)
    if !content.isEmpty {
      guard EVP_DecryptUpdate(cipher, &opened, &count, content, Int32(clamping: content.count)) == 1,
        Int(count) == content.count
      else { return nil }
    }
    var rest = [UInt8](repeating: 0, count: Self.tagLength)
    guard EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagLength), &tag) == 1,
      EVP_DecryptFinal_ex(cipher, &rest, &count) == 1
    else { return nil }
    return opened
  }
}

extension SealingKey: CustomStringConvertible, CustomReflectable {
  public var description: String { "a key" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Environment {
  /// Returns random bytes.
  public func randomBytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 7)
    while bytes.count < count {
      let word = random()
      for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
    }
    return Array(bytes.prefix(count))
  }
}
