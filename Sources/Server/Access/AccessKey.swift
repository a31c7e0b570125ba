import JSON
import Runtime
import Values

/// An API key as it is stored: what it permits, and the hash of its secret.
///
/// A caller sends `tsk_ID_SECRET`. The id is public: it is in the audit and in `saga key list`. The secret has 256 random
/// bits, so SHA-256 without a salt keeps it: there is no list of likely secrets to try.
public struct AccessKey: Sendable, Hashable {
  /// 12 hexadecimal digits.
  public let id: String
  /// The name in the history. Two keys with one name belong to one person.
  public let name: String
  public let roles: [GrantedRole]
  /// The roles of its owner in the laboratory, for signals that ask for one.
  public let labRoles: [String]
  public let speaksForOthers: Bool
  /// The SHA-256 of the secret's text.
  public let secretHash: [UInt8]
  public let createdAt: Timestamp
  public let expiresAt: Timestamp
  public var revokedAt: Timestamp?

  private static let prefix = "tsk"

  /// Creates a key.
  /// - Returns: the key to store, and the text for its owner, which is not stored anywhere.
  public static func new(
    name: String, roles: [GrantedRole], labRoles: [String] = [], speaksForOthers: Bool, expiresAt: Timestamp,
    environment: Environment
  ) -> (key: AccessKey, text: String) {
    let id = String(random(words: 1, environment).prefix(12))
    let secret = random(words: 4, environment)
    let key = AccessKey(
      id: id, name: name, roles: roles, labRoles: labRoles, speaksForOthers: speaksForOthers,
      secretHash: Digest.sha256(Array(secret.utf8)), createdAt: environment.wallNow(), expiresAt: expiresAt,
      revokedAt: nil)
    return (key, "\(prefix)_\(id)_\(secret)")
  }

  /// Returns random hexadecimal digits, 16 for each word.
  static func random(words: Int, _ environment: Environment) -> String {
    let words = (0..<words).map { _ in environment.random() }
    return Digest.hexadecimal(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })
  }

  /// The parts of a key's text; nil for a text of another form.
  static func parts(of text: String) -> (id: String, secret: String)? {
    // No key is longer, and a long text is not worth splitting.
    guard text.utf8.count <= 200 else { return nil }
    let parts = text.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == prefix, isHexadecimal(parts[1], 12), isHexadecimal(parts[2], 64) else {
      return nil
    }
    return (String(parts[1]), String(parts[2]))
  }

  /// Whether a text is a key's text, with its secret.
  public static func isText(_ text: String) -> Bool { parts(of: text) != nil }

  private static func isHexadecimal(_ text: Substring, _ count: Int) -> Bool {
    text.utf8.count == count && Digest.bytes(hexadecimal: String(text)) != nil
  }

  /// Compares a secret with the hash, in a time that does not depend on where they differ.
  func fits(_ secret: String) -> Bool { Self.areSame(Digest.sha256(Array(secret.utf8)), secretHash) }

  static func areSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    // Reads every byte: an early return would say how many bytes are right.
    return zip(left, right).reduce(into: UInt8(0)) { $0 |= $1.0 ^ $1.1 } == 0
  }

  /// What the key is for at a time.
  public enum Validity: String, Sendable { case valid, expired, revoked }

  public func validity(at now: Timestamp) -> Validity {
    if revokedAt != nil { return .revoked }
    return now < expiresAt ? .valid : .expired
  }

  var caller: Caller {
    Caller(
      person: name, roles: roles, labRoles: labRoles, maySpeakForOthers: speaksForOthers, keyID: id,
      expiresAt: expiresAt)
  }

  /// Why a text can't be the name of a key; nil when it can.
  public static func fault(inName name: String) -> String? {
    let scalars = name.unicodeScalars
    guard (1...200).contains(scalars.count), scalars.contains(where: { !$0.properties.isWhitespace }) else {
      return "must have 1 to 200 characters, and not only blanks"
    }
    if scalars.first?.properties.isWhitespace == true || scalars.last?.properties.isWhitespace == true {
      return "must not begin or end with a blank"
    }
    if let scalar = PersonName.invisible(in: name) {
      return "has a character that can't be seen: \(PersonName.codePoint(scalar))"
    }
    if PersonName(name).looksLike(PersonName(Caller.anyone.person)) {
      return "must not look like “\(Caller.anyone.person)”, the name of callers without a key"
    }
    return nil
  }
}

// The form in the file of keys.
extension AccessKey {
  /// What is wrong in a stored key.
  public struct Mistake: MemberError {
    public let message: String
    public init(_ member: String, of owner: String, wanted: String) { message = "\(owner).\(member) is not \(wanted)" }
  }

  /// - Parameter place: the key's place in the file, for mistakes.
  init(_ json: JSON, at place: String) throws(Mistake) {
    let reader = MemberReader<Mistake>(json, of: place)
    id = try reader.required("id", "12 hexadecimal digits") { json in
      json.stringValue.flatMap { Self.isHexadecimal($0[...], 12) ? $0 : nil }
    }
    name = try reader.required("name", "a visible name") { json in
      json.stringValue.flatMap { Self.fault(inName: $0) == nil ? $0 : nil }
    }
    roles = try reader.required("roles", "a list of roles") { json in
      json.elements { $0.stringValue.flatMap { GrantedRole($0) } }.flatMap { $0.isEmpty ? nil : $0 }
    }
    labRoles =
      try reader.optional("labRoles", "a list of at most \(LabRole.most) roles of the laboratory") { json in
        json.elements { $0.stringValue.flatMap { LabRole.fault(in: $0) == nil ? $0 : nil } }
          .flatMap { $0.count <= LabRole.most ? $0 : nil }
      } ?? []
    speaksForOthers = try reader.optional("speaksForOthers", "true or false", \.boolValue) ?? false
    secretHash = try reader.required("sha256", "64 hexadecimal digits") { json in
      json.stringValue.flatMap { Self.isHexadecimal($0[...], 64) ? Digest.bytes(hexadecimal: $0) : nil }
    }
    createdAt = try reader.timestamp("createdAt")
    expiresAt = try reader.timestamp("expiresAt")
    revokedAt = try reader.optionalTimestamp("revokedAt")
  }

  var json: JSON {
    var object: JSONObject = [
      "id": .string(id), "name": .string(name), "roles": .array(roles.map { .string($0.description) }),
      "speaksForOthers": .bool(speaksForOthers), "sha256": .string(Digest.hexadecimal(secretHash)),
      "createdAt": .timestamp(createdAt), "expiresAt": .timestamp(expiresAt),
    ]
    if !labRoles.isEmpty { object["labRoles"] = .array(labRoles.map(JSON.string)) }
    if let revokedAt { object["revokedAt"] = .timestamp(revokedAt) }
    return .object(object)
  }
}
