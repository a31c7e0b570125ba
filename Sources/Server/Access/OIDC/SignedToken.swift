import JSON
import Runtime
import Values

/// Why a token does not count. Only the log has it: an answer that said it would help a forger.
enum TokenFault: String, Error {
  case malformed, tooLong, algorithm, type, critical, signature, issuer, audience, expired, claims, nonce
  /// It is not valid yet, or was issued in the future.
  case notYetValid
  /// No key of the provider has its id and algorithm.
  case keyUnknown
}

/// A JSON Web Token with a signature (RFC 7519, RFC 7515), as far as it can be read without a key.
struct SignedToken: Sendable {
  let algorithm: PublicKey.Algorithm
  /// The id of the key that signed it; nil when the token names none.
  let keyID: String?
  private let payload: [UInt8]
  private let signed: [UInt8]
  private let signature: [UInt8]

  /// The longest text of a token, in bytes.
  static let mostBytes = 12_288
  private static let limits = JSONLimits(maxDepth: 32)
  /// The types of tokens that name a person to an API or a client. A token for another purpose, such as a logout, has
  /// another type (RFC 8725 §3.11).
  private static let types: Set<String> = ["jwt", "at+jwt", "application/at+jwt", "application/jwt"]

  /// Whether a text has the form of a token: three parts.
  static func isLike(_ text: String) -> Bool { text.utf8.count { $0 == UInt8(ascii: ".") } == 2 }

  init(_ text: String) throws(TokenFault) {
    guard text.utf8.count <= Self.mostBytes else { throw .tooLong }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let head = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
      let signature = Base64URL.decode(parts[2]), let header = try? JSON(parsing: head, limits: Self.limits),
      header.objectValue != nil
    else { throw .malformed }
    // The only place that reads “alg”. It has neither “none” nor an algorithm with a shared secret.
    guard let algorithm = header["alg"]?.stringValue.flatMap({ PublicKey.Algorithm(rawValue: $0) }) else {
      throw .algorithm
    }
    // The engine knows no extension, and must refuse a token that needs one (RFC 7515 §4.1.11).
    guard header["crit"] == nil, header["b64"] == nil else { throw .critical }
    if let type = header["typ"] {
      guard let type = type.stringValue, Self.types.contains(type.lowercased()) else { throw .type }
    }
    let keyID = header["kid"]?.stringValue
    guard header["kid"] == nil || keyID != nil else { throw .malformed }
    self.algorithm = algorithm
    self.keyID = keyID
    self.payload = payload
    self.signature = signature
    signed = Array(text.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
  }

  /// Returns the claims, once the key has verified the signature.
  func claims(verifiedBy key: PublicKey) throws(TokenFault) -> TokenClaims {
    guard key.algorithm == algorithm, key.verifies(signature, of: signed) else { throw .signature }
    guard let json = try? JSON(parsing: payload, limits: Self.limits), json.objectValue != nil else {
      throw .malformed
    }
    return TokenClaims(json: json)
  }
}

/// What a token says, after its signature was verified.
struct TokenClaims: Sendable {
  let json: JSON

  /// When the token ends.
  var expiresAt: Timestamp? { time("exp") }
  /// The provider's own name of the person, which never changes.
  var subject: String? { text("sub") }

  /// Checks for whom the token is, who has issued it, and when it is valid.
  /// - Parameter skew: by how much the clocks of the provider and the engine may differ.
  func check(issuer: String, audience: String, now: Timestamp, skew: Duration) throws(TokenFault) {
    guard same(json["iss"], issuer) else { throw .issuer }
    guard audiences.contains(where: { same($0, audience) }) else { throw .audience }
    guard let expiresAt, subject != nil else { throw .claims }
    guard now < expiresAt + skew else { throw .expired }
    for name in ["nbf", "iat"] where json[name] != nil {
      guard let time = time(name) else { throw .claims }
      guard time < now + skew || time == now + skew else { throw .notYetValid }
    }
  }

  /// Checks what the token of a sign-in has beyond that (OpenID Connect Core §3.1.3.7).
  func check(nonce: String, client: String) throws(TokenFault) {
    guard same(json["nonce"], nonce) else { throw .nonce }
    if audiences.count > 1 || json["azp"] != nil {
      guard same(json["azp"], client) else { throw .audience }
    }
  }

  /// Whether a claim has a value: as its text, or among its texts.
  /// - Parameter name: a claim, or with dots a claim inside of claims, as `realm_access.roles`.
  func has(_ name: String, _ value: String) -> Bool {
    guard let claim = claim(name) else { return false }
    return same(claim, value) || claim.arrayValue?.contains { same($0, value) } ?? false
  }

  /// Returns the text of a claim; nil when it is missing, empty, or no text.
  func text(_ name: String) -> String? {
    claim(name)?.stringValue.flatMap { $0.isEmpty || $0.utf8.count > 255 ? nil : $0 }
  }

  /// Whether the provider says that the person has not shown that the address is theirs.
  var hasUnverifiedEmail: Bool { json["email_verified"] == false || json["email_verified"] == "false" }

  private var audiences: [JSON] { json["aud"]?.arrayValue ?? json["aud"].map { [$0] } ?? [] }

  private func claim(_ name: String) -> JSON? {
    if let whole = json[name] { return whole }
    return name.split(separator: ".").reduce(json) { $0?[String($1)] }
  }

  /// Compares character by character: Swift's own comparison takes two spellings of “é” for one.
  private func same(_ claim: JSON?, _ text: String) -> Bool {
    claim?.stringValue?.hasSameScalars(as: text) ?? false
  }

  /// Reads a number of seconds since 1970, up to the year 9999.
  private func time(_ name: String) -> Timestamp? {
    guard let seconds = json[name]?.doubleValue, (0...253_402_300_799).contains(seconds) else { return nil }
    return Timestamp(milliseconds: Int64(seconds * 1_000))
  }
}
