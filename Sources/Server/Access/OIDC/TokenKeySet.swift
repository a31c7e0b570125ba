import JSON
import Runtime
import Values

/// The public keys with which an OpenID provider signs (RFC 7517).
struct TokenKeySet: Sendable {
  struct Key: Sendable {
    /// Nil for a key without an id.
    let id: String?
    let key: PublicKey
  }

  let keys: [Key]

  /// The most keys that are read. The others are ignored.
  static let mostKeys = 100

  /// Reads the keys that sign tokens with an algorithm that the engine takes. The others are ignored, because a provider
  /// may have keys for other clients and purposes.
  /// - Returns: nil without any such key.
  init?(_ json: JSON) {
    guard let entries = json["keys"]?.arrayValue else { return nil }
    keys = entries.prefix(Self.mostKeys).compactMap(Self.key)
    if keys.isEmpty { return nil }
  }

  private static func key(_ json: JSON) -> Key? {
    // A key of another use must not count for this one.
    if let use = json["use"], use != "sig" { return nil }
    if let operations = json["key_ops"], operations.arrayValue?.contains("verify") != true { return nil }
    func bytes(_ name: String) -> [UInt8]? { json[name]?.stringValue.flatMap { Base64URL.decode($0) } }
    let key: PublicKey?
    switch (json["kty"]?.stringValue, json["crv"]?.stringValue) {
    case ("RSA", nil):
      guard let modulus = bytes("n"), let exponent = bytes("e") else { return nil }
      key = PublicKey(modulus: modulus, exponent: exponent)
    case ("EC", "P-256"):
      guard let x = bytes("x"), let y = bytes("y") else { return nil }
      key = PublicKey(x: x, y: y)
    case ("OKP", "Ed25519"):
      guard let x = bytes("x") else { return nil }
      key = PublicKey(ed25519: x)
    default: return nil
    }
    guard let key else { return nil }
    if let algorithm = json["alg"], algorithm != .string(key.algorithm.rawValue) { return nil }
    let id = json["kid"]?.stringValue
    // An id of another type can't be named by a token.
    if json["kid"] != nil, id == nil { return nil }
    return Key(id: id, key: key)
  }

  /// Returns the key of a token: the one with its id, and with its algorithm. A token without an id belongs to the only
  /// key of its algorithm; nil when there are several.
  func key(_ id: String?, _ algorithm: PublicKey.Algorithm) -> PublicKey? {
    let fitting = keys.filter { $0.key.algorithm == algorithm && (id == nil || $0.id == id) }
    return fitting.count == 1 ? fitting[0].key : nil
  }
}
