import CCrypto
import Values

/// An Ed25519 key pair (RFC 8032) by libcrypto. The public key verifies what the private key signs.
public final class SigningKey: Sendable {
  private let key: KeyHandle
  public let publicKey: VerifyingKey

  private init?(_ key: KeyHandle) {
    guard let publicKey = VerifyingKey(key) else { return nil }
    self.key = key
    self.publicKey = publicKey
  }

  /// Returns a new pair from libcrypto's own randomness. Keys must not follow from a seed.
  public static func generate() -> SigningKey? {
    guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil) else { return nil }
    defer { EVP_PKEY_CTX_free(context) }
    var made: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_keygen(context, &made) == 1, let made else { return nil }
    return SigningKey(KeyHandle(made))
  }

  /// Reads a private key in PEM (PKCS #8, not encrypted).
  /// - Returns: nil unless it is an Ed25519 key.
  public convenience init?(pem: [UInt8]) {
    guard let read = KeyHandle.reading(pem, with: saga_read_private_key) else { return nil }
    self.init(read)
  }

  /// The private key in PEM.
  public var pem: [UInt8]? {
    KeyHandle.writing { PEM_write_bio_PrivateKey($0, key.pointer, nil, nil, 0, nil, nil) }
  }

  /// - Returns: 64 bytes; nil only when libcrypto has no memory.
  public func sign(_ bytes: [UInt8]) -> [UInt8]? {
    guard let context = EVP_MD_CTX_new() else { return nil }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestSignInit(context, nil, nil, nil, key.pointer) == 1 else { return nil }
    var signature = [UInt8](repeating: 0, count: 64)
    var length = signature.count
    guard EVP_DigestSign(context, &signature, &length, bytes, bytes.count) == 1, length == 64 else { return nil }
    return signature
  }
}

/// The public key of a pair.
public final class VerifyingKey: Sendable {
  private let key: KeyHandle
  /// The id of the key: the first 16 hexadecimal digits of the SHA-256 of the key's 32 bytes.
  public let id: String

  fileprivate init?(_ key: KeyHandle) {
    var raw = [UInt8](repeating: 0, count: 32)
    var length = raw.count
    guard EVP_PKEY_get_raw_public_key(key.pointer, &raw, &length) == 1, length == 32 else { return nil }
    self.key = key
    id = String(Digest.hex(raw).prefix(16))
  }

  /// Reads a public key in PEM.
  /// - Returns: nil unless it is an Ed25519 key.
  public convenience init?(pem: [UInt8]) {
    guard let read = KeyHandle.reading(pem, with: saga_read_public_key) else { return nil }
    self.init(read)
  }

  /// The public key in PEM.
  public var pem: [UInt8]? { KeyHandle.writing { PEM_write_bio_PUBKEY($0, key.pointer) } }

  public func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestVerifyInit(context, nil, nil, nil, key.pointer) == 1 else { return false }
    return EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
  }
}

/// Owns one key of libcrypto. A key never changes after it is made, and libcrypto allows many threads to read it at the
/// same time. So the class is safe across threads.
final class KeyHandle: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ pointer: OpaquePointer) { self.pointer = pointer }

  deinit { EVP_PKEY_free(pointer) }

  /// - Returns: nil unless it is an Ed25519 key.
  static func reading(_ pem: [UInt8], with read: (OpaquePointer) -> OpaquePointer?) -> KeyHandle? {
    guard let bio = BIO_new_mem_buf(pem, Int32(clamping: pem.count)) else { return nil }
    defer { BIO_free(bio) }
    guard let pointer = read(bio) else { return nil }
    let handle = KeyHandle(pointer)
    return EVP_PKEY_get_base_id(pointer) == EVP_PKEY_ED25519 ? handle : nil
  }

  static func writing(_ write: (OpaquePointer) -> Int32) -> [UInt8]? {
    guard let bio = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(bio) }
    guard write(bio) == 1 else { return nil }
    var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
    let count = BIO_read(bio, &bytes, Int32(clamping: bytes.count))
    return count == bytes.count ? bytes : nil
  }
}
