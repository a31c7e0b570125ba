public import JSON
public import Runtime
public import Values

/// The last chain of every shard of a store at one time. A head that is signed and kept elsewhere proves later that no
/// earlier event was changed or removed.
public struct AuditHead: Sendable, Hashable {
  /// The end of one shard's chain.
  public struct Shard: Sendable, Hashable {
    public let shard: Int
    /// The position of the shard's last event; 0 when the shard was empty.
    public let position: Int64
    /// The chain of the last event; 32 zero bytes when no event carried a chain.
    public let chain: [UInt8]
    /// The last position that was stored before chains existed.
    public let unchained: Int64
  }

  public struct Signature: Sendable, Hashable {
    /// The id of the public key: see `VerifyingKey.id`.
    public let key: String
    public let bytes: [UInt8]
  }

  public let store: UniqueID
  public let at: Timestamp
  /// The shards in order, each once.
  public let shards: [Shard]
  public var signature: Signature?

  public init(store: UniqueID, at: Timestamp, shards: [Shard], signature: Signature? = nil) {
    self.store = store
    self.at = at
    self.shards = shards
    self.signature = signature
  }

  /// The bytes that are signed: one line for each fact of the head. They do not depend on the JSON form of the head,
  /// and their format never changes.
  public var signedBytes: [UInt8] {
    var text = "tracseq audit head 1\nstore \(store)\nat \(at.milliseconds)\nshards \(shards.count)\n"
    for shard in shards {
      text += "\(shard.shard) \(shard.position) \(shard.unchained) \(Digest.hexadecimal(shard.chain))\n"
    }
    return Array(text.utf8)
  }

  /// Returns the head with a new signature in place of an existing one.
  public func signed(with key: SigningKey) -> AuditHead? {
    guard let bytes = key.sign(signedBytes) else { return nil }
    var head = self
    head.signature = Signature(key: key.publicKey.id, bytes: bytes)
    return head
  }

  /// - Throws: `audit.headUnsigned`, `audit.otherKey` or `audit.signatureWrong`.
  public func verify(with key: VerifyingKey) throws(AuditError) {
    guard let signature else {
      throw AuditError(AuditErrorCode.headUnsigned, "The head carries no signature: anybody can have written it.")
    }
    guard signature.key == key.id else {
      throw AuditError(
        AuditErrorCode.otherKey, "The head was signed with the key \(signature.key), and this is \(key.id).")
    }
    guard key.verifies(signature.bytes, of: signedBytes) else {
      throw AuditError(
        AuditErrorCode.signatureWrong, "The signature isn't that of this head: one of the two was changed.")
    }
  }
}

// MARK: As JSON

extension AuditHead {
  public var json: JSON {
    var members: JSONObject = [
      "store": .string(store.description), "at": .string(at.description),
      "shards": .array(
        shards.map { shard in
          [
            "shard": .int(shard.shard), "position": .number(JSONNumber(shard.position)),
            "chain": .string(Digest.hexadecimal(shard.chain)), "unchained": .number(JSONNumber(shard.unchained)),
          ]
        }),
    ]
    if let signature {
      members["signature"] = [
        "algorithm": "ed25519", "key": .string(signature.key), "value": .string(Digest.hexadecimal(signature.bytes)),
      ]
    }
    return .object(members)
  }

  /// Reads a head strictly: an unknown, missing or ill-formed member is an error.
  /// - Throws: `audit.headUnreadable`.
  public init(parsing bytes: [UInt8]) throws(AuditError) {
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch {
      throw AuditError(AuditErrorCode.headUnreadable, "The head is no JSON: \(error.message)")
    }
    try self.init(json)
  }

  /// - Throws: `audit.headUnreadable`.
  public init(_ json: JSON) throws(AuditError) {
    let members = try Self.members(json, of: "The head", ["store", "at", "shards", "signature"])
    guard let store = members["store"]?.stringValue.flatMap({ UniqueID($0) }) else {
      throw Self.bad("“store”", "an id")
    }
    guard let at = members["at"]?.stringValue.flatMap({ Timestamp($0) }) else { throw Self.bad("“at”", "a moment") }
    guard let list = members["shards"]?.arrayValue, (1...Persistence.Shard.maxCount).contains(list.count) else {
      throw Self.bad("“shards”", "a list of shards")
    }
    var shards: [Shard] = []
    for (index, element) in list.enumerated() {
      let member = try Self.members(element, of: "A shard", ["shard", "position", "chain", "unchained"])
      guard member["shard"]?.intValue == index, let position = member["position"]?.intValue, position >= 0,
        let unchained = member["unchained"]?.intValue, unchained >= 0,
        let chain = member["chain"]?.stringValue.flatMap({ Digest.bytes(hexadecimal: $0) }), chain.count == 32
      else { throw Self.bad("“shards[\(index)]”", "a shard in its turn, with position, chain and unchained") }
      shards.append(Shard(shard: index, position: Int64(position), chain: chain, unchained: Int64(unchained)))
    }
    var signature: Signature?
    if let value = members["signature"] {
      let member = try Self.members(value, of: "The signature", ["algorithm", "key", "value"])
      guard member["algorithm"]?.stringValue == "ed25519", let key = member["key"]?.stringValue,
        let bytes = member["value"]?.stringValue.flatMap({ Digest.bytes(hexadecimal: $0) })
      else { throw Self.bad("“signature”", "an ed25519 signature with key and value") }
      signature = Signature(key: key, bytes: bytes)
    }
    self.init(store: store, at: at, shards: shards, signature: signature)
  }

  private static func members(_ json: JSON, of what: String, _ known: [String]) throws(AuditError) -> JSONObject {
    guard let members = json.objectValue else {
      throw AuditError(AuditErrorCode.headUnreadable, "\(what) must be an object.")
    }
    if let name = members.keys.first(where: { name in !known.contains { $0.hasSameScalars(as: name) } }) {
      throw AuditError(AuditErrorCode.headUnreadable, "\(what) has no member “\(name)”.")
    }
    return members
  }

  private static func bad(_ what: String, _ wanted: String) -> AuditError {
    AuditError(AuditErrorCode.headUnreadable, "\(what) of the head must be \(wanted).")
  }
}

extension AuditReport {
  public var json: JSON {
    var members: JSONObject = [
      "store": .string(store.description), "intact": .bool(isIntact), "events": .number(JSONNumber(events)),
      "unchained": .number(JSONNumber(unchained)),
    ]
    if let comparedWith { members["comparedWith"] = .string(comparedWith.description) }
    members["broken"] = .array(
      broken.map { link in
        var members: JSONObject = [
          "kind": .string(link.kind.rawValue), "shard": .int(link.shard),
          "position": .number(JSONNumber(link.position)),
        ]
        if let stream = link.stream { members["stream"] = .string(stream.description) }
        if let version = link.version { members["version"] = .int(version) }
        members["why"] = .string(link.why)
        return .object(members)
      })
    members["shards"] = .array(
      shards.map { shard in
        [
          "shard": .int(shard.shard), "events": .number(JSONNumber(shard.events)),
          "chain": .string(Digest.hexadecimal(shard.chain)), "unchained": .number(JSONNumber(shard.unchained)),
        ]
      })
    return .object(members)
  }
}
